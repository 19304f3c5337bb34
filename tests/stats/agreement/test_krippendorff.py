from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from auralign.errors import ConfigError, DataError, NotConvergedError
from auralign.stats.agreement import krippendorff, krippendorff_alpha, krippendorff_interval

NAN = np.nan
LEVELS = ("nominal", "ordinal", "ordinal_gwet", "interval", "ratio")


def alpha(ratings, level):
    return krippendorff_alpha(ratings, level_of_measurement=level)


def squared_distances(level, values):
    """From their definitions: a table over the distinct values."""
    names, counts = np.unique(values, return_counts=True)
    place = {name: k for k, name in enumerate(names)}

    def between(a, b):
        return counts[place[min(a, b)] : place[max(a, b)] + 1]

    return {
        "nominal": lambda a, b: float(a != b),
        "ordinal": lambda a, b: (between(a, b).sum() - (between(a, b)[[0, -1]].sum()) / 2) ** 2,
        "ordinal_gwet": lambda a, b: len(between(a, b)) * (len(between(a, b)) - 1) / 2,
        "interval": lambda a, b: (a - b) ** 2,
        "ratio": lambda a, b: ((a - b) / (a + b)) ** 2 if a + b else 0.0,
    }[level]


def alpha_by_pairs(ratings, level):
    """The definition: disagreement within units over disagreement of all values."""
    units = [column[np.isfinite(column)] for column in ratings.T]
    units = [unit for unit in units if len(unit) >= 2]
    values = np.concatenate(units)
    distance = squared_distances(level, values)
    observed = sum(
        2 * sum(distance(a, b) for a, b in combinations(unit, 2)) / (len(unit) - 1)
        for unit in units
    )
    expected = 2 * sum(distance(a, b) for a, b in combinations(values, 2)) / (len(values) - 1)
    return 1 - observed / expected


@pytest.mark.parametrize(
    ("level", "published"),
    [
        ("nominal", 0.743421),
        ("ordinal", 0.815388),
        # What the R package irrCAC gives as ordinal: another distance, another number.
        ("ordinal_gwet", 0.83364),
        ("interval", 0.849107),
        ("ratio", 0.797403),
    ],
)
def test_alpha_of_krippendorffs_published_example(four_observers, level, published):
    digits = 5e-6 if level == "ordinal_gwet" else 5e-7
    assert alpha(four_observers, level) == pytest.approx(published, abs=digits)


def test_alpha_of_fleiss_1971_is_not_fleiss_kappa(psychiatric):
    assert alpha(psychiatric, "nominal") == pytest.approx(0.433410, abs=5e-7)
    assert alpha(psychiatric, "nominal") != pytest.approx(0.430245, abs=1e-3)


@pytest.mark.parametrize("level", LEVELS)
@settings(max_examples=25)
@given(arrays(float, (4, 5), elements=st.sampled_from([0.0, 1.0, 2.5, 7.0, NAN])))
def test_alpha_equals_the_sum_over_pairs_of_values(level, ratings):
    ratings[:2, 0] = [0, 1]
    assert alpha(ratings, level) == pytest.approx(alpha_by_pairs(ratings, level), abs=1e-12)


@pytest.mark.parametrize("level", LEVELS)
def test_alpha_of_continuous_ratings_equals_the_sum_over_pairs(level):
    rng = np.random.default_rng(1)
    ratings = rng.gamma(2, size=30) * rng.uniform(0.5, 2, (4, 30))
    ratings[rng.random(ratings.shape) < 0.3] = NAN
    assert alpha(ratings, level) == pytest.approx(alpha_by_pairs(ratings, level), abs=1e-12)


def test_ratio_by_transform_equals_ratio_by_table(monkeypatch):
    rng = np.random.default_rng(2)
    ratings = np.exp(rng.normal(0, 3, 200) + rng.normal(0, 0.5, (4, 200)))
    ratings[rng.random(ratings.shape) < 0.1] = 0
    ratings[rng.random(ratings.shape) < 0.2] = NAN
    by_table = alpha(ratings, "ratio")
    interval = krippendorff_interval(
        ratings, level_of_measurement="ratio", rng=np.random.default_rng(0), n_resamples=50
    )
    monkeypatch.setattr(krippendorff, "_TABLE_SIZE", 0)
    assert alpha(ratings, "ratio") == pytest.approx(by_table, rel=1e-12)
    again = krippendorff_interval(
        ratings, level_of_measurement="ratio", rng=np.random.default_rng(0), n_resamples=50
    )
    assert (again.low, again.high) == pytest.approx((interval.low, interval.high), rel=1e-12)


