"""Means of values that come in clusters: ratings of one listener, or of one item, move together."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from auralign.errors import DataError
from auralign.stats.arrays import FloatArray, IntArray, sum_by
from auralign.stats.intervals import Labels, check_level
from auralign.types import Estimate


def mean_over_clusters(values: ArrayLike, clusters: Labels, *, level: float = 0.95) -> Estimate:
    """Mean of `values` `[n]` with Student's t interval over `clusters`, labels `[n]`.

    The variance is that of cluster totals of residuals, times C / (C - 1), with C - 1 degrees of
    freedom (Liang & Zeger 1986, Biometrika 73:13); with one value a cluster it is the usual
    interval. One cluster gives none. Raises `DataError` for no values or unequal lengths.
    """
    check_level(level)
    y, (cluster,) = _checked(values, clusters)
    n, n_clusters, mean = len(y), int(cluster.max()) + 1, float(y.mean())
    if n_clusters == 1:
        return Estimate(mean, np.nan, np.nan, level, n, 1, "mean; one cluster, no interval")
    error = _variance(y - mean, cluster) ** 0.5
    half = float(special.stdtrit(n_clusters - 1, (1 + level) / 2)) * error
    method = f"mean; Student's t over {n_clusters} clusters"
    return Estimate(mean, mean - half, mean + half, level, n, n_clusters, method)


def mean_over_raters_and_items(
    values: ArrayLike, raters: Labels, items: Labels, *, level: float = 0.95
) -> Estimate:
    """Mean of `values` `[n]`, with an interval for new raters *and* new items, labels `[n]`.

    The variance is the one over raters plus the one over items minus the one over their cells,
    which both count (Cameron, Gelbach & Miller 2011, J. Bus. Econ. Stat. 29:238), at least the
    larger of the two; Student's t with the smaller number of clusters minus 1. A side with one
    label is left out, and `method` says so. Raises `DataError` for no values or unequal lengths.
    """
    check_level(level)
    y, sides = _checked(values, raters, items)
    n, mean = len(y), float(y.mean())
    sizes = {name: int(side.max()) + 1 for name, side in zip(_SIDES, sides, strict=True)}
    used = {name: side for name, side in zip(_SIDES, sides, strict=True) if sizes[name] > 1}
    over = " and ".join(f"{size} {name}{'s' * (size > 1)}" for name, size in sizes.items())
    if not used:
        return Estimate(mean, np.nan, np.nan, level, n, 1, f"mean over {over}; no interval")
    variances = [_variance(y - mean, side) for side in used.values()]
    total = variances[0]
    if len(used) == 2:
        cell = np.unique(sides[0] * sizes[_SIDES[1]] + sides[1], return_inverse=True)[1]
        total = max(sum(variances) - _variance(y - mean, cell), *variances)
    n_clusters = min(sizes[name] for name in used)
    half = float(special.stdtrit(n_clusters - 1, (1 + level) / 2)) * total**0.5
    only = "" if len(used) == 2 else f" (variance over {next(iter(used))}s only)"
    method = f"mean over {over}; Student's t on {n_clusters - 1}{only}"
    return Estimate(mean, mean - half, mean + half, level, n, n_clusters, method)


_SIDES = ("rater", "item")


def _variance(residual: FloatArray, cluster: IntArray) -> float:
    """Of the mean, from cluster totals of residuals."""
    n_clusters = int(cluster.max()) + 1
    totals = sum_by(cluster, residual, n_clusters)
    return float(totals @ totals) * n_clusters / (n_clusters - 1) / len(residual) ** 2


def _checked(values: ArrayLike, *labels: Labels) -> tuple[FloatArray, list[IntArray]]:
    y = np.asarray(values, dtype=np.float64)
    codes = [np.unique(np.asarray(names), return_inverse=True)[1] for names in labels]
    if not len(y) or any(len(code) != len(y) for code in codes):
        raise DataError(
            f"expected a label for each value and at least one value, got {len(y)} values and "
            f"{', '.join(str(len(code)) for code in codes)} labels"
        )
    return y, codes
