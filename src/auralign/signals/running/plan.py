"""Which clips are to be measured by which signals, and in what order.

Signals with weights take one pass each, so that one model is in memory at a time; all others share
one pass, and with it what was decoded and resampled. Within a pass clips of similar length are
neighbours, and a task holds so little audio that memory does not grow with the number of clips.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import soundfile

from auralign.signals.ask import Request, failed_row
from auralign.signals.registry import find
from auralign.signals.running.results import Row

MOST_CLIPS = 32
MOST_SECONDS = 120.0
"""A task holds no more clips than this, and no more audio unless one clip is longer."""
TASKS_EACH = 4
"""As long as there are clips for it, every worker gets this many tasks, to end together."""


@dataclass(frozen=True, slots=True)
class ClipFile:
    """A clip in a file, with what it may be compared with; `name` is what results call it."""

    name: str
    path: Path
    reference: Path | None = None
    text: str | None = None
    label: str | None = None

    def given(self) -> dict[str, str]:
        """What came along with the clip, as results keep it."""
        along = {"reference": self.reference, "text": self.text, "label": self.label}
        return {name: str(value) for name, value in along.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Work:
    """A clip and the signals that are still to be asked about it."""

    clip: ClipFile
    signals: frozenset[str]


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker does at a time: some clips, by the signals of one pass."""

    requests: tuple[Request, ...]
    works: tuple[Work, ...]

    def answers(self) -> list[tuple[str, str]]:
        """Clip and signal of every row that comes of it, in the order of asking."""
        return [
            (work.clip.name, request.signal)
            for request in self.requests
            for work in self.works
            if request.signal in work.signals
        ]

    def without(self, answered: Iterable[tuple[str, str]]) -> Task:
        """What is left of it."""
        known = set(answered)
        left = [
            Work(w.clip, frozenset(s for s in w.signals if (w.clip.name, s) not in known))
            for w in self.works
        ]
        return Task(self.requests, tuple(work for work in left if work.signals))

    def first_failed(self, reason: str) -> Row:
        """The row of the first answer, which was not given."""
        name, signal = self.answers()[0]
        options = next(request.options for request in self.requests if request.signal == signal)
        clip = next(work.clip for work in self.works if work.clip.name == name)
        return failed_row(find(signal), options, name, clip.given(), reason)

    def by_clip(self) -> list[Task]:
        return [Task(self.requests, (work,)) for work in self.works]

    def by_answer(self) -> list[Task]:
        """One task for each clip and signal."""
        works = [Work(work.clip, frozenset((s,))) for work in self.works for s in work.signals]
        return [Task(self.requests, (work,)) for work in works]


def passes(requests: Sequence[Request]) -> list[tuple[Request, ...]]:
    """The signals without weights together, then each of the others alone."""
    light = tuple(r for r in requests if find(r.signal).weights_licence is None)
    return [*([light] if light else []), *((r,) for r in requests if r not in light)]


def tasks(
    requests: tuple[Request, ...],
    clips: Mapping[ClipFile, float],
    done: Mapping[str, set[str]],
    n_workers: int = 1,
) -> list[Task]:
    """The tasks of one pass, in the order of the clips.

    clips   with their length [s], the longest first
    done    clip -> signals that have answered about it already
    """
    asked = frozenset(request.signal for request in requests)
    works = {Work(clip, asked - done.get(clip.name, set())): clips[clip] for clip in clips}
    works = {work: seconds for work, seconds in works.items() if work.signals}
    most = min(max(len(works) // (n_workers * TASKS_EACH), 1), MOST_CLIPS)
    return [Task(requests, tuple(part)) for part in _parts(works, most)]


def longest_first(clips: Iterable[ClipFile]) -> dict[ClipFile, float]:
    """The clips with the length that their files' heads promise [s]; 0 for no readable head."""
    lengths = {clip: _duration_s(clip.path) for clip in clips}
    return dict(sorted(lengths.items(), key=lambda each: each[1], reverse=True))


def _duration_s(path: Path) -> float:
    try:
        return float(soundfile.info(path).duration)
    except (soundfile.SoundFileError, OSError):
        return 0.0


def _parts(works: Mapping[Work, float], most: int) -> Iterator[list[Work]]:
    part: list[Work] = []
    total_s = 0.0
    for work, seconds in works.items():
        if part and (len(part) == most or total_s + seconds > MOST_SECONDS):
            yield part
            part, total_s = [], 0.0
        part.append(work)
        total_s += seconds
    if part:
        yield part
