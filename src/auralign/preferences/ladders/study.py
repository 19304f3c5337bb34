"""Ladders as a study folder: clips, synthetic judgements, pairs to train on, and a manifest.

pairs.parquet   the pairs, by rule `ladder:family/name`
ladders.json    versions, options, and for every clip its operation, severity, seed and gain; what
                was left out, and why
"""

from __future__ import annotations

import importlib.metadata
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from auralign import __version__
from auralign.data import PAIRS, StudyFolder
from auralign.data.tables import write_table
from auralign.errors import DataError
from auralign.files import atomic_dir, is_empty_dir, write_json
from auralign.preferences.ladders.ladder import (
    Ladder,
    Skipped,
    build_ladder,
    ladder_seed,
    severity_text,
)
from auralign.preferences.ladders.operation import Operation
from auralign.preferences.ladders.pairs import ladder_judgements, ladder_pairs
from auralign.preferences.ladders.recording import Recording
from auralign.types import Clip, Judgement, PreferencePair, Prompt

SCHEMA_VERSION = 1
PACKAGES = ("numpy", "scipy", "soundfile", "soxr")
NOTES = (
    "Made by degrading recordings. The judgements are orders that are known beforehand, within one "
    "recording, one operation and one direction; they say nothing of one operation against another."
)


@dataclass(frozen=True, slots=True)
class Settings:
    """How ladders are built, beside what of and by what.

    severities      in place of those of the operations
    draws           ladders of each recording and operation, with different seeds
    weak            whether the orders of neighbours are asserted, too
    equal_lengths   whether shorter rungs are continued with room tone
    """

    seed: int
    severities: tuple[float, ...] | None = None
    draws: int = 1
    weak: bool = False
    equal_lengths: bool = True


@dataclass(eq=False)
class _Tables:
    """What grows while the clips are written."""

    clips: dict[str, Clip] = field(default_factory=dict)
    prompts: list[Prompt] = field(default_factory=list)
    judgements: list[Judgement] = field(default_factory=list)
    pairs: list[PreferencePair] = field(default_factory=list)
    items: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


def write_ladders(
    path: str | os.PathLike[str],
    recordings: Sequence[Recording],
    operations: Sequence[Operation],
    settings: Settings,
    *,
    pool: Sequence[Recording] | None = None,
    force: bool = False,
) -> Mapping[str, Any]:
    """A study of every ladder that can be made of the recordings; returns `ladders.json`.

    pool   what operations may borrow from: voices, takes, events; the recordings when None, and
           never one of another split

    A recording keeps its own clip, as the reference of its prompt; the controls are what the
    rungs are compared with. Recordings are read one after the other. Raises DataError when not
    one ladder can be made, StorageError when something is at `path` already; `force` replaces it
    if that is a study.
    """
    path = Path(path)
    if force and path.exists() and not is_empty_dir(path):
        StudyFolder.open(path)
    with atomic_dir(path, replace=force) as aside:
        study = StudyFolder.create(aside, name=path.name, simulated=False, notes=NOTES)
        tables = _Tables()
        for recording in recordings:
            _add_recording(study, tables, recording, pool or recordings, operations, settings)
        if not tables.items:
            reasons = sorted({skipped.reason for skipped in tables.skipped})
            raise DataError(
                f"no ladder could be made of {len(recordings)} recordings: {reasons[0]}"
            )
        study.write_prompts(tables.prompts)
        study.write_clips(tables.clips.values())
        study.write_judgements(tables.judgements)
        write_table(PAIRS, tables.pairs, aside / "pairs.parquet")
        manifest = _manifest(operations, settings, tables)
        write_json(aside / "ladders.json", manifest)
    return manifest


def _add_recording(
    study: StudyFolder,
    tables: _Tables,
    recording: Recording,
    pool: Sequence[Recording],
    operations: Sequence[Operation],
    settings: Settings,
) -> None:
    id_, split = recording.prompt.id, recording.prompt.split
    others = [o for o in pool if o.prompt.id != id_ and o.prompt.split is split]
    ladders = list(_ladders(recording, others, operations, settings, tables.skipped))
    if not ladders:
        return
    prompt_id = recording.prompt.id
    original = study.add_audio(recording.audio, prompt_id=prompt_id, system="original")
    tables.clips.setdefault(original.id, original)
    tables.prompts.append(replace(recording.prompt, reference_clip=original.id))
    for ladder in ladders:
        _add_ladder(study, tables, ladder, original.id, settings)


def _ladders(
    recording: Recording,
    others: Sequence[Recording],
    operations: Sequence[Operation],
    settings: Settings,
    skipped: list[Skipped],
) -> Iterator[Ladder]:
    for operation in operations:
        for draw in range(settings.draws):
            seed = ladder_seed(settings.seed, recording.prompt.id, operation, draw)
            try:
                yield build_ladder(
                    recording,
                    operation,
                    seed=seed,
                    others=others,
                    severities=settings.severities,
                    equal_lengths=settings.equal_lengths,
                )
            except DataError as error:
                skipped.append(Skipped(operation.id, recording.prompt.id, None, str(error)))


def _add_ladder(
    study: StudyFolder, tables: _Tables, ladder: Ladder, original: str, settings: Settings
) -> None:
    operation, prompt_id = ladder.operation, ladder.prompt.id
    for rung in ladder.rungs:
        name = severity_text(rung.severity, operation)
        clip = study.add_audio(
            rung.audio, prompt_id=prompt_id, system=f"{operation.id}@{name}", seed=ladder.seed
        )
        tables.clips.setdefault(clip.id, clip)
        tables.items.append(
            {
                "clip_id": clip.id,
                "prompt_id": prompt_id,
                "source_clip_id": original,
                "family": operation.family,
                "operation": operation.id,
                "control": rung.severity == operation.control,
                "severity": rung.severity,
                "position": operation.position(rung.severity),
                "dimension": operation.dimension,
                "seed": ladder.seed,
                "gain_db": rung.gain_db,
                "loudness_measure": rung.loudness,
                "duration_s": clip.duration_s,
            }
        )
    tables.skipped += ladder.skipped
    rng = np.random.default_rng(ladder.seed)
    tables.judgements += ladder_judgements(ladder, rng=rng, weak=settings.weak)
    tables.pairs += ladder_pairs(ladder, weak=settings.weak)


def _manifest(
    operations: Sequence[Operation], settings: Settings, tables: _Tables
) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "versions": versions(),
        "settings": asdict(settings),
        "operations": [about_operation(operation) for operation in operations],
        "n_prompts": len(tables.prompts),
        "n_clips": len(tables.clips),
        "n_pairs": len(tables.pairs),
        "items": tables.items,
        "skipped": [asdict(skipped) for skipped in tables.skipped],
    }


def about_operation(operation: Operation) -> dict[str, Any]:
    """All that is stated of an operation, as plain data; a control of infinity is null."""
    return {
        "id": operation.id,
        "family": operation.family,
        "summary": operation.summary,
        "knob": operation.knob,
        "control": operation.control if math.isfinite(operation.control) else None,
        "severities": operation.severities,
        "dimension": operation.dimension,
        "order": operation.order.value,
        "clear_control": operation.clear_control,
        "keeps_length": operation.keeps_length,
        "needs": operation.needs,
        "caveat": operation.caveat,
    }


def versions() -> dict[str, str]:
    """Of everything that the samples of a ladder depend on."""
    packages = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {
        "auralign": __version__,
        **packages,
        "libsndfile": soundfile.__libsndfile_version__,
    }
