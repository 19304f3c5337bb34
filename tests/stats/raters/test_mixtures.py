"""Mixtures of raters: derivatives by finite differences, the one-group limit, recovery."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize, special

from auralign.errors import ConfigError, DataError
from auralign.stats.pairs import fit_bradley_terry
from auralign.stats.raters import mixtures
from auralign.stats.raters.mixtures import fit_rater_mixture, fit_rater_mixtures
from auralign.types import Comparisons

Floats = NDArray[np.float64]


def simulated(
    seed: int, n_items: int = 6, n_raters: int = 40, n_each: int = 40
) -> tuple[Floats, NDArray[np.int64], Comparisons]:
    """Worths `[2, items]`, each rater's group (0 is larger) and their comparisons."""
    rng = np.random.default_rng(seed)
    worth = rng.normal(0, 1.3, (2, n_items))
    group = (np.arange(n_raters) >= 0.7 * n_raters).astype(np.int64)
    n = n_raters * n_each
    rater = np.repeat(np.arange(n_raters), n_each)
    first = rng.integers(0, n_items, n)
    second = (first + rng.integers(1, n_items, n)) % n_items
    p = special.expit(worth[group[rater], first] - worth[group[rater], second])
    items = tuple(f"item {k}" for k in range(n_items))
    raters = tuple(f"rater {k:02}" for k in range(n_raters))
    outcome = (rng.random(n) < p).astype(float)
    zeros = np.zeros(n, dtype=np.int64)
    comparisons = Comparisons(first, second, outcome, np.ones(n), rater, zeros, items, raters)
    return worth - worth.mean(axis=1, keepdims=True), group, comparisons


def log_posterior(c: Comparisons, flat: Floats, n_groups: int, ghost: float) -> float:
    """By loops over raters and groups; the last parameters are logits of the shares."""
    worth = flat[:-n_groups].reshape(n_groups, -1)
    share = special.softmax(flat[-n_groups:])
    sign = np.where(c.outcome > 0, 1, -1)
    total = ghost * (special.log_expit(worth) + special.log_expit(-worth)).sum()
    for rater in range(len(c.raters)):
        own = c.rater == rater
        margins = (worth[:, c.first[own]] - worth[:, c.second[own]]) * sign[own]
        total += np.log((share * np.exp(special.log_expit(margins).sum(axis=1))).sum())
    return float(total)


def test_the_gradient_is_that_of_finite_differences() -> None:
    _, _, c = simulated(0, n_items=4, n_raters=6, n_each=15)
    votes = mixtures._votes(c, 0.5)
    flat = np.concatenate([np.random.default_rng(1).normal(size=8), [0.6, 0.4]])
    responsibility, _ = mixtures._expect(votes, flat[:8].reshape(2, 4), flat[8:])
    score, total = responsibility.T @ votes.score, responsibility.T @ votes.total
    found = [
        mixtures._ascent(votes, flat[4 * k : 4 * k + 4], score[k], total[k])[1] for k in (0, 1)
    ]
    moved = responsibility.sum(axis=0) - 6 * flat[8:]
    at = np.append(flat[:8], np.log(flat[8:]))
    numeric = optimize.approx_fprime(at, lambda x: log_posterior(c, x, 2, 0.5), 1e-7)
    np.testing.assert_allclose(np.concatenate([*found, moved]), numeric, atol=1e-5)


def test_the_fit_is_a_maximum_with_the_curvature_that_the_errors_claim() -> None:
    _, _, c = simulated(1, n_items=4, n_raters=15, n_each=15)
    fit = fit_rater_mixture(c, 2, rng=np.random.default_rng(0))
    at = np.append(fit.log_worth.ravel(), np.log(fit.share))
    for k in range(2):  # the ghost's own worth is not zero in centred worths
        shift = optimize.minimize_scalar(
            lambda d, k=k: (
                -(
                    special.log_expit(fit.log_worth[k] + d)
                    + special.log_expit(-fit.log_worth[k] - d)
                ).sum()
            )
        ).x
        at[4 * k : 4 * k + 4] += shift
    gradient = optimize.approx_fprime(at, lambda x: log_posterior(c, x, 2, 0.5), 1e-6)
    assert np.abs(gradient).max() < 2e-3
    steps = 1e-3 * np.eye(10)
    curvature = [
        [
            sum(
                s * u * log_posterior(c, at + s * a + u * b, 2, 0.5)
                for s in (1, -1)
                for u in (1, -1)
            )
            / 4e-6
            for a in steps
        ]
        for b in steps
    ]
    covariance = np.linalg.pinv(-np.array(curvature), rcond=1e-5)
    centring = np.eye(4) - 0.25
    for k in range(2):
        block = centring @ covariance[4 * k : 4 * k + 4, 4 * k : 4 * k + 4] @ centring
        np.testing.assert_allclose(fit.standard_errors[k], np.sqrt(np.diag(block)), rtol=5e-3)
    jacobian = np.diag(fit.share) - np.outer(fit.share, fit.share)
    of_share = jacobian @ covariance[8:, 8:] @ jacobian
    np.testing.assert_allclose(fit.share_errors, np.sqrt(np.diag(of_share)), rtol=5e-3)


