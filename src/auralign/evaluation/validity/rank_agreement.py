"""Rank correlation of a signal with listeners: over clips, over pairs, and over systems."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy import special

from auralign.errors import DataError, NotConvergedError
from auralign.evaluation.validity.answers import Answers
from auralign.evaluation.validity.pair_shares import FEWEST_SYSTEMS, N_RESAMPLES, Units
from auralign.stats.arrays import FloatArray, sum_by
from auralign.stats.comparisons import comparisons_of
from auralign.stats.correlation import spearman
from auralign.stats.pairs import fit_bradley_terry
from auralign.types import Estimate

PRIOR = 0.5
"""Wins and losses against a ghost system, so that one that never loses has a worth."""


def clip_correlation(
    values: FloatArray, answers: Answers, units: Units, *, rng: np.random.Generator, level: float
) -> Estimate:
    """Spearman's rho of values `[clips]` with mean ratings; of votes, see `_of_differences`.

    Raises NotConvergedError where all values are the same: then it does not exist, and is not 0.
    """
    _check_varied(values, "clips")
    if answers.ratings is None:
        return _of_differences(values, answers, units, rng=rng, level=level)
    found = spearman(
        values,
        answers.ratings,
        clusters=units.of_clip,
        rng=rng,
        n_resamples=N_RESAMPLES,
        level=level,
    )
    return _named(found, units)


def _of_differences(
    values: FloatArray, answers: Answers, units: Units, *, rng: np.random.Generator, level: float
) -> Estimate:
    """Of the difference of two values with the share of votes for the first, over pairs of clips.

    Each pair enters in both orders, because which clip is the first means nothing.
    """
    pairs = answers.pairs
    low, high = np.minimum(pairs.first, pairs.second), np.maximum(pairs.first, pairs.second)
    pair, row = np.unique(low * len(pairs.items) + high, return_inverse=True)
    low, high = pair // len(pairs.items), pair % len(pairs.items)
    for_low = np.where(pairs.first == low[row], pairs.outcome, 1 - pairs.outcome)
    lead = sum_by(row, for_low, len(pair)) / np.bincount(row) - 0.5
    difference = values[low] - values[high]
    prompt = answers.prompt[low]
    found = spearman(
        np.concatenate([difference, -difference]),
        np.concatenate([lead, -lead]),
        clusters=np.concatenate([prompt, prompt]),
        rng=rng,
        n_resamples=N_RESAMPLES,
        level=level,
    )
    found = replace(found, n=int(np.isfinite(difference).sum()))
    return _named(found, Units(answers.prompt, "prompts"), " of differences within pairs")


def system_worths(answers: Answers) -> FloatArray:
    """What listeners think of each system `[systems]`: its mean rating, or its log-worth.

    Raises NotConvergedError where there is no worth: too little was compared.
    """
    if answers.ratings is not None:
        return _means(answers.ratings, answers)
    pairs = answers.pairs
    first, second = answers.system[pairs.first], answers.system[pairs.second]
    between = first != second
    if not between.any():
        raise NotConvergedError("all answers compare clips of one system")
    compared = comparisons_of(
        first[between],
        second[between],
        pairs.outcome[between],
        weight=pairs.weight[between],
        items=answers.systems,
    )
    worths = np.asarray(fit_bradley_terry(compared, prior=PRIOR).log_worth)
    absent = np.setdiff1d(np.arange(len(worths)), [compared.first, compared.second])
    worths[absent] = np.nan
    return worths


def system_correlation(
    values: FloatArray,
    answers: Answers,
    worths: FloatArray,
    *,
    rng: np.random.Generator,
    level: float,
) -> Estimate:
    """Spearman's rho of the systems' mean values and worths, as if other systems had been judged.

    The interval is the wider of a bootstrap's, which few systems or ties make too narrow, and of
    Bonett & Wright's (2000, Psychometrika 65:23). A perfect order is taken there for one with two
    neighbours exchanged.

    Raises DataError with fewer than 5 systems, NotConvergedError where all values are the same.
    """
    means = _means(values, answers)
    n = int((np.isfinite(means) & np.isfinite(worths)).sum())
    if n < FEWEST_SYSTEMS:
        raise DataError(f"{n} systems have values: at least {FEWEST_SYSTEMS} are needed")
    _check_varied(means, "systems")
    found = spearman(means, worths, rng=rng, n_resamples=N_RESAMPLES, level=level)
    return _at_least_as_wide(_named(found, Units(np.arange(n), "systems")), n, level)


def _check_varied(values: FloatArray, what: str) -> None:
    known = values[np.isfinite(values)]
    if len(known) and np.ptp(known) == 0:
        raise NotConvergedError(f"it says the same of all {what}: there is no rank correlation")


def _named(found: Estimate, units: Units, what: str = "") -> Estimate:
    words = f"bootstrap over {found.n_clusters} clusters"
    told = found.method.replace(words, f"bootstrap over {found.n_clusters} {units.name}")
    return replace(found, method=told.replace("Spearman's rho", f"Spearman's rho{what}", 1))


def _at_least_as_wide(found: Estimate, n: int, level: float) -> Estimate:
    most = 1 - 12 / (n**3 - n)
    rho = min(max(found.value, -most), most)
    half = float(special.ndtri((1 + level) / 2)) * math.sqrt((1 + rho**2 / 2) / (n - 3))
    low, high = (math.tanh(math.atanh(rho) + side) for side in (-half, half))
    return replace(
        found,
        low=min(low, found.low),
        high=max(high, found.high),
        method=f"{found.method}, or Bonett & Wright's interval where that is wider",
    )


def _means(values: FloatArray, answers: Answers) -> FloatArray:
    """The mean over the clips of each system that have a value; NaN where none has."""
    n, known = len(answers.systems), np.isfinite(values)
    total = sum_by(answers.system[known], values[known], n)
    count = np.bincount(answers.system[known], minlength=n)
    means: FloatArray = np.full(n, np.nan)
    np.divide(total, count, out=means, where=count > 0)
    return means
