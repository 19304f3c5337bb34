from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from auralign.errors import ConfigError, DataError, NotConvergedError
from auralign.stats.pairs.hodge import cycle_test, hodge_decomposition, hodge_rank, worst_triads
from auralign.types import Comparisons


def from_wins(wins, ties=None):
    """Comparisons from tables of wins of row over column and of ties (upper triangle)."""
    wins = np.asarray(wins)
    ties = np.zeros_like(wins) if ties is None else np.triu(ties)
    first, second = (np.r_[a, b] for a, b in zip(np.nonzero(wins), np.nonzero(ties), strict=True))
    n = len(first)
    return Comparisons(
        first, second, np.r_[np.ones((wins > 0).sum()), np.full((ties > 0).sum(), 0.5)],
        np.r_[wins[wins > 0], ties[ties > 0]].astype(float), np.arange(n),
        np.zeros(n, dtype=np.int64), tuple("abcdefghij"[: len(wins)]),
        tuple(f"r{k}" for k in range(n)),
    )  # fmt: skip


def drawn(margin, n_each, seed):
    """Wins of row over column, drawn from the odds exp(margin) for each pair."""
    upper = np.triu(np.random.default_rng(seed).binomial(n_each, 1 / (1 + np.exp(-margin))), 1)
    return upper + np.tril(n_each - upper.T, -1)


def test_a_worked_example_of_the_decomposition():
    """Flow 1 2 1 1 4 along 01 12 02 23 03: potential -1.5 -1 .5 2, squares 21 + 2 + 0 = 23.

    There the flow runs towards higher potential; here it is positive where the first is ahead.
    """
    found = hodge_decomposition([0, 1, 0, 2, 0], [1, 2, 2, 3, 3], [1, 2, 1, 1, 4], np.ones(5), 4)
    np.testing.assert_allclose(-found.potential, [-1.5, -1, 0.5, 2], atol=1e-12)
    assert (found.gradient**2).sum() == pytest.approx(21)
    assert (found.curl**2).sum() == pytest.approx(2)
    assert (found.harmonic**2).sum() == pytest.approx(0, abs=1e-12)


def test_a_pure_cycle_of_three_is_curl_and_one_of_four_is_harmonic():
    three = hodge_decomposition([0, 1, 2], [1, 2, 0], np.ones(3), np.ones(3), 3)
    assert three.shares == {"gradient": 0, "curl": 1, "harmonic": 0}
    four = hodge_decomposition([0, 1, 2, 3], [1, 2, 3, 0], np.ones(4), np.ones(4), 4)
    assert four.shares == {"gradient": 0, "curl": 0, "harmonic": 1}


@pytest.mark.parametrize("seed", range(4))
def test_parts_add_up_are_orthogonal_and_equal_dense_projections(seed):
    rng = np.random.default_rng(seed)
    pairs = [
        pair for pair in combinations(range(7), 2) if rng.uniform() < 0.6 or pair[1] == pair[0] + 1
    ]
    i, j = np.array([rng.permutation(pair) for pair in pairs]).T
    flow, weight = rng.normal(size=len(i)), rng.uniform(0.2, 5, len(i))
    found = hodge_decomposition(i, j, flow, weight, 7)
    np.testing.assert_allclose(found.gradient + found.curl + found.harmonic, flow, atol=1e-9)
    parts = (found.gradient, found.curl, found.harmonic)
    for a, b in combinations(parts, 2):
        assert (weight * a) @ b == pytest.approx(0, abs=1e-7)
    # Gradients are the image of the incidence matrix; harmonic flows neither curl nor diverge.
    incidence = np.eye(7)[i] - np.eye(7)[j]
    root = np.sqrt(weight)
    slow = incidence @ np.linalg.lstsq(root[:, None] * incidence, root * flow, rcond=None)[0]
    np.testing.assert_allclose(found.gradient, slow, atol=1e-9)
    np.testing.assert_allclose(incidence.T @ (weight * found.harmonic), 0, atol=1e-7)
    along = {(a, b): h for a, b, h in zip(i, j, found.harmonic, strict=True)}
    along |= {(b, a): -h for (a, b), h in along.items()}
    for a, b, c in combinations(range(7), 3):
        if {(a, b), (b, c), (c, a)} <= along.keys():
            assert along[a, b] + along[b, c] + along[c, a] == pytest.approx(0, abs=1e-7)
    assert sum(found.shares.values()) == pytest.approx(1)


def test_turning_a_pair_round_turns_only_its_sign():
    rng = np.random.default_rng(1)
    i, j = np.array(list(combinations(range(5), 2))).T[:, :8]
    flow, weight = rng.normal(size=8), rng.uniform(1, 2, 8)
    there = hodge_decomposition(i, j, flow, weight, 5)
    back = hodge_decomposition(j, i, -flow, weight, 5)
    np.testing.assert_allclose(there.potential, back.potential, atol=1e-12)
    np.testing.assert_allclose(there.curl, -back.curl, atol=1e-9)


def test_log_odds_of_many_consistent_answers_are_nearly_all_gradient():
    log_worth = np.array([1.0, 0.5, 0.0, -0.4, -1.1])
    share = 1 / (1 + np.exp(log_worth - log_worth[:, None]))
    np.fill_diagonal(share, 0)
    found = hodge_rank(from_wins(np.round(1e6 * share)))
    np.testing.assert_allclose(found.potential, log_worth - log_worth.mean(), atol=1e-4)
    assert found.shares["gradient"] > 0.99999


