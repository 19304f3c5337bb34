"""Cohen's kappa of two raters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from auralign.errors import DataError, NotConvergedError
from auralign.stats.agreement.category_counts import CategoryWeights, Kappa, category_weights
from auralign.stats.arrays import FloatArray
from auralign.stats.intervals import check_level
from auralign.types import Estimate


def cohen_kappa(
    first: ArrayLike,
    second: ArrayLike,
    *,
    weights: CategoryWeights = "identity",
    categories: Sequence[float] | None = None,
    level: float = 0.95,
) -> Kappa:
    """Agreement of two raters beyond that of raters who draw from their own categories.

    `first` and `second` are the ratings `[unit]` of one rater each, NaN where missing; units that
    either did not rate are left out, and `method` says how many. Cohen 1960 (Educ. Psychol. Meas.
    20:37), weighted Cohen 1968 (Psychol. Bull. 70:213); the interval is normal, with the standard
    error of Fleiss, Cohen & Everitt 1969 (Psychol. Bull. 72:323, eq. 9).

    Raises `DataError` for unequal lengths or no unit that both rated, `NotConvergedError` when
    both put all units into one category.
    """
    check_level(level)
    shares, values, n, remark = _joint_shares(first, second, categories)
    weight = category_weights(weights, values)
    by_first, by_second = shares.sum(axis=1), shares.sum(axis=0)
    observed = float((shares * weight).sum())
    expected = float(by_first @ weight @ by_second)
    if expected > 1 - 1e-12:
        raise NotConvergedError(
            "Cohen's kappa does not exist: both raters put all units into one category, so chance "
            "agreement is 1 (0/0)"
        )
    kappa = (observed - expected) / (1 - expected)
    margins = (weight @ by_second)[:, None] + by_first @ weight
    spread = (shares * (weight - margins * (1 - kappa)) ** 2).sum()
    variance = (spread - (kappa - expected * (1 - kappa)) ** 2) / (n * (1 - expected) ** 2)
    half = special.ndtri((1 + level) / 2) * np.sqrt(max(float(variance), 0.0))
    method = f"Cohen's kappa, {weights} weights; large-sample normal interval{remark}"
    low, high = max(kappa - half, -1.0), min(kappa + half, 1.0)
    return Kappa(Estimate(kappa, float(low), float(high), level, n, n, method), observed, expected)


def _joint_shares(
    first: ArrayLike, second: ArrayLike, categories: Sequence[float] | None
) -> tuple[FloatArray, FloatArray, int, str]:
    """Shares `[category, category]`, the categories, the number of units, and who is missing."""
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1:
        raise DataError(f"expected two lists of ratings of one length, got {x.shape}, {y.shape}")
    both = np.isfinite(x) & np.isfinite(y)
    if not both.any():
        raise DataError("Cohen's kappa needs units that both raters rated, found none")
    pair = np.stack([x[both], y[both]])
    values = np.unique(pair if categories is None else np.asarray(categories, dtype=np.float64))
    if not np.isin(pair, values).all():
        strange = pair[~np.isin(pair, values)][0]
        raise DataError(f"the rating {strange:g} is not one of the categories {values.tolist()}")
    code = np.searchsorted(values, pair)
    cells = np.bincount(code[0] * len(values) + code[1], minlength=len(values) ** 2)
    n, missing = int(both.sum()), int((~both).sum())
    remark = f" ({missing} of {len(x)} units left out, one rating missing)" if missing else ""
    return cells.reshape(len(values), -1) / n, values, n, remark
