"""Likelihoods of pair outcomes as functions of a margin, with exact derivatives.

The margin of a pair is the log-worth of its first item minus that of its second. Each model works
elementwise on counts, so it serves tables of pairs and single rows alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from auralign.stats.arrays import BoolArray, FloatArray, IntArray, sum_by
from auralign.types import Comparisons

CELLS_PER_ROW = 8  # beyond, most pairs are distinct and a table of all pairs is mostly empty


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

    def where(self, kept: BoolArray | IntArray | slice) -> PairCounts:
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


def joined(pieces: Sequence[Slopes]) -> Slopes:
    """The slopes of consecutive parts of the pairs as those of all."""
    if len(pieces) == 1:
        return pieces[0]
    return Slopes(
        np.concatenate([piece.log_likelihood for piece in pieces]),
        np.concatenate([piece.score for piece in pieces]),
        np.concatenate([piece.information for piece in pieces]),
        np.concatenate([piece.shared_score for piece in pieces], axis=1),
        np.concatenate([piece.cross_information for piece in pieces], axis=1),
        np.sum([piece.shared_information for piece in pieces], axis=0),
    )


PairModel = Callable[[FloatArray, FloatArray, PairCounts], Slopes]


def row_counts(comparisons: Comparisons) -> PairCounts:
    """One entry per comparison."""
    weight, outcome = comparisons.weight, comparisons.outcome
    wins, losses, ties = (weight * (outcome == value) for value in (1.0, 0.0, 0.5))
    return PairCounts(comparisons.first, comparisons.second, wins, losses, ties)


def aggregate(rows: PairCounts, n_items: int) -> PairCounts:
    """One entry per distinct pair and order of presentation, sorted by first and second."""
    keys = rows.first * np.int64(n_items) + rows.second
    if n_items**2 <= CELLS_PER_ROW * len(keys):
        kept = np.flatnonzero(np.bincount(keys, minlength=n_items**2))
        pair = np.zeros(n_items**2, dtype=np.int64)
        pair[kept] = np.arange(len(kept))
        keys, pair = kept, pair[keys]
    else:
        keys, pair = np.unique(keys, return_inverse=True)
    wins, losses, ties = (
        sum_by(pair, counts, len(keys)) for counts in (rows.wins, rows.losses, rows.ties)
    )
    return PairCounts(keys // n_items, keys % n_items, wins, losses, ties)


def condense(rows: PairCounts, n_items: int) -> PairCounts:
    """The rows aggregated where that makes them fewer, else sorted by their first item."""
    if n_items**2 <= CELLS_PER_ROW * len(rows.first):
        return aggregate(rows, n_items)
    narrow = np.uint16 if n_items <= 1 << 16 else np.int64  # radix sort
    return rows.where(np.argsort(rows.first.astype(narrow), kind="stable"))


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
    # Divided by sqrt of the stronger side's share, so that nothing overflows.
    root = np.exp(-np.abs(margin) / 2)
    tie = np.exp(log_nu) * root
    weaker = root * root
    norm = 1 + weaker + tie
    tie /= norm
    lead = np.copysign((1 - weaker) / (2 * norm), margin)
    total, won = counts.total, (counts.wins - counts.losses) / 2
    return Slopes(
        log_likelihood=won * margin
        + counts.ties * log_nu
        - total * (np.abs(margin) / 2 + np.log(norm)),
        score=won - total * lead,
        information=total * ((1 - tie) / 4 - lead**2),
        shared_score=(counts.ties - total * tie)[None],
        cross_information=(-total * lead * tie)[None],
        shared_information=np.array([[total @ (tie * (1 - tie))]]),
    )


def rao_kupper(margin: FloatArray, shared: FloatArray, counts: PairCounts) -> Slopes:
    """Rao & Kupper (1967): a side wins where its margin exceeds a threshold d = log eta > 0.

    P(i wins) = pi_i / (pi_i + eta pi_j), and P(tie) = (eta^2 - 1) P(i wins) P(j wins). `shared`
    is [d]; the likelihood is jointly concave in worths and d.
    """
    d = float(shared[0])
    if d <= 0:
        impossible = np.full(len(margin), -np.inf)
        none = np.zeros((1, len(margin)))
        return Slopes(impossible, none[0], none[0], none, none, np.zeros((1, 1)))
    reached = counts.wins + counts.ties, counts.losses + counts.ties
    win, loss = special.expit(margin - d), special.expit(-margin - d)
    missed, missed_other = reached[0] * (1 - win), reached[1] * (1 - loss)
    spread, spread_other = missed * win, missed_other * loss
    tied = float(counts.ties.sum())
    return Slopes(
        log_likelihood=reached[0] * special.log_expit(margin - d)
        + reached[1] * special.log_expit(-margin - d)
        + counts.ties * (2 * d + np.log(-np.expm1(-2 * d))),
        score=missed - missed_other,
        information=spread + spread_other,
        shared_score=(2 * counts.ties / -np.expm1(-2 * d) - missed - missed_other)[None],
        cross_information=(spread_other - spread)[None],
        shared_information=np.array(
            [[(spread + spread_other).sum() + tied / np.sinh(min(d, 300.0)) ** 2]]
        ),
    )


def with_order_effect(model: PairModel) -> PairModel:
    """The same model with `shared[0]` added to each margin: positive favours the first item.

    Davidson & Beaver (1977, Biometrics 33:693) for ties: their tie term has sqrt(pi_i pi_j)
    without the order effect, which only renames nu when all rows have an order, as they do here.
    """

    def ordered(margin: FloatArray, shared: FloatArray, counts: PairCounts) -> Slopes:
        inner = model(margin + shared[0], shared[1:], counts)
        across = inner.cross_information.sum(axis=1)
        return Slopes(
            inner.log_likelihood,
            inner.score,
            inner.information,
            np.vstack([inner.score, inner.shared_score]),
            np.vstack([inner.information, inner.cross_information]),
            np.block(
                [
                    [inner.information.sum()[None, None], across[None]],
                    [across[:, None], inner.shared_information],
                ]
            ),
        )

    return ordered
