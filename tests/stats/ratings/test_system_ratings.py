from dataclasses import replace

import numpy as np
import pytest

from auralign.errors import DataError
from auralign.stats.ratings import system_ratings


def test_a_cube_has_the_mean_of_repeats_and_holes_where_nobody_rated(rating):
    judgements = [
        rating("a1", 2, "ann"),
        rating("a1", 4, "ann"),
        rating("b1", 5, "ann"),
        replace(rating("a2", 1, "bob"), prompt_id="p2"),
    ]
    systems = {"a1": "A", "a2": "A", "b1": "B"}
    ratings = system_ratings(judgements, "overall", systems)
    assert (ratings.raters, ratings.items, ratings.systems) == (
        ("ann", "bob"),
        ("p1", "p2"),
        ("A", "B"),
    )
    nan = np.nan
    np.testing.assert_array_equal(ratings.cube(), [[[3, 5], [nan, nan]], [[nan, nan], [1, nan]]])
    np.testing.assert_array_equal(ratings.by_rater(), [[3, 5], [1, nan]])
    np.testing.assert_array_equal(ratings.by_item(), [[3, 5], [1, nan]])


def test_a_clip_without_a_system_is_named(rating):
    with pytest.raises(DataError, match="clip 'stray' was rated but has no system"):
        system_ratings([rating("stray", 3)], "overall", {"a": "A"})
