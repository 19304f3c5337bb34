"""A run folder: what was run, stage by stage, so that a stopped run goes on where it was.

    recipe.yaml      the recipe as it was resolved
    manifest.json    versions, platform, seeds, seconds and peak memory of every stage
    result.json      what the run found
    stages/NN-name/  what a stage made, its stage.json and metrics.jsonl

A stage is complete when its folder is there: it is built aside and renamed. Everything but
`seconds` and `peak_memory_mb` is the same when the same recipe is run again.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auralign import __version__
from auralign.errors import RunStateError
from auralign.files import atomic_dir, is_empty_dir, to_json, write_json, write_text

SCHEMA_VERSION = 1
_PACKAGES = ("numpy", "scipy", "torch")


@dataclass(frozen=True, slots=True)
class StageRecord:
    """What `stage.json` says of a completed stage.

    `hash` covers the name, the resolved options and the hashes of the stages it builds on, so two
    stages with the same hash did the same work.
    """

    name: str
    options: Mapping[str, Any]
    inputs: Mapping[str, str]
    hash: str
    summary: str
    seconds: float
    peak_memory_mb: float | None


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a run: its place, its resolved options, and the stages whose output it reads."""

    index: int
    name: str
    options: Mapping[str, Any]
    inputs: tuple[Stage, ...] = ()

    @property
    def folder(self) -> str:
        return f"{self.index:02d}-{self.name}"

    @property
    def hash(self) -> str:
        return _hash(to_json([self.name, self.options, self.input_hashes], sort_keys=True))

    @property
    def input_hashes(self) -> dict[str, str]:
        return {stage.folder: stage.hash for stage in self.inputs}


