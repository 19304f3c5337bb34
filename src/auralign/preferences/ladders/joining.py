"""Longer recordings out of short ones, with the times of what is in them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

from auralign.audio import resample, to_mono
from auralign.audio.degrade import Event, Span, mix_events
from auralign.errors import DataError
from auralign.preferences.ladders.recording import Recording
from auralign.types import Audio, Prompt


def join_recordings(
    recordings: Sequence[Recording], n: int, *, rng: np.random.Generator
) -> list[Recording]:
    """Each recording once in a sequence of `n` by one speaker and of one split, in a drawn order.

    The parts become the words and the events of the sequence, labelled by their texts or else
    their names; VideoComp makes its multi-event sequences this way. What is left over of a
    speaker is left out. The sequences are mono at the rate of their first part. Raises DataError
    when there is not one sequence.
    """
    groups: dict[tuple[str, str], list[Recording]] = defaultdict(list)
    for recording in recordings:
        groups[recording.attribute("speaker"), recording.prompt.split].append(recording)
    joined: list[Recording] = []
    for group in groups.values():
        order = rng.permutation(len(group))
        for begin in range(0, len(group) - n + 1, n):
            joined.append(_sequence([group[i] for i in order[begin : begin + n]], len(joined)))
    if not joined:
        raise DataError(
            f"expected {n} recordings of one speaker to join, got {len(recordings)} of "
            f"{len(groups)} speakers: join fewer at a time"
        )
    return joined


def _sequence(parts: Sequence[Recording], number: int) -> Recording:
    labels = [_label(part) for part in parts]
    events = _in_sequence(labels, [part.audio for part in parts])
    first = parts[0]
    prompt = Prompt(
        id=f"joined-{number:05d}",
        text=" ".join(labels),
        condition=first.prompt.condition,
        split=first.prompt.split,
    )
    spans = tuple(Span(event.label, event.onset_s, event.end_s) for event in events)
    known = {"speaker": first.attribute("speaker"), "sex": first.attribute("sex")}
    return Recording(prompt, mix_events(events), words=spans, events=events, attributes=known)


def _label(part: Recording) -> str:
    return part.prompt.text or PurePosixPath(part.prompt.id).name


def _in_sequence(labels: Sequence[str], audios: Sequence[Audio]) -> tuple[Event, ...]:
    events, onset = [], 0
    for label, audio in zip(labels, audios, strict=True):
        mono = to_mono(resample(audio, audios[0].sample_rate))
        events.append(Event(label, mono, onset / mono.sample_rate))
        onset += mono.n_samples
    return tuple(events)
