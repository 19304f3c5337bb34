from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from auralign.errors import ConfigError, DataError, NotConvergedError
from auralign.stats import krippendorff_alpha, pairwise_agreement

NAN = np.nan
# Krippendorff's example with missing data (Computing Krippendorff's Alpha-Reliability, 2011).
FOUR_OBSERVERS = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
)
# Six raters put 30 psychiatric patients into five categories (Fleiss 1971).
PATIENTS = """
444444 222555 233335 555555 222444 113333 333355 113334 114444 555555 144444 124444 222333 144444
224445 333335 111455 111112 224444 133555 555555 244444 224555 114444 144445 222224 111155 224444
133333 555555
"""
PSYCHIATRIC = np.array([[int(category) for category in patient] for patient in PATIENTS.split()]).T


def rng():
    return np.random.default_rng(5)


@pytest.mark.parametrize(
    ("level", "published"), [("nominal", 0.743421), ("ordinal", 0.815388), ("interval", 0.849107)]
)
def test_alpha_of_krippendorffs_published_example(level, published):
    alpha = krippendorff_alpha(FOUR_OBSERVERS, level_of_measurement=level)
    assert alpha == pytest.approx(published, abs=5e-7)


def test_alpha_of_fleiss_1971_is_not_fleiss_kappa():
    alpha = krippendorff_alpha(PSYCHIATRIC, level_of_measurement="nominal")
    assert alpha == pytest.approx(0.433410, abs=5e-7)
    assert alpha != pytest.approx(0.430245, abs=1e-3)


def alpha_by_pairs(ratings, squared_distance):
    """The definition: disagreement within units over disagreement of all values."""
    units = [column[np.isfinite(column)] for column in ratings.T]
    units = [unit for unit in units if len(unit) >= 2]
    values = np.concatenate(units)
    n = len(values)
    observed = sum(
        2 * sum(squared_distance(a, b) for a, b in combinations(unit, 2)) / (len(unit) - 1)
        for unit in units
    )
    expected = 2 * sum(squared_distance(a, b) for a, b in combinations(values, 2)) / (n - 1)
    return 1 - observed / expected


@given(arrays(float, (3, 5), elements=st.sampled_from([0.0, 1.0, 2.5, 7.0, NAN])))
def test_fast_alpha_equals_the_sum_over_pairs_of_values(ratings):
    ratings[:, 0] = [0, 1, NAN]
    nominal = krippendorff_alpha(ratings, level_of_measurement="nominal")
    interval = krippendorff_alpha(ratings, level_of_measurement="interval")
    assert nominal == pytest.approx(alpha_by_pairs(ratings, lambda a, b: float(a != b)))
    assert interval == pytest.approx(alpha_by_pairs(ratings, lambda a, b: (a - b) ** 2))


def test_ordinal_alpha_ignores_monotone_rescaling_and_interval_alpha_only_affine():
    def alpha(ratings, level):
        return krippendorff_alpha(ratings, level_of_measurement=level)

    assert alpha(FOUR_OBSERVERS**3, "ordinal") == pytest.approx(alpha(FOUR_OBSERVERS, "ordinal"))
    assert alpha(9 * FOUR_OBSERVERS - 4, "interval") == pytest.approx(
        alpha(FOUR_OBSERVERS, "interval")
    )
    assert alpha(FOUR_OBSERVERS**3, "interval") != pytest.approx(alpha(FOUR_OBSERVERS, "interval"))


def test_alpha_of_constant_ratings_does_not_exist():
    with pytest.raises(NotConvergedError, match="all ratings are equal"):
        krippendorff_alpha(np.ones((3, 4)), level_of_measurement="nominal")


def test_alpha_needs_a_unit_with_two_ratings():
    with pytest.raises(DataError, match="at least one unit with two ratings"):
        krippendorff_alpha([[1, NAN], [NAN, 2]], level_of_measurement="nominal")


def test_an_unknown_level_of_measurement_is_refused():
    with pytest.raises(ConfigError, match=r"nominal, ordinal, interval, got 'ratio'"):
        krippendorff_alpha(FOUR_OBSERVERS, level_of_measurement="ratio")


def test_agreement_counts_pairs_of_raters_whatever_the_order_of_presentation(pair):
    judgements = [
        pair("a", "b", "A", rater="x"),
        pair("b", "a", "B", rater="y"),
        pair("a", "b", "B", rater="z"),
        pair("c", "d", "A", rater="x", prompt="p2"),
        pair("d", "c", "B", rater="y", prompt="p2"),
    ]
    # p1: x and y agree, z differs from both (1 of 3); p2: 1 of 1.
    e = pairwise_agreement(judgements, "overall", rng=rng())
    assert (e.value, e.n, e.n_clusters) == (2 / 4, 4, 2)


def test_ties_are_set_aside_and_the_coverage_is_reported(pair):
    judgements = [
        pair(f"a{p}", f"b{p}", answer, rater=rater, prompt=p)
        for p in ("p1", "p2")
        for rater, answer in (("x", "A"), ("y", "A"), ("z", "TIE"), ("w", "SKIP"))
    ]
    e = pairwise_agreement(judgements, "overall", rng=rng())
    assert e.value == 1
    assert "both decisive (2 of 6 pairs)" in e.method


def test_a_rater_is_not_compared_with_herself(pair):
    judgements = [
        pair("a", "b", "A", rater="x", prompt=p) for p in ("p1", "p1", "p2") for _ in range(2)
    ] + [pair("a", "b", "B", rater="y", prompt=p) for p in ("p1", "p2")]
    e = pairwise_agreement(judgements, "overall", rng=rng())
    assert (e.value, e.n) == (0.0, 4 + 2)


def test_catch_trials_of_a_clip_with_itself_are_no_answers(pair):
    judgements = [
        pair("a", "b", "A", rater=rater, prompt=p) for rater in "xy" for p in ("p1", "p2")
    ]
    catch = [pair("a", "a", answer, rater=rater) for rater, answer in (("x", "A"), ("y", "B"))]
    e = pairwise_agreement(judgements + catch, "overall", rng=rng())
    assert (e.value, e.n) == (1.0, 2)


def test_swapping_presentation_leaves_agreement_as_it_was(pair):
    generator = np.random.default_rng(2)
    judgements = [
        pair("a", "b", generator.choice(["A", "B", "TIE"]), rater=f"r{r}", prompt=f"p{p}")
        for r in range(5)
        for p in range(8)
    ]
    swapped = [j.swap() if generator.random() < 0.5 else j for j in judgements]
    straight = pairwise_agreement(judgements, "overall", rng=rng())
    assert pairwise_agreement(swapped, "overall", rng=rng()) == straight


def test_agreement_equals_the_loop_over_pairs_of_judgements(pair):
    generator = np.random.default_rng(4)
    judgements = [
        pair("a", "b", generator.choice(["A", "B"]), rater=f"r{generator.integers(4)}", prompt=p)
        for p in ("p1", "p2", "p3")
        for _ in range(9)
    ]
    pairs = [
        (j, k)
        for j, k in combinations(judgements, 2)
        if j.prompt_id == k.prompt_id and j.rater != k.rater
    ]
    e = pairwise_agreement(judgements, "overall", rng=rng())
    assert e.n == len(pairs)
    assert e.value == pytest.approx(np.mean([j.outcome == k.outcome for j, k in pairs]))


def test_agreement_needs_two_raters_of_one_pair(pair):
    with pytest.raises(DataError, match="decisively by two different raters"):
        pairwise_agreement([pair("a", "b", "A"), pair("a", "c", "A")], "overall", rng=rng())
