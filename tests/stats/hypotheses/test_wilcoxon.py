from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from auralign.errors import ConfigError, DataError
from auralign.stats.hypotheses import hodges_lehmann, wilcoxon_signed_rank

# Depression scale before and after a tranquilliser (Hollander & Wolfe 1973, table 3.1).
BEFORE = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30])
AFTER = np.array([0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29])


def test_the_published_example():
    test = wilcoxon_signed_rank(BEFORE - AFTER, alternative="greater")
    assert (test.statistic, test.n) == (40, 9)
    assert test.p_value == pytest.approx(0.01953, abs=5e-6)
    effect = hodges_lehmann(AFTER - BEFORE)
    assert (effect.value, effect.low, effect.high) == pytest.approx(
        (-0.46, -0.786, -0.010), abs=5e-4
    )


def by_all_signs(differences, zeros):
    """P-value from all signs of the ranks: the definition."""
    d = np.asarray(differences, dtype=float)
    ranked = d if zeros == "pratt" else d[d != 0]
    rank = stats.rankdata(np.abs(ranked))[ranked != 0]
    statistic = rank[ranked[ranked != 0] > 0].sum()
    null = np.array(list(product((0, 1), repeat=len(rank)))) @ rank
    return min(1.0, 2 * min((null <= statistic).mean(), (null >= statistic).mean()))


@pytest.mark.parametrize("zeros", ["wilcoxon", "pratt"])
@settings(max_examples=25)
@given(st.lists(st.integers(-4, 4), min_size=1, max_size=8).filter(any))
def test_p_values_with_ties_and_zeros_count_all_signs(zeros, differences):
    ours = wilcoxon_signed_rank(differences, zeros=zeros)
    assert ours.p_value == pytest.approx(by_all_signs(differences, zeros), rel=1e-9)


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
@pytest.mark.parametrize("n", [12, 60])
def test_without_ties_the_exact_test_equals_scipy(n, alternative):
    d = np.random.default_rng(1).normal(0.3, 1, n)
    theirs = stats.wilcoxon(d, alternative=alternative, method="exact")
    assert wilcoxon_signed_rank(d, alternative=alternative).p_value == pytest.approx(theirs.pvalue)


@pytest.mark.parametrize("zeros", ["wilcoxon", "pratt"])
def test_many_tied_differences_equal_scipys_approximation(zeros):
    d = np.random.default_rng(2).integers(-3, 4, 400)
    theirs = stats.wilcoxon(
        d, zero_method={"wilcoxon": "wilcox"}.get(zeros, zeros), method="approx"
    )
    ours = wilcoxon_signed_rank(d, zeros=zeros)
    assert ours.p_value == pytest.approx(theirs.pvalue)
    assert "normal approximation" in ours.method
    assert f"{(d == 0).sum()} zeros left out" in ours.method


@settings(max_examples=25)
@given(st.lists(st.floats(-100, 100).map(lambda x: round(x, 2)), min_size=1, max_size=30))
def test_hodges_lehmann_is_the_median_of_all_means_of_two(differences):
    d = np.array(differences)
    averages = np.sort(((d[:, None] + d) / 2)[np.triu_indices(len(d))])
    estimate = hodges_lehmann(d)
    assert estimate.value == pytest.approx(np.median(averages), abs=1e-9)
    if len(d) < 6:
        assert (estimate.low, estimate.high) == (-np.inf, np.inf)
    else:
        assert np.isclose(averages, estimate.low, atol=1e-9).any()
        assert np.isclose(averages, estimate.high, atol=1e-9).any()


@pytest.mark.parametrize("n", [15, 150])
def test_its_interval_covers_the_median(n):
    rng = np.random.default_rng(3)
    ends = [hodges_lehmann(rng.laplace(1.0, 1, n)) for _ in range(120)]
    assert 0.91 <= np.mean([e.low <= 1 <= e.high for e in ends]) <= 0.99


def test_means_that_are_equal_on_paper_are_ties_and_zeros():
    noisy = [0.1 + 0.2 - 0.3, 3.3 - 3.2, 0.1, 1.2 - 1.1, -0.4, 0.7]
    assert len(set(noisy)) == 6
    exact = wilcoxon_signed_rank([0, 1, 1, 1, -4, 7])
    assert wilcoxon_signed_rank(noisy).p_value == exact.p_value
    assert wilcoxon_signed_rank(noisy).n == exact.n == 5


def test_bad_input_is_named():
    with pytest.raises(DataError, match="not zero, got 2 zeros"):
        wilcoxon_signed_rank([0, 0])
    with pytest.raises(ConfigError, match="'wilcoxon' or 'pratt', got 'zsplit'"):
        wilcoxon_signed_rank([1], zeros="zsplit")
    with pytest.raises(DataError, match="expected finite differences"):
        hodges_lehmann([1, np.nan])
