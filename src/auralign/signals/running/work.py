"""Doing a task: decode its clips once, ask one signal after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from auralign.audio import clip_id, read_audio
from auralign.errors import AudioError, AuralignError, InputError
from auralign.signals.ask import Loaded, Request, ask, failed_row
from auralign.signals.running.cache import Cache
from auralign.signals.running.plan import ClipFile, Task
from auralign.signals.running.recording import Entry, Recording
from auralign.signals.running.results import Row


@dataclass(slots=True)
class Worker:
    """Does tasks and keeps the signals of the latest pass loaded."""

    cache: Cache | None = None
    _loaded: dict[str, Loaded] = field(default_factory=dict)
    _requests: tuple[Request, ...] = ()

    def load(self, requests: tuple[Request, ...]) -> None:
        """Load the signals of a pass, unless they are.

        Raises AuralignError when one of them cannot be loaded, InputError if that is the user's
        to mend.
        """
        if requests == self._requests:
            return
        # Let go of the models of the pass before first: two of them may not fit.
        self._loaded, self._requests = {}, ()
        self._loaded = {request.signal: _load(request) for request in requests}
        self._requests = requests

    def do(self, task: Task) -> Iterator[list[Row]]:
        """The rows of a task, whose signals are loaded, as they become known.

        Where nothing is gained by batches a clip goes through all signals before the next: one clip
        is in memory, and what two signals compute of it is still at hand for the second.
        """
        batches = any(self._loaded[request.signal].signal.batchable for request in task.requests)
        references = _LastRead()
        for part in [task] if batches else task.by_clip():
            yield from self._ask(part, references)

    def _ask(self, task: Task, references: _LastRead) -> Iterator[list[Row]]:
        entries, unreadable = _decode(task, references)
        for request in task.requests:
            asked = [work.clip for work in task.works if request.signal in work.signals]
            loaded = self._loaded[request.signal]
            yield [
                failed_row(
                    loaded.signal, request.options, clip.name, clip.given(), unreadable[clip.name]
                )
                for clip in asked
                if clip.name in unreadable
            ]
            readable = [entries[clip.name] for clip in asked if clip.name in entries]
            yield from ask(loaded, readable, self.cache)


@dataclass(slots=True)
class _LastRead:
    """The reference that was read last, because all clips of a run may have the same."""

    path: Path | None = None
    recording: Recording | None = None

    def of(self, path: Path | None) -> Recording | None:
        if path != self.path:
            self.recording = None if path is None else Recording(read_audio(path))
            self.path = path
        return self.recording


def _load(request: Request) -> Loaded:
    try:
        return Loaded.of(request)
    except AuralignError:
        raise
    except Exception as error:
        raise AuralignError(
            f"the signal '{request.signal}' could not be loaded ({type(error).__name__}: {error})"
        ) from error


def _decode(task: Task, references: _LastRead) -> tuple[dict[str, Entry], dict[str, str]]:
    """Clip -> what it holds, and clip -> why it cannot be read."""
    entries: dict[str, Entry] = {}
    unreadable: dict[str, str] = {}
    for work in task.works:
        try:
            entries[work.clip.name] = _entry(work.clip, references)
        except AudioError as error:
            # The row names the clip; without its path clips with one trouble have one reason.
            unreadable[work.clip.name] = str(error).removeprefix(f"{work.clip.path}: ")
    return entries, unreadable


def _entry(clip: ClipFile, references: _LastRead) -> Entry:
    recording, reference = Recording(read_audio(clip.path)), references.of(clip.reference)
    name = clip_id(recording.audio)
    return Entry(clip.name, name, recording, reference, clip.text, clip.label, clip.given())


def portable(error: AuralignError) -> AuralignError:
    """An error that can be sent: those with arguments of their own cannot be made again."""
    return (InputError if isinstance(error, InputError) else AuralignError)(str(error))
