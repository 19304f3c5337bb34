"""Ladders of what is there: words, events in time, and the bars and beats of music."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from auralign.audio import degrade
from auralign.audio.degrade import Event, Span
from auralign.errors import DataError
from auralign.preferences.ladders.operation import Degrade, Operation
from auralign.preferences.ladders.recording import Recording
from auralign.types import Audio

CONTENT, QUALITY, TASK = "content_preservation", "production_quality", "task_achievement"
Generator = np.random.Generator
Events = tuple[Event, ...]

SpanEdit = Callable[[Audio, Sequence[Span], float, Generator], Audio]
EventEdit = Callable[[Events, float, Sequence[Event], Generator], Events]


def _words(edit: SpanEdit) -> Degrade:
    return lambda recording, k, others, rng: edit(recording.audio, recording.words, k, rng)


def _bars(edit: SpanEdit) -> Degrade:
    return lambda recording, severity, others, rng: edit(
        recording.audio, recording.bars, severity, rng
    )


def _beats(
    recording: Recording, shift_ms: float, others: Sequence[Recording], rng: Generator
) -> Audio:
    return degrade.move_beats(recording.audio, recording.beats_s, shift_ms / 1000, rng)


def _mix(edit: EventEdit) -> Degrade:
    """The edited mix, at least as long as it was."""

    def apply(recording: Recording, k: float, others: Sequence[Recording], rng: Generator) -> Audio:
        if not recording.events:
            raise DataError("expected a mix of labelled events, got a recording without any")
        strangers = [event for other in others for event in other.events]
        edited = edit(recording.events, k, strangers, rng)
        end_s = max(event.end_s for event in recording.events)
        return degrade.mix_events(edited, at_least_s=end_s)

    return apply


def _word_ladder(name: str, summary: str, edit: SpanEdit, *, keeps_length: bool) -> Operation:
    return Operation(
        family="words",
        name=name,
        summary=summary,
        knob="words",
        control=0.0,
        severities=(1.0, 2.0, 3.0),
        dimension=CONTENT,
        degrade=_words(edit),
        needs="word times",
        clear_control=True,
        keeps_length=keeps_length,
    )


def _event_ladder(family: str, name: str, summary: str, knob: str, edit: EventEdit) -> Operation:
    return Operation(
        family=family,
        name=name,
        summary=summary,
        knob=knob,
        control=0.0,
        severities=(1.0, 2.0, 3.0),
        dimension=TASK,
        degrade=_mix(edit),
        needs="a mix of labelled events",
        clear_control=True,
        keeps_length=False,
        caveat="encoders such as CLAP hear a missing event and no wrong order",
    )


OPERATIONS: tuple[Operation, ...] = (
    _word_ladder("deleted", "words cut out", degrade.delete_spans, keeps_length=False),
    _word_ladder("repeated", "words said twice", degrade.repeat_spans, keeps_length=False),
    _word_ladder("swapped", "neighbours exchanged", degrade.swap_spans, keeps_length=True),
    _word_ladder(
        "substituted",
        "words replaced by others of the clip",
        degrade.substitute_spans,
        keeps_length=False,
    ),
    _event_ladder(
        "events",
        "dropped",
        "events left out",
        "events",
        lambda events, k, others, rng: degrade.drop_events(events, k, rng),
    ),
    _event_ladder(
        "events",
        "duplicated",
        "events that sound twice",
        "events",
        lambda events, k, others, rng: degrade.duplicate_events(events, k, rng),
    ),
    _event_ladder(
        "events",
        "reordered",
        "pairs of events in the wrong order",
        "pairs",
        lambda events, k, others, rng: degrade.reorder_events(events, k, rng),
    ),
    _event_ladder("events", "substituted", "other events", "events", degrade.substitute_events),
    _event_ladder(
        "temporal",
        "combined",
        "a wrong order, then another event, then a missing one, on top of each other",
        "disruptions",
        degrade.disrupt_events,
    ),
    Operation(
        family="music",
        name="detuned",
        summary="every other bar out of tune",
        knob="cents",
        control=0.0,
        severities=(12.0, 25.0, 50.0, 100.0),
        dimension=QUALITY,
        degrade=_bars(degrade.detune_bars),
        needs="the times of two bars or more",
        caveat="taste dominates above small defects",
    ),
    Operation(
        family="music",
        name="off_grid",
        summary="every beat early or late",
        knob="shift [ms]",
        control=0.0,
        severities=(10.0, 20.0, 40.0, 80.0),
        dimension=QUALITY,
        degrade=_beats,
        needs="the times of beats",
        caveat="taste dominates above small defects",
    ),
    Operation(
        family="music",
        name="bars_deleted",
        summary="bars cut out",
        knob="bars",
        control=0.0,
        severities=(1.0, 2.0, 3.0),
        dimension=CONTENT,
        degrade=_bars(degrade.delete_spans),
        needs="the times of bars",
        clear_control=True,
        keeps_length=False,
        caveat="a whole section less may not be missed",
    ),
)
