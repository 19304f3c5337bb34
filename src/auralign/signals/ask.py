"""Asking signals about clips: through the gate, in batches of similar length, with every outcome.

What comes back for each clip and signal is a `Row` in which every measure has a value or the reason
why it has none; an exception of a signal is the reason for its clip, and for no other.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from auralign.audio import clip_id
from auralign.errors import AuralignError
from auralign.signals.gate import admit, unusable
from auralign.signals.licences import restrictive_licence
from auralign.signals.registry import check_options, find, measure_name
from auralign.signals.running.cache import Cache, cache_key
from auralign.signals.running.recording import Entry
from auralign.signals.running.results import Row
from auralign.signals.signal import Item, Measure, Measurer, Missing, Signal, Values
from auralign.types import Score, ScoreStatus

MOST_CLIPS = 32
MOST_SECONDS = 240.0
"""A batch holds no more clips, and no more seconds once all are padded to the longest."""
LONGEST_TO_SHORTEST = 1.25
ROUNDING = 1e-6
"""How far beyond an end of its range a value may lie, relative to that end (or to 1)."""


@dataclass(frozen=True, slots=True)
class Request:
    """A signal by its name, with options: plain data that other processes understand."""

    signal: str
    options: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Loaded:
    """A signal that is ready to be asked.

    parameters    what its answers depend on: the options, and the state of files they name
    """

    signal: Signal
    options: Mapping[str, Any]
    measurer: Measurer
    parameters: Mapping[str, Any]

    @classmethod
    def of(cls, request: Request) -> Loaded:
        """Raises ConfigError for an unknown signal or option, and whatever loading raises."""
        signal = find(request.signal)
        check_options(signal, request.options)
        parameters = {key: _state(value) for key, value in request.options.items()}
        return cls(signal, request.options, signal.load(**request.options), parameters)


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why a signal gave no answer about an item."""

    reason: str


@dataclass(frozen=True, eq=False)
class _Admitted:
    """An entry that has passed the gate, and the item that the signal gets."""

    entry: Entry
    item: Item

    @property
    def n_samples(self) -> int:
        return self.item.audio.n_samples


def score_items(name: str, items: Sequence[Item], **options: Any) -> list[Row]:
    """What a signal says about items that are in memory, in their order.

    Raises ConfigError for an unknown signal or option, and MissingExtraError when an extra is not
    installed.
    """
    loaded = Loaded.of(Request(name, options))
    entries = [replace(Entry.of(item), clip=str(k)) for k, item in enumerate(items)]
    rows = {row.clip: row for batch in ask(loaded, entries) for row in batch}
    return [replace(rows[str(k)], clip=item.clip_id) for k, item in enumerate(items)]


def ask(
    loaded: Loaded, entries: Sequence[Entry], cache: Cache | None = None
) -> Iterator[list[Row]]:
    """The rows of a signal about entries with different clips, as they become known."""
    admitted, known = _through_gate(loaded, entries)
    if cache:
        admitted, found = _from_cache(loaded, admitted, cache)
        known += found
    yield known
    for batch in _batches(loaded.signal, admitted):
        rows = _measure(loaded, batch)
        if cache:
            _keep(loaded, batch, rows, cache)
        yield rows


def failed_row(
    signal: Signal, options: Mapping[str, Any], clip: str, given: Mapping[str, str], reason: str
) -> Row:
    """The row about a clip that could not even be decoded."""
    scores = tuple(
        Score(clip, name, None, ScoreStatus.FAILED, reason) for name, _ in _measures(signal)
    )
    licence = restrictive_licence(signal)
    name, version = signal.name, signal.version
    return Row(clip, None, None, None, name, version, options, 0.0, licence, scores, given)


def _through_gate(loaded: Loaded, entries: Iterable[Entry]) -> tuple[list[_Admitted], list[Row]]:
    admitted, refused = [], []
    for entry in entries:
        item = admit(loaded.signal, entry)
        if isinstance(item, Missing):
            skipped = {m.name: item for m in loaded.signal.measures}
            refused.append(_row(loaded, entry, skipped, 0.0))
        else:
            admitted.append(_Admitted(entry, item))
    return admitted, refused


def _from_cache(
    loaded: Loaded, admitted: Iterable[_Admitted], cache: Cache
) -> tuple[list[_Admitted], list[Row]]:
    """What is still to be asked, and the rows of what was answered before."""
    unknown, known = [], []
    for one in admitted:
        row = cache.get(_key(loaded, one.entry))
        if row is None:
            unknown.append(one)
        else:
            entry = one.entry
            known.append(replace(row, clip=entry.clip, given=entry.given, seconds=0.0))
    return unknown, known


