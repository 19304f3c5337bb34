"""Comparison mean opinion score: comparison category ratings (CCR) of ITU-T P.800, annex E."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from auralign.errors import DataError
from auralign.stats.arrays import BoolArray, FloatArray
from auralign.stats.comparisons import TIES
from auralign.stats.hypotheses.ab import answers_between
from auralign.stats.hypotheses.permutation import sign_flip_test
from auralign.stats.hypotheses.result import HypothesisTest
from auralign.stats.hypotheses.wilcoxon import wilcoxon_signed_rank
from auralign.stats.means import mean_over_clusters, mean_over_raters_and_items
from auralign.types import Estimate, Judgement, Outcome


@dataclass(frozen=True, slots=True)
class CmosResult:
    """How much better listeners find one system; scores are positive where it is better.

    cmos           mean score; interval for new raters and new items
    scores         how often each score was given, from -3 (much worse) to 3 (much better)
    order_effect   how much better a clip is found for being presented first; None when only one
                   order was used
    wilcoxon       one-sample signed-rank test of the raters' means
    sign_flip      permutation test of the mean score with raters flipped whole

    The tests are None when all scores are 0, `sign_flip` with one rater too.
    """

    cmos: Estimate
    scores: Mapping[int, int]
    skips: int
    order_effect: Estimate | None
    wilcoxon: HypothesisTest | None
    sign_flip: HypothesisTest | None
    warnings: tuple[str, ...]


def analyse_cmos(
    judgements: Iterable[Judgement],
    dimension: str,
    systems: Mapping[str, str],
    *,
    system: str,
    reference: str,
    rng: np.random.Generator,
    largest: int = 3,
    level: float = 0.95,
) -> CmosResult:
    """Scores of `system` against `reference` from pair judgements with a strength.

    `systems` maps clip ids to systems; pairs of other systems are left aside. A score is the
    strength, 1 (slightly) to `largest` (much), with the sign turned so that it is about `system`
    whatever the order of presentation; ties are 0, skips are left out. Raises `DataError` when no
    answer compares the two, a clip has no system, or a decisive answer has no such strength.
    """
    answers, n_skips = answers_between(judgements, dimension, systems, system, reference)
    first = np.array([systems[j.candidates[0].clip_id] == system for j in answers])
    toward_first = np.array([_score(j, largest) for j in answers], dtype=np.float64)
    scores = np.where(first, toward_first, -toward_first)
    rater = np.array([j.rater for j in answers])
    cmos = mean_over_raters_and_items(scores, rater, [j.prompt_id for j in answers], level=level)
    steps = range(-largest, largest + 1)
    return CmosResult(
        cmos=replace(cmos, method=f"CMOS, positive favours '{system}'; {cmos.method}"),
        scores={step: int((scores == step).sum()) for step in steps},
        skips=n_skips,
        order_effect=_order_effect(toward_first, first, rater, level),
        wilcoxon=_wilcoxon(scores, rater, level),
        sign_flip=_sign_flip(scores, rater, rng, level),
        warnings=_warnings(first, scores),
    )


def _score(judgement: Judgement, largest: int) -> int:
    """Toward the clip presented first."""
    if judgement.outcome in TIES:
        return 0
    strength = judgement.strength
    if strength is None or not 1 <= strength <= largest:
        raise DataError(
            f"trial '{judgement.trial}' by '{judgement.rater}': a comparison rating needs a "
            f"strength from 1 to {largest}, got {strength}"
        )
    return strength if judgement.outcome is Outcome.A else -strength


def _order_effect(
    toward_first: FloatArray,
    first: BoolArray,
    rater: np.ndarray[tuple[int, ...], np.dtype[np.str_]],
    level: float,
) -> Estimate | None:
    """Mean of the two orders' mean scores toward the first clip: a better system cancels out."""
    if first.all() or not first.any():
        return None
    weighted = np.empty_like(toward_first)
    effect = (toward_first[first].mean() + toward_first[~first].mean()) / 2
    for half in (first, ~first):
        residual = toward_first[half] - toward_first[half].mean()
        weighted[half] = effect + residual * len(first) / (2 * half.sum())
    estimate = mean_over_clusters(weighted, rater, level=level)
    return replace(estimate, method=f"preference for the first clip; {estimate.method}")


def _rater_means(
    scores: FloatArray, rater: np.ndarray[tuple[int, ...], np.dtype[np.str_]]
) -> FloatArray:
    return np.array([scores[rater == name].mean() for name in np.unique(rater)])


def _wilcoxon(
    scores: FloatArray, rater: np.ndarray[tuple[int, ...], np.dtype[np.str_]], level: float
) -> HypothesisTest | None:
    means = _rater_means(scores, rater)
    return wilcoxon_signed_rank(means, level=level) if means.any() else None


def _sign_flip(
    scores: FloatArray,
    rater: np.ndarray[tuple[int, ...], np.dtype[np.str_]],
    rng: np.random.Generator,
    level: float,
) -> HypothesisTest | None:
    if not scores.any() or len(np.unique(rater)) < 2:
        return None
    return sign_flip_test(scores, clusters=rater, rng=rng, level=level)


def _warnings(first: BoolArray, scores: FloatArray) -> tuple[str, ...]:
    share = float(first.mean())
    warnings = []
    if not 0.25 <= share <= 0.75:
        warnings.append(
            f"the system was presented first in {share:.0%} of the answers; P.800 asks for both "
            "orders equally often, so part of the score may be the order's"
        )
    if not scores.any():
        warnings.append("all scores are 0: no test of a difference exists")
    return tuple(warnings)
