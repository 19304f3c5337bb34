"""Ladders of wrong takes: another recording than the prompt asked for, found by its label.

The control is the right take, brought to the same loudness and stored the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from auralign.audio import resample
from auralign.errors import DataError
from auralign.preferences.ladders.operation import Degrade, Operation, Order
from auralign.preferences.ladders.recording import Recording
from auralign.types import Audio

CONTENT, TASK = "content_preservation", "task_achievement"

AFFECT = {
    "angry": (-1, 1),
    "bored": (-1, -1),
    "calm": (1, -1),
    "disgust": (-1, 0),
    "fearful": (-1, 1),
    "happy": (1, 1),
    "neutral": (0, 0),
    "sad": (-1, -1),
    "surprised": (0, 1),
}
"""Signs of valence and arousal (Russell 1980, J. Pers. Soc. Psychol. 39:1161)."""

Severity = Callable[[Recording, Recording], float | None]
"""How far another recording is from the right one; None where it is no wrong take of it."""


def _wrong_take(severity_of: Severity, what: str) -> Degrade:
    def apply(
        recording: Recording,
        severity: float,
        others: Sequence[Recording],
        rng: np.random.Generator,
    ) -> Audio:
        audio = recording.audio
        if severity == 0:
            return audio
        takes = [other for other in others if severity_of(recording, other) == severity]
        if not takes:
            raise DataError(f"there is no recording of {what} at {severity:g} among the others")
        taken = takes[int(rng.integers(len(takes)))].audio
        return resample(taken, audio.sample_rate)

    return apply


def _same_text(a: Recording, b: Recording) -> bool:
    return bool(a.prompt.text) and a.prompt.text == b.prompt.text


def _differ(a: Recording, b: Recording, name: str) -> bool:
    return bool(a.attribute(name) and b.attribute(name)) and a.attribute(name) != b.attribute(name)


def _other_speaker(right: Recording, other: Recording) -> float | None:
    """1 for the same sex or where it is not known, 2 for the other."""
    if not (_same_text(right, other) and _differ(right, other, "speaker")):
        return None
    return 2.0 if _differ(right, other, "sex") else 1.0


def _other_emotion(right: Recording, other: Recording) -> float | None:
    """1 to 4: steps of valence and arousal between the two, at least 1."""
    same_voice = right.attribute("speaker") == other.attribute("speaker")
    if not (_same_text(right, other) and same_voice and _differ(right, other, "emotion")):
        return None
    a, b = (AFFECT.get(take.attribute("emotion")) for take in (right, other))
    return 1.0 if a is None or b is None else float(max(abs(a[0] - b[0]) + abs(a[1] - b[1]), 1))


def _other_text(right: Recording, other: Recording) -> float | None:
    texts = right.prompt.text, other.prompt.text
    same_voice = right.attribute("speaker") == other.attribute("speaker")
    return 1.0 if all(texts) and texts[0] != texts[1] and same_voice else None


def _other_genre(right: Recording, other: Recording) -> float | None:
    return 1.0 if _differ(right, other, "genre") else None


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        family="emotion",
        name="wrong",
        summary="the same speaker and text in another emotion",
        knob="steps of valence and arousal",
        control=0.0,
        severities=(1.0, 2.0, 3.0, 4.0),
        dimension=TASK,
        degrade=_wrong_take(_other_emotion, "this speaker and text in another emotion"),
        needs="text and emotion, and takes of the same text by the same speaker",
        order=Order.CONTROL,
        keeps_length=False,
        caveat="acted emotions; says nothing about which take is better by itself",
    ),
    Operation(
        family="speaker",
        name="wrong",
        summary="the same text by another speaker",
        knob="1 same sex, 2 other sex",
        control=0.0,
        severities=(1.0, 2.0),
        dimension=TASK,
        degrade=_wrong_take(_other_speaker, "this text by another speaker"),
        needs="text and speaker, and takes of the same text by others",
        order=Order.CONTROL,
        keeps_length=False,
        caveat="speakers of the same sex are the hard ones",
    ),
    Operation(
        family="text",
        name="wrong",
        summary="another sentence",
        knob="1",
        control=0.0,
        severities=(1.0,),
        dimension=CONTENT,
        degrade=_wrong_take(_other_text, "another text by this speaker"),
        needs="text, and recordings of other texts",
        order=Order.CONTROL,
        keeps_length=False,
        caveat="too easy to learn from: a gate that every signal of content has to pass",
    ),
    Operation(
        family="music",
        name="wrong_genre",
        summary="music of another genre",
        knob="1",
        control=0.0,
        severities=(1.0,),
        dimension=TASK,
        degrade=_wrong_take(_other_genre, "another genre"),
        needs="genre, and recordings of other genres",
        order=Order.CONTROL,
        keeps_length=False,
    ),
)