def test_one_group_is_bradley_terry() -> None:
    _, _, c = simulated(2)
    plain = fit_bradley_terry(c, prior=0.5)
    fit = fit_rater_mixture(c, 1, rng=np.random.default_rng(0), n_starts=1)
    np.testing.assert_allclose(fit.log_worth[0], plain.log_worth, atol=1e-6)
    np.testing.assert_allclose(fit.standard_errors[0], plain.standard_errors, rtol=1e-5)
    assert fit.log_likelihood == pytest.approx(plain.log_likelihood, abs=1e-8)
    assert fit.bic == pytest.approx(-2 * fit.log_likelihood + 5 * np.log(40))


def test_two_groups_are_found_and_preferred_by_bic() -> None:
    worth, group, c = simulated(3)
    fits = fit_rater_mixtures(c, 3, rng=np.random.default_rng(0), n_starts=4)
    assert min(fits, key=lambda fit: fit.bic).n_groups == 2
    fit = fits[1]
    assert (fit.group == group).mean() > 0.95
    assert np.abs((fit.log_worth - worth) / fit.standard_errors).max() < 4
    assert fit.share[0] == pytest.approx(0.7, abs=3 * fit.share_errors[0])
    assert fits[0].log_likelihood < fit.log_likelihood < fits[2].log_likelihood


def test_the_larger_group_comes_first_whatever_the_seed() -> None:
    _, _, c = simulated(5)
    fits = [fit_rater_mixture(c, 2, rng=np.random.default_rng(s), n_starts=3) for s in (0, 1)]
    assert fits[0].share[0] > fits[0].share[1]
    np.testing.assert_allclose(fits[0].log_worth, fits[1].log_worth, atol=1e-4)


def test_swapping_sides_changes_nothing() -> None:
    _, _, c = simulated(6, n_raters=12)
    swapped = replace(c, first=c.second, second=c.first, outcome=1 - c.outcome)
    one, other = (
        fit_rater_mixture(x, 2, rng=np.random.default_rng(0), n_starts=2) for x in (c, swapped)
    )
    np.testing.assert_allclose(one.log_worth, other.log_worth, atol=1e-8)


def test_raters_that_say_little_are_pointed_out() -> None:
    _, _, c = simulated(7, n_raters=20, n_each=10)
    idle = replace(c, raters=(*c.raters, "rater idle"))
    fit = fit_rater_mixture(idle, 2, rng=np.random.default_rng(0))
    np.testing.assert_allclose(fit.responsibility[-1], fit.share, atol=1e-12)
    assert any("belong to no group with probability 0.9" in w for w in fit.warnings)
    assert any("1 raters made no comparison" in w for w in fit.warnings)


def test_bad_input_is_refused() -> None:
    _, _, c = simulated(0, n_raters=3)
    rng = np.random.default_rng(0)
    with pytest.raises(ConfigError, match=r"number of raters \(3\), got 4"):
        fit_rater_mixture(c, 4, rng=rng)
    with pytest.raises(ConfigError, match="prior must be a positive"):
        fit_rater_mixture(c, 2, rng=rng, prior=0)
    with pytest.raises(ConfigError, match="n_starts must be at least 1"):
        fit_rater_mixture(c, 2, rng=rng, n_starts=0)
    with pytest.raises(DataError, match="not finite"):
        fit_rater_mixture(replace(c, weight=np.full_like(c.weight, np.nan)), 2, rng=rng)