@dataclass(slots=True)
class StageWork:
    """A stage while it is being built: write into `path`, log steps, leave one summary line."""

    path: Path
    summary: str = ""

    def log_metrics(self, step: int, **values: Any) -> None:
        """Append one line to `metrics.jsonl`; NaN and infinities become null."""
        with (self.path / "metrics.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(to_json({"step": step, **values}) + "\n")


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A handle on a run folder."""

    path: Path

    @classmethod
    def create(
        cls, path: str | os.PathLike[str], recipe_text: str, *, force: bool = False
    ) -> RunFolder:
        """A new run folder that holds its recipe and a manifest.

        Raises RunStateError when `path` is in use; `force` replaces it if it is a run folder.
        """
        path = Path(path)
        if path.exists() and not is_empty_dir(path):
            _require_replaceable(path, force)
        with atomic_dir(path, replace=force) as aside:
            run = cls(aside)
            write_text(aside / "recipe.yaml", recipe_text)
            run.write_manifest()
        return cls(path)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> RunFolder:
        """An existing run folder; RunStateError when `path` is none, or of a newer auralign."""
        path = Path(path)
        if not _is_run_folder(path):
            raise RunStateError(
                f"{path}: expected a run folder, but it has no recipe.yaml and manifest.json: "
                "check the path or start a new run"
            )
        version = _read_json(path / "manifest.json").get("schema_version")
        if version != SCHEMA_VERSION:
            raise RunStateError(
                f"{path}: expected a run of schema version {SCHEMA_VERSION}, got {version}: "
                "read it with the auralign that made it"
            )
        return cls(path)

    @classmethod
    def resume(cls, path: str | os.PathLike[str], recipe_text: str) -> RunFolder:
        """An existing run folder to go on with; RunStateError when its recipe was another."""
        run = cls.open(path)
        if run.recipe_text() != recipe_text:
            raise RunStateError(
                f"{run.path}: expected the recipe this run was started with, got another: "
                "restore it, use --force to start over, or choose another --out"
            )
        for left_over in (run.path / "stages").glob(".*.tmp"):
            shutil.rmtree(left_over, ignore_errors=True)
        return run

    def recipe_text(self) -> str:
        return (self.path / "recipe.yaml").read_text(encoding="utf-8")

    def stage_dir(self, stage: Stage) -> Path:
        return self.path / "stages" / stage.folder

    def is_complete(self, stage: Stage) -> bool:
        """True when the stage was built with these options on these inputs; else build it (again).

        Raises RunStateError when its folder has no readable `stage.json`.
        """
        folder = self.stage_dir(stage)
        return folder.exists() and _read_stage(folder).hash == stage.hash

    @contextlib.contextmanager
    def build(self, stage: Stage) -> Iterator[StageWork]:
        """Build a stage aside; it takes its place, with its `stage.json`, when the body is done."""
        began = time.perf_counter()
        with atomic_dir(self.stage_dir(stage), replace=True) as aside:
            work = StageWork(aside)
            yield work
            record = StageRecord(
                name=stage.name,
                options=stage.options,
                inputs=stage.input_hashes,
                hash=stage.hash,
                summary=work.summary,
                seconds=round(time.perf_counter() - began, 3),
                peak_memory_mb=_peak_memory_mb(),
            )
            write_json(aside / "stage.json", record)

    def stages(self) -> dict[str, StageRecord]:
        """The records of the completed stages by folder name, in order."""
        folders = sorted((self.path / "stages").glob("[0-9]*"))
        return {folder.name: _read_stage(folder) for folder in folders}

    def write_manifest(self, seeds: Mapping[str, int] | None = None) -> None:
        """Write `manifest.json` from what is installed and what the stages recorded."""
        write_json(
            self.path / "manifest.json",
            {
                "schema_version": SCHEMA_VERSION,
                "versions": _versions(),
                "platform": platform.platform(),
                "recipe_sha256": _hash(self.recipe_text()),
                "seeds": seeds or {},
                "stages": {
                    folder: {"seconds": s.seconds, "peak_memory_mb": s.peak_memory_mb}
                    for folder, s in self.stages().items()
                },
            },
        )

    def write_result(self, result: Any) -> None:
        write_json(self.path / "result.json", result)

    def result(self) -> Any:
        """What the run found; RunStateError when it has not finished."""
        return _read_json(self.path / "result.json")


def read_metrics(stage_dir: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The logged steps; a last line that was cut off while being written is left out."""
    path = Path(stage_dir) / "metrics.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    if lines and not lines[-1].endswith("\n"):
        lines.pop()
    try:
        return [json.loads(line) for line in lines]
    except ValueError as error:
        raise RunStateError(f"{path}: expected one JSON object per line: {error}") from None


def _read_stage(folder: Path) -> StageRecord:
    """The record of a completed stage; RunStateError when the folder holds none."""
    try:
        return StageRecord(**_read_json(folder / "stage.json"))
    except TypeError as error:
        raise RunStateError(f"{folder}/stage.json: expected a stage's record: {error}") from None


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise RunStateError(f"{path}: expected a file of the run, got '{reason}'") from None
    except ValueError as error:
        raise RunStateError(f"{path}: expected JSON: {error}") from None


def _is_run_folder(path: Path) -> bool:
    return (path / "recipe.yaml").is_file() and (path / "manifest.json").is_file()


def _require_replaceable(path: Path, force: bool) -> None:
    if not force:
        raise RunStateError(
            f"{path} is there already: continue it with --resume, replace it with --force, "
            "or choose another --out"
        )
    if not _is_run_folder(path):
        raise RunStateError(
            f"{path} is no run folder, so --force will not remove it: choose another --out"
        )


def _versions() -> dict[str, str | None]:
    return {
        "auralign": __version__,
        "python": platform.python_version(),
        **{package: _version(package) for package in _PACKAGES},
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _peak_memory_mb() -> float | None:
    """The largest resident memory of this process so far, in MB; None where it is not told."""
    if sys.platform == "win32":
        return None
    import resource

    bytes_per_unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak * bytes_per_unit / 1e6, 1)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
