"""Which pairs to ask next: those whose answers are expected to tell most.

Choosing pairs by earlier answers leaves the likelihood valid, but not p-values and averages of a
fixed number of judgements: a win rate over adaptively chosen pairs is biased, and looking at an
interval until it pleases makes it false. Fit a model, and stop by `win_rate_sequence` or at a
number fixed beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special
from scipy.sparse.csgraph import minimum_spanning_tree

from auralign.errors import ConfigError, DataError
from auralign.stats.arrays import BoolArray, FloatArray, IntArray
from auralign.stats.pairs import fit_bradley_terry
from auralign.stats.planning.design import add_comparison, contrast_variance
from auralign.types import Comparisons


@dataclass(frozen=True, eq=False)
class NextPairs:
    """Pairs of items to ask next, `first` and `second` `[pairs]`, in order of choice.

    gain       `[pairs]` nats that each answer is expected to add, given those before it
    log_worth  `[items]`, what is believed now
    """

    items: tuple[str, ...]
    first: IntArray
    second: IntArray
    gain: FloatArray
    log_worth: FloatArray


def information_gain(log_worth: FloatArray, covariance: FloatArray) -> FloatArray:
    """Expected gain in nats of one comparison of each pair, `[items, items]`.

    1/2 log(1 + p (1 - p) Var(theta_i - theta_j)): how much one answer lowers the entropy of the
    normal approximation to the posterior of log-worths `[items]` with `covariance`
    `[items, items]` (Lindley 1956, Ann. Math. Stat. 27:986; the same logarithm of the determinant
    as in D-optimal designs).
    """
    margin = log_worth[:, None] - log_worth
    information = special.expit(margin) * special.expit(-margin)
    gain: FloatArray = np.log1p(information * contrast_variance(covariance)) / 2
    return gain


def next_pairs(comparisons: Comparisons, n_pairs: int, *, prior: float = 0.5) -> NextPairs:
    """The `n_pairs` comparisons that are expected to tell most about the log-worths together.

    Each full batch of items - 1 pairs is a maximum spanning tree of the gain, so that every batch
    alone connects all items (Hybrid-MST: Li et al. 2018, arXiv 1810.08851; ASAP: Mikhailiuk et al.
    2020, arXiv 2004.05691); the rest is chosen one by one. After each pair the covariance is
    updated as if it had been answered (Sherman & Morrison), so that a pair is not chosen twice for
    the same reason. Worths and covariance come from a Bradley-Terry fit with `prior` wins and
    losses of each item against a ghost item: items never compared are allowed. Ask which of the
    two is presented first by a coin, not by this order. For the first answers of all take a
    `design`.

    Raises `ConfigError` for no pairs or no prior, `DataError` for broken comparisons.
    """
    if n_pairs < 1 or not prior > 0:
        raise ConfigError(f"expected at least 1 pair and prior > 0, got {n_pairs} and {prior}")
    if len(comparisons.items) < 2:
        raise DataError(f"expected at least 2 items to compare, got {len(comparisons.items)}")
    fit = fit_bradley_terry(comparisons, prior=prior)
    log_worth, covariance = fit.log_worth, fit.covariance()
    chosen: list[tuple[int, int, float]] = []
    while len(chosen) < n_pairs:
        gain = information_gain(log_worth, covariance)
        left = n_pairs - len(chosen)
        batch = _spanning_tree(gain) if left >= len(log_worth) - 1 else [_best(gain)]
        for i, j in batch:
            chosen.append((i, j, float(information_gain(log_worth, covariance)[i, j])))
            information = special.expit(log_worth[i] - log_worth[j])
            covariance = add_comparison(covariance, i, j, information * (1 - information))
    first, second, gains = (np.array(column) for column in zip(*chosen, strict=True))
    return NextPairs(comparisons.items, first, second, gains, log_worth)


def _spanning_tree(gain: FloatArray) -> list[tuple[int, int]]:
    """The pairs of the maximum spanning tree, best first."""
    upper: BoolArray = np.triu(np.ones(gain.shape, dtype=bool), 1)
    # The routine reads zero as "no edge", so costs are kept positive.
    cost = np.where(upper, gain.max() - gain + 1, 0.0)
    tree = minimum_spanning_tree(cost).tocoo()
    order = np.argsort(tree.data, kind="stable")
    return [(int(tree.row[k]), int(tree.col[k])) for k in order]


def _best(gain: FloatArray) -> tuple[int, int]:
    i, j = np.unravel_index(np.argmax(np.triu(gain, 1)), gain.shape)
    return int(i), int(j)
