import numpy as np
import pytest

from auralign.errors import DataError
from auralign.stats.agreement import rater_agreement, rater_reliability
from auralign.stats.ratings import RatingTable

NAN = np.nan


def table(values):
    values = np.asarray(values, dtype=float)
    raters, clips = values.shape
    return RatingTable(
        tuple(f"r{k}" for k in range(raters)), tuple(f"c{k}" for k in range(clips)), values
    )


def test_each_rater_is_compared_with_the_mean_of_the_others():
    values = np.random.default_rng(1).normal(size=(4, 10))
    for k, reliability in enumerate(rater_reliability(table(values))):
        others = np.delete(values, k, axis=0).mean(axis=0)
        assert reliability.rater == f"r{k}"
        assert reliability.correlation.value == pytest.approx(np.corrcoef(values[k], others)[0, 1])
        assert reliability.bias == pytest.approx((values[k] - others).mean())
        assert reliability.mean_absolute_difference == pytest.approx(
            np.abs(values[k] - others).mean()
        )


def test_the_interval_is_fishers():
    """r = 0.6 of 28 pairs: 0.29 to 0.79."""
    rng = np.random.default_rng(2)
    basis, _ = np.linalg.qr(np.column_stack([np.ones(28), rng.normal(size=(28, 2))]))
    values = [basis[:, 1], 0.6 * basis[:, 1] + 0.8 * basis[:, 2]]
    estimate = rater_reliability(table(values))[0].correlation
    z, half = np.arctanh(0.6), 1.959964 / 5
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx(
        (0.6, np.tanh(z - half), np.tanh(z + half))
    )


def test_only_clips_that_another_rater_rated_count():
    values = [[1, 2, 3, 4, 5], [1, 2, 3, 4, NAN], [NAN, 2, NAN, 5, NAN]]
    first = rater_reliability(table(values))[0]
    assert first.correlation.n == 4
    assert first.bias == pytest.approx((0 + 0 + 0 - 0.5) / 4)


def test_a_constant_rater_has_no_correlation_and_the_reason_is_given():
    reliability = rater_reliability(table([[3, 3, 3, 3], [1, 2, 3, 4], [1, 2, 4, 3]]))
    assert np.isnan(reliability[0].correlation.value)
    assert "all ratings of the rater are equal" in reliability[0].correlation.method
    few = rater_reliability(table([[1, 2, NAN, NAN], [1, 2, 3, 4], [NAN, NAN, 4, 3]]))
    assert "only 2 shared clips" in few[0].correlation.method


def test_reliability_needs_a_clip_with_two_raters():
    with pytest.raises(DataError, match="a clip with two raters"):
        rater_reliability(table([[1, NAN], [NAN, 2]]))


def test_agreement_of_a_rater_counts_the_answers_of_the_others(pair):
    judgements = [
        pair("a", "b", "A", rater="x"),
        pair("b", "a", "B", rater="y"),
        pair("a", "b", "B", rater="z"),
        pair("c", "d", "A", rater="x", prompt="p2"),
        pair("d", "c", "B", rater="y", prompt="p2"),
        pair("c", "d", "TIE", rater="z", prompt="p2"),
        pair("e", "f", "A", rater="w", prompt="p3"),
    ]
    agreement = rater_agreement(judgements, "overall")
    assert {rater: e.value for rater, e in agreement.items()} == pytest.approx(
        {"x": 2 / 3, "y": 2 / 3, "z": 0}
    )
    assert agreement["x"].n == 3


def test_agreement_needs_two_raters_of_one_pair(pair):
    with pytest.raises(DataError, match="decisively by two different raters"):
        rater_agreement([pair("a", "b", "A"), pair("a", "c", "TIE", rater="y")], "overall")
