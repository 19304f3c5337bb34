"""Control tokens in two stages: first the tokens learn what they mean, then the policy follows.

arXiv 2310.00819.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from auralign.preferences.conditions import BAD, GOOD, ConditionedClip
from auralign.types import Feedback


@dataclass(frozen=True, slots=True)
class ControlStage:
    """Clips to imitate under their control tag, and which parameters may move meanwhile."""

    trains: Literal["control", "all"]
    clips: tuple[ConditionedClip, ...]


def control_token_stages(feedback: Iterable[Feedback]) -> tuple[ControlStage, ControlStage]:
    """Every clip under the tag of its thumb: first only the tags' parameters train, then all.

    Sample under the tag `good`.
    """
    clips = tuple(
        ConditionedClip(GOOD if f.desirable else BAD, f.prompt_id, f.clip, f.split)
        for f in feedback
    )
    return ControlStage("control", clips), ControlStage("all", clips)
