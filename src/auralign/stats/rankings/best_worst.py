"""Best-worst scaling (MaxDiff): worths of items from who was named best and worst of a few."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import permutations

import numpy as np

from auralign.stats.arrays import BoolArray, FloatArray, IntArray, sum_by
from auralign.stats.newton import centred_covariance, filled, maximise_dense
from auralign.stats.rankings.choices import (
    Choices,
    choice_likelihood,
    choice_slopes,
    scores_by_rater,
)
from auralign.stats.rankings.fit import RankingFit
from auralign.stats.rankings.plackett_luce import (
    GRADIENT_TOLERANCE,
    check_options,
    ranking_warnings,
    require_ranked,
)
from auralign.stats.rankings.records import PAD, BestWorst, check_best_worst
from auralign.stats.sandwich import clustered_errors


@dataclass(frozen=True, eq=False)
class BestWorstCounts:
    """How often each item was named, all `[items]`.

    score                      (best - worst) / shown, between -1 and 1; NaN for an item never shown
    clustered_standard_errors  of the score, over raters; NaN with one rater
    """

    items: tuple[str, ...]
    best: FloatArray
    worst: FloatArray
    shown: FloatArray
    score: FloatArray
    clustered_standard_errors: FloatArray


def fit_best_worst(answers: BestWorst, *, prior: float = 0.0) -> RankingFit:
    """Maximum likelihood log-worths u of the MaxDiff model.

    P(best i, worst j) = exp(u_i - u_j) / sum over all ordered pairs of the candidates (Marley &
    Louviere 2005, J. Math. Psychol. 49:464). Of two candidates that is Bradley-Terry with twice
    the difference. `prior` > 0 adds that many wins and as many losses of each item against a ghost
    item.

    Raises `NotConvergedError` when no finite maximum exists (the graph in which the best is above
    all others and the worst below is not strongly connected), `DataError` for broken arrays,
    `ConfigError` for a wrong prior or too many items.
    """
    check_best_worst(answers)
    n_items = len(answers.items)
    check_options(n_items, prior)
    kept = answers.weight > 0
    raters, rater = np.unique(answers.rater[kept], return_inverse=True)
    if prior == 0:
        require_ranked(_steps(answers, kept), answers.items)
    n_nodes = n_items + (prior > 0)
    groups = ordered_pair_choices(answers, kept, rater)
    if prior > 0:
        groups.append(_ghost(n_items, prior))
    most = float(_named(answers, kept, answers.candidates != PAD).max())
    objective = filled(partial(choice_slopes, groups=groups), n_nodes)
    best = maximise_dense(objective, np.zeros(n_nodes), GRADIENT_TOLERANCE * most)
    scores = scores_by_rater(best.parameters, groups, len(raters))
    log_worth = best.parameters[:n_items]
    return RankingFit(
        items=answers.items,
        log_worth=log_worth - log_worth.mean(),
        covariance=centred_covariance(best.slopes.information, n_items),
        scores=scores[:n_items],
        tie_parameters={},
        log_likelihood=choice_likelihood(best.parameters, groups),
        n=int(kept.sum()),
        iterations=best.iterations,
        gradient_max=best.slopes.steepest,
        status="regularised" if prior > 0 else "maximum likelihood",
        warnings=ranking_warnings(len(raters), prior),
        model="MaxDiff",
    )


def best_worst_counts(answers: BestWorst) -> BestWorstCounts:
    """Count scores: (times best - times worst) / times shown (Finn & Louviere 1992, J. Public
    Policy Mark. 11:12). They depend on the competition where the design is not balanced.

    Raises `DataError` for broken arrays.
    """
    check_best_worst(answers)
    kept, column = answers.weight > 0, np.arange(answers.candidates.shape[1])
    shown = _named(answers, kept, answers.candidates != PAD)
    best = _named(answers, kept, column == answers.best[:, None])
    worst = _named(answers, kept, column == answers.worst[:, None])
    times = shown.sum(axis=1)
    score = np.full(len(times), np.nan)
    net = best - worst
    np.divide(net.sum(axis=1), times, out=score, where=times > 0)
    # A ratio moves by (numerator - ratio x denominator) / total for each rater.
    influence = (net - score[:, None] * shown) / np.where(times > 0, times, 1)[:, None]
    errors = clustered_errors(influence)
    return BestWorstCounts(answers.items, best.sum(axis=1), worst.sum(axis=1), times, score, errors)


def ordered_pair_choices(answers: BestWorst, kept: BoolArray, rater: IntArray) -> list[Choices]:
    """One group for each number of candidates; an option is an ordered pair of them."""
    width = (answers.candidates[kept] != PAD).sum(axis=1)
    groups = []
    for m in np.unique(width).tolist():
        here = np.flatnonzero(width == m)
        of = np.flatnonzero(kept)[here]
        best, worst = answers.best[of], answers.worst[of]
        # Ordered pairs (i, j), i != j, in the order of itertools.permutations.
        chosen = best * (m - 1) + worst - (worst > best)
        items = answers.candidates[of, :m]
        groups.append(Choices(items, _pair_template(m), chosen, answers.weight[of], rater[here]))
    return groups


def _pair_template(m: int) -> FloatArray:
    ones = np.eye(m)
    return np.array([ones[i] - ones[j] for i, j in permutations(range(m), 2)])


def _ghost(n_items: int, prior: float) -> Choices:
    """Each item against a ghost item: plain choices of one of two."""
    pairs = np.c_[np.tile(np.arange(n_items), 2), np.full(2 * n_items, n_items)]
    chosen, weight = np.repeat([0, 1], n_items), np.full(2 * n_items, prior)
    return Choices(pairs, np.eye(2), chosen, weight, np.full(2 * n_items, -1))


def _steps(answers: BestWorst, kept: BoolArray) -> tuple[IntArray, IntArray, BoolArray]:
    """The best above all others, the worst below all others."""
    items = answers.candidates[kept]
    row, column = np.nonzero(items != PAD)
    best, worst = answers.best[kept], answers.worst[kept]
    rows = np.arange(len(items))
    below = column != best[row]
    above = column != worst[row]
    first = np.r_[items[rows, best][row[below]], items[row[above], column[above]]]
    second = np.r_[items[row[below], column[below]], items[rows, worst][row[above]]]
    return first, second, np.ones(len(first), dtype=bool)


def _named(answers: BestWorst, kept: BoolArray, where: BoolArray) -> FloatArray:
    """Weight `[items, raters]` of the candidates in `where` `[answers, width]`."""
    row, column = np.nonzero(where & kept[:, None])
    raters, rater = np.unique(answers.rater[kept], return_inverse=True)
    of_row = np.zeros(len(kept), dtype=np.int64)
    of_row[kept] = rater
    n_items, n = len(answers.items), len(raters)
    cells = answers.candidates[row, column] * n + of_row[row]
    return sum_by(cells, answers.weight[row], n_items * n).reshape(n_items, n)
