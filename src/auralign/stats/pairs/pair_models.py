"""Likelihoods of pair outcomes as functions of a margin, with exact derivatives.

The margin of a pair is the log-worth of its first item minus that of its second. Each model works
elementwise on counts, so it serves tables of pairs and single rows alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from auralign.stats.arrays import BoolArray, FloatArray, IntArray, sum_by
from auralign.types import Comparisons


@dataclass(frozen=True, eq=False)
class PairCounts:
    """Weighted counts for pairs of items as presented, all `[pairs]`; wins are those of `first`."""

    first: IntArray
    second: IntArray
    wins: FloatArray
    losses: FloatArray
    ties: FloatArray

    @property
    def total(self) -> FloatArray:
        return self.wins + self.losses + self.ties

    @property
    def score(self) -> FloatArray:
        return self.wins + self.ties / 2

    def where(self, kept: BoolArray) -> PairCounts:
        return PairCounts(*(values[kept] for values in self._columns()))

    def extended(self, other: PairCounts) -> PairCounts:
        columns = zip(self._columns(), other._columns(), strict=True)
        return PairCounts(*(np.concatenate(pair) for pair in columns))

    def _columns(self) -> tuple[NDArray[Any], ...]:
        return self.first, self.second, self.wins, self.losses, self.ties


@dataclass(frozen=True, eq=False)
class Slopes:
    """A log-likelihood and its derivatives.

    Shapes: `log_likelihood`, `score` and `information` (first and negative second derivative by
    the margin) are `[pairs]`; for the k parameters that all pairs share, `shared_score` and
    `cross_information` are `[k, pairs]` and `shared_information` is `[k, k]`.
    """

    log_likelihood: FloatArray
    score: FloatArray
    information: FloatArray
    shared_score: FloatArray
    cross_information: FloatArray
    shared_information: FloatArray


PairModel = Callable[[FloatArray, FloatArray, PairCounts], Slopes]


def row_counts(comparisons: Comparisons) -> PairCounts:
    """One entry per comparison."""
    weight, outcome = comparisons.weight, comparisons.outcome
    wins, losses, ties = (weight * (outcome == value) for value in (1.0, 0.0, 0.5))
    return PairCounts(comparisons.first, comparisons.second, wins, losses, ties)


def aggregate(rows: PairCounts, n_items: int) -> PairCounts:
    """One entry per distinct pair and order of presentation."""
    keys, pair = np.unique(rows.first * np.int64(n_items) + rows.second, return_inverse=True)
    wins, losses, ties = (
        sum_by(pair, counts, len(keys)) for counts in (rows.wins, rows.losses, rows.ties)
    )
    return PairCounts(keys // n_items, keys % n_items, wins, losses, ties)


def half_win(margin: FloatArray, shared: FloatArray, counts: PairCounts) -> Slopes:
    """Bradley & Terry (1952), a tie counting as half a win; no shared parameters."""
    p = special.expit(margin)
    score, total = counts.score, counts.total
    none = np.zeros((0, len(margin)))
    return Slopes(
        log_likelihood=score * special.log_expit(margin)
        + (total - score) * special.log_expit(-margin),
        score=score - total * p,
        information=total * p * (1 - p),
        shared_score=none,
        cross_information=none,
        shared_information=np.zeros((0, 0)),
    )


def davidson(margin: FloatArray, shared: FloatArray, counts: PairCounts) -> Slopes:
    """Davidson (1970): P(tie) = nu sqrt(pi_i pi_j) / (pi_i + pi_j + nu sqrt(pi_i pi_j)).

    `shared` is [log nu].
    """
    log_nu = float(shared[0])
    log_sum = np.logaddexp(np.logaddexp(margin / 2, -margin / 2), log_nu)
    win, loss = np.exp(margin / 2 - log_sum), np.exp(-margin / 2 - log_sum)
    tie = np.exp(log_nu - log_sum)
    total, lead = counts.total, (win - loss) / 2
    return Slopes(
        log_likelihood=(counts.wins - counts.losses) * margin / 2
        + counts.ties * log_nu
        - total * log_sum,
        score=(counts.wins - counts.losses) / 2 - total * lead,
        information=total * ((win + loss) / 4 - lead**2),
        shared_score=(counts.ties - total * tie)[None],
        cross_information=(-total * lead * tie)[None],
        shared_information=np.array([[total @ (tie * (1 - tie))]]),
    )
