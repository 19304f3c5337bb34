"""What a benchmark reports: claims with targets and measured values; `ok` is computed here."""

from __future__ import annotations

import operator
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np
from scipy.stats import t as student

_HOLDS = {">": operator.gt, ">=": operator.ge, "<=": operator.le}


@dataclass(frozen=True)
class Claim:
    """A promised number: `value relation target`, and how it was measured."""

    name: str
    relation: str
    target: float
    value: float
    how: str
    ok: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ok", bool(_HOLDS[self.relation](self.value, self.target)))


@dataclass(frozen=True)
class Report:
    claims: list[Claim]
    seeds: list[int]
    seconds: float
    sizes: Mapping[str, Any]
    details: Any = None
    versions: Mapping[str, str] = field(default_factory=lambda: _versions())


def difference(first: Sequence[float], second: Sequence[float]) -> dict[str, float]:
    """Mean difference over seeds with its 95 % t interval, which one seed does not have."""
    gaps = np.subtract(first, second)
    half = 0.0
    if len(gaps) > 1:
        half = float(student.ppf(0.975, len(gaps) - 1) * gaps.std(ddof=1) / np.sqrt(len(gaps)))
    mean = float(gaps.mean())
    return {"mean": mean, "low": mean - half, "high": mean + half}


def _versions() -> dict[str, str]:
    packages = ("auralign", "numpy", "scipy", "torch")
    return {
        "python": platform.python_version(),
        "cores": str(os.cpu_count()),
        **{name: version(name) for name in packages},
    }


def to_markdown(reports: Mapping[str, Report]) -> str:
    """RESULTS.md: one table for each benchmark, nothing in it typed by hand."""
    lines = ["# Results", "", "Written by `python -m benchmarks --write`.", ""]
    for name, report in reports.items():
        lines += [
            f"## {name}",
            "",
            "| claim | target | measured | holds | how |",
            "|---|---|---|---|---|",
        ]
        lines += [
            f"| {c.name} | {c.relation} {c.target:g} | {c.value:.4g} | "
            f"{'yes' if c.ok else 'NO'} | {c.how} |"
            for c in report.claims
        ]
        versions = ", ".join(f"{k} {v}" for k, v in report.versions.items())
        sizes = ", ".join(f"{k} {v}" for k, v in report.sizes.items())
        lines += ["", f"Seeds {report.seeds}; {sizes}; {report.seconds:.0f} s; {versions}.", ""]
    return "\n".join(lines)
