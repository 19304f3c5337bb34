"""The rating models behind a study's table: means, severity-corrected means, ordinal effects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from scipy import sparse

from auralign.errors import ConfigError, DataError
from auralign.stats.arrays import FloatArray, IntArray, sum_by
from auralign.stats.comparisons import encode
from auralign.stats.ratings.crossed import CrossedInverse, invert_crossed
from auralign.stats.ratings.ordinal_mixed import fit_ordinal_mixed
from auralign.stats.ratings.severity import SeverityFit, fit_severity
from auralign.stats.ratings.table import rating_table, rating_value
from auralign.stats.studies.clustering import Influence, n_codes
from auralign.stats.studies.ranking import ItemEstimates
from auralign.stats.studies.selection import Selection
from auralign.types import TrialProtocol

RatingModel = Literal["mean", "severity", "ordinal"]


def rating_estimates(selection: Selection, model: RatingModel) -> ItemEstimates:
    """The items by this model of their ratings.

    Raises `DataError` when ratings are on different scales, `ConfigError` for another model than
    the mean of thumbs.
    """
    if model == "mean":
        return mean_ratings(selection)
    if selection.protocol is not TrialProtocol.RATING:
        raise ConfigError(f"a model of severity needs ratings, got {selection.protocol.value}")
    return severity_scores(selection) if model == "severity" else ordinal_effects(selection)


def mean_ratings(selection: Selection) -> ItemEstimates:
    """The mean of all ratings of each item, every rating counting once."""
    items, item, rating = _ratings(selection)
    size = np.bincount(item, minlength=len(items)).astype(np.float64)
    means = sum_by(item, rating, len(items)) / size
    return ItemEstimates(
        items=items,
        values=means,
        influence_of=partial(_mean_influence, item, (rating - means[item]) / size[item]),
        unit=_unit(selection),
        model="mean rating",
        details={"scale": _scale(selection), "sd_of_ratings": float(rating.std())},
        warnings=_no_common_prompt(selection),
    )


def severity_scores(selection: Selection) -> ItemEstimates:
    """Clips' scores without their raters' bias (`fit_severity`), a system's clips averaged.

    The influence of an answer takes the raters' variances as known, and adds how far its clip is
    from its system, so that intervals over prompts are for new ones. Raises `NotConvergedError`
    where clips and raters fall into groups that share no rating, as where each rated once.
    """
    unit = _unit(selection)
    table = rating_table(selection.judgements, selection.dimension)
    fit = fit_severity(table)
    items, item_of_clip = encode([selection.item_of(clip) for clip in fit.clips])
    size = np.bincount(item_of_clip).astype(np.float64)
    values = sum_by(item_of_clip, fit.score, len(items)) / size
    weight = np.isfinite(table.values.T) / fit.inconsistency**2
    by_equation = _item_rows(_inverse(weight), item_of_clip, size)
    distance = (fit.score - values[item_of_clip]) / size[item_of_clip]
    answers = _AnswerParts.of(selection, fit, item_of_clip, distance)
    return ItemEstimates(
        items=items,
        values=values,
        influence_of=partial(_severity_influence, by_equation, answers),
        unit=unit,
        model="severity-corrected mean rating",
        details={
            "scale": _scale(selection),
            "status": fit.status,
            "iterations": fit.iterations,
            "change": fit.change,
            "bias": dict(zip(fit.raters, fit.bias.tolist(), strict=True)),
            "inconsistency": dict(zip(fit.raters, fit.inconsistency.tolist(), strict=True)),
        },
        warnings=fit.warnings,
    )


def ordinal_effects(selection: Selection) -> ItemEstimates:
    """Effects of items in a cumulative-logit model whose raters and items vary at random.

    Raises `DataError` where every rater answered once: a rater's effect is then noise.
    """
    _scale(selection)
    if not selection.raters_repeat:
        raise DataError("an ordinal model of raters needs raters who rated more than once")
    items = [selection.items(j)[0] for j in selection.judgements]
    raters = [j.rater for j in selection.judgements]
    fit = fit_ordinal_mixed(items, raters, [rating_value(j) for j in selection.judgements])
    prompts_too = selection.item == "system" and selection.n_prompts > 1
    remark = "the ordinal model knows raters and no prompts: its intervals are for these prompts"
    return ItemEstimates(
        items=fit.items,
        values=fit.item_effect,
        influence_of=None,
        covariance=fit.item_covariance,
        unit="effect in logits, mean 0",
        model="cumulative-logit mixed model",
        intervals="curvature of the likelihood (Laplace), normal",
        details={
            "status": fit.status,
            "log_likelihood": fit.log_likelihood,
            "iterations": fit.iterations,
            "gradient_max": fit.gradient_max,
            "categories": fit.categories,
            "thresholds": fit.threshold.tolist(),
            "item_sd": fit.item_sd,
            "rater_sd": fit.rater_sd,
            "expected_rating": dict(zip(fit.items, fit.expected_rating.tolist(), strict=True)),
            "rater_effect": dict(zip(fit.raters, fit.rater_effect.tolist(), strict=True)),
        },
        warnings=(*fit.warnings, *([remark] if prompts_too else [])),
    )


def _ratings(selection: Selection) -> tuple[tuple[str, ...], IntArray, FloatArray]:
    """The items, and of each rating its item and value `[n]`."""
    items, item = encode([selection.items(j)[0] for j in selection.judgements])
    return items, item, np.array([rating_value(j) for j in selection.judgements])


def _unit(selection: Selection) -> str:
    scale = _scale(selection)
    return "" if scale is None else f"on a scale from {scale[0]:g} to {scale[1]:g}"


def _scale(selection: Selection) -> tuple[float, float] | None:
    scales = {j.scale for j in selection.judgements}
    if len(scales) > 1:
        raise DataError(
            f"the ratings on '{selection.dimension}' are on different scales "
            f"({', '.join(sorted(map(str, scales)))}); rescale them or analyse them apart"
        )
    return scales.pop()


def _mean_influence(item: IntArray, part: FloatArray, cluster: IntArray) -> Influence:
    """By how much each cluster's ratings move each mean, `[items, clusters]`."""
    shape = (n_codes(item), n_codes(cluster))
    return sparse.coo_array((part, (item, cluster)), shape).tocsr()


