"""What the rules say of a run that is already there, guarded or not.

A guarded run has guard.jsonl. Of any other the trainer's own measures are read (metrics.jsonl),
which answer fewer rules; the others cannot tell.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auralign.data.config import load_yaml
from auralign.data.runs import RunFolder, read_metrics
from auralign.errors import RunStateError
from auralign.training.guard.bands import Shift
from auralign.training.guard.evidence import Evidence
from auralign.training.guard.figures import with_derived
from auralign.training.guard.records import FILE, read_inspections
from auralign.training.guard.rule import Finding, judge
from auralign.training.guard.rules import RULES

TRACES = ("kl", "kl_exact", "held_out_preference")
"""One of these in an evaluation says that a stage trains a policy against a reference."""
BETWEEN = ("chosen_log_ratio_per_code",)
"""Measures of updates that rules read, as means over the updates since the last evaluation."""


@dataclass(frozen=True, slots=True)
class Look:
    """One evaluation of a training: what is known, and what every rule says of it."""

    step: int
    evidence: Evidence
    findings: list[Finding]


@dataclass(frozen=True, slots=True)
class WatchedTraining:
    """A training in a run: its evaluations in their order; `guarded` if the guard was there."""

    name: str
    guarded: bool
    looks: list[Look]


def watched_trainings(path: Path) -> list[WatchedTraining]:
    """The trainings of a run of `auralign align` or of a recipe, judged by the rules.

    A folder with guard.jsonl needs nothing else. Raises RunStateError for any other that is no run,
    or one in which no policy was evaluated.
    """
    if read_inspections(path / FILE):
        return list(_of_folder(path, path.resolve().name, None, None))
    run = RunFolder.open(path)
    found = list(_of_folder(path, path.resolve().name, _job_budget(run), None))
    for stage, record in run.stages().items():
        folder = path / "stages" / stage
        budget = record.options.get("kl_budget")
        found += _of_folder(folder, stage, budget, _entropy_before(folder))
        for other in sorted(path.parent for path in folder.glob(f"*/{FILE}")):
            found += _of_folder(other, f"{stage} {other.name}", budget, None)
    if not found:
        raise RunStateError(
            f"{path}: expected a run that has trained a policy and evaluated it, got none with "
            f"{FILE} or evaluations in metrics.jsonl: name the folder that training wrote"
        )
    return found


def _of_folder(
    folder: Path, name: str, kl_budget: float | None, entropy_before: float | None
) -> Iterator[WatchedTraining]:
    inspections = read_inspections(folder / FILE)
    if inspections:
        steps = [(i.step, i.figures, i.clips) for i in inspections]
        yield WatchedTraining(name, True, _looks(steps))
        return
    for run, evaluations in _evaluations(folder).items():
        if any(trace in figures for _, figures in evaluations for trace in TRACES):
            known = {"kl_budget": kl_budget, "entropy_before": entropy_before}
            looks = _looks([(step, with_derived(f, **known), {}) for step, f in evaluations])
            yield WatchedTraining(f"{name} {run}".rstrip(), False, looks)


def _looks(
    steps: Sequence[tuple[int, Mapping[str, float], Mapping[str, Shift]]],
) -> list[Look]:
    history = [figures for _, figures, _ in steps]
    found = []
    for k, (step, figures, clips) in enumerate(steps):
        evidence = Evidence(clips, figures, tuple(history[:k]))
        found.append(Look(step, evidence, judge(evidence, RULES)))
    return found


def _evaluations(folder: Path) -> dict[str, list[tuple[int, dict[str, float]]]]:
    """Steps and figures of the evaluations, by the name of the training ("" where it has none)."""
    found: dict[str, list[tuple[int, dict[str, float]]]] = {}
    updates: dict[str, list[Mapping[str, Any]]] = {}
    for row in read_metrics(folder):
        run = str(row.get("run", ""))
        if "loss" in row:
            updates.setdefault(run, []).append(row)
            continue
        figures = {k: v for k, v in row.items() if isinstance(v, (int, float)) and k != "step"}
        figures |= _means(updates.pop(run, []))
        found.setdefault(run, []).append((int(row["step"]), figures))
    return found


def _means(updates: list[Mapping[str, Any]]) -> dict[str, float]:
    known = {name: [u[name] for u in updates if u.get(name) is not None] for name in BETWEEN}
    return {name: sum(values) / len(values) for name, values in known.items() if values}


def _job_budget(run: RunFolder) -> float | None:
    recipe = load_yaml(run.recipe_text(), str(run.path / "recipe.yaml"))
    budget = recipe.get("kl_budget") if isinstance(recipe, Mapping) else None
    return float(budget) if budget is not None else None


def _entropy_before(folder: Path) -> float | None:
    """Of the SFT policy's codes, where the stage of a recipe says it."""
    about = folder / "align.json"
    if not about.exists():
        return None
    value = json.loads(about.read_text(encoding="utf-8")).get("entropy_before")
    return float(value) if value is not None else None
