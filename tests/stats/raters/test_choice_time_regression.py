"""Choices regressed on response times: a hand calculation, consistency, and its standard errors."""

from dataclasses import replace

import numpy as np
import pytest

from auralign.stats.raters.choice_time_regression import regress_choice_on_time
from auralign.stats.raters.first_passage import simulate_first_passage
from auralign.types import Comparisons

BOUND, OTHER = 1.2, 0.4
WORTH = np.array([0.9, 0.2, -0.3, -0.8])


def simulated(seed: int, n: int) -> tuple[Comparisons, np.ndarray]:
    rng = np.random.default_rng(seed)
    first = rng.integers(0, 4, n)
    second = (first + rng.integers(1, 4, n)) % 4
    upper, seconds = simulate_first_passage(WORTH[first] - WORTH[second], BOUND, rng=rng)
    zeros = np.zeros(n, dtype=np.int64)
    comparisons = Comparisons(
        first, second, upper.astype(float), np.ones(n), zeros, zeros, tuple("abcd"), ("rater",)
    )
    return comparisons, seconds + OTHER


def test_two_items_have_the_ratio_of_mean_choice_to_mean_time() -> None:
    zeros = np.zeros(4, dtype=np.int64)
    choices, seconds = np.array([1.0, 1.0, 1.0, 0.0]), np.array([0.6, 0.9, 1.4, 2.0])
    c = Comparisons(zeros, zeros + 1, choices, np.ones(4), zeros, zeros, ("x", "y"), ("r",))
    found = regress_choice_on_time(c, seconds, non_decision_s=0.5)
    assert found.worth[0] - found.worth[1] == pytest.approx((3 - 1) / (4.9 - 4 * 0.5))
    assert found.worth.sum() == pytest.approx(0)
    swapped = replace(c, first=c.second, second=c.first, outcome=1 - choices)
    np.testing.assert_allclose(
        regress_choice_on_time(swapped, seconds, non_decision_s=0.5).worth, found.worth
    )


def test_the_worths_are_the_weighted_least_squares_of_the_ratios() -> None:
    c, seconds = simulated(0, 300)
    rows, ratios, counts = [], [], []
    for i in range(4):
        for j in range(i + 1, 4):
            either = ((c.first == i) & (c.second == j)) | ((c.first == j) & (c.second == i))
            sign = np.where(c.first == i, 1, -1) * (2 * c.outcome - 1)
            ratios.append(sign[either].mean() / (seconds[either] - OTHER).mean())
            rows.append(np.eye(4)[i] - np.eye(4)[j])
            counts.append(either.sum())
    root = np.sqrt(counts)
    expected = np.linalg.lstsq(root[:, None] * np.array(rows), root * ratios, rcond=None)[0]
    found = regress_choice_on_time(c, seconds, non_decision_s=OTHER)
    np.testing.assert_allclose(found.worth, expected, atol=1e-10)


def test_it_is_consistent_and_its_errors_match_the_scatter() -> None:
    standardised = []
    for seed in range(12):
        c, seconds = simulated(seed, 1500)
        found = regress_choice_on_time(c, seconds, non_decision_s=OTHER)
        assert found.warnings == ()
        standardised.append((found.worth - WORTH / BOUND) / found.standard_errors)
    assert 0.6 < np.std(standardised) < 1.4
    assert abs(np.mean(np.array(standardised)[:, 0])) < 1.2


def test_pairs_with_few_comparisons_are_pointed_out() -> None:
    c, seconds = simulated(1, 40)
    found = regress_choice_on_time(c, seconds, non_decision_s=OTHER)
    assert "fewer than 20 comparisons" in found.warnings[0]
