import numpy as np
import pytest
from scipy.special import expit

from auralign.errors import NotConvergedError
from auralign.stats.comparisons import comparisons_of
from auralign.stats.pairs import fit_bradley_terry
from auralign.stats.pairs.laplacian import MAX_DENSE_SOLVE, PairGraph
from auralign.stats.pairs.logistic_newton import (
    RowContests,
    TableContests,
    contests,
    maximise_logistic,
)
from auralign.stats.pairs.maximum_likelihood import maximise
from auralign.stats.pairs.pair_models import half_win, row_counts

N = MAX_DENSE_SOLVE + 100  # too many items for the table


def ring(n, rng):
    first = np.repeat(np.arange(n), 40)
    return first, (first + rng.integers(1, 6, len(first))) % n


def chain(n, rng):
    first = np.repeat(np.arange(n - 1), 40)
    return first, first + 1


def star(n, rng):
    second = np.repeat(np.arange(1, n), 40)
    return np.zeros_like(second), second


def two_clusters(n, rng):
    half = n // 2
    first = rng.integers(half, size=20 * n)
    second = (first + rng.integers(1, half, size=20 * n)) % half
    side = half * rng.integers(2, size=20 * n)
    bridge = np.arange(10)
    return np.r_[first + side, np.repeat(bridge, 8)], np.r_[
        second + side, np.repeat(bridge, 8) + half
    ]


def random_pairs(n, rng):
    first = rng.integers(n, size=20 * n)
    return first, (first + rng.integers(1, n, size=20 * n)) % n


def judged(topology, n, seed=0):
    rng = np.random.default_rng(seed)
    first, second = topology(n, rng)
    log_worth = rng.normal(0, 0.7, n)
    outcome = (rng.random(len(first)) < expit(log_worth[first] - log_worth[second])).astype(float)
    # One certain win each way along every link, so that a maximum exists.
    links = np.unique(np.c_[first, second], axis=0)
    first, second = np.r_[first, links[:, 0], links[:, 0]], np.r_[second, links[:, 1], links[:, 1]]
    outcome = np.r_[outcome, np.ones(len(links)), np.zeros(len(links))]
    return first, second, outcome


def score(first, second, outcome, log_worth, weight=1.0):
    missing = weight * (outcome - expit(log_worth[first] - log_worth[second]))
    n = len(log_worth)
    return np.bincount(first, missing, n) - np.bincount(second, missing, n)


@pytest.mark.parametrize("topology", [chain, ring, star, two_clusters, random_pairs])
@pytest.mark.parametrize("n", [60, N])
def test_the_score_vanishes_on_every_topology(topology, n):
    first, second, outcome = judged(topology, n)
    fit = fit_bradley_terry(comparisons_of(first, second, outcome))
    assert np.abs(score(first, second, outcome, fit.log_worth)).max() < 1e-6
    assert fit.log_worth.sum() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("n", [60, N])
def test_the_fast_path_equals_the_general_one(n):
    first, second, outcome = judged(random_pairs, n, seed=1)
    outcome[::7] = 0.5
    weight = np.random.default_rng(2).uniform(0.1, 3, len(first))
    rows = row_counts(comparisons_of(first, second, outcome, weight=weight))
    graph = PairGraph(first, second, np.zeros(n, dtype=np.int64))
    general = maximise(graph, rows, half_win, np.zeros(0)).point.log_worth
    data = contests(first, second, weight * outcome, weight, n)
    assert isinstance(data, TableContests if n < N else RowContests)
    log_worth, gradient, _ = maximise_logistic(data)
    np.testing.assert_allclose(log_worth, general - general.mean(), atol=1e-7)
    assert gradient == pytest.approx(
        np.abs(score(first, second, outcome, log_worth, weight)).max(), abs=1e-9
    )


