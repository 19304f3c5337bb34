"""guard.jsonl: what the guard saw at each evaluation, one JSON object a line."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from auralign.errors import RunStateError
from auralign.files import to_json, write_text
from auralign.training.guard.bands import Shift
from auralign.training.guard.evidence import Verdict
from auralign.training.guard.rule import Finding

FILE = "guard.jsonl"


@dataclass(frozen=True, slots=True)
class Inspection:
    """One evaluation as the guard saw it.

    verdict    the gravest of the findings
    action     what was done: "go on", "warn" or "roll back"
    n_fed      hacked clips that were kept for the next round
    findings   those that are to be watched or alarming
    """

    step: int
    verdict: Verdict
    action: str
    n_fed: int
    findings: tuple[Finding, ...]
    figures: Mapping[str, float]
    clips: Mapping[str, Shift]


def append_inspection(path: Path, inspection: Inspection) -> None:
    with path.open("a", encoding="utf-8") as stream:
        stream.write(to_json(inspection) + "\n")


def read_inspections(path: Path) -> list[Inspection]:
    """In their order; a last line that was cut off while being written is left out.

    Raises RunStateError for a file that the guard did not write.
    """
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    try:
        return [_inspection(json.loads(line)) for line in lines if line.endswith("\n")]
    except (ValueError, TypeError, KeyError) as error:
        raise RunStateError(
            f"{path}: expected what the guard writes, got a line without or with other keys "
            f"({error}): restore it from the run that wrote it"
        ) from None


def keep_before(path: Path, step: int) -> list[Inspection]:
    """Takes back what a run that goes on from a checkpoint had written from `step` on."""
    kept = [inspection for inspection in read_inspections(path) if inspection.step < step]
    if path.exists():
        write_text(path, "".join(to_json(inspection) + "\n" for inspection in kept))
    return kept


def _inspection(row: dict[str, Any]) -> Inspection:
    findings = [{**f, "verdict": Verdict(f["verdict"])} for f in row.pop("findings")]
    return Inspection(
        step=row["step"],
        verdict=Verdict(row["verdict"]),
        action=row["action"],
        n_fed=row["n_fed"],
        findings=tuple(Finding(**finding) for finding in findings),
        figures={name: _number(value) for name, value in row["figures"].items()},
        clips={name: _shift(value) for name, value in row["clips"].items()},
    )


def _shift(row: Mapping[str, Any]) -> Shift:
    return Shift(**{f.name: _number(row[f.name]) for f in fields(Shift)})


def _number(value: Any) -> Any:
    """JSON has null where a number was not finite."""
    return math.nan if value is None else value
