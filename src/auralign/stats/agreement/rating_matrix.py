"""Ratings as a matrix `[rater, unit]`, NaN where a rating is missing."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from auralign.errors import DataError, NotConvergedError
from auralign.stats.arrays import FloatArray


def rating_matrix(ratings: ArrayLike) -> FloatArray:
    """`ratings` as float `[rater, unit]`; raises `DataError` for another shape or infinities."""
    matrix = np.asarray(ratings, dtype=np.float64)
    if matrix.ndim != 2:
        raise DataError(f"ratings must be [rater, unit], got {matrix.ndim} dimensions")
    if np.isinf(matrix).any():
        rater, unit = np.argwhere(np.isinf(matrix))[0]
        raise DataError(f"rating of rater {rater} for unit {unit} is infinite; NaN means missing")
    return matrix


def complete_units(ratings: ArrayLike, *, least: int = 2) -> tuple[FloatArray, str]:
    """The units that every rater rated, `[rater, complete unit]`, and a remark on the others.

    Raises `DataError` with one rater or fewer than `least` complete units, `NotConvergedError`
    when all ratings are equal.
    """
    matrix = rating_matrix(ratings)
    complete = np.isfinite(matrix).all(axis=0)
    kept = matrix[:, complete]
    if len(kept) < 2 or kept.shape[1] < least:
        raise DataError(
            f"expected at least 2 raters and {least} units that all of them rated, got "
            f"{len(kept)} raters and {kept.shape[1]} such units of {matrix.shape[1]}; "
            "Krippendorff's alpha takes missing ratings"
        )
    check_not_constant(kept)
    missing = int((~complete).sum())
    return kept, f" ({missing} of {matrix.shape[1]} units incomplete, left out)" if missing else ""


def check_not_constant(values: FloatArray) -> None:
    """Raise `NotConvergedError` when all ratings are equal: agreement beyond chance is 0/0."""
    if np.nanmin(values) == np.nanmax(values):
        raise NotConvergedError(
            f"the coefficient does not exist: all ratings are equal ({np.nanmin(values):g}), so "
            "there is nothing to agree about beyond chance (0/0)"
        )
