"""Choices with response times: derivatives, a closed form, recovery, and what the times add."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize

from auralign.errors import DataError, NotConvergedError
from auralign.stats.pairs import fit_bradley_terry
from auralign.stats.raters import response_times
from auralign.stats.raters.choice_time_regression import regress_choice_on_time
from auralign.stats.raters.first_passage import driftless_log_density, simulate_first_passage
from auralign.stats.raters.response_times import fit_response_times
from auralign.stats.raters.timed_trials import timed_trials
from auralign.types import Comparisons

Floats = NDArray[np.float64]
BOUND, OTHER = 1.2, 0.4


def simulated(
    seed: int, *, n: int = 400, n_items: int = 6, bounds: Floats | None = None
) -> tuple[Floats, Comparisons, Floats]:
    """True drifts' worths `[items]`, comparisons and times; four raters."""
    rng = np.random.default_rng(seed)
    worth = rng.normal(0, 1.2, n_items)
    first = rng.integers(0, n_items, n)
    second = (first + rng.integers(1, n_items, n)) % n_items
    rater = rng.integers(0, 4, n)
    bound = (np.full(4, BOUND) if bounds is None else bounds)[rater]
    upper, seconds = simulate_first_passage(worth[first] - worth[second], bound, rng=rng)
    items = tuple(f"item {k}" for k in range(n_items))
    zeros = np.zeros(n, dtype=np.int64)
    comparisons = Comparisons(
        first, second, upper.astype(float), np.ones(n), rater, zeros, items, tuple("abcd")
    )
    return worth - worth.mean(), comparisons, seconds + OTHER


def log_likelihood(c: Comparisons, seconds: Floats, parameters: Floats) -> float:
    """Parameters: worths of items, log bounds of four raters, their non-decision times."""
    worth, log_bound, other = np.split(parameters, [len(c.items), len(c.items) + 4])
    drift, time = worth[c.first] - worth[c.second], seconds - other[c.rater]
    pull = (2 * c.outcome - 1) * np.exp(log_bound)[c.rater]
    without = driftless_log_density(time, log_bound[c.rater]).value
    return float((pull * drift - drift**2 * time / 2 + without).sum())


def test_the_profile_gradient_is_that_of_finite_differences() -> None:
    _, c, seconds = simulated(0, n=120)
    trials = timed_trials(c, seconds, "by rater", None)
    at = np.array([-0.2, 0.1, 0.3, 0.0, 0.1, 0.2, 0.05, 0.3])
    objective = partial(response_times._profile, trials)
    numeric = optimize.approx_fprime(at, lambda x: objective(x)[0], 1e-7)
    np.testing.assert_allclose(objective(at)[1], numeric, rtol=1e-5, atol=1e-4)


def test_the_fit_is_the_maximum_and_its_errors_are_those_of_the_curvature() -> None:
    _, c, seconds = simulated(1, n=300)
    fit = fit_response_times(c, seconds, bounds="by rater")
    scale = 2 * np.exp(np.log(fit.bound).mean())
    best = np.concatenate([fit.log_worth / scale, np.log(fit.bound), fit.non_decision_s])
    assert log_likelihood(c, seconds, best) == pytest.approx(fit.log_likelihood)

    def gradient(x: Floats) -> Floats:
        steps = 1e-5 * np.eye(14)
        f = partial(log_likelihood, c, seconds)
        return np.array([(f(x + h) - f(x - h)) / 2e-5 for h in steps])

    assert np.abs(gradient(best)).max() < 1e-2
    curvature = [(gradient(best - h) - gradient(best + h)) / 2e-4 for h in 1e-4 * np.eye(14)]
    covariance = np.linalg.pinv((np.array(curvature) + np.array(curvature).T) / 2, rcond=1e-5)
    jacobian = np.hstack(
        [scale * np.eye(6), np.outer(fit.log_worth, np.full(4, 0.25)), np.zeros((6, 4))]
    )
    expected = jacobian @ covariance @ jacobian.T
    np.testing.assert_allclose(fit.standard_errors, np.sqrt(np.diag(expected)), rtol=1e-3)
    found = np.concatenate([fit.bound_errors / fit.bound, fit.non_decision_errors])
    np.testing.assert_allclose(found, np.sqrt(np.diag(covariance))[6:], rtol=1e-3)


