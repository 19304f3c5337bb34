"""Models of unreliable raters: derivatives by finite differences, limits, recovery of raters."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize, special

from auralign.errors import ConfigError, DataError, NotConvergedError
from auralign.stats.arrays import mid_ranks
from auralign.stats.pairs import fit_bradley_terry
from auralign.stats.raters import crowd_bradley_terry as crowd
from auralign.stats.raters.crowd_bradley_terry import (
    fit_crowd_bradley_terry,
    fit_rater_discrimination,
)
from auralign.types import Comparisons

Floats = NDArray[np.float64]


def simulated(
    rng: np.random.Generator, model: str, n_items: int, n: int, n_raters: int
) -> tuple[Floats, Floats, Comparisons]:
    """Log-worths, reliabilities and comparisons drawn from one of the two models."""
    worth = rng.normal(0, 2, n_items)
    first = rng.integers(0, n_items, n)
    second = (first + rng.integers(1, n_items, n)) % n_items
    rater = rng.integers(0, n_raters, n)
    if model == "discrimination":
        reliability = np.exp(rng.normal(0, 0.8, n_raters))
        reliability /= np.exp(np.log(reliability).mean())
        p = special.expit(reliability[rater] * (worth[first] - worth[second]))
    else:
        reliability = special.expit(rng.normal(1, 2, n_raters))
        p = special.expit(worth[first] - worth[second])
        p = reliability[rater] * p + (1 - reliability[rater]) * (1 - p)
    names = tuple(f"item {k:03}" for k in range(n_items))
    raters = tuple(f"rater {k:03}" for k in range(n_raters))
    outcome = (rng.random(n) < p).astype(float)
    zeros = np.zeros(n, dtype=np.int64)
    return (
        worth - worth.mean(),
        reliability,
        Comparisons(first, second, outcome, np.ones(n), rater, zeros, names, raters),
    )


def posterior_of(model: str, comparisons: Comparisons) -> crowd._Posterior:
    cells = crowd._cells(comparisons)
    if model == "discrimination":
        return crowd._Posterior(
            cells, crowd.discriminate, lambda u: crowd.normal_prior(u, 0.7), 0.3, True
        )
    return crowd._Posterior(cells, crowd.flip, lambda u: crowd.beta_prior(u, (10, 1)), 0.3, False)


@pytest.mark.parametrize("model", ["discrimination", "flipping"])
def test_gradient_and_curvature_are_those_of_finite_differences(model: str) -> None:
    rng = np.random.default_rng(0)
    _, _, comparisons = simulated(rng, model, 6, 80, 4)
    comparisons = replace(comparisons, outcome=np.where(np.arange(80) < 9, 0.5, 1.0))
    posterior = posterior_of(model, comparisons)
    for scale in (0.3, 3.0):
        at = scale * rng.normal(size=11)
        numeric = optimize.approx_fprime(at, lambda x: posterior(x)[0], 1e-7)
        np.testing.assert_allclose(posterior(at)[1], numeric, rtol=1e-4, atol=1e-4)
        steps = 1e-5 * np.eye(11)
        curvature = [(posterior(at - h)[1] - posterior(at + h)[1]) / 2e-5 for h in steps]
        np.testing.assert_allclose(posterior.information(at), curvature, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("model", ["discrimination", "flipping"])
def test_the_ranks_of_simulated_workers_are_recovered(model: str, seed: int) -> None:
    """A peer with a wrong gradient reaches a rank correlation of 0.05 here."""
    rng = np.random.default_rng(seed)
    worth, reliability, comparisons = simulated(rng, model, 100, 10_000, 50)
    if model == "discrimination":
        fit = fit_rater_discrimination(comparisons)
    else:
        fit = fit_crowd_bradley_terry(comparisons, rng=rng, n_starts=1)
    ranks = mid_ranks(fit.reliability), mid_ranks(reliability)
    assert np.corrcoef(*ranks)[0, 1] >= 0.95
    assert np.corrcoef(fit.log_worth, worth)[0, 1] > 0.97
    assert fit.log_likelihood > fit_bradley_terry(comparisons).log_likelihood


def test_errors_of_worths_match_the_scatter_of_estimates() -> None:
    rng = np.random.default_rng(3)
    worth, reliability, comparisons = simulated(rng, "discrimination", 60, 6000, 20)
    fit = fit_rater_discrimination(comparisons)
    standardised = (fit.log_worth - worth) / fit.standard_errors
    assert 0.7 < standardised.std() < 1.4
    standardised = np.log(fit.reliability / reliability) / fit.link_errors
    assert 0.6 < standardised.std() < 1.5
    assert np.log(fit.reliability).mean() == pytest.approx(0, abs=1e-12)
    assert fit.log_worth.sum() == pytest.approx(0, abs=1e-9)


def test_equal_raters_give_bradley_terry() -> None:
    _, _, comparisons = simulated(np.random.default_rng(4), "flipping", 8, 600, 5)
    plain = fit_bradley_terry(comparisons)
    equal = fit_rater_discrimination(comparisons, spread=1e-4)
    np.testing.assert_allclose(equal.log_worth, plain.log_worth, atol=1e-4)
    np.testing.assert_allclose(equal.standard_errors, plain.standard_errors, rtol=1e-4)
    assert equal.log_likelihood == pytest.approx(plain.log_likelihood, abs=1e-4)
    drawn_together = fit_bradley_terry(comparisons, prior=0.5)
    honest = fit_crowd_bradley_terry(
        comparisons, rng=np.random.default_rng(0), n_starts=1, eta_prior=(1e7, 1.0)
    )
    np.testing.assert_allclose(honest.log_worth, drawn_together.log_worth, atol=1e-3)


def test_swapping_sides_changes_nothing() -> None:
    _, _, c = simulated(np.random.default_rng(5), "discrimination", 8, 600, 5)
    swapped = replace(c, first=c.second, second=c.first, outcome=1 - c.outcome)
    one, other = fit_rater_discrimination(c), fit_rater_discrimination(swapped)
    np.testing.assert_allclose(one.log_worth, other.log_worth, atol=1e-5)
    np.testing.assert_allclose(one.reliability, other.reliability, atol=1e-5)


def test_a_rater_who_answers_the_opposite_gets_eta_below_one_half() -> None:
    rng = np.random.default_rng(6)
    _, _, c = simulated(rng, "flipping", 12, 1500, 6)
    margin = np.linspace(1.5, -1.5, 12)[c.first] - np.linspace(1.5, -1.5, 12)[c.second]
    honest = (rng.random(1500) < special.expit(margin)).astype(float)
    c = replace(c, outcome=np.where(c.rater == 2, 1 - honest, honest))
    fit = fit_crowd_bradley_terry(c, rng=rng)
    liar = fit.reliability_of("rater 002")
    assert liar.high < 0.5 < fit.reliability_of("rater 001").low
    assert fit.reliability.argmin() == 2
    assert fit.difference("item 000", "item 011").low > 0


def test_the_prior_speaks_for_a_rater_without_comparisons() -> None:
    rng = np.random.default_rng(7)
    _, _, c = simulated(rng, "flipping", 6, 300, 3)
    idle = replace(c, raters=(*c.raters, "rater idle"))
    flipping = fit_crowd_bradley_terry(idle, rng=rng)
    assert flipping.reliability[-1] == pytest.approx(10 / 11, abs=1e-6)
    assert any("1 raters made fewer than 20" in w for w in flipping.warnings)
    discrimination = fit_rater_discrimination(idle, spread=0.4)
    assert discrimination.link_errors[-1] == pytest.approx(0.4, rel=0.35)


def test_an_undefeated_item_is_refused_without_a_prior_and_finite_with_one() -> None:
    _, _, c = simulated(np.random.default_rng(8), "discrimination", 5, 100, 2)
    outcome = np.where(c.first == 0, 1.0, np.where(c.second == 0, 0.0, c.outcome))
    undefeated = replace(c, outcome=outcome)
    with pytest.raises(NotConvergedError, match="item 000"):
        fit_rater_discrimination(undefeated)
    fit = fit_rater_discrimination(undefeated, prior=0.5)
    assert np.isfinite(fit.log_worth).all()
    assert fit.log_worth.argmax() == 0


def test_models_too_large_for_a_dense_matrix_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "MAX_DENSE_HESSIAN", 5)
    _, _, c = simulated(np.random.default_rng(9), "discrimination", 5, 200, 2)
    fit = fit_rater_discrimination(c)
    assert np.isnan(fit.standard_errors).all()
    assert any("too large" in w for w in fit.warnings)


def test_bad_options_are_refused() -> None:
    _, _, c = simulated(np.random.default_rng(1), "flipping", 5, 200, 2)
    rng = np.random.default_rng(0)
    with pytest.raises(ConfigError, match="spread must be positive"):
        fit_rater_discrimination(c, spread=0)
    with pytest.raises(ConfigError, match="prior must be positive"):
        fit_crowd_bradley_terry(c, rng=rng, prior=0)
    with pytest.raises(ConfigError, match="n_starts must be at least 1"):
        fit_crowd_bradley_terry(c, rng=rng, n_starts=0)
    with pytest.raises(ConfigError, match="flipped answers must be positive"):
        fit_crowd_bradley_terry(c, rng=rng, eta_prior=(1, 0))
    with pytest.raises(DataError, match="no rater 'rater 1'"):
        fit_rater_discrimination(c).reliability_of("rater 1")
    with pytest.raises(DataError, match="compared with itself"):
        fit_rater_discrimination(replace(c, second=c.first))
