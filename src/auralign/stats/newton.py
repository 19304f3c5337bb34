"""Newton's method for concave log-likelihoods whose information matrix is small and dense."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from auralign.errors import NotConvergedError
from auralign.stats.arrays import FloatArray

MAX_STEPS = 100
MAX_HALVINGS = 40


@dataclass(frozen=True, eq=False)
class Slopes:
    """A log-likelihood, its gradient `[k]` and its information (negative Hessian) `[k, k]`."""

    log_likelihood: float
    gradient: FloatArray
    information: FloatArray

    @property
    def steepest(self) -> float:
        return float(np.abs(self.gradient).max(initial=0.0))


Objective = Callable[[FloatArray], Slopes]


@dataclass(frozen=True, eq=False)
class DenseMaximum:
    """The parameters `[k]` where the gradient vanished, and the slopes there."""

    parameters: FloatArray
    slopes: Slopes
    iterations: int


def maximise_dense(objective: Objective, start: FloatArray, tolerance: float) -> DenseMaximum:
    """Newton's method with step halving.

    Stops when no part of the gradient exceeds `tolerance`. The information must be positive
    definite. Raises `NotConvergedError` after `MAX_STEPS`, or when it is singular.
    """
    parameters, slopes = start, objective(start)
    for iteration in range(MAX_STEPS):
        if slopes.steepest <= tolerance:
            return DenseMaximum(parameters, slopes, iteration)
        parameters, slopes = _uphill(objective, parameters, slopes)
    raise NotConvergedError(
        f"Newton's method did not converge in {MAX_STEPS} steps: the gradient is "
        f"{slopes.steepest:.2g}, allowed {tolerance:.2g}"
    )


def _uphill(
    objective: Objective, parameters: FloatArray, slopes: Slopes
) -> tuple[FloatArray, Slopes]:
    """The full Newton step, halved until the likelihood does not fall."""
    try:
        step = np.linalg.solve(slopes.information, slopes.gradient)
    except np.linalg.LinAlgError as error:
        raise NotConvergedError(
            "the information matrix is singular: the data do not determine all parameters"
        ) from error
    floor = slopes.log_likelihood - 1e-12 * abs(slopes.log_likelihood)  # rounding at the maximum
    for halving in range(MAX_HALVINGS):
        reached = parameters + 0.5**halving * step
        there = objective(reached)
        if there.log_likelihood >= floor:
            return reached, there
    raise NotConvergedError("Newton's method found no step that raises the likelihood")


def filled(objective: Objective, n_nodes: int) -> Objective:
    """The same objective with positive definite information.

    That of the model knows nothing of the mean of its first `n_nodes` parameters; a multiple of
    the matrix of ones changes no step.
    """

    def with_ones(parameters: FloatArray) -> Slopes:
        slopes = objective(parameters)
        information = slopes.information.copy()
        information[:n_nodes, :n_nodes] += np.diag(slopes.information).max() / n_nodes
        return Slopes(slopes.log_likelihood, slopes.gradient, information)

    return with_ones


def centred_covariance(information: FloatArray, n: int) -> FloatArray:
    """Covariance `[n, n]` of the first `n` parameters minus their mean.

    `information` may hold further parameters after them; what `filled` added leaves no trace.
    """
    covariance = np.linalg.inv(information)[:n, :n]
    rows_centred = covariance - covariance.mean(axis=0)
    centred: FloatArray = rows_centred - rows_centred.mean(axis=1, keepdims=True)
    return centred
