"""Mixes of labelled events, and the ways in which their order in time can be wrong.

Events are dropped, duplicated, reordered and replaced (the losing sides of Tango 2's pairs, arXiv
2404.09956; combined, the temporal disruptions of VideoComp), and the rest of the mix stays as it
is. The same generator state makes the same disruptions for a smaller number as for a larger one,
and more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from auralign.audio.degrade.spans import Span, count_of
from auralign.audio.degrade.splice import FADE_S
from auralign.errors import AudioError
from auralign.types import Audio


@dataclass(frozen=True, eq=False)
class Event:
    """A sound, what it is, and when it begins in the mix [s]."""

    label: str
    audio: Audio
    onset_s: float

    @property
    def end_s(self) -> float:
        return self.onset_s + self.audio.duration_s


Events = tuple[Event, ...]


def events_of(audio: Audio, spans: Sequence[Span]) -> Events:
    """The labelled stretches of a recording as events, each faded over 8 ms at its ends."""
    events = []
    for span in spans:
        begin, end = (round(t * audio.sample_rate) for t in (span.begin_s, span.end_s))
        samples = audio.samples[:, begin:end]
        if not 0 <= begin < end or samples.shape[1] != end - begin:
            raise AudioError(
                f"event '{span.label}' from {span.begin_s:g} to {span.end_s:g} s is not within "
                f"the clip's {audio.duration_s:g} s: correct its times"
            )
        faded = (samples * _fades(end - begin, audio.sample_rate)).astype(np.float32)
        events.append(Event(span.label, Audio(faded, audio.sample_rate), span.begin_s))
    return tuple(events)


def _fades(n: int, sample_rate: int) -> NDArray[np.float64]:
    edge = np.minimum(np.arange(n), np.arange(n)[::-1]) + 0.5
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * np.minimum(edge / (FADE_S * sample_rate), 1)))


def mix_events(events: Sequence[Event], *, at_least_s: float = 0.0) -> Audio:
    """The events added up; as long as the last of them sounds, or longer.

    Raises AudioError without events, for other rates or channels, or a negative onset.
    """
    kinds = sorted({(event.audio.sample_rate, event.audio.channels) for event in events})
    if len(kinds) != 1 or min(event.onset_s for event in events) < 0:
        raise AudioError(
            "expected events of one rate and number of channels that begin at 0 s or later, got "
            + (f"rates and channels {kinds}" if len(kinds) != 1 else "a negative onset")
        )
    ((rate, channels),) = kinds
    begins = [round(event.onset_s * rate) for event in events]
    ends = [b + event.audio.n_samples for b, event in zip(begins, events, strict=True)]
    samples = np.zeros((channels, max(*ends, round(at_least_s * rate))))
    for begin, end, event in zip(begins, ends, events, strict=True):
        samples[:, begin:end] += event.audio.samples
    return Audio(samples.astype(np.float32), rate)


def drop_events(events: Events, k: float, rng: np.random.Generator) -> Events:
    """Without `k` of the events; AudioError unless one is left."""
    count = count_of(k, len(events) - 1, "drop")
    dropped = set(rng.permutation(len(events))[:count].tolist())
    return tuple(event for i, event in enumerate(events) if i not in dropped)


def duplicate_events(events: Events, k: float, rng: np.random.Generator) -> Events:
    """With `k` of the events sounding again after themselves, and what follows that much later.

    AudioError for more than there are.
    """
    count = count_of(k, len(events), "duplicate")
    doubled = set(rng.permutation(len(events))[:count].tolist())
    later_s, result = 0.0, []
    for i in np.argsort([event.onset_s for event in events], kind="stable").tolist():
        moved = replace(events[i], onset_s=events[i].onset_s + later_s)
        result.append(moved)
        if i in doubled:
            result.append(replace(moved, onset_s=moved.end_s))
            later_s += moved.audio.duration_s
    return tuple(result)


def reorder_events(events: Events, k: float, rng: np.random.Generator) -> Events:
    """With `k` pairs of events in the wrong order: so far, in exchanges of neighbours, from right.

    The pauses between one event and the next stay where they are. Events of one label are never
    exchanged, as nobody could hear it. AudioError for more wrong pairs than there can be.
    """
    ordered = sorted(events, key=lambda event: event.onset_s)
    gaps = [b.onset_s - a.end_s for a, b in pairwise(ordered)]
    order = list(range(len(ordered)))
    for done in range(count_of(k, len(order) * (len(order) - 1) // 2, "put in the wrong order")):
        right = [
            i
            for i, (a, b) in enumerate(pairwise(order))
            if a < b and ordered[a].label != ordered[b].label
        ]
        if not right:
            raise AudioError(f"these events have only {done} pairs to put in the wrong order")
        i = int(rng.choice(right))
        order[i], order[i + 1] = order[i + 1], order[i]
    return _in_sequence([ordered[i] for i in order], ordered[0].onset_s, gaps)


def substitute_events(
    events: Events, k: float, others: Sequence[Event], rng: np.random.Generator
) -> Events:
    """With `k` of the events replaced by others whose labels are not in the mix.

    AudioError for more than there are, or without such others.
    """
    labels = {event.label for event in events}
    strangers = [event for event in others if event.label not in labels]
    count = count_of(k, len(events), "replace")
    if count and not strangers:
        raise AudioError("replacing events needs others whose labels are not in the mix: give more")
    result = list(events)
    for i in rng.permutation(len(events))[:count]:
        stranger = strangers[int(rng.integers(len(strangers)))]
        result[i] = replace(stranger, onset_s=events[i].onset_s)
    return tuple(result)


def disrupt_events(
    events: Events, k: float, others: Sequence[Event], rng: np.random.Generator
) -> Events:
    """With the first `k` of: two events in the wrong order, one replaced, one dropped.

    VideoComp's hierarchy of disruptions, done to the sounds where it is done to the captions
    there. Raises AudioError where one of them cannot be made.
    """
    for step, generator in zip(range(count_of(k, 3, "disrupt")), rng.spawn(3), strict=False):
        if step == 0:
            events = reorder_events(events, 1, generator)
        elif step == 1:
            events = substitute_events(events, 1, others, generator)
        else:
            events = drop_events(events, 1, generator)
    return events


def _in_sequence(events: Sequence[Event], onset_s: float, gaps: Sequence[float]) -> Events:
    result = []
    for event, gap in zip(events, [*gaps, 0.0], strict=True):
        result.append(replace(event, onset_s=max(onset_s, 0.0)))
        onset_s = result[-1].end_s + gap
    return tuple(result)
