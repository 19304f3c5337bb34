"""Intervals for a share: exact, and exact for a smaller sample where answers come in clusters."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from auralign.errors import DataError
from auralign.stats.arrays import sum_by
from auralign.stats.intervals import Labels, check_level, exact_limits
from auralign.types import Estimate


def clopper_pearson(successes: float, n: float, *, level: float = 0.95) -> Estimate:
    """Share `successes / n` with its exact binomial interval (Clopper & Pearson 1934, Biometrika
    26:404), for independent trials.

    Raises `DataError` unless 0 <= successes <= n and n > 0.
    """
    check_level(level)
    if not 0 <= successes <= n or n <= 0:
        raise DataError(f"expected 0 <= successes <= n and n > 0, got {successes} of {n}")
    low, high = exact_limits(successes, n, level)
    method = "share of trials; Clopper-Pearson"
    return Estimate(successes / n, low, high, level, round(n), round(n), method)


def clustered_share(
    successes: ArrayLike, trials: ArrayLike, clusters: Labels, *, level: float = 0.95
) -> Estimate:
    """Share `sum(successes) / sum(trials)` over clusters that move together.

    `successes` and `trials` are float `[n]`, `clusters` labels `[n]`. The interval is Clopper &
    Pearson's for the effective number of trials, the one that would give the same variance
    between clusters (Korn & Graubard 1998, Surv. Methodol. 24:193). When all trials succeed or
    all fail the clusters are taken as the trials.

    Raises `DataError` without a trial or with unequal lengths.
    """
    check_level(level)
    won, tried = np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    names, cluster = np.unique(np.asarray(clusters), return_inverse=True)
    if not len(won) == len(tried) == len(cluster):
        raise DataError(
            f"expected successes, trials and clusters of one length, got {len(won)}, "
            f"{len(tried)} and {len(cluster)}"
        )
    total = float(tried.sum())
    if total <= 0:
        raise DataError("a share needs at least one trial, got none")
    share = float(won.sum()) / total
    n_clusters = len(names)
    n = min(_effective_trials(won - share * tried, cluster, share, total, level), total)
    low, high = exact_limits(share * n, n, level)
    method = f"share; Clopper-Pearson on {n:.1f} effective trials in {n_clusters} clusters"
    return Estimate(share, low, high, level, round(total), n_clusters, method)


def _effective_trials(
    residual: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    cluster: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    share: float,
    total: float,
    level: float,
) -> float:
    n_clusters = int(cluster.max()) + 1
    if n_clusters == 1:
        return 1.0
    by_cluster = sum_by(cluster, residual, n_clusters)
    variance = float(by_cluster @ by_cluster) * n_clusters / (n_clusters - 1) / total**2
    if share in (0.0, 1.0) or variance == 0:
        return float(n_clusters)
    # Few clusters make the variance itself uncertain.
    t_plain, t_clusters = special.stdtrit(
        np.array([max(total - 1, 1), n_clusters - 1]), (1 + level) / 2
    )
    return float(share * (1 - share) / variance * (t_plain / t_clusters) ** 2)
