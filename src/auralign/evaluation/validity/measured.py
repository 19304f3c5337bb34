"""What signals say about the clips of a study, and the trivial measures they have to beat."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from auralign.audio.levels import loudness_lufs
from auralign.data import StudyFolder
from auralign.errors import DataError
from auralign.signals.measures.noise import pause_snr_db
from auralign.signals.registry import measure_name, signals
from auralign.signals.running.judgements import oriented
from auralign.signals.running.results import read_results
from auralign.signals.signal import Direction, Measure
from auralign.stats.arrays import FloatArray
from auralign.types import Audio, Clip, Source

Attributes = Mapping[str, Mapping[str, float]]

BASELINES = ("duration", "loudness", "SNR")
"""In seconds; in LUFS; power of speech over that of its pauses, in dB."""

UNKNOWN = "not known without audio"


@dataclass(frozen=True, eq=False)
class Measured:
    """A measure over the clips of a study: `values` by clip id, more is better."""

    name: str
    direction: str
    values: Mapping[str, float]

    def of(self, clips: Iterable[Clip]) -> FloatArray:
        """`[clips]`; NaN where there is no value."""
        return np.array([self.values.get(clip.id, np.nan) for clip in clips], dtype=np.float64)


def from_judgements(folder: StudyFolder) -> list[Measured]:
    """What `auralign score --study` or an importer has added: judgements of source `metric`.

    Those on dimensions that describe are left out.
    """
    found: dict[str, dict[str, float]] = {}
    directions: dict[str, str] = {}
    descriptive = folder.header.descriptive_dimensions
    for j in folder.judgements():
        if j.source is Source.METRIC and j.dimension not in descriptive:
            name = j.rater.rpartition("@")[0] or j.rater
            values = found.setdefault(name, {})
            directions[name] = j.context.get("direction", str(Direction.MAX))
            if j.rating is not None:
                values[j.candidates[0].clip_id] = j.rating
    return [Measured(name, directions[name], values) for name, values in found.items()]


def from_results(path: str | os.PathLike[str]) -> tuple[list[Measured], list[str]]:
    """The measures in a file of results that have a better and a worse, and those that have not."""
    measures = _measures()
    found: dict[str, dict[str, float]] = {}
    descriptive: dict[str, None] = {}
    for row in read_results(path):
        for score in row.scores:
            measure = measures.get(score.signal)
            if measure is None or measure.direction is Direction.DESCRIPTIVE:
                descriptive[score.signal] = None
                continue
            values = found.setdefault(score.signal, {})
            if score.value is not None and row.clip_id is not None:
                values[row.clip_id] = oriented(score.value, measure)
    named = [Measured(name, str(measures[name].direction), found[name]) for name in found]
    return named, list(descriptive)


def from_attributes(attributes: Attributes, clips: Iterable[Clip]) -> list[Measured]:
    """Numbers by clip id or system, more of each taken as better.

    Raises DataError for a column that names no clip and no system.
    """
    clips = list(clips)
    named = []
    for name, of in attributes.items():
        values = {c.id: of[key] for c in clips for key in (c.id, c.system) if key in of}
        if not values:
            first = next(iter(of), "nothing")
            raise DataError(f"'{name}' names no judged clip and no system, but '{first}'")
        named.append(Measured(name, str(Direction.MAX), values))
    return named


def baselines(
    folder: StudyFolder, clips: Sequence[Clip], attributes: Attributes
) -> tuple[dict[str, FloatArray], dict[str, str]]:
    """The values of `BASELINES` `[clips]`, and why others are not there.

    A baseline that is the same for all clips decides nothing and is left out, and so is one that
    fewer than half of the clips have. Without audio those of `attributes` with their names count.
    """
    found = _measure(folder, clips)
    for each in from_attributes({n: v for n, v in attributes.items() if n in BASELINES}, clips):
        found[each.name] = each.of(clips)
    reasons = {name: _why_not(found.get(name)) for name in BASELINES}
    return (
        {name: found[name] for name, reason in reasons.items() if not reason},
        {name: reason for name, reason in reasons.items() if reason},
    )


def _measure(folder: StudyFolder, clips: Sequence[Clip]) -> dict[str, FloatArray]:
    duration = np.array([clip.duration_s for clip in clips])
    if not folder.header.has_audio:
        return {"duration": duration} if np.isfinite(duration).any() else {}
    pairs = [_loudness_and_snr(folder.audio(clip)) for clip in clips]
    loudness, snr = np.array(pairs, dtype=np.float64).T
    return {"duration": duration, "loudness": loudness, "SNR": snr}


def _why_not(values: FloatArray | None) -> str:
    """Why a baseline cannot be held against a signal; empty where it can."""
    if values is None:
        return UNKNOWN
    known = values[np.isfinite(values)]
    if 2 * len(known) < len(values):
        return f"only {len(known)} of {len(values)} clips have one"
    return "" if np.ptp(known) > 0 else "all clips have the same"


def _loudness_and_snr(audio: Audio) -> tuple[float, float]:
    return _or_nan(loudness_lufs(audio)), _or_nan(pause_snr_db(audio))


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _measures() -> dict[str, Measure]:
    return {
        measure_name(name, measure.name): measure
        for name, signal in signals().items()
        for measure in signal.measures
    }
