"""How well anything can predict one rater, given how far raters agree with each other.

The ceiling lies between two numbers (Nili et al. 2014, PLoS Comput. Biol. 10:e1003553): each rater
predicted by the others, who do not know her, and by all raters, who know her already.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from auralign.errors import DataError
from auralign.stats.agreement.rater_reliability import mean_of_others, votes_of_others
from auralign.stats.agreement.stimuli import decisive_votes
from auralign.stats.arrays import FloatArray, IntArray
from auralign.stats.intervals import cluster_bootstrap
from auralign.stats.ratings.table import RatingTable
from auralign.types import Estimate, Judgement


@dataclass(frozen=True, slots=True)
class RaterCeiling:
    """One rater predicted by the others (`leave_one_out`) and by all (`all_raters`)."""

    leave_one_out: Estimate
    all_raters: Estimate


def pair_ceiling(
    judgements: Iterable[Judgement],
    dimension: str,
    *,
    rng: np.random.Generator,
    n_resamples: int = 2000,
    level: float = 0.95,
) -> RaterCeiling:
    """Share of decisive answers that the majority gives too, an undecided majority half.

    Only stimuli with two raters count. A reward model can be right about as often as
    `leave_one_out`; `all_raters` is what the best possible single answer to each pair reaches on
    these very votes. The intervals resample prompts.

    Raises `DataError` when no pair was answered decisively by two raters, or only one prompt has
    such a pair.
    """
    votes = decisive_votes(judgements, dimension)
    first, total = votes_of_others(votes)
    shared = total > 0
    if not shared.any():
        raise DataError(f"no pair on '{dimension}' was answered decisively by two different raters")
    own = votes.first[shared], votes.total[shared]
    others = first[shared], total[shared]
    clusters = votes.cluster[votes.stimulus[shared]]

    def share(majority: tuple[FloatArray, FloatArray], who: str) -> Estimate:
        correct = _predicted(*own, *majority)
        estimate = cluster_bootstrap(
            lambda counts: float(counts @ correct / (counts @ own[1])),
            clusters,
            rng=rng,
            n_resamples=n_resamples,
            level=level,
        )
        method = f"answers given by the majority of {who} too; {estimate.method}"
        return replace(estimate, n=int(own[1].sum()), method=method)

    everybody = others[0] + own[0], others[1] + own[1]
    return RaterCeiling(share(others, "the other raters"), share(everybody, "all raters"))


def rating_ceiling(
    table: RatingTable,
    *,
    rng: np.random.Generator,
    n_resamples: int = 1000,
    level: float = 0.95,
) -> RaterCeiling:
    """Mean over raters of Pearson's correlation with the mean rating of each clip.

    Clips with two raters count; raters who rated fewer than 4 of them or all alike are left out,
    and `method` says how many. The intervals resample clips.

    Raises `DataError` when fewer than two raters are left.
    """
    others = mean_of_others(table.values)
    shared = np.isfinite(others)
    own = np.where(shared, table.values, 0.0)
    varied = np.array([len(np.unique(x[s])) > 1 for x, s in zip(own, shared, strict=True)])
    kept = varied & (shared.sum(axis=1) >= 4)
    if kept.sum() < 2:
        raise DataError(
            f"a ceiling needs at least 2 raters with 4 shared clips and different ratings, got "
            f"{kept.sum()} of {len(kept)} raters"
        )
    everybody = _column_means(own, shared)

    def correlation(prediction: FloatArray, who: str) -> Estimate:
        x, y, s = own[kept], np.where(shared, prediction, 0.0)[kept], shared[kept]
        estimate = cluster_bootstrap(
            lambda counts: _mean_correlation(x, y, s * counts),
            np.arange(x.shape[1]),
            rng=rng,
            n_resamples=n_resamples,
            level=level,
        )
        remark = f" ({(~kept).sum()} raters left out)" if not kept.all() else ""
        method = f"mean correlation of raters with the mean of {who}; {estimate.method}{remark}"
        return replace(estimate, n=int(s.sum()), method=method)

    return RaterCeiling(
        correlation(others, "the other raters"), correlation(everybody, "all raters")
    )


def _predicted(
    first: FloatArray, total: FloatArray, majority_first: FloatArray, majority: FloatArray
) -> FloatArray:
    """How many of a rater's own votes the majority predicts."""
    lead = 2 * majority_first - majority
    right: FloatArray = np.where(lead > 0, first, np.where(lead < 0, total - first, total / 2))
    return right


def _column_means(
    values: FloatArray, present: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
) -> FloatArray:
    mean: FloatArray = values.sum(axis=0) / np.maximum(present.sum(axis=0), 1)
    return mean


def _mean_correlation(x: FloatArray, y: FloatArray, weight: FloatArray | IntArray) -> float:
    """Mean over rows `[rater, unit]` of weighted correlations; rows without one are left out."""
    total = np.maximum(weight.sum(axis=1, keepdims=True), 1)
    dx = x - (weight * x).sum(axis=1, keepdims=True) / total
    dy = y - (weight * y).sum(axis=1, keepdims=True) / total
    norm = np.sqrt((weight * dx**2).sum(axis=1) * (weight * dy**2).sum(axis=1))
    varied = norm > 1e-12
    if not varied.any():
        return float("nan")
    return float(((weight * dx * dy).sum(axis=1)[varied] / norm[varied]).mean())
