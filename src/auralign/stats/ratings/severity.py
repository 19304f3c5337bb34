"""Mean opinion scores corrected for how severe and how consistent each rater is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from scipy import sparse, special
from scipy.sparse.csgraph import connected_components

from auralign.errors import ConfigError, DataError, NotConvergedError, did_you_mean
from auralign.stats.arrays import FloatArray
from auralign.stats.intervals import check_level
from auralign.stats.ratings.crossed import CrossedInverse, invert_crossed
from auralign.stats.ratings.table import RatingTable, rating_table
from auralign.types import Estimate, Judgement

RaterVariance = Literal["own", "equal"]

MAX_STEPS = 2000
TOLERANCE = 1e-9
FEW_RATINGS = 5
MAX_NAMES = 5


@dataclass(frozen=True, eq=False)
class SeverityFit:
    """Corrected scores `[clips]`, and each rater's bias and inconsistency, both `[raters]`.

    score               on the raters' scale, at the mean bias of this panel
    covariance          `[clips, clips]` of the scores, for this panel of raters
    bias                by how much a rater rates higher than the panel; sums to zero
    bias_errors         standard errors of `bias`
    inconsistency       standard deviation of a rater's ratings around score + bias
    degrees_of_freedom  ratings - clips - raters + 1
    change              last relative change of a variance: how far the iteration had converged
    """

    clips: tuple[str, ...]
    raters: tuple[str, ...]
    score: FloatArray
    covariance: FloatArray
    bias: FloatArray
    bias_errors: FloatArray
    inconsistency: FloatArray
    degrees_of_freedom: int
    n: int
    iterations: int
    change: float
    status: Literal["least squares", "restricted maximum likelihood"]
    warnings: tuple[str, ...]

    @property
    def severity(self) -> FloatArray:
        """By how much a rater rates lower than the panel, `[raters]`."""
        lower: FloatArray = -self.bias
        return lower

    @property
    def standard_errors(self) -> FloatArray:
        """Of the scores, `[clips]`."""
        errors: FloatArray = np.sqrt(np.diag(self.covariance))
        return errors

    def estimates(self, *, level: float = 0.95) -> dict[str, Estimate]:
        """For each clip its score with Student's t interval, which holds for this panel."""
        check_level(level)
        quantile = float(special.stdtrit(self.degrees_of_freedom, (1 + level) / 2))
        method = f"severity-corrected mean opinion score, {self.status}; Student's t"
        rows = zip(self.clips, self.score.tolist(), self.standard_errors.tolist(), strict=True)
        return {
            clip: Estimate(
                score,
                score - quantile * error,
                score + quantile * error,
                level,
                self.n,
                len(self.raters),
                method,
            )
            for clip, score, error in rows
        }


def fit_severity(
    table: RatingTable, *, rater_variance: RaterVariance = "own", shrinkage: float = 4.0
) -> SeverityFit:
    """Ratings as score + bias of the rater + noise of the rater (Li et al. 2020, arXiv 2004.02067).

    The model is rating[r, c] = score[c] + bias[r] + inconsistency[r] * e, e standard normal. With
    `rater_variance="equal"` it is the least-squares fit of two crossed factors, on a complete
    table the removal of rater bias of ITU-T P.913; with "own" each rater is weighted by
    1 / variance, which gives the paper's bias-subtracted consistency-weighted MOS. Missing
    ratings (NaN) are allowed.

    Plain maximum likelihood has no maximum: a rater whose ratings are taken for the scores has
    variance zero and infinite likelihood. The variances are therefore those of restricted maximum
    likelihood, which counts the degrees of freedom that scores and biases take, with `shrinkage`
    further degrees of freedom at the pooled variance for each rater (0 for none).

    Raises `NotConvergedError` when clips and raters fall apart into groups without a common
    rating, when there are too few ratings for a variance or all residuals are zero, `DataError`
    for a table without ratings, `ConfigError` for an unknown option.
    """
    _check_options(rater_variance, shrinkage)
    ratings, given = _ratings(table)
    dof = int(given.sum()) - given.shape[0] - given.shape[1] + 1
    _require_variance(dof)
    variance = np.ones(given.shape[1])
    for iterations in range(1, MAX_STEPS + 1):
        weight = given / variance
        inverse = _invert(weight)
        residual = given * (ratings - _fitted(inverse, weight, ratings))
        before, variance = (
            variance,
            _variances(residual, weight, inverse, dof, rater_variance, shrinkage),
        )
        change = float(np.abs(np.log(variance / before)).max())
        if iterations > 1 and (rater_variance == "equal" or change < TOLERANCE):
            break
    else:
        raise NotConvergedError(
            f"the variances of raters did not settle in {MAX_STEPS} steps (they still change by "
            f"{change:.2g}); use a larger shrinkage or rater_variance='equal'"
        )
    return _result(
        table,
        ratings,
        given / variance,
        variance,
        dof,
        iterations,
        change,
        rater_variance,
        shrinkage,
    )


def severity_corrected_mos(
    judgements: Iterable[Judgement],
    dimension: str,
    *,
    rater_variance: RaterVariance = "own",
    level: float = 0.95,
) -> dict[str, Estimate]:
    """`fit_severity` on the rating judgements of one dimension: clip id -> score with interval.

    Repeated ratings of a clip by a rater count once, with their mean. Also raises `DataError` as
    `rating_table` does.
    """
    table = rating_table(judgements, dimension)
    return fit_severity(table, rater_variance=rater_variance).estimates(level=level)


