import numpy as np
import pytest

from auralign.errors import DataError
from auralign.stats.agreement import pair_ceiling, rating_ceiling
from auralign.stats.ratings import RatingTable


def rng():
    return np.random.default_rng(5)


def table(values):
    raters, clips = values.shape
    return RatingTable(
        tuple(f"r{k}" for k in range(raters)), tuple(f"c{k}" for k in range(clips)), values
    )


def test_a_rater_is_predicted_by_the_majority_of_the_others(pair):
    votes = {"p1": "AAAB", "p2": "AABB", "p3": "AAAA"}
    judgements = [
        pair(f"a{p}", f"b{p}", vote, rater=f"r{k}", prompt=p)
        for p, given in votes.items()
        for k, vote in enumerate(given)
    ]
    ceiling = pair_ceiling(judgements, "overall", rng=rng())
    # p1: 3 of 4 right; p2: the others stand 2 to 1 against each; p3: 4 of 4.
    assert ceiling.leave_one_out.value == pytest.approx((3 + 0 + 4) / 12)
    # Known votes: the majority is right for 3, for half of 4 undecided, for 4.
    assert ceiling.all_raters.value == pytest.approx((3 + 2 + 4) / 12)
    assert (ceiling.leave_one_out.n, ceiling.leave_one_out.n_clusters) == (12, 3)


def test_an_undecided_majority_counts_half(pair):
    judgements = [
        pair("a", "b", vote, rater=rater, prompt=prompt)
        for prompt in ("p1", "p2")
        for rater, vote in (("x", "A"), ("y", "A"), ("z", "B"))
    ]
    # z faces two A, wrong; x and y face one A and one B each: half.
    assert pair_ceiling(judgements, "overall", rng=rng()).leave_one_out.value == pytest.approx(
        (0.5 + 0.5 + 0) / 3
    )


def test_the_ceiling_of_raters_with_one_error_rate_is_known(pair):
    """Three raters, each right with 0.8: the other two agree on it with 0.64, else half or not."""
    generator = np.random.default_rng(1)
    judgements = [
        pair("a", "b", "A" if generator.random() < 0.8 else "B", rater=f"r{k}", prompt=f"p{p}")
        for p in range(1500)
        for k in range(3)
    ]
    ceiling = pair_ceiling(judgements, "overall", rng=rng(), n_resamples=200)
    q = 0.8
    expected = q * (q**2 + q * (1 - q)) + (1 - q) * ((1 - q) ** 2 + q * (1 - q))
    assert ceiling.leave_one_out.low < expected < ceiling.leave_one_out.high


def test_a_ceiling_of_pairs_needs_two_raters(pair):
    with pytest.raises(DataError, match="decisively by two different raters"):
        pair_ceiling([pair("a", "b", "A")], "overall", rng=rng())


def test_raters_are_predicted_by_mean_ratings():
    values = np.random.default_rng(2).normal(size=(5, 40)) + np.linspace(0, 3, 40)
    ceiling = rating_ceiling(table(values), rng=rng(), n_resamples=200)
    by_others = [
        np.corrcoef(values[k], np.delete(values, k, axis=0).mean(axis=0))[0, 1] for k in range(5)
    ]
    by_all = [np.corrcoef(row, values.mean(axis=0))[0, 1] for row in values]
    assert ceiling.leave_one_out.value == pytest.approx(np.mean(by_others))
    assert ceiling.all_raters.value == pytest.approx(np.mean(by_all))
    assert ceiling.leave_one_out.low < ceiling.leave_one_out.value < ceiling.leave_one_out.high
    assert ceiling.leave_one_out.value < ceiling.all_raters.value


def test_missing_ratings_and_constant_raters_are_left_out():
    values = np.random.default_rng(3).normal(size=(4, 30)) + np.linspace(0, 3, 30)
    values[3] = 2.0
    values[0, :5] = np.nan
    ceiling = rating_ceiling(table(values), rng=rng(), n_resamples=50)
    expected = []
    for k in range(3):
        others = np.nanmean(np.delete(values, k, axis=0), axis=0)
        both = np.isfinite(values[k])
        expected.append(np.corrcoef(values[k][both], others[both])[0, 1])
    assert ceiling.leave_one_out.value == pytest.approx(np.mean(expected))
    assert "(1 raters left out)" in ceiling.leave_one_out.method


def test_a_ceiling_of_ratings_needs_raters_that_vary():
    with pytest.raises(DataError, match="got 0 of 3 raters"):
        rating_ceiling(table(np.ones((3, 5))), rng=rng())
