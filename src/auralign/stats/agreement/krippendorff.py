"""Krippendorff's alpha, without a table of value pairs for each unit.

Alpha is one minus the disagreement observed within units over the one expected among all ratings
(Krippendorff, Content Analysis, 3rd ed. 2013, ch. 12). Every level of measurement gives a function
of the units' weights, all ones for the data themselves and counts for a bootstrap resample.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from auralign.errors import ConfigError, DataError
from auralign.stats.agreement.rating_matrix import check_not_constant, rating_matrix
from auralign.stats.arrays import BoolArray, FloatArray, IntArray, sum_by
from auralign.stats.intervals import Labels, cluster_bootstrap
from auralign.types import Estimate

LevelOfMeasurement = Literal["nominal", "ordinal", "ordinal_gwet", "interval", "ratio"]
Disagreement = Callable[[FloatArray], tuple[float, float]]

# With at most so many distinct values their table of distances is cheaper than a transform.
_TABLE_SIZE = 1024
# Larger tables are made in blocks, which is faster and takes no memory.
_CELLS_IN_CACHE = 100_000
_TINY = 1e-300


def krippendorff_alpha(ratings: ArrayLike, *, level_of_measurement: LevelOfMeasurement) -> float:
    """Krippendorff's alpha of `ratings`, float `[rater, unit]`, NaN where a rating is missing.

    1 is perfect agreement, 0 what chance gives; units with one rating are left out. The squared
    distance of the ratings c and k is, by level of measurement,

    nominal        1 unless c = k
    ordinal        the squared difference of their mid-ranks among all ratings (Krippendorff)
    ordinal_gwet   the number of pairs of categories from c to k, d (d + 1) / 2 for categories d
                   apart among those that occur (Gwet 2014, Handbook of Inter-Rater Reliability;
                   irrCAC calls this one ordinal)
    interval       (c - k)^2
    ratio          ((c - k) / (c + k))^2, for ratings that are not negative

    Interval takes O(n) for n ratings of whatever values. Nominal, ordinal and ordinal_gwet take
    O(n) for whole numbers and O(n log n) else. Ratio takes O(n (raters + q)), where q is about
    2 (40 + log(largest / smallest)), and is exact to rounding.

    Raises `DataError` when no unit has two ratings or a ratio is negative, `NotConvergedError`
    when all ratings are equal (0/0), `ConfigError` for an unknown level.
    """
    units = _pairable(ratings)
    observed, expected = _disagreement(units, level_of_measurement)(np.ones(len(units.size)))
    return 1 - observed / expected


def krippendorff_interval(
    ratings: ArrayLike,
    *,
    level_of_measurement: LevelOfMeasurement,
    rng: np.random.Generator,
    clusters: Labels | None = None,
    n_resamples: int = 1000,
    level: float = 0.95,
) -> Estimate:
    """`krippendorff_alpha` with a percentile interval from resampling units.

    `clusters` are labels `[unit]`, for example prompts, that are drawn whole; None draws units.
    The raters are taken as given. Raises as `krippendorff_alpha` and `cluster_bootstrap` do.
    """
    units = _pairable(ratings)
    disagreement = _disagreement(units, level_of_measurement)
    _, chance = disagreement(np.ones(len(units.size)))

    def alpha(counts: IntArray) -> float:
        observed, expected = disagreement(counts.astype(np.float64))
        return 1 - observed / expected if expected > 1e-12 * chance else float("nan")

    labels = np.asarray(np.arange(len(units.kept)) if clusters is None else clusters)
    if len(labels) != len(units.kept):
        raise DataError(
            f"expected a cluster for each of {len(units.kept)} units, got {len(labels)}"
        )
    estimate = cluster_bootstrap(
        alpha, labels[units.kept], rng=rng, n_resamples=n_resamples, level=level
    )
    method = f"Krippendorff's alpha, {level_of_measurement}; {estimate.method}"
    return replace(estimate, n=int(units.size.sum()), method=method)


@dataclass(frozen=True, eq=False)
class _Units:
    """Ratings `[row, unit]` of the units with two or more; rows are not raters any more."""

    values: FloatArray
    present: BoolArray
    size: FloatArray
    kept: BoolArray


def _pairable(ratings: ArrayLike) -> _Units:
    matrix = rating_matrix(ratings)
    present = ~np.isnan(matrix)
    size = present.sum(axis=0)
    kept = size >= 2
    if not kept.any():
        raise DataError("agreement needs at least one unit with two ratings, found none")
    if not kept.all():
        matrix, present, size = matrix[:, kept], present[:, kept], size[kept]
    if size.max() < len(matrix):
        # In a thin table most cells are empty: move the others to the top.
        order = np.argsort(~present, axis=0, kind="stable")[: size.max()]
        matrix, present = (np.take_along_axis(a, order, axis=0) for a in (matrix, present))
    check_not_constant(matrix)
    filled = matrix if present.all() else np.where(present, matrix, np.nanmin(matrix))
    return _Units(filled, present, size.astype(np.float64), kept)


def _disagreement(units: _Units, level_of_measurement: str) -> Disagreement:
    if level_of_measurement not in _LEVELS:
        raise ConfigError(
            f"level_of_measurement must be one of {', '.join(_LEVELS)}, "
            f"got '{level_of_measurement}'"
        )
    return _LEVELS[level_of_measurement](units)


def _interval(units: _Units) -> Disagreement:
    total, squares = _moments(units, units.values - units.values.mean())
    return lambda weight: _squared_difference(units, total, squares, weight)


def _ordinal(units: _Units) -> Disagreement:
    code, _ = _codes(units)

    def disagreement(weight: FloatArray) -> tuple[float, float]:
        frequency = _frequency(units, code, weight)
        mid_rank = np.cumsum(frequency) - frequency / 2
        ranks = (mid_rank - frequency.sum() / 2)[code]
        return _squared_difference(units, *_moments(units, ranks), weight)

    return disagreement


def _ordinal_gwet(units: _Units) -> Disagreement:
    code, _ = _codes(units)
    occurs = _frequency(units, code, np.ones(len(units.size))) > 0
    place = (np.cumsum(occurs) - 1)[code].astype(np.float64)
    total, squares = _moments(units, place - place.mean())
    within = _absolute_differences(units, place) / (units.size - 1)

    def disagreement(weight: FloatArray) -> tuple[float, float]:
        observed, expected = _squared_difference(units, total, squares, weight)
        below = np.cumsum(_frequency(units, code, weight)[occurs])
        n = below[-1]
        spread = float(2 * below @ (n - below) / (n * (n - 1)))
        return (observed + float(weight @ within / n)) / 2, (expected + spread) / 2

    return disagreement


def _nominal(units: _Units) -> Disagreement:
    code, names = _codes(units)

    def chance(weight: FloatArray) -> float:
        frequency = _frequency(units, code, weight)
        return float(frequency.sum() ** 2 - frequency @ frequency)

    alike = _alike(units, code, len(names))
    return _from_totals(units, (units.size**2 - alike) / (units.size - 1), chance)


def _ratio(units: _Units) -> Disagreement:
    if units.values.min() < 0:
        raise DataError(
            f"ratings on a ratio scale cannot be negative, got {units.values.min():g}; "
            "take 'interval' where zero is not an absence"
        )
    code, names = _codes(units)
    chance = _ratio_table(units, code, names) if len(names) <= _TABLE_SIZE else _ratio_series(units)
    return _from_totals(units, _ratio_within(units) / (units.size - 1), chance)


def _from_totals(
    units: _Units, observed: FloatArray, chance: Callable[[FloatArray], float]
) -> Disagreement:
    """From each unit's own disagreement, and the sum of distances over all pairs of ratings."""

    def disagreement(weight: FloatArray) -> tuple[float, float]:
        n = float(weight @ units.size)
        return float(weight @ observed) / n, chance(weight) / (n * (n - 1))

    return disagreement


