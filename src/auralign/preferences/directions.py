"""Directional preference alignment: best clips along a direction that the user chooses.

A direction weighs two dimensions of judgement; it is a unit vector and stands in the condition as
whole hundredths. arXiv 2402.18571 and the authors' README.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from auralign.errors import ConfigError, DataError
from auralign.preferences.conditions import ConditionedClip, goal_tags
from auralign.types import Split

Float = NDArray[np.float64]


def direction(degrees: float) -> Float:
    """Unit vector `[2]` at this angle from the first dimension towards the second."""
    return np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])


def draw_direction(rng: np.random.Generator, *, max_degrees: float = 45.0) -> Float:
    """A direction whose angle is uniform in +-max_degrees from the first dimension.

    max_degrees   45 (the paper's range); the law within it is ours, none is published
    """
    return direction(rng.uniform(-max_degrees, max_degrees))


def direction_tags(towards: Float, dimensions: Sequence[str]) -> str:
    """The condition: the weights in whole hundredths, `"<quality: 97> <speed: -26>"`."""
    if len(dimensions) != len(towards):
        raise ConfigError(f"expected {len(towards)} dimensions, got {', '.join(dimensions)}")
    hundredths = np.rint(100 * towards)
    return goal_tags(dict(zip(dimensions, hundredths.tolist(), strict=True)))


def best_along(scores: Mapping[str, Sequence[float]], towards: Float) -> str:
    """The clip whose scores reach furthest along the direction; the first of equal ones.

    scores   by clip id, one for each dimension, higher is better

    Raises DataError without clips.
    """
    if not scores:
        raise DataError("expected at least one clip to choose from, got none: sample some first")
    return max(scores, key=lambda clip: float(np.dot(scores[clip], towards)))


def directed_clips(
    scores: Mapping[str, Mapping[str, Sequence[float]]],
    dimensions: Sequence[str],
    *,
    rng: np.random.Generator,
    max_degrees: float = 45.0,
    split: Split = Split.TRAIN,
) -> list[ConditionedClip]:
    """For each prompt a drawn direction and the best of its clips along it, to be imitated.

    scores   prompt id -> clip id -> a score for each of the two `dimensions`

    Repeat with fresh clips of the trained policy for the rounds of the paper.
    """
    rows = []
    for prompt_id, of_clip in scores.items():
        towards = draw_direction(rng, max_degrees=max_degrees)
        condition = direction_tags(towards, dimensions)
        rows.append(ConditionedClip(condition, prompt_id, best_along(of_clip, towards), split))
    return rows
