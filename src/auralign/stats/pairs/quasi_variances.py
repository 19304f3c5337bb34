"""Quasi-variances: one number per item, from which the error of any difference follows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from auralign.errors import NotConvergedError
from auralign.stats.arrays import FloatArray
from auralign.stats.pairs.bradley_terry_fit import BradleyTerryFit
from auralign.stats.pairs.standard_errors import Errors

MAX_STEPS = 200
TOLERANCE = 1e-12


@dataclass(frozen=True, eq=False)
class QuasiVariances:
    """`[items]`; the variance of a difference is about the sum of the two quasi-variances.

    Unlike standard errors of centred worths they do not depend on where the scale has its zero.
    A quasi-variance may be negative, and NaN stands for an item alone in its block.

    worst_error   the largest relative error of a difference's standard error made that way
    """

    items: tuple[str, ...]
    variances: FloatArray
    worst_error: float


def quasi_variances(fit: BradleyTerryFit, *, errors: Errors = "raters") -> QuasiVariances:
    """Numbers q with q_i + q_j near the variance of each difference (within a block).

    Least squares on the log scale (Firth & de Menezes 2004, Biometrika 91:65). Raises
    `NotConvergedError` where the variances of differences do not exist.
    """
    squared = fit.difference_errors(errors) ** 2
    found, worst = np.full(len(fit.items), np.nan), 0.0
    for block in np.unique(fit.block):
        members = np.flatnonzero(fit.block == block)
        if len(members) > 1:
            inside = squared[np.ix_(members, members)]
            found[members] = quasi_variances_of(inside)
            ratio = (found[members][:, None] + found[members])[~np.eye(len(members), dtype=bool)]
            ratio = ratio / inside[~np.eye(len(members), dtype=bool)]
            worst = max(worst, float(np.abs(np.sqrt(ratio) - 1).max()))
    return QuasiVariances(fit.items, found, worst)


def quasi_variances_of(squared: FloatArray) -> FloatArray:
    """q `[n]` that minimises the sum of log((q_i + q_j) / `squared`_ij)^2 over pairs.

    `squared` `[n, n]` are variances of differences. Gauss-Newton with step halving.
    """
    n = len(squared)
    off = ~np.eye(n, dtype=np.bool_)
    if not (np.isfinite(squared[off]).all() and (squared[off] > 0).all()):
        raise NotConvergedError("quasi-variances need a positive variance for each difference")
    if n == 2:
        return np.full(2, squared[0, 1] / 2)
    q = _moment_start(squared, off)
    misfit = _misfit(q, squared, off)
    for _ in range(MAX_STEPS):
        both = np.where(off, q[:, None] + q, 1.0)
        weight = np.where(off, 1 / both**2, 0.0)
        slope = np.where(off, np.log(np.where(off, squared, 1.0) / both) / both, 0.0).sum(axis=1)
        step = np.linalg.solve(weight + np.diag(weight.sum(axis=1)), slope)
        q, misfit, better = _shorter(q, step, misfit, squared, off)
        if not better or np.abs(step).max() <= TOLERANCE * np.abs(q).max():
            return q
    raise NotConvergedError(f"quasi-variances did not converge in {MAX_STEPS} steps")


def _moment_start(squared: FloatArray, off: np.ndarray) -> FloatArray:
    """Least squares on the variances themselves where that keeps all sums positive."""
    n = len(squared)
    rows = np.where(off, squared, 0.0).sum(axis=1)
    q = (rows - rows.sum() / (2 * (n - 1))) / (n - 2)
    if ((q[:, None] + q)[off] > 0).all():
        return np.asarray(q)
    return np.full(n, squared[off].mean() / 2)


def _misfit(q: FloatArray, squared: FloatArray, off: np.ndarray) -> float:
    both = (q[:, None] + q)[off]
    return float((np.log(both / squared[off]) ** 2).sum()) if (both > 0).all() else np.inf


def _shorter(
    q: FloatArray, step: FloatArray, misfit: float, squared: FloatArray, off: np.ndarray
) -> tuple[FloatArray, float, bool]:
    """The step, halved until it helps; and whether it did."""
    for halving in range(40):
        reached = q + 0.5**halving * step
        if (found := _misfit(reached, squared, off)) < misfit:
            return reached, found, True
    return q, misfit, False
