"""Standard errors over clusters, from by how much each cluster moves an estimate."""

from __future__ import annotations

import numpy as np
from scipy import special

from auralign.errors import NotConvergedError
from auralign.stats.arrays import FloatArray
from auralign.stats.intervals import check_level
from auralign.types import Estimate

FEW_CLUSTERS = 20
"""Below so many clusters, errors clustered over them tend to be too small."""


def clustered_errors(influence: FloatArray) -> FloatArray:
    """Root of the summed squares over clusters, `[..., clusters]` -> `[...]`; NaN with one.

    `influence` is the inverse information times the gradient of each cluster: the sandwich
    estimator of Liang & Zeger (1986, Biometrika 73:13), corrected by n / (n - 1).
    """
    n = influence.shape[-1]
    if n < 2:
        return np.full(influence.shape[:-1], np.nan)
    errors: FloatArray = np.sqrt(n / (n - 1) * (influence**2).sum(axis=-1))
    return errors


def clustered_interval(
    value: float, influence: FloatArray, level: float, n: int, method: str
) -> Estimate:
    """`value` with Student's t on clusters - 1; `influence` is `[clusters]`, `n` counts answers.

    Raises `NotConvergedError` with fewer than two clusters.
    """
    check_level(level)
    n_clusters = len(influence)
    if n_clusters < 2:
        raise NotConvergedError(
            f"an interval over raters needs at least 2 raters, got {n_clusters}"
        )
    error = float(clustered_errors(influence))
    half = float(special.stdtrit(n_clusters - 1, (1 + level) / 2)) * error
    method = f"{method}; sandwich over raters, Student's t"
    return Estimate(value, value - half, value + half, level, n, n_clusters, method)


def few_clusters_warning(n_raters: int) -> tuple[str, ...]:
    """What to say next to errors over this many raters."""
    if n_raters == 1:
        return ("one rater: clustered_standard_errors do not exist",)
    if n_raters < FEW_CLUSTERS:
        return (
            f"{n_raters} raters: clustered_standard_errors tend to be too narrow below "
            f"{FEW_CLUSTERS}",
        )
    return ()
