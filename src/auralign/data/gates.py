"""What `auralign score gate` found, on disk: whether a signal may serve as a reward.

The file is the whole report; what is read of it is the verdict, and what it is about.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auralign import __version__
from auralign.errors import DataError, StorageError
from auralign.files import to_json, write_text

SCHEMA = "auralign.gate"
SCHEMA_VERSION = 1
VERDICTS = ("passed", "failed", "cannot tell")


@dataclass(frozen=True, slots=True)
class RewardVerdict:
    """Whether a signal may be a reward for clips like those of a study, on one dimension.

    verdict   one of `VERDICTS`; `failed` are the names of the tests that it failed
    """

    signal: str
    version: str
    study: str
    dimension: str
    verdict: str
    failed: tuple[str, ...]


def write_gate(path: str | os.PathLike[str], report: Any, *, force: bool = False) -> None:
    """The report, a record with the fields of `RewardVerdict` but `failed`, and with `tests`.

    Raises StorageError when something is at `path`; `force` replaces it.
    """
    check_free(path, force=force)
    document = json.loads(to_json(report))
    header = {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, "auralign": __version__}
    write_text(path, to_json({**header, **document}, indent=2) + "\n")


def check_free(path: str | os.PathLike[str], *, force: bool) -> None:
    """Raise StorageError when something is at `path`, unless it may be replaced."""
    if Path(path).exists() and not force:
        raise StorageError(f"{path} is there already: choose another name, or use --force")


def read_gate(path: str | os.PathLike[str]) -> RewardVerdict:
    """Raises DataError for anything that `write_gate` did not write."""
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        found = RewardVerdict(
            **{name: str(document[name]) for name in ("signal", "version", "study", "dimension")},
            verdict=document["verdict"],
            failed=tuple(t["name"] for t in document["tests"] if t["verdict"] == "fail"),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path}: expected what `auralign score gate --out` writes, got something else "
            f"({type(error).__name__}: {error})"
        ) from None
    if document.get("schema") != SCHEMA or found.verdict not in VERDICTS:
        raise DataError(f"{path}: expected what `auralign score gate --out` writes")
    if document["schema_version"] > SCHEMA_VERSION:
        raise DataError(
            f"{path}: expected schema version {SCHEMA_VERSION} or older, got "
            f"{document['schema_version']}: upgrade auralign to read it"
        )
    return found
