import numpy as np
import pytest
import scipy.stats

from auralign.errors import ConfigError, DataError
from auralign.stats.ratings import mean_opinion_scores, rating_table


def test_a_table_has_raters_as_rows_and_nan_where_a_rating_is_missing(rating):
    judgements = [rating("b", 2, "zoe"), rating("a", 5, "ann"), rating("b", 4, "ann")]
    table = rating_table(judgements, "overall")
    assert (table.raters, table.clips) == (("ann", "zoe"), ("a", "b"))
    np.testing.assert_array_equal(table.values, [[5, 4], [np.nan, 2]])


def test_repeated_ratings_of_one_rater_count_once_with_their_mean(rating):
    judgements = [rating("a", 2, "ann"), rating("a", 4, "ann"), rating("a", 5, "zoe")]
    score = mean_opinion_scores(judgements, "overall")["a"]
    assert (score.value, score.n) == ((3 + 5) / 2, 2)


def test_the_interval_is_students_t_over_raters(rating):
    ratings = [3, 4, 4, 5, 2]
    judgements = [rating("a", value, f"r{k}") for k, value in enumerate(ratings)]
    score = mean_opinion_scores(judgements, "overall")["a"]
    half = 2.776445 * np.std(ratings, ddof=1) / np.sqrt(5)
    assert (score.value, score.low, score.high) == pytest.approx((3.6, 3.6 - half, 3.6 + half))
    by_scipy = scipy.stats.ttest_1samp(ratings, 0).confidence_interval(0.8)
    narrow = mean_opinion_scores(judgements, "overall", level=0.8)["a"]
    assert (narrow.low, narrow.high) == pytest.approx((by_scipy.low, by_scipy.high))


def test_one_rater_gives_a_mean_without_an_interval(rating):
    score = mean_opinion_scores([rating("a", 4)], "overall")["a"]
    assert score.value == 4
    assert np.isnan([score.low, score.high]).all()
    assert "no interval" in score.method


def test_ratings_on_different_scales_are_not_mixed(rating):
    judgements = [rating("a", 4), rating("b", 70, scale=(0.0, 100.0))]
    with pytest.raises(DataError, match=r"different scales \(\(0.0, 100.0\), \(1.0, 5.0\)\)"):
        mean_opinion_scores(judgements, "overall")


def test_a_rating_without_a_value_is_named(rating):
    with pytest.raises(DataError, match=r"trial 'rate:a' by 'ann'.*got 1 and None"):
        rating_table([rating("a", None)], "overall")


def test_no_rating_of_the_dimension_is_refused(pair):
    with pytest.raises(DataError, match="expected rating judgements on the dimension 'overall'"):
        mean_opinion_scores([pair("a", "b", "A")], "overall")


def test_an_impossible_level_is_refused(rating):
    with pytest.raises(ConfigError, match="got 95"):
        mean_opinion_scores([rating("a", 4)], "overall", level=95)
