"""Intervals by which any two items of a table may be compared by eye (Firth & de Menezes 2004)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from auralign.errors import NotConvergedError
from auralign.stats.arrays import FloatArray, IntArray
from auralign.stats.pairs.quasi_variances import quasi_variances_of
from auralign.stats.studies.clustering import ItemErrors


@dataclass(frozen=True, eq=False)
class ComparisonIntervals:
    """Quasi-variances and half widths `[items]`, NaN where they do not exist.

    worst_error   the largest relative error of a difference's standard error made that way
    """

    variances: FloatArray
    half_width: FloatArray
    worst_error: float

    def variance(self, item: int) -> float | None:
        """Of one item, None where it does not exist."""
        found = float(self.variances[item])
        return found if np.isfinite(found) else None

    def interval(self, item: int, value: float) -> tuple[float, float] | None:
        """Around the value of one item, None where it does not exist."""
        half = float(self.half_width[item])
        return (value - half, value + half) if np.isfinite(half) else None


def comparison_intervals(
    errors: ItemErrors, block: IntArray, level: float
) -> ComparisonIntervals | None:
    """From the errors of all differences within blocks `[items]`; None where there are none."""
    if errors.differences is None:
        return None
    variances, worst = np.full(len(block), np.nan), 0.0
    for k in np.unique(block):
        members = np.flatnonzero(block == k)
        if len(members) < 2:
            continue
        squared = errors.differences[np.ix_(members, members)] ** 2
        try:
            variances[members] = quasi_variances_of(squared)
        except NotConvergedError:
            return None
        worst = max(worst, _worst_error(variances[members], squared))
    roots = np.sqrt(np.where(variances >= 0, variances, np.nan))
    width = errors.half_width(level)
    student = np.divide(
        width, errors.items, out=np.full(len(roots), np.nan), where=errors.items > 0
    )
    return ComparisonIntervals(variances, student * roots, worst)


def _worst_error(variances: FloatArray, squared: FloatArray) -> float:
    off = ~np.eye(len(variances), dtype=np.bool_)
    ratio = (variances[:, None] + variances)[off] / squared[off]
    return float(np.abs(np.sqrt(ratio) - 1).max())
