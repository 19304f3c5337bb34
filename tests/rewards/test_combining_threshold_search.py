import math

import numpy as np
import pytest

from auralign.errors import ConfigError, NotConvergedError
from auralign.rewards.combining import search_thresholds

RANGES = {"quality": (0.0, 4.0), "content": (0.0, 0.5)}


def gold(thresholds: dict[str, float]) -> float:
    """What people say of a policy that stops at these thresholds: best at 1.5 and 0.35, and worse
    beyond; how far one may go depends on the other."""
    quality, content = thresholds["quality"] - 1.5, 8 * (thresholds["content"] - 0.35)
    return 1 - quality**2 - content**2 - 0.8 * quality * content


def test_the_search_finds_the_proxy_points_where_the_score_peaks():
    found = search_thresholds(gold, RANGES, n_evaluations=80)
    assert found.thresholds["quality"] == pytest.approx(1.5, abs=0.01 * 4)
    assert found.thresholds["content"] == pytest.approx(0.35, abs=0.01 * 0.5)
    assert found.score == gold(found.thresholds) == max(score for _, score in found.tried)


def test_it_keeps_to_the_budget_to_the_ranges_and_never_tries_the_same_twice():
    asked = []

    def towards_a_corner(thresholds):
        asked.append(tuple(thresholds.values()))
        return thresholds["quality"] - thresholds["content"]

    found = search_thresholds(towards_a_corner, RANGES, n_evaluations=25)
    assert len(asked) == len(set(asked)) == len(found.tried) <= 25
    for name, values in zip(RANGES, np.array(asked).T, strict=True):
        low, high = RANGES[name]
        assert low <= values.min()
        assert values.max() <= high
    assert found.thresholds == pytest.approx({"quality": 4.0, "content": 0.0}, abs=0.2)


def test_it_stops_when_the_thresholds_are_known_well_enough():
    def n_tried(tolerance: float) -> int:
        found = search_thresholds(gold, RANGES, n_evaluations=500, tolerance=tolerance)
        return len(found.tried)

    assert n_tried(0.1) < n_tried(0.01) < n_tried(1e-4) < 500


def test_what_could_not_be_scored_is_worse_than_any_score():
    def fragile(thresholds):
        return math.nan if thresholds["quality"] > 2 else gold(thresholds) - 1000

    found = search_thresholds(fragile, RANGES, n_evaluations=80)
    assert found.thresholds["quality"] == pytest.approx(1.5, abs=0.04)
    assert any(math.isnan(score) for _, score in found.tried)
    with pytest.raises(NotConvergedError, match=r"none of .* could be scored"):
        search_thresholds(lambda _: math.nan, RANGES, n_evaluations=10)


def test_one_threshold_is_enough_to_search_for():
    found = search_thresholds(lambda t: -((t["x"] - 0.7) ** 2), {"x": (0, 1)}, n_evaluations=40)
    assert found.thresholds["x"] == pytest.approx(0.7, abs=0.01)


@pytest.mark.parametrize(
    ("ranges", "n_evaluations", "match"),
    [
        ({"x": (1.0, 1.0)}, 9, "a range of 'x' from low to high, got 1 to 1"),
        ({"x": (0.0, math.inf)}, 9, "got 0 to inf"),
        ({"x": (0.0, 1.0)}, 2, "2 evaluations more than thresholds, got 1 and 2"),
        ({}, 9, "at least 1 threshold"),
    ],
)
def test_a_search_that_cannot_work_is_an_error(ranges, n_evaluations, match):
    with pytest.raises(ConfigError, match=match):
        search_thresholds(lambda _: 0.0, ranges, n_evaluations=n_evaluations)
