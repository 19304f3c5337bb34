"""Newton's method for models of pairs.

Unknowns are the log-worths of all items and k parameters that all pairs share (such as log nu).
The information matrix is a graph Laplacian with a border of k rows and columns, so each system
takes k more right-hand sides and a k x k Schur complement.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from auralign.errors import NotConvergedError
from auralign.stats.arrays import FloatArray, IntArray, sum_by
from auralign.stats.pairs.laplacian import PairGraph, centre
from auralign.stats.pairs.pair_models import PairCounts, PairModel, Slopes, joined

Solver = Callable[[FloatArray], FloatArray]

MAX_NEWTON_STEPS = 100
MAX_HALVINGS = 40
GRADIENT_TOLERANCE = 1e-9
ROWS_PER_CHUNK = 1 << 15  # temporaries that stay in the cache
FORCING = 0.01  # relative residual of the iterative solver in a Newton step


@dataclass(frozen=True, eq=False)
class Point:
    """Log-worths `[items]`, shared parameters `[k]`, and the slopes of the likelihood there."""

    log_worth: FloatArray
    shared: FloatArray
    slopes: Slopes

    @property
    def log_likelihood(self) -> float:
        return float(self.slopes.log_likelihood.sum())


@dataclass(frozen=True, eq=False)
class Maximum:
    """The point where the gradient vanished, how near to zero it came, and in how many steps."""

    point: Point
    gradient_max: float
    iterations: int


def maximise(
    graph: PairGraph,
    counts: PairCounts,
    model: PairModel,
    shared_start: FloatArray,
    *,
    ridge: float = 0.0,
    start: FloatArray | None = None,
) -> Maximum:
    """Newton's method with step halving, for concave log-likelihoods.

    `ridge` is the precision of a normal prior on each log-worth; `start` `[items]` are log-worths
    to begin from. Stops when no part of the gradient exceeds `GRADIENT_TOLERANCE` per comparison
    of the most compared item; raises `NotConvergedError` after `MAX_NEWTON_STEPS`.
    """
    tolerance = GRADIENT_TOLERANCE * float(graph.gather(counts.total, counts.total).max())
    log_worth = _start(graph, counts) if start is None else start
    point = evaluate(counts, model, log_worth, shared_start)
    for iteration in range(MAX_NEWTON_STEPS):
        gradient = graph.scatter(point.slopes.score[None]) - ridge * point.log_worth[:, None]
        shared_gradient = point.slopes.shared_score.sum(axis=1, keepdims=True)
        steepest = float(np.abs(np.vstack([gradient, shared_gradient])).max())
        if steepest <= tolerance:
            return Maximum(point, steepest, iteration)
        solve = partial(graph.solve, point.slopes.information, ridge=ridge, tolerance=FORCING)
        step, shared_step = bordered_solve(graph, point.slopes, solve, gradient, shared_gradient)
        point = _uphill(counts, model, point, step[:, 0], shared_step[:, 0], ridge)
    raise NotConvergedError(
        f"Newton's method did not converge in {MAX_NEWTON_STEPS} steps: the gradient is "
        f"{steepest:.2g}, allowed {tolerance:.2g}; pass prior > 0 or remove extreme items"
    )


def evaluate(
    counts: PairCounts, model: PairModel, log_worth: FloatArray, shared: FloatArray
) -> Point:
    """The point with these parameters, its slopes taken on `counts`."""
    parts = [
        slice(low, low + ROWS_PER_CHUNK)
        for low in range(0, max(len(counts.first), 1), ROWS_PER_CHUNK)
    ]
    pieces = [_slopes(counts.where(part), model, log_worth, shared) for part in parts]
    return Point(log_worth, shared, joined(pieces))


def _slopes(
    counts: PairCounts, model: PairModel, log_worth: FloatArray, shared: FloatArray
) -> Slopes:
    return model(log_worth[counts.first] - log_worth[counts.second], shared, counts)


def bordered_solve(
    graph: PairGraph,
    slopes: Slopes,
    solve: Solver,
    right: FloatArray,
    shared_right: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Solve information @ [x; y] = [`right` `[items, c]`; `shared_right` `[k, c]`].

    `solve` solves the Laplacian alone.
    """
    border = graph.scatter(slopes.cross_information)
    x, across = np.split(solve(np.hstack([right, border])), [right.shape[1]], axis=1)
    schur = slopes.shared_information - border.T @ across
    y = np.asarray(np.linalg.solve(schur, shared_right - border.T @ x), dtype=np.float64)
    return x - across @ y, y


def cluster_scores(
    rows: PairCounts, slopes: Slopes, cluster: IntArray, n_items: int
) -> tuple[FloatArray, FloatArray]:
    """Gradients `[items, clusters]` and `[k, clusters]` of each cluster's rows."""
    n = int(cluster.max()) + 1
    gained = sum_by(rows.first * n + cluster, slopes.score, n_items * n)
    lost = sum_by(rows.second * n + cluster, slopes.score, n_items * n)
    shared = [sum_by(cluster, score, n) for score in slopes.shared_score]
    return (gained - lost).reshape(n_items, n), np.array(shared).reshape(-1, n)


def _start(graph: PairGraph, counts: PairCounts) -> FloatArray:
    lost = counts.total - counts.score
    wins = graph.gather(counts.score, lost)
    losses = graph.gather(lost, counts.score)
    return centre(np.log((wins + 0.5) / (losses + 0.5))[:, None], graph.block)[:, 0]


def _uphill(
    counts: PairCounts,
    model: PairModel,
    point: Point,
    step: FloatArray,
    shared_step: FloatArray,
    ridge: float,
) -> Point:
    """The full Newton step, halved until the likelihood (with its ridge) does not fall."""
    height = _penalised(point, ridge)
    floor = height - 1e-12 * abs(height)  # rounding, where the maximum is near
    for halving in range(MAX_HALVINGS):
        size = 0.5**halving
        reached = evaluate(
            counts, model, point.log_worth + size * step, point.shared + size * shared_step
        )
        if _penalised(reached, ridge) >= floor:
            return reached
    raise NotConvergedError("Newton's method found no step that raises the likelihood")


def _penalised(point: Point, ridge: float) -> float:
    return point.log_likelihood - ridge / 2 * float(point.log_worth @ point.log_worth)
