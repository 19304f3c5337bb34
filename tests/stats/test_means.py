import numpy as np
import pytest
from scipy import stats

from auralign.errors import DataError
from auralign.stats.means import mean_over_clusters, mean_over_raters_and_items


def test_one_value_a_cluster_gives_students_interval():
    values = [3, 4, 4, 5, 2]
    ours = mean_over_clusters(values, range(5))
    theirs = stats.ttest_1samp(values, 0).confidence_interval()
    assert (ours.value, ours.low, ours.high) == pytest.approx((3.6, theirs.low, theirs.high))


def test_copies_of_a_value_in_its_cluster_add_nothing():
    values = np.random.default_rng(1).normal(size=12)
    once = mean_over_clusters(values, np.arange(12))
    often = mean_over_clusters(np.repeat(values, 7), np.repeat(np.arange(12), 7))
    assert (often.low, often.high) == pytest.approx((once.low, once.high))


def test_a_mean_over_raters_and_items_covers_the_truth_where_one_side_does_not():
    generator = np.random.default_rng(2)
    rater, item = (side.ravel() for side in np.meshgrid(np.arange(16), np.arange(16)))
    covered = {"both": 0, "raters": 0}
    for _ in range(250):
        values = (
            generator.normal(0, 0.5, 16)[rater]
            + generator.normal(0, 0.5, 16)[item]
            + generator.normal(size=len(rater))
        )
        both = mean_over_raters_and_items(values, rater, item)
        raters = mean_over_clusters(values, rater)
        covered["both"] += both.low <= 0 <= both.high
        covered["raters"] += raters.low <= 0 <= raters.high
    assert covered["both"] / 250 >= 0.92
    assert covered["raters"] / 250 < 0.88


def test_the_variance_is_that_over_raters_plus_items_minus_cells():
    generator = np.random.default_rng(3)
    rater, item = generator.integers(0, 6, (2, 80))
    values = generator.normal(size=6)[rater] + generator.normal(size=6)[item]
    estimate = mean_over_raters_and_items(values, rater, item)
    residual = values - values.mean()

    def variance(code):
        totals = np.array([residual[code == c].sum() for c in np.unique(code)])
        return (totals**2).sum() * len(totals) / (len(totals) - 1) / 80**2

    total = variance(rater) + variance(item) - variance(rater * 6 + item)
    half = stats.t.ppf(0.975, 5) * total**0.5
    assert estimate.high - estimate.value == pytest.approx(half)
    assert "6 raters and 6 items" in estimate.method


def test_a_side_with_one_label_is_left_out():
    values = [1.0, 2.0, 4.0]
    one_item = mean_over_raters_and_items(values, ["x", "y", "z"], ["i"] * 3)
    assert one_item.high == pytest.approx(mean_over_clusters(values, [0, 1, 2]).high)
    assert "variance over raters only" in one_item.method
    nothing = mean_over_raters_and_items(values, ["x"] * 3, ["i"] * 3)
    assert np.isnan(nothing.low)
    assert "no interval" in nothing.method


def test_bad_input_is_named():
    with pytest.raises(DataError, match="got 0 values"):
        mean_over_clusters([], [])
    with pytest.raises(DataError, match="got 2 values and 2, 1 labels"):
        mean_over_raters_and_items([1, 2], ["x", "y"], ["i"])