def test_the_flow_of_two_items_is_their_corrected_log_odds():
    found = hodge_rank(from_wins([[0, 7], [2, 0]]))
    assert found.potential[0] - found.potential[1] == pytest.approx(np.log(7.5 / 2.5))
    assert found.weight.tolist() == [9]


def test_cycles_are_found_and_noise_is_not():
    rng = np.random.default_rng(0)
    log_worth = np.array([0.8, 0.4, 0.0, -0.4, -0.8])
    straight = log_worth[:, None] - log_worth
    round_trip = np.zeros((5, 5))
    round_trip[[0, 1, 2], [1, 2, 0]], round_trip[[1, 2, 0], [0, 1, 2]] = 1.5, -1.5
    noise = cycle_test(from_wins(drawn(straight, 40, 1)), rng=rng, n_resamples=199)
    cycle = cycle_test(from_wins(drawn(straight + round_trip, 40, 1)), rng=rng, n_resamples=199)
    assert noise.p_value > 0.1
    assert cycle.p_value == 1 / 200
    assert cycle.cyclic_energy > 5 * cycle.expected


def test_p_values_of_the_models_own_answers_are_uniform():
    log_worth = np.linspace(-1, 1, 5)
    margin = log_worth[:, None] - log_worth
    p = [
        cycle_test(
            from_wins(drawn(margin, 30, seed)), rng=np.random.default_rng(seed), n_resamples=99
        ).p_value
        for seed in range(60)
    ]
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_ties_are_drawn_too():
    wins = np.array([[0, 6, 9], [4, 0, 7], [3, 5, 0]])
    data = from_wins(wins, np.full((3, 3), 8) - 8 * np.eye(3, dtype=int))
    found = cycle_test(data, rng=np.random.default_rng(2), n_resamples=199)
    half = from_wins(2 * wins + 8 * (1 - np.eye(3, dtype=int)))
    without = cycle_test(half, rng=np.random.default_rng(2), n_resamples=199)
    # A tie of 8 answers scatters less than 8 coin tosses do.
    assert found.expected > 0
    assert found.expected < 2 * without.expected
    assert 0.05 < found.p_value <= 1


def test_the_worst_triad_is_the_cycle_that_was_planted():
    margin = np.zeros((6, 6))
    margin[[4, 1, 3], [1, 3, 4]], margin[[1, 3, 4], [4, 1, 3]] = 2.0, -2.0
    found = worst_triads(from_wins(drawn(margin, 60, 3)), n=3)
    assert len(found) == 3
    worst = found[0]
    assert set(worst.items) == {"b", "d", "e"}
    assert worst.items[(worst.items.index("e") + 1) % 3] == "b"
    assert worst.is_circular
    assert worst.p_value < 0.001
    z = [triad.curl / triad.standard_error for triad in found]
    assert z == sorted(z, reverse=True)


def test_the_curl_of_a_triad_is_the_sum_of_its_log_odds():
    found = worst_triads(from_wins([[0, 7, 2], [3, 0, 8], [9, 1, 0]]))
    expected = np.log(7.5 / 3.5) + np.log(8.5 / 1.5) + np.log(9.5 / 2.5)
    variance = sum(1 / (count + 0.5) for count in (7, 3, 8, 1, 9, 2))
    (triad,) = found
    assert triad.items == ("a", "b", "c")
    assert triad.curl == pytest.approx(expected)
    assert triad.standard_error == pytest.approx(np.sqrt(variance))
    assert triad.p_value == pytest.approx(2 * stats.norm.sf(expected / np.sqrt(variance)))
    assert triad.shares == pytest.approx((0.7, 8 / 9, 9 / 11))


def test_pairs_without_a_common_third_have_no_triads():
    assert worst_triads(from_wins([[0, 2, 0], [1, 0, 2], [0, 1, 0]])) == ()


@pytest.mark.parametrize(
    ("flow", "error", "match"),
    [
        (([0, 2], [1, 3], [1, 1], [1, 1]), NotConvergedError, "2 components"),
        (([0, 1, 2], [1, 0, 3], [1, 1, 1], [1, 1, 1]), DataError, "given once"),
        (([0], [0], [1], [1]), DataError, "different items"),
        (([0], [9], [1], [1]), DataError, "different items"),
        (([0, 1, 2], [1, 2, 3], [1, 1, 1], [1, 0, 1]), DataError, "positive"),
        (([0, 1, 2], [1, 2, 3], [1, np.nan, 1], [1, 1, 1]), DataError, "finite"),
        (([0, 1], [1, 2], [1], [1, 1]), DataError, "one length"),
    ],
)
def test_broken_flows_are_refused(flow, error, match):
    with pytest.raises(error, match=match):
        hodge_decomposition(*flow, 4)


def test_a_cycle_test_needs_whole_counts_and_a_model_that_exists():
    rng = np.random.default_rng(0)
    with pytest.raises(DataError, match="whole numbers"):
        cycle_test(from_wins(np.array([[0, 1.5], [2.0, 0]])), rng=rng)
    undefeated = from_wins([[0, 3, 3], [0, 0, 2], [0, 1, 0]])
    with pytest.raises(NotConvergedError, match="'a' never loses"):
        cycle_test(undefeated, rng=rng)
    found = cycle_test(undefeated, rng=rng, n_resamples=19, prior=0.5)
    assert "prior 0.5" in found.warnings[-1]
    with pytest.raises(ConfigError, match="n_resamples"):
        cycle_test(undefeated, rng=rng, n_resamples=0)
