from itertools import combinations, permutations
from math import comb

import numpy as np
import pytest
from scipy import stats

from auralign.errors import DataError
from auralign.stats.pairs.transitivity import (
    chi_square_tail,
    kendall_u,
    kendall_zeta,
    kendall_zeta_by_rater,
    transitivity_violations,
    triad_distribution,
    win_matrix,
)
from auralign.types import Comparisons

# A dog's choices among six foods, row over column (Kendall & Babington Smith 1940).
DOG_FOOD = np.array(
    [list(map(int, row)) for row in ("011011", "000110", "010111", "100000", "000101", "010100")]
)
# Unpleasantness of environmental sounds (Zimmer, Ellermeier & Schmid 2004), 74 listeners.
SOUNDS = np.array(
    [
        [0, 73, 61, 73, 72, 73, 71, 73, 72, 74, 74, 45],
        [1, 0, 15, 45, 31, 53, 43, 67, 40, 56, 64, 17],
        [13, 59, 0, 69, 60, 68, 60, 72, 67, 72, 72, 35],
        [1, 29, 5, 0, 26, 48, 32, 60, 35, 54, 63, 11],
        [2, 43, 14, 48, 0, 53, 44, 70, 47, 61, 64, 17],
        [1, 21, 6, 26, 21, 0, 26, 54, 16, 52, 59, 8],
        [3, 31, 14, 42, 30, 48, 0, 71, 31, 58, 70, 11],
        [1, 7, 2, 14, 4, 20, 3, 0, 10, 29, 46, 6],
        [2, 34, 7, 39, 27, 58, 43, 64, 0, 68, 68, 17],
        [0, 18, 2, 20, 13, 22, 16, 45, 6, 0, 57, 3],
        [0, 10, 2, 11, 10, 15, 4, 28, 6, 17, 0, 4],
        [29, 57, 39, 63, 57, 66, 63, 68, 57, 71, 70, 0],
    ]
)


def tournament(n, seed):
    upper = np.triu(np.random.default_rng(seed).integers(0, 2, (n, n)), 1)
    return upper + np.tril(1 - upper.T, -1)


def circular(wins):
    """Triads counted one by one."""
    return sum(
        {wins[i, j], wins[j, k], wins[k, i]} == {1} or {wins[j, i], wins[k, j], wins[i, k]} == {1}
        for i, j, k in combinations(range(len(wins)), 3)
    )


def comparisons(first, second, outcome, rater, n_items, weight=None):
    n = len(first)
    return Comparisons(
        np.array(first), np.array(second), np.array(outcome, dtype=float),
        np.ones(n) if weight is None else np.array(weight, dtype=float), np.array(rater),
        np.zeros(n, dtype=np.int64), tuple("abcdefgh"[:n_items]),
        tuple(f"r{k}" for k in range(max(rater) + 1)),
    )  # fmt: skip


def test_the_dog_of_kendall_and_babington_smith():
    found = kendall_zeta(DOG_FOOD)
    assert (found.triads, found.max_triads, found.zeta, found.expected_triads) == (5, 8, 0.375, 5)
    assert found.p_value == pytest.approx(0.50928, abs=1e-5)
    assert found.method == "exact"


def test_the_exact_null_of_six_items_is_the_published_one():
    counts = triad_distribution(6)
    assert list(counts) == list(range(9))
    assert list(counts.values()) == [720, 960, 2240, 2880, 6240, 3648, 8640, 4800, 2640]


def test_the_exact_null_of_four_items_by_all_tournaments():
    found = dict.fromkeys(range(3), 0)
    for code in range(2**6):
        wins = np.zeros((4, 4), dtype=int)
        for bit, (i, j) in enumerate(combinations(range(4), 2)):
            wins[(i, j) if code >> bit & 1 else (j, i)] = 1
        found[circular(wins)] += 1
    assert triad_distribution(4) == found


