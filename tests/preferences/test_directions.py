import numpy as np
import pytest

from auralign.errors import ConfigError, DataError
from auralign.preferences.directions import (
    best_along,
    directed_clips,
    direction,
    direction_tags,
    draw_direction,
)


def test_a_direction_at_the_published_numbers():
    towards = direction(-15)
    assert towards == pytest.approx([0.965926, -0.258819], abs=1e-6)
    assert direction_tags(towards, ["quality", "speed"]) == "<quality: 97> <speed: -26>"
    scores = {"first": (70.0, 50.0), "second": (66.0, 30.0)}
    assert np.dot(scores["first"], towards) == pytest.approx(54.673856, abs=1e-5)
    assert np.dot(scores["second"], towards) == pytest.approx(55.986533, abs=1e-5)
    assert best_along(scores, towards) == "second"
    assert best_along(scores, direction(0)) == "first"


def test_drawn_directions_are_unit_vectors_within_the_angle():
    rng = np.random.default_rng(0)
    drawn = np.stack([draw_direction(rng, max_degrees=30) for _ in range(500)])
    assert np.linalg.norm(drawn, axis=1) == pytest.approx(np.ones(500))
    angles = np.degrees(np.arctan2(drawn[:, 1], drawn[:, 0]))
    assert np.abs(angles).max() <= 30
    assert angles.min() < -25
    assert angles.max() > 25


def test_each_prompt_gets_a_direction_and_its_best_clip_along_it():
    scores = {
        prompt: {f"{prompt}-loud": (1.0, 5.0), f"{prompt}-soft": (1.0, -5.0)} for prompt in "pqrst"
    }
    rows = directed_clips(scores, ["quality", "loudness"], rng=np.random.default_rng(1))
    assert [r.prompt_id for r in rows] == list("pqrst")
    for row in rows:
        wants_loud = "<loudness: -" not in row.condition
        assert row.clip == f"{row.prompt_id}-{'loud' if wants_loud else 'soft'}"
    assert len({r.condition for r in rows}) > 1


def test_no_clips_and_a_wrong_number_of_dimensions_are_refused():
    with pytest.raises(DataError, match="at least one clip"):
        best_along({}, direction(0))
    with pytest.raises(ConfigError, match="expected 2 dimensions"):
        direction_tags(direction(0), ["quality"])
