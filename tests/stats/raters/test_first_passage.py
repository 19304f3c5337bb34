"""First-passage times against integrals, closed forms and finite differences."""

import numpy as np
import pytest
from scipy import integrate, special

from auralign.errors import DataError
from auralign.stats.raters.first_passage import driftless_log_density, simulate_first_passage


def density(choice: int, time: float, drift: float, bound: float) -> float:
    without = driftless_log_density(np.array([time]), np.log(np.array([bound]))).value[0]
    return float(np.exp(choice * bound * drift - drift**2 * time / 2 + without))


@pytest.mark.parametrize(("drift", "bound"), [(0.0, 1.0), (0.7, 0.5), (-1.5, 2.0), (3.0, 1.0)])
def test_the_density_has_the_closed_form_choice_probability_and_mean(
    drift: float, bound: float
) -> None:
    def moment(choice: int, power: int) -> float:
        return float(
            integrate.quad(
                lambda t: t**power * density(choice, t, drift, bound),
                1e-6,
                60 * bound**2,
                limit=200,
            )[0]
        )

    upper, lower = moment(1, 0), moment(-1, 0)
    assert upper == pytest.approx(special.expit(2 * bound * drift), abs=1e-9)
    assert upper + lower == pytest.approx(1, abs=1e-9)
    mean = bound / drift * np.tanh(bound * drift) if drift else bound**2
    assert moment(1, 1) + moment(-1, 1) == pytest.approx(mean, abs=1e-8)


def test_both_series_agree_with_many_terms_at_all_times() -> None:
    u = np.array([0.01, 0.1, 0.3, 0.318, 0.319, 0.35, 1.0, 3.0])
    k = np.arange(-40, 41)[:, None]
    half = 0.5 + 2 * k
    written_out = (half * np.exp(-(half**2) / (2 * u))).sum(axis=0) / np.sqrt(2 * np.pi * u**3)
    found = driftless_log_density(u, np.full(8, np.log(0.5))).value
    np.testing.assert_allclose(found, np.log(written_out), atol=1e-11)


def test_the_derivatives_are_those_of_finite_differences() -> None:
    time = np.array([0.02, 0.1, 0.5, 1.2, 1.28, 1.5, 3.0])
    log_bound, h = np.linspace(-0.3, 0.3, 7), 1e-6
    here = driftless_log_density(time, log_bound)
    later, sooner = (driftless_log_density(time + s * h, log_bound) for s in (1, -1))
    wider, closer = (driftless_log_density(time, log_bound + s * h) for s in (1, -1))
    for exact, above, below in [
        (here.t, later.value, sooner.value),
        (here.b, wider.value, closer.value),
        (here.tt, later.t, sooner.t),
        (here.tb, wider.t, closer.t),
        (here.bb, wider.b, closer.b),
    ]:
        np.testing.assert_allclose(exact, (above - below) / (2 * h), rtol=1e-5, atol=1e-4)


def test_simulated_choices_and_times_follow_the_closed_forms() -> None:
    rng = np.random.default_rng(0)
    drift, bound, n = np.repeat([0.0, 1.0, -4.0], 1500), np.repeat([0.5, 1.5, 1.0], 1500), 1500
    upper, time = simulate_first_passage(drift, bound, rng=rng)
    for k, (v, a) in enumerate([(0.0, 0.5), (1.0, 1.5), (-4.0, 1.0)]):
        own = slice(k * n, (k + 1) * n)
        p = special.expit(2 * a * v)
        assert abs(upper[own].mean() - p) < 4 * np.sqrt(p * (1 - p) / n) + 1e-9
        mean = a / v * np.tanh(a * v) if v else a**2
        assert abs(time[own].mean() - mean) < 4 * time[own].std() / np.sqrt(n)
        survival = integrate.quad(
            lambda t, v=v, a=a: density(1, t, v, a) + density(-1, t, v, a), mean, 60 * a * a
        )[0]
        assert abs((time[own] > mean).mean() - survival) < 4 * 0.5 / np.sqrt(n)


def test_bounds_that_are_not_positive_are_refused() -> None:
    with pytest.raises(DataError, match="bounds positive"):
        simulate_first_passage([1.0], 0.0, rng=np.random.default_rng(0))
