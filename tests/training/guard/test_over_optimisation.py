import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auralign.errors import ConfigError, DataError
from auralign.training.guard.over_optimisation import (
    best_of_n_gold,
    best_of_n_kl,
    curve_of,
    fit_curve,
)

pytestmark = pytest.mark.slow

KL = np.linspace(0.2, 30, 12)


def best_of_n(d, alpha, beta):
    return d * (alpha - beta * d)


def rl(d, alpha, beta):
    return d * (alpha - beta * np.log(d))


@pytest.mark.parametrize(("form", "curve"), [("best_of_n", best_of_n), ("rl", rl)])
def test_an_exact_curve_gives_its_parameters_without_error(form, curve):
    fit = fit_curve(KL, curve(np.sqrt(KL), 0.9, 0.2), form)
    assert (fit.alpha, fit.beta) == (pytest.approx(0.9), pytest.approx(0.2))
    assert fit.alpha_error < 1e-9
    assert fit(KL) == pytest.approx(curve(np.sqrt(KL), 0.9, 0.2))


@pytest.mark.parametrize(
    ("form", "curve", "beta", "d_peak", "gain"),
    [("best_of_n", best_of_n, 0.25, 2.0, 1.0), ("rl", rl, 0.5, math.e, 0.5 * math.e)],
)
def test_the_peak_is_where_the_slope_is_zero(form, curve, beta, d_peak, gain):
    """d* = alpha / (2 beta) with alpha^2 / (4 beta), and exp(alpha / beta - 1) with beta d*."""
    fit = fit_curve(KL, curve(np.sqrt(KL), 1.0, beta), form)
    assert fit.peak_kl == pytest.approx(d_peak**2)
    assert fit.peak_gain == pytest.approx(gain)
    assert fit(np.array([0.98, 1.0, 1.02]) * d_peak**2).argmax() == 1


@pytest.mark.parametrize("form", ["best_of_n", "rl"])
@pytest.mark.parametrize("knows_errors", [True, False])
def test_the_standard_errors_are_the_spread_of_repeated_fits(form, knows_errors):
    d = np.sqrt(KL)
    curve = best_of_n(d, 0.9, 0.2) if form == "best_of_n" else rl(d, 0.9, 0.4)
    rng = np.random.default_rng(0)
    errors = np.full(len(KL), 0.05) if knows_errors else None
    fits = [
        fit_curve(KL, curve + rng.normal(0, 0.05, len(KL)), form, errors=errors) for _ in range(400)
    ]
    for name in ("alpha", "beta", "peak_kl"):
        spread = np.std([getattr(f, name) for f in fits])
        told = np.sqrt(np.mean([getattr(f, f"{name}_error") ** 2 for f in fits]))
        assert told == pytest.approx(spread, rel=0.1), name
    assert np.mean([f.alpha for f in fits]) == pytest.approx(0.9, abs=0.01)


def test_a_curve_that_goes_on_rising_has_no_peak():
    fit = fit_curve(KL, 0.5 * np.sqrt(KL) + 0.01 * KL, "best_of_n")
    assert fit.beta < 0
    assert (fit.peak_kl, fit.peak_gain) == (None, None)


def test_five_divergences_are_too_few_and_repeats_do_not_help():
    with pytest.raises(DataError, match="points at 6 divergences above 0, got 5"):
        fit_curve([1, 2, 3, 4, 5, 5, 0], np.ones(7), "rl")


def test_a_negative_divergence_is_refused_with_the_estimators_to_take():
    with pytest.raises(DataError, match="take kl_exact or kl_k3"):
        fit_curve([-0.1, *KL], np.ones(13), "rl")


def test_an_unknown_form_is_refused():
    with pytest.raises(ConfigError, match="'best_of_n' or 'rl', got 'ppo'"):
        fit_curve(KL, KL, "ppo")


def test_the_divergence_of_the_best_of_n():
    assert best_of_n_kl([1, 2, 4, 16]) == pytest.approx([0, 0.1931, 0.6363, 1.8351], abs=1e-4)
    with pytest.raises(ConfigError, match="at least 1"):
        best_of_n_kl(0)


def test_the_divergence_is_that_of_the_density_of_the_maximum():
    """The maximum of n uniform numbers has the density n u^(n-1)."""
    u = (np.arange(200_000) + 0.5) / 200_000
    density = 5 * u**4
    assert best_of_n_kl(5) == pytest.approx((density * np.log(density)).mean(), abs=1e-4)


def test_ties_make_the_divergence_an_upper_bound():
    """Two outcomes of equal chance, best of 4: the better one with 1 - 2^-4; 0.4594 nats."""
    p = 1 - 2**-4
    exact = p * math.log(2 * p) + (1 - p) * math.log(2 * (1 - p))
    assert exact == pytest.approx(0.4594, abs=1e-4)
    assert exact < best_of_n_kl(4)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.floats(-2, 2)), min_size=1, max_size=7),
    st.integers(1, 7),
)
def test_the_gold_of_the_best_of_n_is_the_mean_over_all_subsets(clips, n):
    if n > len(clips):
        return
    proxy, gold = (list(x) for x in zip(*clips, strict=True))

    def best(subset):
        top = max(proxy[i] for i in subset)
        tied = [g for p, g in clips if p == top]
        return sum(tied) / len(tied)

    subsets = list(combinations(range(len(clips)), n))
    expected = sum(map(best, subsets)) / len(subsets)
    assert best_of_n_gold(proxy, gold, n) == pytest.approx(expected, abs=1e-9)


def test_weights_of_the_best_of_two_of_four():
    weights = [best_of_n_gold([1, 2, 3, 4], np.eye(4)[k], 2) for k in range(4)]
    assert weights == pytest.approx([0, 1 / 6, 1 / 3, 1 / 2])


def test_more_clips_than_there_are_cannot_be_chosen_from():
    with pytest.raises(DataError, match="n = 3, 2 clips"):
        best_of_n_gold([1, 2], [1, 2], 3)


def test_best_of_n_on_a_noisy_proxy_has_its_curve():
    """A gold reward in Gaussian noise rises as d alpha does, and never peaks (beta near 0)."""
    rng = np.random.default_rng(0)
    gold = rng.normal(size=20_000)
    proxy = gold + rng.normal(size=20_000)
    n = np.array([2, 4, 8, 16, 32, 64, 128])
    gains = [best_of_n_gold(proxy, gold, k) for k in n]
    fit = fit_curve(best_of_n_kl(n), gains, "best_of_n")
    assert fit.alpha > 0
    assert abs(fit.beta) < 0.1 * fit.alpha
    assert fit.residual < 0.05


def test_a_training_gives_its_curve_where_all_three_are_known():
    d = np.sqrt(KL)
    rows = [
        {"kl_exact": k, "proxy_change": float(p), "held_out_change": float(g)}
        for k, p, g in zip(KL, rl(d, 1.0, 0.1), rl(d, 1.0, 0.5), strict=True)
    ]
    curve = curve_of([{"kl_exact": 1.0, "proxy_change": 0.1}, *rows])
    assert len(curve["kl"]) == 12
    assert curve["gold_fit"].beta == pytest.approx(0.5)
    assert curve["proxy_fit"].beta == pytest.approx(0.1)
    assert curve_of(rows[:5])["gold_fit"] is None
