import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from auralign.errors import DataError, NotConvergedError
from auralign.stats.arrays import mid_ranks
from auralign.stats.correlation import spearman


def rng():
    return np.random.default_rng(11)


def test_spearman_without_ties_is_the_textbook_formula():
    x, y = np.array([1.0, 2, 3, 4, 5]), np.array([2.0, 1, 4, 3, 5])
    n, d = 5, x - y
    e = spearman(x, y, rng=rng())
    assert e.value == pytest.approx(1 - 6 * (d @ d) / (n * (n**2 - 1)))
    assert e.low <= e.value <= e.high


values = st.lists(st.integers(0, 4), min_size=6, max_size=6)


@given(values)
def test_mid_ranks_are_scipys(numbers):
    np.testing.assert_array_equal(
        mid_ranks(np.array(numbers, float)), scipy.stats.rankdata(numbers)
    )


@given(
    st.lists(st.integers(0, 4), min_size=8, max_size=8).filter(lambda v: len(set(v)) > 2),
    st.permutations(range(8)),
)
def test_spearman_with_ties_is_scipys_and_depends_on_ranks_only(x, y):
    x, y = np.array(x, float), np.array(y, float)
    e = spearman(x, y, rng=rng(), n_resamples=10)
    assert e.value == pytest.approx(scipy.stats.spearmanr(x, y).statistic)
    assert spearman(x**3, np.exp(y), rng=rng(), n_resamples=10).value == pytest.approx(e.value)
    assert spearman(x, -y, rng=rng(), n_resamples=10).value == pytest.approx(-e.value)


def test_rows_of_a_cluster_are_drawn_together():
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(2, 12))
    rows = np.tile(np.arange(12), 8)
    alone = spearman(x, y, rng=rng())
    copied = spearman(x[rows], y[rows], clusters=rows, rng=rng())
    ignored = spearman(x[rows], y[rows], rng=rng())
    assert copied.high - copied.low == pytest.approx(alone.high - alone.low, rel=0.1)
    assert ignored.high - ignored.low < 0.6 * (copied.high - copied.low)
    assert (copied.n, copied.n_clusters) == (96, 12)


def test_incomplete_rows_are_left_out_and_counted():
    x, y = [1, 2, 3, np.nan, 5], [1, 2, 3, 4, np.nan]
    e = spearman(x, y, rng=rng())
    assert (e.value, e.n) == (pytest.approx(1), 3)
    assert "2 of 5 rows incomplete" in e.method


def test_a_constant_has_no_rank_correlation():
    with pytest.raises(NotConvergedError, match="the statistic is nan on the data"):
        spearman([1, 1, 1, 1], [1, 2, 3, 4], rng=rng())


def test_unequal_lengths_and_too_few_rows_are_refused():
    with pytest.raises(DataError, match=r"\(2,\) and \(3,\)"):
        spearman([1, 2], [1, 2, 3], rng=rng())
    with pytest.raises(DataError, match="at least 3 complete rows, got 2"):
        spearman([1, 2], [1, 2], rng=rng())
