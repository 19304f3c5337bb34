"""What a file of results says as a whole: means with their coverage, and why values are missing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from auralign.signals.registry import measure_name, signals
from auralign.signals.running.results import Row, status_text
from auralign.signals.signal import Measure
from auralign.types import Score, ScoreStatus


@dataclass(frozen=True, slots=True)
class MeasureSummary:
    """One measure over all clips.

    n_ok of n_clips have a value; mean, sd, lowest and highest are over those, None where there are
    none (sd: fewer than two). `missing` counts the others by status and reason. Files of
    n_upsampled of them have a lower rate than the signal hears, so that it heard nothing above.
    """

    name: str
    unit: str
    direction: str
    n_clips: int
    n_ok: int
    mean: float | None
    sd: float | None
    lowest: float | None
    highest: float | None
    missing: Mapping[str, int]
    n_upsampled: int


@dataclass(slots=True)
class _Running:
    """Sums that need no list of values (Welford 1962, Technometrics 4:419)."""

    n: int = 0
    mean: float = 0.0
    squares: float = 0.0
    lowest: float = math.inf
    highest: float = -math.inf
    missing: Counter[str] = field(default_factory=Counter)
    n_upsampled: int = 0

    def add(self, score: Score, upsampled: bool) -> None:
        if score.status is not ScoreStatus.OK or score.value is None:
            self.missing[status_text(score)] += 1
            return
        self.n += 1
        self.n_upsampled += upsampled
        step = score.value - self.mean
        self.mean += step / self.n
        self.squares += step * (score.value - self.mean)
        self.lowest = min(self.lowest, score.value)
        self.highest = max(self.highest, score.value)


def summarise(rows: Iterable[Row]) -> list[MeasureSummary]:
    """Every measure that the rows have, in their order; memory does not grow with the rows."""
    running: dict[str, _Running] = {}
    for row in rows:
        for score in row.scores:
            running.setdefault(score.signal, _Running()).add(score, _is_upsampled(row))
    measures = _measures()
    return [_summary(name, each, measures.get(name)) for name, each in running.items()]


def _is_upsampled(row: Row) -> bool:
    signal = signals().get(row.signal)
    return (row.sample_rate or 0) < ((signal and signal.sample_rate) or 0)


def _measures() -> dict[str, Measure]:
    return {
        measure_name(name, measure.name): measure
        for name, signal in signals().items()
        for measure in signal.measures
    }


def _summary(name: str, each: _Running, measure: Measure | None) -> MeasureSummary:
    return MeasureSummary(
        name=name,
        unit=measure.unit if measure else "",
        direction=str(measure.direction) if measure else "",
        n_clips=each.n + each.missing.total(),
        n_ok=each.n,
        mean=each.mean if each.n else None,
        sd=math.sqrt(each.squares / (each.n - 1)) if each.n > 1 else None,
        lowest=each.lowest if each.n else None,
        highest=each.highest if each.n else None,
        missing=dict(each.missing.most_common()),
        n_upsampled=each.n_upsampled,
    )
