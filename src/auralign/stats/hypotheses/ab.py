"""A/B preference test of two systems."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from auralign.errors import DataError
from auralign.stats.arrays import BoolArray, FloatArray
from auralign.stats.comparisons import TIES, pair_judgements
from auralign.stats.hypotheses.binomial import sign_test
from auralign.stats.hypotheses.permutation import sign_flip_test
from auralign.stats.hypotheses.result import HypothesisTest
from auralign.stats.intervals import win_rate
from auralign.stats.proportions import clustered_share
from auralign.types import Estimate, Judgement, Outcome


@dataclass(frozen=True, slots=True)
class AbResult:
    """How often listeners prefer one system to another, and how sure that is.

    win_rate             ties half; interval for new listeners and new prompts
    tie_share            ties of any kind among all answers; `both_bad` counts those that say so
    sign_test            on decisive votes as if they were independent: the naive one
    sign_flip            the same question with listeners flipped whole, ties as zeros; None with
                         one listener or ties only
    first_presented      share of decisive votes for the clip that was presented first
    """

    wins: int
    losses: int
    ties: int
    both_bad: int
    skips: int
    win_rate: Estimate
    tie_share: Estimate
    sign_test: HypothesisTest | None
    sign_flip: HypothesisTest | None
    first_presented: Estimate | None
    warnings: tuple[str, ...]


def ab_test(
    judgements: Iterable[Judgement],
    dimension: str,
    systems: Mapping[str, str],
    *,
    system: str,
    baseline: str,
    rng: np.random.Generator,
    n_resamples: int = 2000,
    level: float = 0.95,
) -> AbResult:
    """Preference for `system` over `baseline` among pair judgements of one dimension.

    `systems` maps clip ids to systems; pairs of other systems are left aside. Skips are counted
    and left out. Raises `DataError` when no answer compares the two or a clip has no system.
    """
    answers, n_skips = answers_between(judgements, dimension, systems, system, baseline)
    first = np.array([systems[j.candidates[0].clip_id] == system for j in answers])
    sign = np.array([_sign(j) for j in answers])
    votes = np.where(first, sign, -sign)
    listener = np.array([j.rater for j in answers])
    prompt = [j.prompt_id for j in answers]
    decisive = sign != 0
    return AbResult(
        wins=int((votes > 0).sum()),
        losses=int((votes < 0).sum()),
        ties=int((~decisive).sum()),
        both_bad=sum(j.outcome is Outcome.TIE_BAD for j in answers),
        skips=n_skips,
        win_rate=win_rate(
            (votes + 1) / 2, listener, prompt, rng=rng, n_resamples=n_resamples, level=level
        ),
        tie_share=clustered_share(~decisive, np.ones(len(sign)), listener, level=level),
        sign_test=sign_test(votes, level=level) if decisive.any() else None,
        sign_flip=_sign_flip(votes, listener, rng, level),
        first_presented=_first_presented(sign, listener, level),
        warnings=_warnings(first, decisive),
    )


def answers_between(
    judgements: Iterable[Judgement],
    dimension: str,
    systems: Mapping[str, str],
    system: str,
    other: str,
) -> tuple[list[Judgement], int]:
    """The pair judgements of two systems that are answers, and how many are skips.

    Raises `DataError` when there is no answer or a clip has no system.
    """
    pairs = [
        j
        for j in pair_judgements(judgements, dimension)
        if {_system_of(c.clip_id, systems) for c in j.candidates} == {system, other}
    ]
    answers = [j for j in pairs if j.outcome is not Outcome.SKIP]
    if not answers:
        raise DataError(
            f"no answer on '{dimension}' compares '{system}' with '{other}': collect pair "
            "judgements of both"
        )
    return answers, len(pairs) - len(answers)


def _system_of(clip: str, systems: Mapping[str, str]) -> str:
    if clip not in systems:
        raise DataError(f"clip '{clip}' was judged but has no system; add it to the systems")
    return systems[clip]


def _sign(judgement: Judgement) -> float:
    """1 where the clip presented first won, -1 where it lost, 0 for a tie."""
    if judgement.outcome in TIES:
        return 0.0
    return 1.0 if judgement.outcome is Outcome.A else -1.0


def _sign_flip(
    votes: FloatArray,
    listener: np.ndarray[tuple[int, ...], np.dtype[np.str_]],
    rng: np.random.Generator,
    level: float,
) -> HypothesisTest | None:
    if not votes.any() or len(np.unique(listener)) < 2:
        return None
    return sign_flip_test(votes, clusters=listener, rng=rng, level=level)


def _first_presented(
    sign: FloatArray, listener: np.ndarray[tuple[int, ...], np.dtype[np.str_]], level: float
) -> Estimate | None:
    decisive = sign != 0
    if not decisive.any():
        return None
    won = (sign[decisive] > 0) * 1.0
    return clustered_share(won, np.ones(len(won)), listener[decisive], level=level)


def _warnings(first: BoolArray, decisive: BoolArray) -> tuple[str, ...]:
    warnings = []
    if first.all() or not first.any():
        warnings.append(
            "one system was always presented first: its win rate cannot be told from a preference "
            "for that side"
        )
    if not decisive.any():
        warnings.append("all answers are ties: no test of a preference exists")
    return tuple(warnings)
