"""Training records that carry a condition beside the prompt: a goal, a direction, a control tag."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from auralign.types import PreferencePair, Split

GOOD = "good"
BAD = "bad"
"""Control tags of clips that listeners liked and disliked."""


@dataclass(frozen=True, slots=True)
class ConditionedPair:
    """A pair whose order holds under `condition`, which the policy is given with the prompt."""

    condition: str
    pair: PreferencePair


@dataclass(frozen=True, slots=True)
class ConditionedClip:
    """A clip to imitate under `condition`."""

    condition: str
    prompt_id: str
    clip: str
    split: Split


def goal_tags(goals: Mapping[str, float]) -> str:
    """`"<quality: 4.5> <loudness: -14>"`: one tag for each goal, in their order."""
    return " ".join(f"<{name}: {goal:g}>" for name, goal in goals.items())