def _moments(units: _Units, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Sums and sums of squares of each unit."""
    found = values if units.present.all() else np.where(units.present, values, 0.0)
    return found.sum(axis=0), np.einsum("ru,ru->u", found, found)


def _squared_difference(
    units: _Units, total: FloatArray, squares: FloatArray, weight: FloatArray
) -> tuple[float, float]:
    size, n = units.size, float(weight @ units.size)
    observed = weight @ ((size * squares - total**2) / (size - 1)) / n
    expected = (n * (weight @ squares) - (weight @ total) ** 2) / (n * (n - 1))
    return 2 * float(observed), 2 * float(expected)


def _absolute_differences(units: _Units, values: FloatArray) -> FloatArray:
    """For each unit the sum of |c - k| over ordered pairs of ratings, from their order."""
    ordered = np.sort(np.where(units.present, values, np.inf), axis=0)
    place = np.arange(len(ordered))[:, None]
    factor = np.where(place < units.size, 2 * place - units.size + 1, 0)
    totals: FloatArray = 2 * (factor * np.where(np.isfinite(ordered), ordered, 0)).sum(axis=0)
    return totals


def _codes(units: _Units) -> tuple[IntArray, FloatArray]:
    """For each rating `[row, unit]` its place among the values, and the values, ascending."""
    values = units.values
    lowest, highest = values.min(), values.max()
    if highest - lowest <= values.size:
        steps = values - lowest
        whole: IntArray = steps.astype(np.int64)
        # Whole numbers are codes already; gaps between them do no harm, and nothing is sorted.
        if np.array_equal(whole, steps):
            return whole, np.arange(int(steps.max()) + 1) + lowest
    names, code = np.unique(values, return_inverse=True)
    return code.reshape(values.shape), names


def _frequency(units: _Units, code: IntArray, weight: FloatArray) -> FloatArray:
    """How often each code occurs, a unit counting its weight."""
    weights = units.present * weight
    return sum_by(code.ravel(), weights.ravel(), 0)


def _alike(units: _Units, code: IntArray, n_codes: int) -> FloatArray:
    """For each unit the number of ordered pairs of equal ratings, each with itself included."""
    if n_codes <= 16 * len(code):
        blocks = _blocks(len(units.size), _CELLS_IN_CACHE // n_codes)
        return np.concatenate([_alike_block(code[:, b], units.present[:, b]) for b in blocks])
    key = (np.arange(len(units.size)) * n_codes + code)[units.present]
    cells, counts = np.unique(key, return_counts=True)
    return sum_by(cells // n_codes, counts.astype(np.float64) ** 2, len(units.size))


def _alike_block(code: IntArray, present: BoolArray) -> FloatArray:
    """From a table of counts `[unit, code]`."""
    n_units, n_codes = code.shape[1], int(code.max()) + 1
    key = np.arange(n_units) * n_codes + code
    counts = np.bincount(key[present], minlength=n_units * n_codes).reshape(n_units, n_codes)
    alike: FloatArray = np.einsum("uc,uc->u", counts, counts) * 1.0
    return alike


def _blocks(n: int, size: int) -> list[slice]:
    size = max(size, 1)
    return [slice(begin, begin + size) for begin in range(0, n, size)]


def _ratio_within(units: _Units) -> FloatArray:
    """For each unit the sum of distances over ordered pairs of ratings."""
    # So small a number in place of 0 has distance 1 from all others and 0 from its like.
    positive = np.maximum(units.values, _TINY)
    blocks = _blocks(len(units.size), _CELLS_IN_CACHE // len(positive))
    return np.concatenate([_ratio_block(positive[:, b], units.present[:, b]) for b in blocks])


def _ratio_block(values: FloatArray, present: BoolArray) -> FloatArray:
    totals = np.zeros(values.shape[1])
    for shift in range(1, len(values)):
        distance = values[:-shift] - values[shift:]
        distance /= values[:-shift] + values[shift:]
        distance *= present[:-shift] & present[shift:]
        totals += 2 * np.einsum("ru,ru->u", distance, distance)
    return totals


def _ratio_table(units: _Units, code: IntArray, names: FloatArray) -> Callable[[FloatArray], float]:
    positive = np.maximum(names, _TINY)
    distance = ((positive[:, None] - positive) / (positive[:, None] + positive)) ** 2

    def chance(weight: FloatArray) -> float:
        frequency = _frequency(units, code, weight)
        return float(frequency @ distance @ frequency)

    return chance


def _ratio_series(units: _Units) -> Callable[[FloatArray], float]:
    """The sum of distances by a Fourier series in the logarithm of the ratings.

    With d = log c - log k the distance is 1 - sech(d / 2)^2. The transform of sech(d / 2)^2 is
    4 pi w / sinh(pi w), so a short trapezoid sum of |sum of exp(i w log c)|^2 gives the sum over
    all pairs: the logistic kernel is gone, to 1e-17, at a distance of 40 and at w = 13.5.
    """
    positive = units.present & (units.values > 0)
    log = np.log(units.values, out=np.zeros(units.values.shape), where=positive)
    step = 2 * np.pi / (np.ptp(log[positive]) + 40)
    frequency = step * np.arange(1, int(np.ceil(13.5 / step)) + 1)
    kernel = step / np.pi * 4 * np.pi * frequency / np.sinh(np.pi * frequency)
    n_positive = positive.sum(axis=0)
    sums = _power_sums(np.exp(1j * step * log), positive, len(frequency))

    def chance(weight: FloatArray) -> float:
        n, zeros = weight @ n_positive, weight @ (units.size - n_positive)
        near = 2 * step / np.pi * n**2 + kernel @ np.abs(sums @ weight) ** 2
        return float(n**2 - near + 2 * n * zeros)

    return chance


def _power_sums(
    base: np.ndarray[tuple[int, ...], np.dtype[np.complex128]], counted: BoolArray, n_powers: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.complex128]]:
    """For each power from 1 and each unit the sum of the powers of `base`: `[power, unit]`."""
    sums = np.empty((n_powers, base.shape[1]), dtype=np.complex128)
    power = counted.astype(np.complex128)
    for row in sums:
        power *= base
        row[:] = power.sum(axis=0)
    return sums


_LEVELS: dict[str, Callable[[_Units], Disagreement]] = {
    "nominal": _nominal,
    "ordinal": _ordinal,
    "ordinal_gwet": _ordinal_gwet,
    "interval": _interval,
    "ratio": _ratio,
}
