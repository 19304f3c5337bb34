"""Wilcoxon's signed-rank test."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from auralign.errors import ConfigError, DataError
from auralign.stats.arrays import FloatArray, mid_ranks
from auralign.stats.hypotheses.result import Alternative, HypothesisTest, check_alternative
from auralign.stats.intervals import check_level
from auralign.types import Estimate

Zeros = Literal["wilcoxon", "pratt"]

# Up to here the distribution is counted out, ties and all.
_LARGEST_EXACT = 100


def wilcoxon_signed_rank(
    differences: ArrayLike,
    *,
    alternative: Alternative = "two-sided",
    zeros: Zeros = "wilcoxon",
    level: float = 0.95,
) -> HypothesisTest:
    """Test that `differences` `[n]`, one a listener, are symmetric about zero.

    The statistic is the sum of the ranks of positive differences (Wilcoxon 1945, Biometrics
    Bull. 1:80). Zeros are left out before ranking ("wilcoxon") or after it ("pratt": Pratt 1959,
    JASA 54:655), NaNs always, and `method` says how many zeros. Differences that are equal to 12
    digits of the largest are ties. Up to 100 differences the p-value is exact given the ties,
    beyond it is normal with the tie-corrected variance, not corrected for continuity. The effect
    is the Hodges-Lehmann estimate of the median difference, with the interval from ordered Walsh
    averages (all differences, zeros too).

    Raises `DataError` when no difference but zeros is left.
    """
    check_alternative(alternative)
    check_level(level)
    if zeros not in ("wilcoxon", "pratt"):
        raise ConfigError(f"zeros must be 'wilcoxon' or 'pratt', got '{zeros}'")
    values = np.asarray(differences, dtype=np.float64)
    present = without_rounding(values[np.isfinite(values)])
    ranked = present if zeros == "pratt" else present[present != 0]
    if not ranked.any():
        raise DataError(
            f"a signed-rank test needs a difference that is not zero, got {len(present)} zeros"
        )
    rank, positive = mid_ranks(np.abs(ranked))[ranked != 0], ranked[ranked != 0] > 0
    statistic = float(rank[positive].sum())
    exact = len(rank) <= _LARGEST_EXACT
    below, above = (_exact_tails if exact else _normal_tails)(rank, statistic)
    p_value = {"less": below, "greater": above}.get(alternative, min(1.0, 2 * min(below, above)))
    n_zero = int((present == 0).sum())
    method = f"Wilcoxon signed-rank test, {'exact' if exact else 'normal approximation'}" + (
        f"; {n_zero} zeros left out {_WHEN[zeros]} ranking" if n_zero else ""
    )
    return HypothesisTest(
        method, statistic, p_value, len(rank), alternative, hodges_lehmann(present, level=level)
    )


def hodges_lehmann(differences: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Median of the means of all pairs of `differences` `[n]`, each with itself included.

    Hodges & Lehmann 1963 (Ann. Math. Stat. 34:598). The interval leaves out as many of these
    Walsh averages at each end as the signed-rank test allows; with fewer differences than the
    level asks for (6 for 95 %) it is unbounded. Found in O(n log n). Raises `DataError` for none.
    """
    check_level(level)
    ordered = np.sort(np.asarray(differences, dtype=np.float64))
    n = len(ordered)
    if not n or not np.isfinite(ordered).all():
        raise DataError(f"expected finite differences, got {n} with a missing one or none at all")
    n_averages = n * (n + 1) // 2
    middle = [_walsh_average(ordered, k) for k in {(n_averages + 1) // 2, n_averages // 2 + 1}]
    left_out = _left_out(n, (1 - level) / 2)
    low, high = -np.inf, np.inf
    if left_out >= 0:
        low = _walsh_average(ordered, left_out + 1)
        high = _walsh_average(ordered, n_averages - left_out)
    method = "Hodges-Lehmann median difference; interval of the signed-rank test"
    return Estimate(float(np.mean(middle)), low, high, level, n, n, method)


def without_rounding(values: FloatArray, *, largest: float | None = None) -> FloatArray:
    """`values` to 12 digits of the largest: means that are equal on paper are ties and zeros."""
    unit = float(np.nanmax(np.abs(values), initial=0.0)) if largest is None else largest
    return np.round(values / unit, 12) * unit if unit > 0 else values


def _exact_tails(rank: FloatArray, statistic: float) -> tuple[float, float]:
    """P(T <= statistic) and P(T >= statistic) when each rank counts or not with probability 1/2."""
    # Twice a mid-rank is whole.
    mass = _sum_distribution(np.rint(2 * rank).astype(np.int64))
    at = round(2 * statistic)
    return float(mass[: at + 1].sum()), float(mass[at:].sum())


def _sum_distribution(steps: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> FloatArray:
    mass = np.zeros(int(steps.sum()) + 1)
    mass[0] = 1.0
    for step in steps.tolist():
        mass[step:] = (mass[step:] + mass[: len(mass) - step]) / 2
        mass[:step] /= 2
    return mass


def _normal_tails(rank: FloatArray, statistic: float) -> tuple[float, float]:
    z = (statistic - rank.sum() / 2) / np.sqrt((rank**2).sum() / 4)
    return float(special.ndtr(z)), float(special.ndtr(-z))


def _left_out(n: int, tail: float) -> int:
    """The largest t with P(T <= t) <= tail, -1 where there is none; T is the statistic of n."""
    if n <= _LARGEST_EXACT:
        cumulative = np.cumsum(_sum_distribution(np.arange(1, n + 1)))
        return int(np.searchsorted(cumulative, tail, side="right")) - 1
    mean, variance = n * (n + 1) / 4, n * (n + 1) * (2 * n + 1) / 24
    return int(mean + special.ndtri(tail) * variance**0.5 - 0.5)


def _walsh_average(ordered: FloatArray, k: int) -> float:
    """The k-th smallest mean of two, by halving an interval and counting pairs below it."""
    low, high = float(ordered[0]), float(ordered[-1])
    if _count_pairs(ordered, low) >= k:
        return low
    while (middle := (low + high) / 2) not in (low, high):
        if _count_pairs(ordered, middle) >= k:
            high = middle
        else:
            low = middle
    return high


def _count_pairs(ordered: FloatArray, mean: float) -> int:
    """Pairs (with itself included) whose mean is at most `mean`."""
    partners = np.searchsorted(ordered, 2 * mean - ordered, side="right")
    return int(np.maximum(partners - np.arange(len(ordered)), 0).sum())


_WHEN = {"wilcoxon": "before", "pratt": "after"}