@pytest.mark.parametrize("n", [3, 4, 5, 8, 9, 15])
def test_triads_are_counted_and_random_answers_have_the_expected_number(n):
    tables = [tournament(n, seed) for seed in range(20)]
    assert all(kendall_zeta(wins).triads == circular(wins) for wins in tables)
    if n <= 9:
        counts = triad_distribution(n)
        mean = sum(k * c for k, c in counts.items()) / sum(counts.values())
        assert mean == pytest.approx(kendall_zeta(tables[0]).expected_triads)
        assert max(counts) == kendall_zeta(tables[0]).max_triads
        assert sum(counts.values()) == 2 ** comb(n, 2)


def test_a_consistent_judge_has_zeta_one_and_a_small_p_value():
    n = 12
    found = kendall_zeta(np.triu(np.ones((n, n)), 1))
    assert (found.zeta, found.triads, found.method) == (1.0, 0, "chi-square approximation")
    df = n * (n - 1) * (n - 2) / (n - 4) ** 2
    chi2 = 8 / (n - 4) * (comb(n, 3) / 4 - 0.5) + df
    assert found.p_value == pytest.approx(stats.chi2.sf(chi2, df))


@pytest.mark.parametrize("n", [9, 10])
def test_the_chi_square_approximation_is_near_the_exact_tail(n):
    counts = triad_distribution(n)
    tails = np.cumsum(list(counts.values())) / 2 ** comb(n, 2)
    for triads, exact in zip(counts, tails, strict=True):
        if 0.01 < exact < 0.5:
            assert chi_square_tail(n, triads) == pytest.approx(exact, rel=0.06)


@pytest.mark.parametrize(
    "wins",
    [
        np.zeros((3, 3)),
        np.triu(np.ones((2, 2)), 1),
        np.triu(np.ones((4, 4)), 1) * 2,
        np.triu(np.ones((3, 3))),
    ],
)
def test_tables_that_are_no_tournament_are_refused(wins):
    with pytest.raises(DataError, match="complete tournament"):
        kendall_zeta(wins)


def test_zeta_by_rater_leaves_out_who_did_not_judge_all_pairs_once():
    pairs = [(0, 1), (2, 1), (2, 0)]
    first, second = map(list, zip(*pairs, strict=True))
    outcome = [1, 0, 1, 1, 0.5, 1, 1, 1, 1]
    data = comparisons(
        first * 2 + [0, 0, 0], second * 2 + [1, 1, 2], outcome, [0] * 3 + [1] * 3 + [2] * 3, 4
    )
    found = kendall_zeta_by_rater(data)
    # r0 says a > b, b > c, c > a; r1 has a tie; r2 judged one pair twice.
    assert list(found) == ["r0"]
    assert (found["r0"].triads, found["r0"].zeta) == (1, 0.0)


def test_u_of_the_boys_who_judged_school_subjects():
    """Kendall & Babington Smith 1940: 21 boys, 13 subjects, u = .186569, chi2 412.432 on 90.748.

    All three depend on the data through the number of agreements only, 9718; here another table
    that has as many.
    """
    votes = np.array([21] * 17 + [17] + [13] + [11] * 59)
    wins = np.zeros((13, 13), dtype=int)
    wins[np.triu_indices(13, 1)] = votes
    wins.T[np.triu_indices(13, 1)] = 21 - votes
    assert sum(comb(w, 2) for w in wins.ravel().tolist()) == 9718
    found = kendall_u(wins)
    assert found.u == pytest.approx(0.186569, abs=1e-6)
    assert found.chi2 == pytest.approx(412.432, abs=1e-3)
    assert found.df == pytest.approx(90.748, abs=1e-3)
    assert found.p_value < 1e-30


