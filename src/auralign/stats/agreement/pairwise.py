"""Do listeners agree? Each coefficient is named; a bare "agreement" means nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from auralign.errors import DataError
from auralign.stats.agreement.stimuli import canonical_answers, stimulus
from auralign.stats.intervals import cluster_bootstrap
from auralign.types import Estimate, Judgement, Outcome


def pairwise_agreement(
    judgements: Iterable[Judgement],
    dimension: str,
    *,
    rng: np.random.Generator,
    n_resamples: int = 2000,
    level: float = 0.95,
) -> Estimate:
    """Share of pairs of different raters that prefer the same clip of the same stimulus.

    A stimulus is a prompt with an unordered pair of candidates; which one was presented first
    does not matter. Only pairs of raters that both answered decisively count; `method` says which
    share of all pairs of raters that is: pairs with a tie are set aside, while skips and trials
    of a clip with itself are no answers. Two raters who guess agree in half of the cases. The
    interval resamples prompts.

    Raises `DataError` when no stimulus has two decisive raters, or only one prompt has.
    """
    answers = canonical_answers(judgements, dimension)
    pairs = _rater_pairs_by_stimulus(answers)
    shared = [pair for pair in pairs if pair.decisive]
    if not shared:
        raise DataError(f"no pair on '{dimension}' was answered decisively by two different raters")
    agreeing = np.array([pair.agreeing for pair in shared])
    decisive = np.array([pair.decisive for pair in shared])
    estimate = cluster_bootstrap(
        lambda counts: float(counts @ agreeing / (counts @ decisive)),
        [pair.prompt_id for pair in shared],
        rng=rng,
        n_resamples=n_resamples,
        level=level,
    )
    n, n_all = int(decisive.sum()), sum(pair.all for pair in pairs)
    method = f"agreement of rater pairs, both decisive ({n} of {n_all} pairs); {estimate.method}"
    return replace(estimate, n=n, method=method)


@dataclass(frozen=True, slots=True)
class _RaterPairs:
    """How many pairs of different raters answered one stimulus, decisively, and alike."""

    prompt_id: str
    all: int
    decisive: int
    agreeing: int


def _rater_pairs_by_stimulus(answers: Iterable[Judgement]) -> list[_RaterPairs]:
    by_stimulus: defaultdict[str, list[Judgement]] = defaultdict(list)
    for answer in answers:
        by_stimulus[stimulus(answer)].append(answer)
    return [_rater_pairs(group) for group in by_stimulus.values()]


def _rater_pairs(answers: Sequence[Judgement]) -> _RaterPairs:
    """Of answers to one stimulus."""
    sides = [[j.rater for j in answers if j.outcome is side] for side in (Outcome.A, Outcome.B)]
    return _RaterPairs(
        prompt_id=answers[0].prompt_id,
        all=_different([j.rater for j in answers]),
        decisive=_different([rater for side in sides for rater in side]),
        agreeing=sum(map(_different, sides)),
    )


def _different(raters: Sequence[str]) -> int:
    """Pairs of answers that come from different raters."""
    of_one_rater = sum(repeats**2 for repeats in Counter(raters).values())
    return (len(raters) ** 2 - of_one_rater) // 2