@pytest.mark.parametrize("level", LEVELS)
def test_whole_numbers_and_their_sorted_codes_give_one_alpha(level):
    """Whole ratings are counted without sorting; moved to eighths they are sorted."""
    ratings = np.random.default_rng(3).integers(1, 60, (5, 40)).astype(float)
    scale = 1.0 if level == "nominal" else 1 / 8
    assert alpha(ratings * scale, level) == pytest.approx(alpha(ratings, level), rel=1e-12)


def test_a_thin_table_gives_the_alpha_of_its_ratings_without_the_empty_cells():
    rng = np.random.default_rng(4)
    dense = rng.integers(0, 5, (3, 50)).astype(float)
    thin = np.full((40, 50), NAN)
    for unit in range(50):
        thin[rng.choice(40, 3, replace=False), unit] = dense[:, unit]
    for level in LEVELS:
        assert alpha(thin, level) == pytest.approx(alpha(dense, level), rel=1e-12)


def test_ordinal_alpha_ignores_monotone_rescaling_and_interval_alpha_only_affine(four_observers):
    r = four_observers
    assert alpha(r**3, "ordinal") == pytest.approx(alpha(r, "ordinal"))
    assert alpha(r**3, "ordinal_gwet") == pytest.approx(alpha(r, "ordinal_gwet"))
    assert alpha(9 * r - 4, "interval") == pytest.approx(alpha(r, "interval"))
    assert alpha(9 * r, "ratio") == pytest.approx(alpha(r, "ratio"))
    assert alpha(r**3, "interval") != pytest.approx(alpha(r, "interval"))


@pytest.mark.parametrize("level", LEVELS)
def test_a_resample_has_the_alpha_of_its_units_repeated(four_observers, level):
    complete = four_observers[:, :11]
    disagreement = krippendorff._disagreement(krippendorff._pairable(complete), level)
    counts = np.array([0, 3, 1, 0, 2, 1, 1, 0, 2, 1, 1])
    observed, expected = disagreement(counts.astype(float))
    repeated = alpha(np.repeat(complete, counts, axis=1), level)
    expectation = pytest.approx(repeated, rel=1e-12)
    assert 1 - observed / expected == expectation


@pytest.mark.parametrize("level", LEVELS)
def test_the_interval_is_about_alpha_and_its_units(four_observers, level):
    estimate = krippendorff_interval(
        four_observers, level_of_measurement=level, rng=np.random.default_rng(7)
    )
    assert estimate.value == pytest.approx(alpha(four_observers, level))
    assert estimate.low < estimate.value < estimate.high
    assert (estimate.n, estimate.n_clusters) == (40, 11)


def test_clusters_of_units_are_drawn_whole():
    ratings = np.random.default_rng(5).integers(1, 6, (4, 30)).astype(float)
    repeated = np.repeat(ratings, 4, axis=1)
    apart = krippendorff_interval(
        ratings, level_of_measurement="interval", rng=np.random.default_rng(1)
    )
    together = krippendorff_interval(
        repeated,
        level_of_measurement="interval",
        clusters=np.repeat(np.arange(30), 4),
        rng=np.random.default_rng(1),
    )
    width = apart.high - apart.low
    assert together.high - together.low == pytest.approx(width, rel=0.15)
    assert together.n_clusters == 30


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("value", [1.0, 0.1])
def test_alpha_of_constant_ratings_does_not_exist(level, value):
    with pytest.raises(NotConvergedError, match="all ratings are equal"):
        alpha(np.full((3, 7), value), level)


def test_alpha_needs_a_unit_with_two_ratings():
    with pytest.raises(DataError, match="at least one unit with two ratings"):
        alpha([[1, NAN], [NAN, 2]], "nominal")


def test_a_ratio_scale_has_no_negative_ratings():
    with pytest.raises(DataError, match="cannot be negative, got -1"):
        alpha([[1, -1], [2, 2]], "ratio")


def test_an_infinite_rating_is_refused():
    with pytest.raises(DataError, match="rating of rater 1 for unit 0 is infinite"):
        alpha([[1, 2], [np.inf, 2]], "interval")


def test_an_unknown_level_of_measurement_is_refused(four_observers):
    with pytest.raises(ConfigError, match=r"nominal, ordinal, ordinal_gwet.*got 'metric'"):
        alpha(four_observers, "metric")


def test_clusters_of_another_length_are_refused(four_observers):
    with pytest.raises(DataError, match="expected a cluster for each of 12 units, got 3"):
        krippendorff_interval(
            four_observers,
            level_of_measurement="nominal",
            clusters=["a", "b", "c"],
            rng=np.random.default_rng(0),
        )
