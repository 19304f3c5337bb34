"""Coefficients of agreement from counts of categories: what they share.

A coefficient is (observed - expected) / (1 - expected). Its standard error is Gwet's linearisation
over units (Gwet 2008, Br. J. Math. Stat. Psychol. 61:29; Gwet 2014, Handbook of Inter-Rater
Reliability, 4th ed., ch. 5): each unit has a value, and these are as good as independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from auralign.errors import ConfigError, DataError, NotConvergedError
from auralign.stats.agreement.rating_matrix import rating_matrix
from auralign.stats.arrays import FloatArray
from auralign.stats.intervals import check_level
from auralign.types import Estimate

CategoryWeights = Literal["identity", "linear", "quadratic", "ordinal"]


@dataclass(frozen=True, slots=True)
class Kappa:
    """A chance-corrected coefficient, with the agreement observed and the one due to chance."""

    estimate: Estimate
    observed: float
    expected: float


@dataclass(frozen=True, eq=False)
class CategoryCounts:
    """How often each unit was put into each category, `[unit, category]`, and weights between."""

    categories: FloatArray
    counts: FloatArray
    weights: FloatArray

    @property
    def shares(self) -> FloatArray:
        """The share of each category in each unit, `[unit, category]`."""
        shares: FloatArray = self.counts / self.counts.sum(axis=1, keepdims=True)
        return shares


def category_weights(kind: CategoryWeights, categories: ArrayLike) -> FloatArray:
    """How far categories agree, `[category, category]`: 1 for equal ones, 0 for the ends.

    `categories` are their values `[category]`, ascending. identity counts equal ones only; linear
    and quadratic fall with the distance of the values; ordinal falls with d (d + 1) / 2, where d
    is the distance in places (Gwet 2014, ch. 3). Raises `ConfigError` for another kind.
    """
    values = np.asarray(categories, dtype=np.float64)
    places = np.arange(len(values), dtype=np.float64)
    if kind not in _DISTANCES:
        raise ConfigError(f"weights must be one of {', '.join(_DISTANCES)}, got '{kind}'")
    axis = places if kind == "ordinal" else values
    distance = _DISTANCES[kind](np.abs(axis[:, None] - axis))
    farthest = distance.max(initial=0.0)
    weights: FloatArray = 1 - distance / farthest if farthest > 0 else np.ones(distance.shape)
    return weights


def category_counts(
    ratings: ArrayLike, weights: CategoryWeights, categories: Sequence[float] | None
) -> CategoryCounts:
    """Counts of the categories in `ratings`, `[rater, unit]`, of units with at least one rating.

    `categories` are those of the scale; None takes those that occur. Raises `DataError` when no
    unit has two ratings or a rating is not a category.
    """
    matrix = rating_matrix(ratings)
    names = np.unique(matrix[np.isfinite(matrix)] if categories is None else categories)
    counts = np.stack([(matrix == name).sum(axis=0) for name in names], axis=1) * 1.0
    rated = np.isfinite(matrix).sum(axis=0)
    if not np.array_equal(rated, counts.sum(axis=1)):
        strange = matrix[np.isfinite(matrix) & ~np.isin(matrix, names)][0]
        raise DataError(f"the rating {strange:g} is not one of the categories {names.tolist()}")
    if not (rated >= 2).any():
        raise DataError("agreement needs at least one unit with two ratings, found none")
    return CategoryCounts(names, counts[rated > 0], category_weights(weights, names))


def observed_agreement(table: CategoryCounts) -> tuple[float, FloatArray]:
    """Weighted agreement of pairs of raters, and each unit's share in it (they average to it)."""
    counts = table.counts
    size = counts.sum(axis=1)
    pairable = size >= 2
    agreeing = (counts * (counts @ table.weights - 1)).sum(axis=1)
    pairs = np.where(pairable, size * (size - 1), 1)
    by_unit = np.where(pairable, agreeing / pairs, 0.0) * (len(size) / pairable.sum())
    return float(by_unit.mean()), by_unit


def chance_corrected(
    name: str, table: CategoryCounts, expected: float, by_unit: FloatArray, level: float
) -> Kappa:
    """The coefficient with Student's t interval over units.

    `by_unit` `[unit]` is what expected agreement would be with the categories of that unit
    against those of all units (its influence); equal to `expected` where chance is a constant.
    Raises `NotConvergedError` when agreement is expected to be perfect.
    """
    check_level(level)
    observed, observed_by_unit = observed_agreement(table)
    if expected > 1 - 1e-12:
        raise NotConvergedError(
            f"{name} does not exist: all ratings are in one category, so chance agreement is 1 "
            "(0/0); percent_agreement does"
        )
    value = (observed - expected) / (1 - expected)
    size = table.counts.sum(axis=1)
    # A unit with one rating has no agreement of its own: its value is 0, not the coefficient.
    share = np.where(size >= 2, len(size) / (size >= 2).sum(), 0.0)
    own = (observed_by_unit - share * expected) / (1 - expected)
    own = own - 2 * (1 - value) * (by_unit - expected) / (1 - expected)
    return Kappa(_over_units(name, value, own, int(size.sum()), level), observed, expected)


def _over_units(name: str, value: float, by_unit: FloatArray, n: int, level: float) -> Estimate:
    n_units = len(by_unit)
    if n_units < 2:
        return Estimate(value, np.nan, np.nan, level, n, n_units, f"{name}; one unit, no interval")
    error = np.sqrt(((by_unit - value) ** 2).sum() / (n_units * (n_units - 1)))
    half = special.stdtrit(n_units - 1, (1 + level) / 2) * float(error)
    method = f"{name}; standard error {error:.5g} by Gwet's linearisation, Student's t over units"
    return Estimate(
        value, float(value - half), min(float(value + half), 1.0), level, n, n_units, method
    )


_DISTANCES = {
    "identity": lambda d: (d > 0).astype(np.float64),
    "linear": lambda d: d,
    "quadratic": lambda d: d**2,
    "ordinal": lambda d: d * (d + 1) / 2,
}
