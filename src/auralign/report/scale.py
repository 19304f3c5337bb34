"""From data to positions: linear scales and ticks at round numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from auralign.report.format import format_fixed


@dataclass(frozen=True, slots=True)
class Scale:
    """Linear map of data in [low, high] to positions in [start, end]; `high` > `low`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def tick_step(span: float, at_most: int) -> float:
    """The smallest of 1, 2, 5 times a power of ten that cuts `span` into `at_most` parts."""
    rough = span / at_most
    power = 10.0 ** math.floor(math.log10(rough))
    # The margin keeps 0.3 / 3, a hair above 0.1, from jumping to the next step.
    return next(m * power for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-9))


def ticks(low: float, high: float, at_most: int = 5) -> list[float]:
    """Round numbers within [low, high]."""
    step = tick_step(high - low, at_most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


def round_limits(low: float, high: float, at_most: int = 5) -> tuple[float, float]:
    """The range widened to round numbers; one value, up to rounding, gets a range around it."""
    largest = max(abs(low), abs(high))
    if high - low <= max(1e-9 * largest, 1e-12):
        half = largest / 2 if largest > 1e-12 else 0.5
        low, high = low - half, high + half
    step = tick_step(high - low, at_most)
    return math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step


def tick_labels(values: list[float]) -> list[str]:
    """All with the decimals that the distance between two of them needs."""
    step = abs(values[1] - values[0]) if len(values) > 1 else abs(values[0]) or 1.0
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return [format_fixed(value, decimals) for value in values]