def _inverse(weight: FloatArray) -> CrossedInverse:
    """Of the normal equations with weights `[clips, raters]`, as `fit_severity` has it."""
    fill = float(weight.sum() / weight.size)
    return invert_crossed(weight.sum(axis=1), weight.sum(axis=0), weight, fill=fill)


def _item_rows(inverse: CrossedInverse, item_of_clip: IntArray, size: FloatArray) -> FloatArray:
    """How item scores follow the clips' and raters' equations, `[items, clips + raters]`.

    An item's score is its clips' mean score, plus the mean bias that centring adds.
    """
    n_clips = len(item_of_clip)
    average = np.zeros((len(size), n_clips))
    average[item_of_clip, np.arange(n_clips)] = 1 / size[item_of_clip]
    of_scores = np.hstack([average @ inverse.item_covariance(), average @ inverse.cross])
    of_mean_bias = np.concatenate(
        [inverse.cross.mean(axis=1), inverse.rater_covariance().mean(axis=0)]
    )
    rows: FloatArray = of_scores + of_mean_bias
    return rows


@dataclass(frozen=True, eq=False)
class _AnswerParts:
    """What each answer adds, sparse: to the equations of clips and raters `[clips + raters, n]`,
    and directly to the items `[items, n]`."""

    to_equations: sparse.csr_array
    to_items: sparse.csr_array

    @classmethod
    def of(
        cls, selection: Selection, fit: SeverityFit, item_of_clip: IntArray, distance: FloatArray
    ) -> _AnswerParts:
        """`distance` `[clips]` is each clip's part of its item's score, less the item's."""
        clip = _codes([j.candidates[0].clip_id for j in selection.judgements], fit.clips)
        rater = _codes([j.rater for j in selection.judgements], fit.raters)
        rating = np.array([rating_value(j) for j in selection.judgements])
        cell, n = clip * len(fit.raters) + rater, len(rating)
        # A clip that a rater rated more than once counts once, with the mean.
        residual = (rating - fit.score[clip] - fit.bias[rater]) / np.bincount(cell)[cell]
        part = residual / fit.inconsistency[rater] ** 2
        equation = np.concatenate([clip, len(fit.clips) + rater])
        shape = len(fit.clips) + len(fit.raters), n
        answer = np.arange(n)
        of_clip = distance[clip] / np.bincount(clip)[clip]
        return cls(
            sparse.coo_array((np.tile(part, 2), (equation, np.tile(answer, 2))), shape).tocsr(),
            sparse.coo_array((of_clip, (item_of_clip[clip], answer))).tocsr(),
        )


def _codes(names: Sequence[str], known: Sequence[str]) -> IntArray:
    at = {name: k for k, name in enumerate(known)}
    return np.array([at[name] for name in names])


def _severity_influence(
    by_equation: FloatArray, answers: _AnswerParts, cluster: IntArray
) -> Influence:
    n = len(cluster)
    member = sparse.coo_array((np.ones(n), (np.arange(n), cluster))).tocsr()
    moved = by_equation @ (answers.to_equations @ member).toarray()
    influence: FloatArray = moved + (answers.to_items @ member).toarray()
    return influence


def _no_common_prompt(selection: Selection) -> tuple[str, ...]:
    """Say so where two systems answered no prompt in common."""
    if selection.item != "system":
        return ()
    prompts: defaultdict[str, set[str]] = defaultdict(set)
    for judgement in selection.judgements:
        prompts[selection.items(judgement)[0]].add(judgement.prompt_id)
    names = sorted(prompts)
    for k, first in enumerate(names):
        for second in names[k + 1 :]:
            if prompts[first].isdisjoint(prompts[second]):
                return (
                    f"'{first}' and '{second}', among others, answered no prompt in common: their "
                    "difference is also one of prompts (--condition compares within one condition)",
                )
    return ()
