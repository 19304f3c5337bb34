"""Worths of items by regressing choices on response times (Li et al. 2024, arXiv 2409.05798)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from auralign.stats.arrays import FloatArray, sum_by
from auralign.stats.pairs.laplacian import PairGraph
from auralign.stats.raters.timed_trials import timed_trials
from auralign.types import Comparisons

FEW_REPEATS = 20


@dataclass(frozen=True, eq=False)
class ChoiceTimeRegression:
    """Worths per bound `[items]` that sum to zero, from the ratio of mean choice to mean time.

    Differences are drifts divided by the bound, per second; 2 * bound^2 times them are logits.
    `covariance` `[items, items]` is the sandwich over rows.
    """

    items: tuple[str, ...]
    worth: FloatArray
    covariance: FloatArray
    n: int
    warnings: tuple[str, ...]

    @property
    def standard_errors(self) -> FloatArray:
        """Of the worths, `[items]`."""
        errors: FloatArray = np.sqrt(np.diag(self.covariance))
        return errors


def regress_choice_on_time(
    comparisons: Comparisons, seconds: ArrayLike, *, non_decision_s: float = 0.0
) -> ChoiceTimeRegression:
    """The estimator of choices and times of Li et al. (2024, arXiv 2409.05798), linear in both.

    With choices +1 and -1 the drift-diffusion model has E[choice] / E[decision time] = v / a. For
    each pair of items the ratio of the means is taken over its comparisons, then regressed on the
    items, weighted by the number of comparisons. `seconds` is `[n]`; `non_decision_s` is taken off.

    Raises as `fit_response_times` does.
    """
    trials = timed_trials(comparisons, seconds, "shared", non_decision_s)
    n_items = len(comparisons.items)
    low, high = np.minimum(trials.first, trials.second), np.maximum(trials.first, trials.second)
    pairs, pair = np.unique(low * n_items + high, return_inverse=True)
    choice = np.where(trials.first == low, trials.choice, -trials.choice)
    count = sum_by(pair, trials.weight, len(pairs))
    mean_choice = sum_by(pair, trials.weight * choice, len(pairs)) / count
    decision = trials.seconds - non_decision_s
    mean_time = sum_by(pair, trials.weight * decision, len(pairs)) / count
    graph = PairGraph(pairs // n_items, pairs % n_items, np.zeros(n_items, dtype=np.int64))
    inverse = graph.pseudo_inverse(count) @ np.eye(n_items)
    worth = inverse @ graph.scatter((count * mean_choice / mean_time)[None])[:, 0]
    fitted = worth[graph.first] - worth[graph.second]
    residual = trials.weight * (choice - fitted[pair] * decision) / mean_time[pair]
    squares = sum_by(pair, residual**2, len(pairs))
    meat = np.column_stack([graph.scatter(row[None])[:, 0] for row in np.diag(squares)])
    sandwich = inverse @ graph.scatter(meat) @ inverse
    return ChoiceTimeRegression(comparisons.items, worth, sandwich, len(choice), _warnings(count))


def _warnings(count: FloatArray) -> tuple[str, ...]:
    few = int((count < FEW_REPEATS).sum())
    if few == 0:
        return ()
    return (
        f"{few} of {len(count)} pairs have fewer than {FEW_REPEATS} comparisons: the ratio of "
        "means is biased away from zero there; fit_response_times is not",
    )
