"""Rank correlation with an interval that knows clusters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from auralign.errors import DataError
from auralign.stats.arrays import FloatArray, mid_ranks
from auralign.stats.intervals import Labels, cluster_bootstrap
from auralign.types import Estimate


def spearman(
    x: ArrayLike,
    y: ArrayLike,
    *,
    clusters: Labels | None = None,
    rng: np.random.Generator,
    n_resamples: int = 2000,
    level: float = 0.95,
) -> Estimate:
    """Spearman's rank correlation of `x` and `y`, float `[n]`, ties at mid-ranks.

    The interval resamples `clusters` (labels `[n]`, for example the prompts), or rows when None.
    Rows in which either value is NaN are left out, and `method` says how many. Raises `DataError`
    for unequal lengths or fewer than 3 complete rows, `NotConvergedError` when `x` or `y` is
    constant.
    """
    pair = np.stack(_same_length(x, y))
    complete = np.isfinite(pair).all(axis=0)
    rows = np.flatnonzero(complete)
    if len(rows) < 3:
        raise DataError(f"a rank correlation needs at least 3 complete rows, got {len(rows)}")
    labels = rows if clusters is None else np.asarray(clusters)[rows]
    estimate = cluster_bootstrap(
        lambda counts: _rank_correlation(pair[:, np.repeat(rows, counts)]),
        labels,
        rng=rng,
        n_resamples=n_resamples,
        level=level,
    )
    missing = pair.shape[1] - len(rows)
    suffix = f" ({missing} of {pair.shape[1]} rows incomplete, left out)" if missing else ""
    return replace(estimate, method=f"Spearman's rho; {estimate.method}{suffix}")


def _rank_correlation(pair: FloatArray) -> float:
    x, y = (mid_ranks(side) - (pair.shape[1] + 1) / 2 for side in pair)
    norm = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / norm) if norm > 0 else float("nan")


def _same_length(x: ArrayLike, y: ArrayLike) -> tuple[FloatArray, FloatArray]:
    first, second = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise DataError(f"expected two lists of one length, got {first.shape} and {second.shape}")
    return first, second
