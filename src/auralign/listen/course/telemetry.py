"""What was heard of each clip, by position, from the events of a page.

Events carry the milliseconds of a monotonic clock since the trial was first shown, and the position
in the clip. What was heard follows from when playing began and ended, never from a page's claim.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pydantic import Field

from auralign.data import StrictModel

MAX_EVENTS = 2_000
"""Events of one trial that are kept; what comes after is counted."""
SLACK_S = 5.0
"""By how much [s] a page's clock may be ahead of the server's."""

Span = tuple[float, float]


class Event(StrictModel):
    """One thing that happened on the page.

    n      number within the trial, so that an event that is sent twice counts once
    ms     monotonic time since the trial was first shown
    clip   index in the trial's clips
    at     position in the clip [s]; of a loop its begin, and `to` its end (none: no loop)
    """

    n: int = Field(ge=0, le=10**9)
    ms: float = Field(ge=0, le=10**9)
    type: Literal[
        "load",
        "decoded",
        "error",
        "play",
        "pause",
        "seek",
        "switch",
        "ended",
        "loop",
        "volume",
        "change",
        "hidden",
        "visible",
        "offline",
        "online",
        "suspended",
        "resumed",
    ]
    clip: int | None = Field(default=None, ge=0, le=63)
    at: float | None = Field(default=None, ge=0, le=86_400)
    to: float | None = Field(default=None, ge=0, le=86_400)


@dataclass(frozen=True, slots=True)
class ClipHeard:
    """What was heard of one clip: `spans` do not overlap, `share` is of the whole clip."""

    plays: int
    seconds: float
    share: float
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Listening:
    """How one trial was listened to; `first_plays` are indices of clips in order of first play."""

    clips: tuple[ClipHeard, ...]
    first_plays: tuple[int, ...]
    switches: int
    active_s: float
    hidden_s: float


@dataclass(slots=True)
class _Player:
    """What sounds while events pass by."""

    durations: Sequence[float]
    clip: int | None = None
    position: float = 0.0
    since_ms: float = 0.0
    loop: Span | None = None
    heard: list[list[Span]] = field(default_factory=list)
    plays: list[int] = field(default_factory=list)
    first_plays: list[int] = field(default_factory=list)
    switches: int = 0

    def take(self, event: Event) -> None:
        sounding, position = self.clip, self.advance(event.ms)
        if event.type in ("play", "switch") and self._is_clip(event.clip):
            self._start(event, sounding)
        elif event.type in ("pause", "ended", "suspended"):
            self.clip = None
        elif event.type == "seek" and event.at is not None:
            self.position = event.at
        elif event.type == "loop":
            self.loop = _region(event)
            self.position = position

    def advance(self, ms: float) -> float:
        """Let the clip sound until `ms`; returns the position that it reached."""
        if self.clip is None:
            return self.position
        elapsed_s = max(0.0, ms - self.since_ms) / 1_000
        duration = self.durations[self.clip]
        spans, self.position = _sounded(self.position, elapsed_s, duration, self.loop)
        self.heard[self.clip] += spans
        self.since_ms = ms
        return self.position

    def _start(self, event: Event, sounding: int | None) -> None:
        assert event.clip is not None, "checked by the caller"
        self.switches += event.type == "switch" and sounding not in (None, event.clip)
        self.plays[event.clip] += sounding != event.clip
        if event.clip not in self.first_plays:
            self.first_plays.append(event.clip)
        self.clip, self.since_ms = event.clip, event.ms
        self.position = min(event.at or 0.0, self.durations[event.clip])

    def _is_clip(self, clip: int | None) -> bool:
        return clip is not None and clip < len(self.durations)


def listening(events: Iterable[Event], durations: Sequence[float], end_ms: float) -> Listening:
    """What the events say was heard of clips of these `durations` [s] until the answer.

    Events are put in order by their numbers, and one that came twice counts once.
    """
    ordered = sorted({event.n: event for event in events}.values(), key=lambda e: e.n)
    n = len(durations)
    player = _Player(durations, heard=[[] for _ in range(n)], plays=[0] * n)
    for event in ordered:
        player.take(event)
    player.advance(end_ms)
    hidden_s = _hidden_s(ordered, end_ms)
    return Listening(
        clips=tuple(map(_clip_heard, player.plays, player.heard, durations)),
        first_plays=tuple(player.first_plays),
        switches=player.switches,
        active_s=max(0.0, end_ms / 1_000 - hidden_s),
        hidden_s=hidden_s,
    )


def _sounded(
    begin: float, elapsed_s: float, duration: float, loop: Span | None
) -> tuple[list[Span], float]:
    """What sounds in `elapsed_s` from `begin`, and where it ends: at the end, or round the loop."""
    if loop is None or begin >= loop[1]:
        end = min(begin + elapsed_s, duration)
        return ([(begin, end)] if end > begin else []), end
    low, high = loop[0], min(loop[1], duration)
    length = high - low
    first = min(elapsed_s, high - begin)
    spans = [(begin, begin + first)]
    if elapsed_s <= first or length <= 0:
        return spans, begin + first
    rounds, rest = divmod(elapsed_s - first, length)
    spans += [(low, high)] * int(min(rounds, MAX_EVENTS)) + [(low, low + rest)]
    return spans, low + rest


def _region(event: Event) -> Span | None:
    if event.at is None or event.to is None or event.to <= event.at:
        return None
    return event.at, event.to


def _clip_heard(plays: int, heard: list[Span], duration: float) -> ClipHeard:
    spans = _union(heard)
    covered = sum(end - begin for begin, end in spans)
    share = min(1.0, covered / duration) if duration > 0 else 0.0
    return ClipHeard(plays, sum(end - begin for begin, end in heard), share, spans)


def _union(spans: Iterable[Span]) -> tuple[Span, ...]:
    merged: list[Span] = []
    for begin, end in sorted(spans):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return tuple((round(begin, 3), round(end, 3)) for begin, end in merged)


def _hidden_s(events: Sequence[Event], end_ms: float) -> float:
    total, since = 0.0, None
    for event in events:
        if event.type == "hidden" and since is None:
            since = event.ms
        elif event.type == "visible" and since is not None:
            total, since = total + event.ms - since, None
    return (total + (max(0.0, end_ms - since) if since is not None else 0.0)) / 1_000
