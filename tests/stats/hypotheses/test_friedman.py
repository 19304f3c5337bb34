from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from auralign.errors import DataError, NotConvergedError
from auralign.stats.agreement import kendall_w
from auralign.stats.hypotheses import (
    conover,
    critical_difference,
    friedman_test,
    nemenyi,
    wilcoxon_pairs,
)
from auralign.stats.hypotheses.friedman import studentized_range_tail

# Areas under the curve of four variants of C4.5 on 14 data sets (Demsar 2006, table 6). In the
# 13th row 0.975 is printed twice, but ranked 2 and 3: the difference is beyond the digits.
C45 = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.9749],
        [0.957, 0.978, 0.946, 0.970],
    ]
)
# Twelve home owners rank four grasses (Conover 1999, section 5.8, example 1).
GRASS = np.array(
    [
        [4, 3, 2, 1],
        [4, 2, 3, 1],
        [3, 1.5, 1.5, 4],
        [3, 1, 2, 4],
        [4, 2, 1, 3],
        [2, 2, 2, 4],
        [1, 3, 2, 4],
        [2, 4, 1, 3],
        [3.5, 1, 2, 3.5],
        [4, 1, 3, 2],
        [4, 2, 3, 1],
        [3.5, 1, 2, 3.5],
    ]
)


def test_mean_ranks_and_critical_differences_of_demsar():
    ranks = friedman_test(-C45).mean_ranks
    assert ranks == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=5e-4)
    assert critical_difference(14, 4, alpha=0.05) == pytest.approx(1.25, abs=0.005)
    assert critical_difference(14, 4, alpha=0.10) == pytest.approx(1.12, abs=0.005)


def test_nemenyis_decisions_of_demsar():
    """At 0.10 C4.5 is behind the variant with tuned m, and behind the one with both."""
    family = nemenyi(C45, ["C4.5", "+m", "+cf", "+m+cf"], family="variants of C4.5")
    assert set(family.rejected(0.10)) == {"C4.5 - +m", "C4.5 - +m+cf"}
    assert family.rejected(0.05) == ()


def test_friedman_and_conover_of_the_grasses():
    result = friedman_test(GRASS)
    assert result.chi2.statistic == pytest.approx(8.097, abs=5e-4)
    assert result.f.statistic == pytest.approx(3.19, abs=0.005)
    # Rank sums that differ by more than 11.49 differ at the level 0.05 (t from a table).
    t = stats.t.ppf(0.975, 33)
    for test in conover(GRASS, "1234", family="grasses").tests:
        i, j = (int(name) - 1 for name in test.name.split(" - "))
        difference = GRASS[:, i].sum() - GRASS[:, j].sum()
        assert difference / test.test.statistic * t == pytest.approx(11.49, abs=0.01)


def test_friedman_with_ties_equals_scipy_and_kendalls_w():
    values = np.random.default_rng(1).integers(1, 6, (15, 5))
    result = friedman_test(values)
    theirs = stats.friedmanchisquare(*values.T)
    assert (result.chi2.statistic, result.chi2.p_value) == pytest.approx(theirs)
    assert result.kendall_w == pytest.approx(kendall_w(values).tie_corrected)


def test_unanimous_blocks_have_w_one():
    result = friedman_test(np.tile([1.0, 2.0, 3.0], (4, 1)))
    assert (result.kendall_w, result.f.statistic, result.f.p_value) == (1, np.inf, 0)
    tests = conover(np.tile([1.0, 2.0, 3.0], (4, 1)), "abc", family="all").tests
    assert [t.p_adjusted for t in tests] == [0, 0, 0]


def test_the_range_of_normals_has_the_tail_of_scipy():
    for q, k in ((1.0, 2), (3.3, 4), (5.0, 10)):
        expected = stats.studentized_range.sf(q, k, np.inf)
        assert studentized_range_tail(q, k) == pytest.approx(expected, abs=1e-9)
    # The range of two is sqrt(2) times a normal.
    assert studentized_range_tail(2.0, 2) == pytest.approx(2 * stats.norm.sf(2 / 2**0.5))


def test_pairs_by_wilcoxon_take_the_blocks_they_share():
    values = np.random.default_rng(2).normal([0, 0.5, 3], size=(12, 3))
    values[0, 0] = values[1, 2] = np.nan
    family = wilcoxon_pairs(values, "abc", family="systems")
    assert family.adjustment == "Holm"
    by_hand = {}
    for i, j in combinations(range(3), 2):
        d = values[:, i] - values[:, j]
        by_hand["abc"[i] + " - " + "abc"[j]] = stats.wilcoxon(d[np.isfinite(d)]).pvalue
    assert {t.name: t.test.p_value for t in family.tests} == pytest.approx(by_hand)
    same = wilcoxon_pairs([[1, 1], [2, 2]], "ab", family="equal").tests[0]
    assert same.p_adjusted == 1


def test_incomplete_blocks_are_left_out_and_counted():
    with_hole = np.vstack([C45, [0.5, np.nan, 0.2, 0.1]])
    result = friedman_test(with_hole)
    assert result.chi2.statistic == pytest.approx(friedman_test(C45).chi2.statistic)
    assert "1 of 15 blocks incomplete" in result.chi2.method


def test_bad_input_is_named():
    with pytest.raises(NotConvergedError, match="no block tells systems apart"):
        friedman_test(np.ones((4, 3)))
    with pytest.raises(DataError, match="got 3 systems and 1 of 1 blocks"):
        friedman_test([[1, 2, 3]])
    with pytest.raises(DataError, match="a name for each of 4 systems, got 2"):
        nemenyi(C45, ["a", "b"], family="x")
    with pytest.raises(DataError, match="no block has values of both 'a' and 'b'"):
        wilcoxon_pairs([[1, np.nan], [np.nan, 2]], "ab", family="x")
