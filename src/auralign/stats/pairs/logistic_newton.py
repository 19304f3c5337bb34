"""Newton's method for the Bradley-Terry likelihood alone, where speed is won.

The general `maximum_likelihood.maximise` serves every model of pairs; this one serves the model
without shared parameters, in odds instead of log-odds: with r = N / (pi_i + pi_j) the expected
points are pi_i r, and the information is pi_i pi_j r / (pi_i + pi_j), so n exponentials do for m
comparisons. Steps are inexact (Dembo, Eisenstat & Steihaug 1982, SIAM J. Numer. Anal. 19:400):
conjugate gradients are stopped early.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy import sparse

from auralign.errors import NotConvergedError
from auralign.stats.arrays import FloatArray, IntArray, sum_by
from auralign.stats.pairs.laplacian import (
    MAX_DENSE_SOLVE,
    DenseLaplacian,
    SparseLaplacian,
    row_sums,
    sorted_by_row,
)

MAX_NEWTON_STEPS = 100
MAX_HALVINGS = 40
GRADIENT_TOLERANCE = 4e-10
FORCING = 0.01  # a product with the information costs a quarter of a new gradient
MAX_LOG_WORTH = 300.0
ROWS_PER_CHUNK = 1 << 14
DENSE_CELLS_PER_ROW = 4
SAMPLED_ROWS_PER_ITEM = 2
MOSTLY = 0.7


@dataclass(frozen=True, eq=False)
class Expectation:
    """Expected points `[items]`, and the information there (minus the Hessian)."""

    points: FloatArray
    information: DenseLaplacian | SparseLaplacian


@dataclass(frozen=True, eq=False)
class TableContests:
    """Comparisons as a table: points of row over column, `[items, items]`."""

    won: FloatArray

    @cached_property
    def played(self) -> FloatArray:
        return self.won + self.won.T

    @cached_property
    def points(self) -> FloatArray:
        return row_sums(self.won)

    @cached_property
    def total(self) -> FloatArray:
        return row_sums(self.played)

    def expect(self, worth: FloatArray, ridge: float) -> Expectation:
        both = worth[:, None] + worth
        rate = self.played / both
        points = worth * row_sums(rate)
        rate /= both
        rate *= worth
        rate *= worth[:, None]
        return Expectation(points, DenseLaplacian(rate, ridge))


@dataclass(frozen=True, eq=False)
class RowContests:
    """Comparisons as rows sorted by their first item: `pattern` holds the weight of each row.

    Each call of `expect` writes over what the one before returned.
    """

    pattern: sparse.csr_array
    points: FloatArray
    total: FloatArray
    second_total: FloatArray
    weighted: bool

    def expect(self, worth: FloatArray, ridge: float) -> Expectation:
        expected, information = self._buffers
        self._fill(worth, expected.data, information.data)
        n, ones = len(worth), np.ones(len(worth))
        points = expected @ ones + self.second_total - expected.T @ ones
        return Expectation(points, SparseLaplacian(information, np.zeros(n, np.int64), ridge))

    @cached_property
    def _buffers(self) -> tuple[sparse.csr_array, sparse.csr_array]:
        """Kept between calls: fresh memory of this size costs as much as the arithmetic."""
        pattern = self.pattern
        expected, information = (
            sparse.csr_array(
                (np.empty(pattern.nnz), pattern.indices, pattern.indptr), pattern.shape
            )
            for _ in range(2)
        )
        return expected, information

    @cached_property
    def _chunks(self) -> list[tuple[slice, slice, IntArray]]:
        """Items, their rows, and how many rows each has, in parts that fit the cache."""
        indptr = self.pattern.indptr
        ends = np.searchsorted(indptr, np.arange(ROWS_PER_CHUNK, indptr[-1], ROWS_PER_CHUNK))
        edges = np.unique(np.concatenate([[0], ends, [len(indptr) - 1]]))
        rows_of = np.diff(indptr)
        return [
            (slice(low, high), slice(indptr[low], indptr[high]), rows_of[low:high])
            for low, high in pairwise(edges.tolist())
        ]

    def _fill(self, worth: FloatArray, expected: FloatArray, information: FloatArray) -> None:
        """Write the expected points of first items, and the information, both `[rows]`."""
        for items, rows, rows_of in self._chunks:
            p, q = expected[rows], information[rows]
            first = np.repeat(worth[items], rows_of)
            worth.take(self.pattern.indices[rows], out=q, mode="clip")
            q += first
            np.divide(first, q, out=p)
            np.subtract(1.0, p, out=q)
            if self.weighted:
                p *= self.pattern.data[rows]
            q *= p


Contests = TableContests | RowContests


def contests(
    first: IntArray, second: IntArray, score: FloatArray, total: FloatArray | None, n_items: int
) -> Contests:
    """Points `score` that `first` gained of `total` (None: 1 each), all `[rows]`, as a table where
    the table of all pairs is small."""
    if n_items <= MAX_DENSE_SOLVE or n_items**2 <= DENSE_CELLS_PER_ROW * len(first):
        return _table(first, second, score, total, n_items)
    if _pairs_repeat(first, second, n_items):
        keys, pair = np.unique(first * np.int64(n_items) + second, return_inverse=True)
        total = np.bincount(pair, total, len(keys)).astype(np.float64)
        first, second, score = keys // n_items, keys % n_items, sum_by(pair, score, len(keys))
    pattern = sorted_by_row(total, first, second, n_items)
    first_total = (
        np.diff(pattern.indptr) if total is None else np.bincount(first, total, n_items)
    ).astype(np.float64)
    second_total = np.bincount(second, total, n_items).astype(np.float64)
    points = sum_by(first, score, n_items) + second_total - sum_by(second, score, n_items)
    made = first_total + second_total
    return RowContests(pattern, points, made, second_total, weighted=total is not None)


def _pairs_repeat(first: IntArray, second: IntArray, n_items: int) -> bool:
    """Are most pairs compared again and again? Judged by rows spread over all."""
    spread = slice(None, None, max(1, len(first) // (SAMPLED_ROWS_PER_ITEM * n_items)))
    keys = first[spread] * np.int64(n_items) + second[spread]
    return bool(len(np.unique(keys)) < MOSTLY * len(keys))


def maximise_logistic(
    data: Contests, *, ridge: float = 0.0, start: FloatArray | None = None
) -> tuple[FloatArray, float, int]:
    """Centred log-worths `[items]` of the maximum, the largest gradient there, and the steps.

    `ridge` is the precision of a normal prior on each log-worth. Stops when no part of the
    gradient exceeds `GRADIENT_TOLERANCE` per comparison of the most compared item; raises
    `NotConvergedError` after `MAX_NEWTON_STEPS`.
    """
    tolerance = GRADIENT_TOLERANCE * max(float(data.total.max()), 1.0)
    log_worth = _start(data) if start is None else start
    gradient, expectation = _gradient(data, log_worth, ridge)
    for iteration in range(MAX_NEWTON_STEPS):
        steepest = float(np.abs(gradient).max())
        if steepest <= tolerance:
            return log_worth, steepest, iteration
        step = expectation.information.solve(gradient, FORCING)
        step -= step.sum() / len(step)
        log_worth, gradient, expectation = _uphill(data, log_worth, gradient, step, ridge)
    raise NotConvergedError(
        f"Newton's method did not converge in {MAX_NEWTON_STEPS} steps: the gradient is "
        f"{steepest:.2g}, allowed {tolerance:.2g}; pass prior > 0 or remove extreme items"
    )


def _gradient(
    data: Contests, log_worth: FloatArray, ridge: float
) -> tuple[FloatArray, Expectation]:
    expectation = data.expect(np.exp(log_worth), ridge)
    gradient = data.points - expectation.points
    if ridge:
        gradient -= ridge * log_worth
    return gradient, expectation


def _uphill(
    data: Contests, log_worth: FloatArray, gradient: FloatArray, step: FloatArray, ridge: float
) -> tuple[FloatArray, FloatArray, Expectation]:
    """The step, halved while it overshoots.

    The likelihood is concave, so its slope along the step only falls: where the slope has not
    turned by more than half of what it was, the maximum along the step was not far passed.
    """
    slope = float(gradient @ step)
    for halving in range(MAX_HALVINGS):
        reached = log_worth + 0.5**halving * step
        if np.abs(reached).max() <= MAX_LOG_WORTH:
            there, expectation = _gradient(data, reached, ridge)
            if float(there @ step) >= -slope / 2:
                return reached, there, expectation
    raise NotConvergedError("Newton's method found no step that raises the likelihood")


def _start(data: Contests) -> FloatArray:
    points = data.points
    start: FloatArray = np.log((points + 0.5) / (data.total - points + 0.5))
    start -= start.sum() / len(start)
    return start


def _table(
    first: IntArray, second: IntArray, score: FloatArray, total: FloatArray | None, n: int
) -> TableContests:
    cell = first * n + second
    ahead = sum_by(cell, score, n * n).reshape(n, n)
    played = (
        np.bincount(cell, minlength=n * n) if total is None else sum_by(cell, total, n * n)
    ).reshape(n, n)
    return TableContests(ahead + (played - ahead).T)