def test_two_items_have_the_closed_form_of_mean_choice_over_mean_time() -> None:
    choice, seconds = np.array([1.0, 1.0, 1.0, 0.0]), np.array([0.6, 0.9, 1.4, 2.0])
    zeros = np.zeros(4, dtype=np.int64)
    c = Comparisons(zeros, zeros + 1, choice, np.ones(4), zeros, zeros, ("x", "y"), ("r",))
    fit = fit_response_times(c, seconds, non_decision_s=0.0)
    drift = fit.bound[0] * (2 * choice - 1).sum() / seconds.sum()
    gap = fit.log_worth[0] - fit.log_worth[1]
    assert gap == pytest.approx(2 * fit.bound[0] * drift)
    ratio = regress_choice_on_time(c, seconds)
    assert ratio.worth[0] - ratio.worth[1] == pytest.approx(2 / 4.9)
    assert gap == pytest.approx(2 * fit.bound[0] ** 2 * 2 / 4.9)


def test_times_halve_the_error_of_choices_alone() -> None:
    with_times, without, standardised = [], [], []
    for seed in range(8):
        worth, c, seconds = simulated(seed, n=250)
        truth = 2 * BOUND * worth
        fit = fit_response_times(c, seconds)
        with_times.append(fit.log_worth - truth)
        standardised.append(with_times[-1] / fit.standard_errors)
        without.append(fit_bradley_terry(c, prior=0.1).log_worth - truth)
    assert np.std(with_times) < 0.6 * np.std(without)
    assert 0.7 < np.std(standardised) < 1.3


def test_bounds_and_non_decision_times_of_raters_are_recovered() -> None:
    bounds = np.array([0.7, 1.0, 1.4, 2.0])
    _, c, seconds = simulated(2, n=2000, bounds=bounds)
    fit = fit_response_times(c, seconds, bounds="by rater")
    assert np.abs((fit.bound - bounds) / fit.bound_errors).max() < 4
    assert np.abs((fit.non_decision_s - OTHER) / fit.non_decision_errors).max() < 4


def test_an_undefeated_item_has_a_finite_worth_because_its_answers_take_time() -> None:
    _, c, seconds = simulated(4, n=200)
    always = np.where(c.first == 0, 1.0, np.where(c.second == 0, 0.0, c.outcome))
    undefeated = replace(c, outcome=always)
    with pytest.raises(NotConvergedError, match="item 0"):
        fit_bradley_terry(undefeated)
    assert np.isfinite(fit_response_times(undefeated, seconds).log_worth).all()


def test_swapping_sides_changes_nothing_and_scaling_time_only_the_bound() -> None:
    _, c, seconds = simulated(5)
    swapped = replace(c, first=c.second, second=c.first, outcome=1 - c.outcome)
    one, other = fit_response_times(c, seconds), fit_response_times(swapped, seconds)
    np.testing.assert_allclose(one.log_worth, other.log_worth, atol=1e-8)
    slower = fit_response_times(c, 4 * seconds)
    np.testing.assert_allclose(slower.log_worth, one.log_worth, atol=1e-3)
    np.testing.assert_allclose(slower.bound, 2 * one.bound, rtol=1e-3)
    np.testing.assert_allclose(slower.non_decision_s, 4 * one.non_decision_s, rtol=1e-2)


def test_an_unknown_item_is_refused() -> None:
    _, c, seconds = simulated(6, n=60)
    with pytest.raises(DataError, match="did you mean 'item 1'"):
        fit_response_times(c, seconds).difference("item1", "item 2")
