"""The clips of a trial as they are played, under the names that listeners see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from auralign.listen.design.schedule import Kind
from auralign.listen.protocols.test_type import LETTERS
from auralign.listen.store.tables import StimulusRow, TrialRow
from auralign.listen.study import ListenStudy


@dataclass(frozen=True, slots=True)
class PlayedClip:
    """One clip of a trial. A named reference comes after the stimuli; lengths are in seconds."""

    index: int
    label: str
    part: Literal["stimulus", "reference"]
    clip_id: str
    path: str
    duration_s: float
    sound_s: float


def played_clips(study: ListenStudy, trial: TrialRow) -> list[PlayedClip]:
    """The trial's stimuli in the order of presentation, then its named reference."""
    reference = study.plan.conditions[trial.condition_id].reference
    ids = [*trial.presented, *([reference] if reference else [])]
    labels = _labels(study, trial)
    return [
        _played(
            i,
            labels[i] if i < len(labels) else "Reference",
            i < len(labels),
            study.plan.stimuli[clip],
        )
        for i, clip in enumerate(ids)
    ]


def _labels(study: ListenStudy, trial: TrialRow) -> list[str]:
    n = len(trial.presented)
    if study.settings.test.labels == "abx" and trial.kind != Kind.HEADPHONES:
        return ["A", "B", "X"]
    return list(LETTERS[:n])


def _played(index: int, label: str, judged: bool, row: StimulusRow) -> PlayedClip:
    return PlayedClip(
        index=index,
        label=label,
        part="stimulus" if judged else "reference",
        clip_id=row.clip_id,
        path=row.path,
        duration_s=row.duration_s,
        sound_s=row.sound_s,
    )
