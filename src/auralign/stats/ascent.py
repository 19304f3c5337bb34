"""Quasi-Newton ascent that stops on the gradient, alone or from several starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from auralign.errors import NotConvergedError
from auralign.stats.arrays import FloatArray

Objective = Callable[[FloatArray], tuple[float, FloatArray]]
Bounds = Sequence[tuple[float | None, float | None]]

MAX_STEPS = 5000
MAX_RESTARTS = 5
SAME_VALUE = 1e-6


@dataclass(frozen=True, eq=False)
class Summit:
    """The highest point found; `n_agreeing` of `n_starts` starts reached its value."""

    parameters: FloatArray
    value: float
    gradient_max: float
    iterations: int
    n_starts: int = 1
    n_agreeing: int = 1


def climb(
    objective: Objective, start: FloatArray, tolerance: float, *, bounds: Bounds | None = None
) -> Summit:
    """L-BFGS to a local maximum of `objective`, which returns a value and its gradient.

    Raises `NotConvergedError` when no part of the gradient (of the free parameters) gets below
    `tolerance`.
    """
    from scipy.optimize import minimize

    point, iterations = start, 0
    for _ in range(MAX_RESTARTS):
        found = minimize(
            lambda x: _negative(objective, x),
            point,
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"gtol": tolerance, "ftol": 0.0, "maxiter": MAX_STEPS, "maxcor": 30},
        )
        point, iterations = found.x, iterations + int(found.nit)
        steepest = float(np.abs(_free(-found.jac, point, bounds)).max())
        if steepest <= tolerance:
            return Summit(point, -float(found.fun), steepest, iterations)
    raise NotConvergedError(
        f"the ascent stopped where the gradient is {steepest:.2g}, allowed {tolerance:.2g}; "
        "use a stronger prior or collect more answers"
    )


def climb_from(objective: Objective, starts: Sequence[FloatArray], tolerance: float) -> Summit:
    """The highest of the local maxima reached from `starts`."""
    found = [climb(objective, start, tolerance) for start in starts]
    best = max(found, key=lambda summit: summit.value)
    near = [s for s in found if s.value >= best.value - SAME_VALUE * (1 + abs(best.value))]
    return replace(best, n_starts=len(starts), n_agreeing=len(near))


def _negative(objective: Objective, x: FloatArray) -> tuple[float, FloatArray]:
    value, gradient = objective(x)
    return -value, -gradient


def _free(gradient: FloatArray, x: FloatArray, bounds: Bounds | None) -> FloatArray:
    """The gradient without the parts that push against a bound."""
    if bounds is None:
        return gradient
    low = np.array([-np.inf if b[0] is None else b[0] for b in bounds])
    high = np.array([np.inf if b[1] is None else b[1] for b in bounds])
    stuck = ((x <= low) & (gradient < 0)) | ((x >= high) & (gradient > 0))
    return np.where(stuck, 0.0, gradient)