@pytest.mark.parametrize("n", [60, N])
def test_ridge_is_the_penalised_maximum(n):
    first, second, outcome = judged(random_pairs, n, seed=3)
    sd = 0.8
    fit = fit_bradley_terry(comparisons_of(first, second, outcome), ridge_sd=sd)
    gradient = score(first, second, outcome, fit.log_worth) - fit.log_worth / sd**2
    assert np.abs(gradient).max() < 1e-6
    assert fit.status == "regularised"
    assert "normal prior of sd 0.8 logits" in fit.warnings[0]


def test_ridge_makes_unbeaten_items_and_islands_finite():
    fit = fit_bradley_terry(comparisons_of([0, 2], [1, 3], [1.0, 1.0]), ridge_sd=1.0)
    # Each pair alone: (1 - p) = x with the worths +-x, so 1 / (1 + exp(2 x)) = x.
    x = fit.log_worth[0]
    assert 1 / (1 + np.exp(2 * x)) == pytest.approx(x)
    np.testing.assert_allclose(fit.log_worth, [x, -x, x, -x])
    assert any("2 components; only the prior relates them" in w for w in fit.warnings)


def test_opponents_of_near_strength_keep_their_scale():
    """Two steps of minorisation-maximisation, where a public library stops, reach 0.18 of it."""
    rng = np.random.default_rng(4)
    truth = np.linspace(-4, 4, 40)
    first = rng.integers(39, size=3000)
    second = first + 1
    outcome = (rng.random(3000) < expit(truth[first] - truth[second])).astype(float)
    swap = rng.random(3000) < 0.5
    first, second = np.where(swap, second, first), np.where(swap, first, second)
    fit = fit_bradley_terry(comparisons_of(first, second, np.where(swap, 1 - outcome, outcome)))
    assert np.polyfit(truth, fit.log_worth, 1)[0] == pytest.approx(1, abs=0.25)
    assert np.corrcoef(truth, fit.log_worth)[0, 1] > 0.97


def test_an_undefeated_item_among_many_is_refused_and_named():
    """4,000 comparisons of 20 items, one of which wins all: a public library calls all equal."""
    rng = np.random.default_rng(5)
    first = rng.integers(20, size=4000)
    second = (first + rng.integers(1, 20, size=4000)) % 20
    outcome = np.where(first == 0, 1.0, np.where(second == 0, 0.0, rng.integers(0, 2, 4000)))
    with pytest.raises(NotConvergedError, match="'0' never loses"):
        fit_bradley_terry(comparisons_of(first, second, outcome))


def test_items_that_only_the_last_rows_connect_are_fitted():
    first, second, outcome = judged(random_pairs, N, seed=7)
    late = (first == 3) | (second == 3)
    order = np.argsort(late, kind="stable")
    straight, sorted_ = (
        fit_bradley_terry(comparisons_of(first[k], second[k], outcome[k]))
        for k in (slice(None), order)
    )
    np.testing.assert_allclose(sorted_.log_worth, straight.log_worth, atol=1e-6)


def test_an_undefeated_item_is_found_in_long_rows_too():
    first, second, outcome = judged(random_pairs, N, seed=6)
    outcome = np.where(first == 7, 1.0, np.where(second == 7, 0.0, outcome))
    with pytest.raises(NotConvergedError, match="'7' never loses"):
        fit_bradley_terry(comparisons_of(first, second, outcome))


def test_extreme_but_finite_worths_are_reached():
    """Nine items in a chain of odds 1000 : 1, some 55 logits from end to end."""
    first, second = np.repeat(np.arange(8), 2), np.repeat(np.arange(1, 9), 2)
    c = comparisons_of(first, second, np.tile([1.0, 0.0], 8), weight=np.tile([1000.0, 1.0], 8))
    fit = fit_bradley_terry(c)
    np.testing.assert_allclose(-np.diff(fit.log_worth), np.log(1000), rtol=1e-7)


def test_enormous_weights_converge():
    c = comparisons_of([0, 0, 1], [1, 1, 2], [1.0, 0.0, 0.5], weight=[3e12, 1e12, 2e12])
    np.testing.assert_allclose(np.diff(fit_bradley_terry(c).log_worth), [-np.log(3), 0], atol=1e-9)