def _result(
    table: RatingTable,
    ratings: FloatArray,
    weight: FloatArray,
    variance: FloatArray,
    dof: int,
    iterations: int,
    change: float,
    rater_variance: RaterVariance,
    shrinkage: float,
) -> SeverityFit:
    inverse = _invert(weight)
    score, bias = inverse.solve(*_totals(weight, ratings))
    # The fit's own constraint is on whichever factor is smaller; here biases sum to zero.
    to_bias = inverse.cross.mean(axis=1)
    of_raters = inverse.rater_covariance()
    covariance = inverse.item_covariance() + to_bias[:, None] + to_bias + of_raters.mean()
    centred = of_raters - of_raters.mean(axis=0)
    centred -= centred.mean(axis=1, keepdims=True)
    few = int(((weight > 0).sum(axis=0) < FEW_RATINGS).sum())
    own = rater_variance == "own"
    remarks = {
        f"regularised: {shrinkage:g} degrees of freedom at the pooled variance draw the raters' "
        "variances together": own and shrinkage > 0,
        f"{few} raters gave fewer than {FEW_RATINGS} ratings: their bias is little more than a "
        "guess": few > 0,
        "scores are relative to this panel: a panel of other raters may be more severe": True,
    }
    return SeverityFit(
        clips=table.clips,
        raters=table.raters,
        score=score + bias.mean(),
        covariance=covariance,
        bias=bias - bias.mean(),
        bias_errors=np.sqrt(np.diag(centred)),
        inconsistency=np.sqrt(variance),
        degrees_of_freedom=dof,
        n=int((weight > 0).sum()),
        iterations=iterations,
        change=change,
        status="restricted maximum likelihood" if own else "least squares",
        warnings=tuple(text for text, applies in remarks.items() if applies),
    )


def _invert(weight: FloatArray) -> CrossedInverse:
    return invert_crossed(
        weight.sum(axis=1), weight.sum(axis=0), weight, fill=float(weight.sum() / weight.size)
    )


def _totals(weight: FloatArray, ratings: FloatArray) -> tuple[FloatArray, FloatArray]:
    weighted = weight * ratings
    return weighted.sum(axis=1), weighted.sum(axis=0)


def _fitted(inverse: CrossedInverse, weight: FloatArray, ratings: FloatArray) -> FloatArray:
    score, bias = inverse.solve(*_totals(weight, ratings))
    fitted: FloatArray = score[:, None] + bias
    return fitted


def _variances(
    residual: FloatArray,
    weight: FloatArray,
    inverse: CrossedInverse,
    dof: int,
    rater_variance: RaterVariance,
    shrinkage: float,
) -> FloatArray:
    """`[raters]`: squared residuals over the degrees of freedom that each rater has left."""
    squares = (residual**2).sum(axis=0)
    pooled = float(squares.sum()) / dof
    if pooled <= 1e-20 * float(np.abs(residual).max(initial=1.0)):
        raise NotConvergedError(
            "the ratings fit score + bias exactly, so there is no noise to make an interval of"
        )
    if rater_variance == "equal":
        return np.full(len(squares), pooled)
    leverage = weight * (inverse.items[:, None] + inverse.raters + 2 * inverse.cross)
    left = (weight > 0).sum(axis=0) - leverage.sum(axis=0)
    variance: FloatArray = (squares + shrinkage * pooled) / (left + shrinkage)
    return variance


def _ratings(table: RatingTable) -> tuple[FloatArray, FloatArray]:
    """Ratings `[clips, raters]` with 0 where missing, and 1.0 where given."""
    given = np.isfinite(table.values).T
    if not given.size or not given.any(axis=1).all() or not given.any(axis=0).all():
        raise DataError("expected at least one rating of each clip and by each rater")
    rows, columns = np.nonzero(given)
    n_clips, n_raters = given.shape
    nodes = n_clips + n_raters
    edges = sparse.coo_array((np.ones(len(rows)), (rows, n_clips + columns)), (nodes, nodes))
    n_parts, part = connected_components(edges, directed=False)
    if n_parts > 1:
        examples = [
            table.clips[int(np.flatnonzero(part[:n_clips] == k)[0])] for k in range(n_parts)
        ]
        more = f" and {n_parts - MAX_NAMES} more" if n_parts > MAX_NAMES else ""
        raise NotConvergedError(
            f"clips and raters fall into {n_parts} groups that share no rating (with the clips "
            f"{', '.join(examples[:MAX_NAMES])}{more}), so their severities cannot be told apart; "
            "correct each group alone or let raters rate clips of both"
        )
    return np.where(given, table.values.T, 0.0), given.astype(np.float64)


def _require_variance(dof: int) -> None:
    if dof < 1:
        raise NotConvergedError(
            "there are no more ratings than scores and biases to estimate, so no variance; "
            "collect more ratings per clip"
        )


def _check_options(rater_variance: str, shrinkage: float) -> None:
    known = get_args(RaterVariance)
    if rater_variance not in known:
        raise ConfigError(
            f"rater_variance must be one of {', '.join(known)}, got '{rater_variance}'"
            f"{did_you_mean(rater_variance, known)}"
        )
    if not (np.isfinite(shrinkage) and shrinkage >= 0):
        raise ConfigError(f"shrinkage must be 0 or more degrees of freedom, got {shrinkage}")