def _keep(loaded: Loaded, batch: Sequence[_Admitted], rows: Sequence[Row], cache: Cache) -> None:
    """Failures are not kept: they may pass, as a full disk does."""
    sound = {
        _key(loaded, one.entry): row
        for one, row in zip(batch, rows, strict=True)
        if not any(score.status is ScoreStatus.FAILED for score in row.scores)
    }
    cache.put(sound)


def _state(value: Any) -> Any:
    """An option's value; of a path also the sizes and times of the files that it leads to."""
    if not isinstance(value, (str, Path)) or not Path(value).exists():
        return value
    files = [f for f in (Path(value), *sorted(Path(value).rglob("*"))) if f.is_file()]
    return [str(value), *((str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in files)]


def _key(loaded: Loaded, entry: Entry) -> str:
    reference_id = clip_id(entry.reference.audio) if entry.reference else None
    signal = loaded.signal
    return cache_key(
        entry.clip_id,
        signal.name,
        signal.version,
        loaded.parameters,
        reference_id,
        entry.text,
        entry.label,
    )


def _batches(signal: Signal, admitted: Iterable[_Admitted]) -> Iterator[list[_Admitted]]:
    """Clips of similar length together, the longest first; one by one if that is as fast."""
    batch: list[_Admitted] = []
    for one in sorted(admitted, key=lambda one: one.n_samples, reverse=True):
        if batch and not (signal.batchable and _joins(one, batch)):
            yield batch
            batch = []
        batch.append(one)
    if batch:
        yield batch


def _joins(one: _Admitted, batch: Sequence[_Admitted]) -> bool:
    longest = batch[0].item.audio
    return (
        len(batch) < MOST_CLIPS
        and longest.n_samples <= LONGEST_TO_SHORTEST * one.n_samples
        and longest.duration_s * (len(batch) + 1) <= MOST_SECONDS
    )


def _measure(loaded: Loaded, batch: Sequence[_Admitted]) -> list[Row]:
    began = time.perf_counter()
    answers = _answers(loaded.measurer, [one.item for one in batch])
    seconds = (time.perf_counter() - began) / len(batch)
    return [
        _row(loaded, one.entry, answer, seconds) for one, answer in zip(batch, answers, strict=True)
    ]


def _answers(measurer: Measurer, items: Sequence[Item]) -> Sequence[Values | _Failure]:
    """One for each item; when a batch fails its items are asked one by one."""
    try:
        answers = measurer(items)
    except Exception as error:
        if len(items) == 1:
            return [_Failure(_sentence(error))]
        return [_answers(measurer, [item])[0] for item in items]
    if len(answers) != len(items):
        return [_Failure(f"{len(answers)} answers to {len(items)} clips")] * len(items)
    return answers


def _sentence(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, AuralignError) else f"{type(error).__name__}: {text}"


def _row(loaded: Loaded, entry: Entry, answer: Values | _Failure, seconds: float) -> Row:
    signal, audio = loaded.signal, entry.recording.audio
    return Row(
        clip=entry.clip,
        clip_id=entry.clip_id,
        sample_rate=audio.sample_rate,
        duration_s=None if unusable(audio) else audio.duration_s,
        signal=signal.name,
        version=signal.version,
        options=loaded.options,
        seconds=seconds,
        licence=restrictive_licence(signal),
        scores=tuple(
            _score(entry.clip_id, name, measure, answer) for name, measure in _measures(signal)
        ),
        given=entry.given,
    )


def _measures(signal: Signal) -> list[tuple[str, Measure]]:
    return [(measure_name(signal.name, measure.name), measure) for measure in signal.measures]


def _score(clip: str, name: str, measure: Measure, answer: Values | _Failure) -> Score:
    if isinstance(answer, _Failure):
        return Score(clip, name, None, ScoreStatus.FAILED, answer.reason)
    value = answer.get(measure.name)
    if isinstance(value, Missing):
        return Score(clip, name, None, ScoreStatus.SKIPPED, value.reason)
    if value is None:
        return Score(clip, name, None, ScoreStatus.FAILED, "no answer")
    reason = _implausible(float(value), measure)
    if reason:
        return Score(clip, name, None, ScoreStatus.FAILED, reason)
    return Score(clip, name, float(value))


def _implausible(value: float, measure: Measure) -> str | None:
    """Why a number cannot be what the measure measures, or None."""
    if not math.isfinite(value):
        return "not a finite number"
    low, high = measure.low, measure.high
    if low is not None and value < low - ROUNDING * max(abs(low), 1.0):
        return f"below the range, which begins at {low:g}"
    if high is not None and value > high + ROUNDING * max(abs(high), 1.0):
        return f"above the range, which ends at {high:g}"
    return None
