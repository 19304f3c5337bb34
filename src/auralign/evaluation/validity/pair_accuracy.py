"""How often a signal prefers the clip that listeners prefer: accuracy, ties, and gains.

Arrays of values are `[clips]`, in the order of the pairs' items: more is better, NaN is no value.
"""

from __future__ import annotations

import numpy as np

from auralign.evaluation.validity.pair_shares import Units, pair_share
from auralign.stats.arrays import BoolArray, FloatArray, IntArray
from auralign.types import Comparisons, Estimate

N_FOLDS = 5


def agreement(values: FloatArray, pairs: Comparisons) -> FloatArray:
    """1 where the clip that was preferred has the higher value, 0.5 where both have the same one.

    `[pairs]`; NaN where the answer was a tie or a value is missing.
    """
    difference = values[pairs.first] - values[pairs.second]
    right = (1 + np.sign(difference) * np.sign(pairs.outcome - 0.5)) / 2
    return np.where(pairs.outcome == 0.5, np.nan, right)


def in_the_suiting_direction(values: FloatArray, pairs: Comparisons) -> FloatArray:
    """The values, or their negatives where those agree with more pairs.

    What a baseline gets for nothing: nobody says beforehand whether longer is better.
    """
    right = agreement(values, pairs)
    known = np.isfinite(right)
    if not known.any():
        return values
    return values if np.average(right[known], weights=pairs.weight[known]) >= 0.5 else -values


def accuracy(
    values: FloatArray,
    pairs: Comparisons,
    units: Units,
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    rows: BoolArray | None = None,
) -> Estimate:
    """Share of decided pairs that the signal decides alike; 0.5 is chance. `rows` are some of them.

    The value is NaN where no decided pair has both values.
    """
    right = agreement(values, pairs)
    if rows is not None:
        right = np.where(rows, right, np.nan)
    return pair_share(right, pairs, units, what="pair accuracy", rng=rng, level=level)


def gain(
    values: FloatArray,
    baseline: FloatArray,
    pairs: Comparisons,
    units: Units,
    *,
    rng: np.random.Generator,
    level: float = 0.95,
) -> Estimate:
    """Pair accuracy of the signal minus that of the baseline, on the pairs that both can decide."""
    difference = agreement(values, pairs) - agreement(baseline, pairs)
    what = "difference of pair accuracies"
    return pair_share(difference, pairs, units, what=what, is_share=False, rng=rng, level=level)


def tie_calibrated(
    values: FloatArray,
    pairs: Comparisons,
    folds: IntArray,
    units: Units,
    *,
    rng: np.random.Generator,
    level: float = 0.95,
) -> tuple[Estimate, float]:
    """acc_eq (Deutsch et al. 2023, arXiv 2305.14324), and the threshold: ties count like answers.

    The signal calls a tie where two values differ by no more than a threshold, and is right where
    it gives the answer that was given: first, second or tie. tau_eq is 2 acc_eq - 1. The threshold
    for a fold of the pairs (`folds` `[pairs]`) is the one that is best on the other folds, so that
    no pair calibrates itself; the one that is returned is the best on all.
    """
    difference = values[pairs.first] - values[pairs.second]
    known = np.isfinite(difference) & (pairs.weight > 0)
    agreed = np.full(len(difference), np.nan)
    for fold in np.unique(folds[known]):
        here = known & (folds == fold)
        threshold = best_threshold(difference, pairs, known & ~here)
        agreed[here] = _agreed(difference, pairs, threshold)[here]
    found = pair_share(agreed, pairs, units, what="acc_eq", rng=rng, level=level)
    return found, best_threshold(difference, pairs, known)


def best_threshold(difference: FloatArray, pairs: Comparisons, rows: BoolArray) -> float:
    """The smallest threshold with the most agreement on `rows`; 0 where there are none.

    One pass over the sorted differences: those below the threshold are ties, the others decided.
    """
    if not rows.any():
        return 0.0
    size, tie = np.abs(difference[rows]), pairs.outcome[rows] == 0.5
    order = np.argsort(size, kind="stable")
    size, weight = size[order], pairs.weight[rows][order]
    decided_right = _agreed(difference, pairs, 0.0)[rows][order] * (size > 0)
    tied = np.cumsum(weight * tie[order])
    decided = np.cumsum((weight * decided_right)[::-1])[::-1]
    score = tied + np.append(decided[1:], 0.0)
    last_of_equals = np.append(size[1:] != size[:-1], True)
    best = float(size[last_of_equals][np.argmax(score[last_of_equals])])
    # With no tie called at all, which a threshold of 0 does where no two values are the same.
    return 0.0 if size[0] > 0 and decided[0] >= score[last_of_equals].max() else best


def fold_of_pairs(unit: IntArray, pairs: Comparisons, rng: np.random.Generator) -> IntArray:
    """A fold for each pair `[pairs]`; pairs whose first clip is of one unit share it."""
    n_units = int(unit.max()) + 1
    fold = rng.permutation(n_units) % min(N_FOLDS, n_units)
    return np.asarray(fold[unit[pairs.first]])


def _agreed(difference: FloatArray, pairs: Comparisons, threshold: float) -> FloatArray:
    """1 where the signal, with ties up to the threshold, gives the answer that was given."""
    with np.errstate(invalid="ignore"):
        said = np.where(np.abs(difference) <= threshold, 0.0, np.sign(difference))
    right: FloatArray = (said == np.sign(pairs.outcome - 0.5)).astype(np.float64)
    return right
