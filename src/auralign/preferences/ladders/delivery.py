"""Ladders of how something is said: tempo, pitch, intonation and pauses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from auralign.audio import degrade
from auralign.preferences.ladders.operation import Degrade, Operation, Order
from auralign.preferences.ladders.recording import Recording
from auralign.types import Audio

TASK = "task_achievement"
Generator = np.random.Generator


def _tempo(
    recording: Recording, factor: float, others: Sequence[Recording], rng: Generator
) -> Audio:
    return degrade.stretch(recording.audio, factor)


def _pitch(*, keep_formants: bool) -> Degrade:
    return lambda recording, semitones, others, rng: degrade.shift_pitch(
        recording.audio, semitones, keep_formants=keep_formants
    )


def _intonation(
    recording: Recording, share: float, others: Sequence[Recording], rng: Generator
) -> Audio:
    return degrade.flatten_intonation(recording.audio, share)


def _pause_in_word(
    recording: Recording, pause_ms: float, others: Sequence[Recording], rng: Generator
) -> Audio:
    return degrade.insert_pause(recording.audio, recording.words, pause_ms / 1000, rng)


def _shorter_pauses(
    recording: Recording, share: float, others: Sequence[Recording], rng: Generator
) -> Audio:
    return degrade.shorten_pauses(recording.audio, recording.words, share, rng)


def _shift(name: str, semitones: tuple[float, ...], *, keep_formants: bool) -> Operation:
    formants = "kept" if keep_formants else "moved along"
    return Operation(
        family="pitch",
        name=name,
        summary=f"pitch {'up' if semitones[0] > 0 else 'down'}, formants {formants}",
        knob="semitones",
        control=0.0,
        severities=semitones,
        dimension=TASK,
        degrade=_pitch(keep_formants=keep_formants),
        needs="a voice" if keep_formants else "",
        caveat="the shifter leaves traces of its own, the control those of a shift by nothing",
    )


UP, DOWN = (1.0, 2.0, 4.0, 6.0), (-1.0, -2.0, -4.0, -6.0)
TEMPO_CAVEAT = "5 % either way is a tie, and faster and slower are not ordered among each other"

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        family="tempo",
        name="slower",
        summary="time stretched at the same pitch",
        knob="duration factor",
        control=1.0,
        severities=(1.15, 1.4),
        dimension=TASK,
        degrade=_tempo,
        keeps_length=False,
        caveat=TEMPO_CAVEAT,
    ),
    Operation(
        family="tempo",
        name="faster",
        summary="time compressed at the same pitch",
        knob="duration factor",
        control=1.0,
        severities=(0.85, 0.7),
        dimension=TASK,
        degrade=_tempo,
        keeps_length=False,
        caveat=TEMPO_CAVEAT,
    ),
    _shift("up", UP, keep_formants=True),
    _shift("down", DOWN, keep_formants=True),
    _shift("up_with_formants", UP, keep_formants=False),
    _shift("down_with_formants", DOWN, keep_formants=False),
    Operation(
        family="prosody",
        name="flat",
        summary="the melody scaled around its mean, down to a monotone",
        knob="share of the melody",
        control=1.0,
        severities=(0.5, 0.25, 0.0),
        dimension=TASK,
        degrade=_intonation,
        needs="a voice",
        caveat="for expressive reading; a prompt may ask for a flat voice",
    ),
    Operation(
        family="pause",
        name="inserted",
        summary="a pause in the middle of a word",
        knob="pause [ms]",
        control=0.0,
        severities=(100.0, 200.0, 400.0),
        dimension=TASK,
        degrade=_pause_in_word,
        needs="word times",
        order=Order.CONTROL,
        keeps_length=False,
    ),
    Operation(
        family="pause",
        name="removed",
        summary="the pauses between words cut short",
        knob="share cut out",
        control=0.0,
        severities=(0.5, 1.0),
        dimension=TASK,
        degrade=_shorter_pauses,
        needs="word times with pauses of 0.1 s or more between them",
        order=Order.CONTROL,
        keeps_length=False,
        caveat="some pauses may not be missed",
    ),
)
