"""How important listeners find several criteria, together: weights that sum to one.

Weights live on a simplex, where only ratios mean something, so arithmetic means and standard
deviations mislead: one extreme listener turns the group's ratios around. The group's weights are
the normalised geometric mean (Aczel & Saaty 1983, J. Math. Psychol. 27:93; Mohammadi et al.,
Unveiling and unraveling aggregation and dispersion fallacies in group MCDM), distances are
Aitchison's, and spreads are taken of centred log-ratios (Aitchison 1986).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from auralign.errors import DataError
from auralign.stats.arrays import FloatArray


@dataclass(frozen=True, eq=False)
class GroupWeights:
    """Weights of a group for `criteria`, and how far its listeners are from them.

    weights               normalised geometric mean `[criterion]`, sums to 1
    spread                standard deviation of centred log-ratios `[criterion]`
    distance              Aitchison distance of each listener's weights from the group's `[rater]`
    probability_greater   `[criterion, criterion]`: posterior probability that the row's weight is
                          larger than the column's in the mean of all such listeners; NaN with one
    """

    criteria: tuple[str, ...]
    weights: FloatArray
    spread: FloatArray
    distance: FloatArray
    probability_greater: FloatArray


def group_weights(weights: ArrayLike, criteria: Sequence[str]) -> GroupWeights:
    """The weights of a group from those of its listeners, float `[rater, criterion]`.

    Rows need not sum to 1: a slider's length does not matter. The posterior takes log-ratios as
    normal with unknown mean and variance (flat prior: Student's t). Raises `DataError` for a
    weight that is not positive, because no ratio exists with it, or a criterion without a name.
    """
    table = np.asarray(weights, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != len(criteria) or not table.size:
        raise DataError(
            f"weights must be [rater, criterion] with {len(criteria)} criteria, got {table.shape}"
        )
    if not (np.isfinite(table) & (table > 0)).all():
        rater, criterion = np.argwhere(~(np.isfinite(table) & (table > 0)))[0]
        raise DataError(
            f"rater {rater} gives '{criteria[criterion]}' the weight {table[rater, criterion]:g}: "
            "weights are ratios and must be positive; replace zeros by the smallest step of the "
            "slider, or leave the criterion out"
        )
    log = np.log(table)
    centred = log - log.mean(axis=1, keepdims=True)
    centre = centred.mean(axis=0)
    several = len(table) > 1
    return GroupWeights(
        criteria=tuple(criteria),
        weights=np.exp(centre) / np.exp(centre).sum(),
        spread=centred.std(axis=0, ddof=1) if several else np.full(len(criteria), np.nan),
        distance=np.sqrt(((centred - centre) ** 2).sum(axis=1)),
        probability_greater=_probability_greater(log),
    )


def aitchison_distance(first: ArrayLike, second: ArrayLike) -> float:
    """Distance of two weightings `[criterion]`: Euclidean between centred log-ratios.

    Raises `DataError` for unequal lengths or weights that are not positive.
    """
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1 or not ((x > 0) & (y > 0)).all():
        raise DataError("expected two lists of positive weights of one length")
    ratio = np.log(x / y)
    return float(np.sqrt(((ratio - ratio.mean()) ** 2).sum()))


def _probability_greater(log: FloatArray) -> FloatArray:
    n, k = log.shape
    if n < 2:
        return np.full((k, k), np.nan)
    ratio = log[:, :, None] - log[:, None, :]
    mean, error = ratio.mean(axis=0), ratio.std(axis=0, ddof=1) / n**0.5
    sure = np.where(mean == 0, 0.0, np.copysign(np.inf, mean))
    t = np.divide(mean, error, out=sure, where=error > 0)
    probability: FloatArray = np.asarray(special.stdtr(n - 1, t))
    np.fill_diagonal(probability, 0.5)
    return probability
