"""A model of pairs at its maximum: what standard errors, resamples and tests of fit start from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from auralign.stats.arrays import FloatArray, IntArray
from auralign.stats.pairs.laplacian import BlockMatrix, PairGraph, centre
from auralign.stats.pairs.maximum_likelihood import Point, bordered_solve, evaluate
from auralign.stats.pairs.pair_models import PairCounts, PairModel, condense, row_counts
from auralign.types import Comparisons

MAX_DENSE_INVERSE = 3000


@dataclass(frozen=True, eq=False)
class FittedModel:
    """Parameters of a model of pairs, and the data that they were fitted to.

    Items from `n_items` on are ghosts, one per block. Everything else is computed when it is
    first asked for.

    block       int `[items + ghosts]`
    log_worth   `[items + ghosts]`
    shared      `[k]`, parameters that all pairs share
    prior       wins and losses of each item against the ghost of its block
    ridge       precision of the normal prior on each log-worth
    """

    comparisons: Comparisons
    block: IntArray
    model: PairModel
    log_worth: FloatArray
    shared: FloatArray
    prior: float
    ridge: float

    @property
    def n_items(self) -> int:
        return len(self.comparisons.items)

    @cached_property
    def used(self) -> IntArray:
        """The comparisons of positive weight."""
        return np.flatnonzero(self.comparisons.weight > 0)

    @cached_property
    def rows(self) -> PairCounts:
        """One entry per used comparison."""
        return row_counts(self.comparisons).where(self.used)

    @cached_property
    def counts(self) -> PairCounts:
        """All comparisons and those with ghosts, equal ones added up where that saves work."""
        return with_ghosts(condense(self.rows, self.n_items), self.block, self.n_items, self.prior)

    @cached_property
    def graph(self) -> PairGraph:
        return PairGraph(self.counts.first, self.counts.second, self.block)

    @cached_property
    def at_counts(self) -> Point:
        return evaluate(self.counts, self.model, self.log_worth, self.shared)

    @cached_property
    def at_rows(self) -> Point:
        return evaluate(self.rows, self.model, self.log_worth, self.shared)

    @cached_property
    def inverse(self) -> BlockMatrix | None:
        """The inverse of the information on log-worths; None where that would be too large."""
        if self.graph.largest_block > MAX_DENSE_INVERSE:
            return None
        return self.graph.pseudo_inverse(self.at_counts.slopes.information, self.ridge)

    def solve(self, right: FloatArray, shared_right: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Inverse information times `[right; shared_right]` `[items + ghosts, c]`, `[k, c]`.

        Centred on the real items of each block: `[items, c]`, `[k, c]`.
        """
        slopes = self.at_counts.slopes
        solve = (
            partial(self.graph.solve, slopes.information, ridge=self.ridge)
            if self.inverse is None
            else self.inverse.__matmul__
        )
        x, y = bordered_solve(self.graph, slopes, solve, right, shared_right)
        return centre(x[: self.n_items], self.block[: self.n_items]), y


def with_ghosts(counts: PairCounts, block: IntArray, n_items: int, prior: float) -> PairCounts:
    """Add `prior` wins and losses of each item against the ghost of its block, in both orders."""
    if prior == 0:
        return counts
    items, ghosts = np.arange(n_items), n_items + block[:n_items]
    share, none = np.full(2 * n_items, prior / 2), np.zeros(2 * n_items)
    first, second = np.concatenate([items, ghosts]), np.concatenate([ghosts, items])
    return counts.extended(PairCounts(first, second, share, share, none))
