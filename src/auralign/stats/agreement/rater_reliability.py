"""How far each rater goes with the others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import special

from auralign.errors import DataError
from auralign.stats.agreement.stimuli import Votes, decisive_votes
from auralign.stats.arrays import FloatArray, sum_by
from auralign.stats.intervals import check_level
from auralign.stats.proportions import clustered_share
from auralign.stats.ratings.table import RatingTable
from auralign.types import Estimate, Judgement


@dataclass(frozen=True, slots=True)
class RaterReliability:
    """One rater against the mean of the others, over the clips that both sides rated.

    correlation                Pearson's; NaN, with the reason in `method`, where it has no value
    bias                       mean of the rater minus the others, in units of the scale
    mean_absolute_difference   in units of the scale
    """

    rater: str
    correlation: Estimate
    bias: float
    mean_absolute_difference: float


def rater_reliability(table: RatingTable, *, level: float = 0.95) -> tuple[RaterReliability, ...]:
    """Leave-one-out reliability of the raters of a table, in its order.

    Each rater is compared with the mean of all others on the clips that she and another rated;
    the interval of the correlation is Fisher's z over clips. With missing ratings the others'
    mean carries the severity of those who happened to rate the clip. A low value is a
    difference, not a fault: tastes differ.

    Raises `DataError` when no clip has two raters.
    """
    check_level(level)
    others = mean_of_others(table.values)
    if not np.isfinite(others).any():
        raise DataError("reliability of raters needs a clip with two raters, found none")
    rows = zip(table.raters, table.values, others, strict=True)
    return tuple(_reliability(rater, own, rest, level) for rater, own, rest in rows)


def rater_agreement(
    judgements: Iterable[Judgement], dimension: str, *, level: float = 0.95
) -> dict[str, Estimate]:
    """For each rater the share of other raters' answers to the same pairs that are the same.

    Decisive answers only; a stimulus is a prompt with an unordered pair of candidates. Raters who
    guess agree in half of the cases. The interval is over prompts (`clustered_share`). Raters
    without a shared pair are left out.

    Raises `DataError` when no pair was answered decisively by two raters.
    """
    votes = decisive_votes(judgements, dimension)
    others_first, others = votes_of_others(votes)
    second, others_second = votes.total - votes.first, others - others_first
    agreeing = votes.first * others_first + second * others_second
    pairs = votes.total * others
    if not pairs.any():
        raise DataError(f"no pair on '{dimension}' was answered decisively by two different raters")
    return {
        rater: clustered_share(
            agreeing[rows], pairs[rows], votes.cluster[votes.stimulus[rows]], level=level
        )
        for k, rater in enumerate(votes.raters)
        if pairs[rows := votes.rater == k].any()
    }


def mean_of_others(values: FloatArray) -> FloatArray:
    """For each rating `[rater, unit]` the mean of the other raters; NaN where there is none."""
    present = np.isfinite(values)
    filled = np.where(present, values, 0.0)
    others = present.sum(axis=0) - present
    mean = np.full(values.shape, np.nan)
    np.divide(filled.sum(axis=0) - filled, others, out=mean, where=present & (others > 0))
    return mean


def votes_of_others(votes: Votes) -> tuple[FloatArray, FloatArray]:
    """For each entry the other raters' votes for the first candidate, and all their votes."""
    n = len(votes.cluster)
    first = sum_by(votes.stimulus, votes.first, n)[votes.stimulus] - votes.first
    return first, sum_by(votes.stimulus, votes.total, n)[votes.stimulus] - votes.total


def _reliability(rater: str, own: FloatArray, others: FloatArray, level: float) -> RaterReliability:
    shared = np.isfinite(others)
    x, y = own[shared], others[shared]
    difference = x - y
    return RaterReliability(
        rater,
        _correlation(x, y, level),
        float(difference.mean()) if len(x) else float("nan"),
        float(np.abs(difference).mean()) if len(x) else float("nan"),
    )


def _correlation(x: FloatArray, y: FloatArray, level: float) -> Estimate:
    n = len(x)
    reason = (
        f"only {n} shared clips"
        if n < 4
        else "all ratings of the rater are equal"
        if np.ptp(x) == 0
        else "the others' means are all equal"
        if np.ptp(y) == 0
        else ""
    )
    if reason:
        method = f"leave-one-out correlation: no value, {reason}"
        return Estimate(np.nan, np.nan, np.nan, level, n, n, method)
    r = float(np.corrcoef(x, y)[0, 1])
    half = special.ndtri((1 + level) / 2) / np.sqrt(n - 3)
    z = np.arctanh(np.clip(r, -1 + 1e-15, 1 - 1e-15))
    low, high = np.tanh([z - half, z + half])
    method = "Pearson's correlation with the mean of the other raters; Fisher's z over clips"
    return Estimate(r, float(low), float(high), level, n, n, method)
