"""Kendall's W: how far raters order the units alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from auralign.errors import NotConvergedError
from auralign.stats.agreement.rating_matrix import complete_units
from auralign.stats.arrays import FloatArray, mid_ranks


@dataclass(frozen=True, slots=True)
class Concordance:
    """Kendall's W, without and with the correction for ties, and its test against 0.

    `chi2` is Friedman's statistic, raters * (units - 1) * `tie_corrected`, with `df` = units - 1;
    its distribution is approximate, and rough below about 7 units.
    """

    w: float
    tie_corrected: float
    chi2: float
    df: int
    p_value: float
    n_raters: int
    n_units: int
    method: str


def kendall_w(ratings: ArrayLike) -> Concordance:
    """Kendall's coefficient of concordance of `ratings`, float `[rater, unit]`.

    Kendall & Babington Smith 1939 (Ann. Math. Stat. 10:275), tie correction Kendall 1970, Rank
    Correlation Methods, ch. 6. Units that a rater did not rate (NaN) are left out. W is 1 when all
    raters rank alike, and (r (m - 1) + 1) / m for m raters whose rank correlations average r.

    Raises `DataError` with fewer than 2 raters or complete units, `NotConvergedError` when each
    rater rates all units alike.
    """
    matrix, remark = complete_units(ratings)
    m, n = matrix.shape
    ranks = np.stack([mid_ranks(row) for row in matrix])
    spread = float(((ranks.sum(axis=0) - m * (n + 1) / 2) ** 2).sum())
    largest = m**2 * (n**3 - n) / 12
    lost = m * sum(tie_term(row) for row in ranks) / 12
    if largest - lost <= 0:
        raise NotConvergedError("Kendall's W does not exist: each rater rates all units alike")
    corrected = spread / (largest - lost)
    chi2 = m * (n - 1) * corrected
    return Concordance(
        w=spread / largest,
        tie_corrected=corrected,
        chi2=chi2,
        df=n - 1,
        p_value=float(special.chdtrc(n - 1, chi2)),
        n_raters=m,
        n_units=n,
        method=f"Kendall's W{remark}",
    )


def tie_term(values: FloatArray) -> float:
    """The sum of t^3 - t over groups of t equal values; 0 without ties."""
    _, counts = np.unique(values, return_counts=True)
    return float((counts.astype(np.float64) ** 3 - counts).sum())
