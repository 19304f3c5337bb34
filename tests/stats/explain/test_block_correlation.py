import numpy as np
import pytest
from scipy import stats

from auralign.stats.explain.block_correlation import kendall, pearson, spearman, within_blocks

ONE = np.zeros(15, dtype=np.int64)


@pytest.fixture
def data():
    rng = np.random.default_rng(3)
    return rng.integers(4, size=(2, 15)).astype(float)


def test_in_one_block_they_are_the_usual_ones(data):
    x, y = data
    assert pearson(x, y, ONE) == pytest.approx(stats.pearsonr(x, y).statistic)
    assert spearman(x, y, ONE) == pytest.approx(stats.spearmanr(x, y).statistic)
    assert kendall(x, y, ONE) == pytest.approx(stats.kendalltau(x, y).statistic)


def test_a_shift_of_a_block_changes_nothing(data):
    x, y = data
    block = np.arange(15) % 3
    for correlation in (pearson, spearman, kendall):
        assert correlation(x + 100 * block, y, block) == pytest.approx(correlation(x, y, block))


def test_kendall_counts_pairs_within_blocks_by_hand():
    x, y = np.array([1.0, 2, 3, 9, 8]), np.array([1.0, 3, 2, 5, 6])
    block = np.array([7, 7, 7, 2, 2])
    # Pairs of block 7: two concordant, one not; the one of block 2 is not.
    assert kendall(x, y, block) == pytest.approx((2 - 1 - 1) / 4)


def test_deviations_sum_to_zero_in_each_block(data):
    block = np.array([0, 1, 5] * 5)
    deviations = within_blocks(data[0], block)
    assert [deviations[block == k].sum() for k in (0, 1, 5)] == pytest.approx([0, 0, 0])


def test_what_does_not_vary_has_no_correlation(data):
    for correlation in (pearson, spearman, kendall):
        assert np.isnan(correlation(np.ones(15), data[1], ONE))
        assert np.isnan(correlation(data[0], data[1], np.arange(15)))