@pytest.mark.parametrize(("m", "lowest"), [(2, -1), (3, -1 / 3), (4, -1 / 3), (5, -1 / 5)])
def test_u_is_one_when_all_agree_and_least_when_they_split(m, lowest):
    agreed = np.triu(np.full((5, 5), m), 1)
    split = np.triu(np.full((5, 5), m // 2), 1) + np.tril(np.full((5, 5), m - m // 2), -1)
    assert kendall_u(agreed).u == 1
    assert kendall_u(split).u == pytest.approx(lowest)
    assert kendall_u(split).minimum == pytest.approx(lowest)
    assert kendall_u(split).p_value == pytest.approx(1)


def test_the_exact_null_of_u_by_all_votes():
    """Three judges, three pairs: 512 equally likely answers."""
    by_pair = [comb(w, 2) + comb(3 - w, 2) for w in (0, 1, 1, 1, 2, 2, 2, 3)]
    sums = np.add.outer(np.add.outer(by_pair, by_pair), by_pair).ravel()
    for votes in ([3, 3, 3], [3, 3, 1], [3, 2, 1], [2, 2, 1]):
        wins = np.zeros((3, 3), dtype=int)
        wins[np.triu_indices(3, 1)] = votes
        wins.T[np.triu_indices(3, 1)] = 3 - np.array(votes)
        agreeing = sum(comb(w, 2) + comb(3 - w, 2) for w in votes)
        assert kendall_u(wins).p_value == pytest.approx((sums >= agreeing).mean())


def test_two_judges_have_an_exact_p_value_but_no_chi_square():
    found = kendall_u(np.triu(np.full((4, 4), 2), 1))
    assert np.isnan(found.chi2)
    assert found.p_value == pytest.approx(0.5**6)


def test_many_judges_use_chi_square():
    rng = np.random.default_rng(0)
    wins = np.triu(rng.binomial(200, 0.5, (15, 15)), 1)
    wins = wins + np.tril(200 - wins.T, -1)
    found = kendall_u(wins)
    assert found.method == "chi-square approximation"
    assert 0.001 < found.p_value < 0.999


def test_judges_of_different_pairs_are_refused():
    with pytest.raises(DataError, match=r"totals \[2.0, 3.0\]"):
        kendall_u([[0, 1, 2], [1, 0, 1], [1, 1, 0]])


def test_transitivity_of_unpleasant_sounds():
    """Weak violations 0 of 220 triples (R eba prints that); 39 strong ones by our count."""
    found = transitivity_violations(SOUNDS)
    assert (found.triples, found.weak, found.strong) == (220, 0, 39)


def violations_one_by_one(wins):
    share = np.where(wins + wins.T > 0, wins / np.maximum(wins + wins.T, 1e-300), np.nan)
    weak, moderate, strong = set(), set(), set()
    for triple in combinations(range(len(wins)), 3):
        for a, b, c in permutations(triple):
            if share[a, b] >= 0.5 and share[b, c] >= 0.5:
                if share[a, c] < 0.5:
                    weak.add(triple)
                if share[a, c] < min(share[a, b], share[b, c]):
                    moderate.add(triple)
                if share[a, c] < max(share[a, b], share[b, c]):
                    strong.add(triple)
    return len(weak), len(moderate), len(strong)


@pytest.mark.parametrize("seed", range(5))
def test_violations_are_those_counted_one_by_one(seed):
    wins = np.random.default_rng(seed).integers(0, 6, (8, 8))
    np.fill_diagonal(wins, 0)
    wins[0, 1] = wins[1, 0] = 5
    found = transitivity_violations(wins)
    assert (found.weak, found.moderate, found.strong) == violations_one_by_one(wins)


def test_triples_with_a_pair_that_was_not_compared_do_not_count():
    wins = np.array([[0, 2, 0, 1], [1, 0, 2, 1], [0, 1, 0, 1], [2, 2, 2, 0]])
    assert transitivity_violations(wins).triples == 2


def test_a_win_matrix_adds_weights_over_both_sides_and_halves_ties():
    data = comparisons([0, 1, 0, 1], [1, 0, 1, 2], [1, 1, 0.5, 0], [0] * 4, 3, weight=[2, 1, 3, 0])
    assert win_matrix(data).tolist() == [[0, 3.5, 0], [2.5, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("wins", [[[0, 1]], [[0, -1], [1, 0]], [[0, np.nan], [1, 0]]])
def test_tables_that_are_not_counts_are_refused(wins):
    with pytest.raises(DataError, match="wins must be"):
        transitivity_violations(wins)
