"""Do listeners agree? Each coefficient is named; a bare "agreement" means nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from auralign.errors import ConfigError, DataError, NotConvergedError
from auralign.stats.arrays import FloatArray, IntArray, mid_ranks
from auralign.stats.comparisons import pair_judgements
from auralign.stats.intervals import cluster_bootstrap
from auralign.types import Candidate, Estimate, Judgement, Outcome

LevelOfMeasurement = Literal["nominal", "ordinal", "interval"]


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
    answers = [_canonical(j) for j in pair_judgements(judgements, dimension) if _is_answer(j)]
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


def krippendorff_alpha(ratings: ArrayLike, *, level_of_measurement: LevelOfMeasurement) -> float:
    """Krippendorff's alpha of `ratings`, float `[rater, unit]`, NaN where a rating is missing.

    alpha = 1 - D_observed / D_expected (Krippendorff 2004, Content Analysis, ch. 11), where
    `level_of_measurement` sets the squared distance of two values: 0 or 1 (nominal), of mid-ranks
    (ordinal), of the values (interval). Units with fewer than two ratings are left out. Units are
    the rows to resample where an interval is wanted (`cluster_bootstrap`).

    Raises `DataError` when no unit has two ratings, `NotConvergedError` when all ratings are
    equal (0/0), `ConfigError` for an unknown level.
    """
    if level_of_measurement not in _DISAGREEMENT:
        raise ConfigError(
            f"level_of_measurement must be one of {', '.join(_DISAGREEMENT)}, "
            f"got '{level_of_measurement}'"
        )
    values, unit = _pairable(np.asarray(ratings, dtype=np.float64))
    observed, expected = _DISAGREEMENT[level_of_measurement](values, unit)
    if expected == 0:
        raise NotConvergedError(
            "alpha does not exist: all ratings are equal, so chance agreement is 1 (0/0)"
        )
    return 1 - observed / expected


@dataclass(frozen=True, slots=True)
class _RaterPairs:
    """How many pairs of different raters answered one stimulus, decisively, and alike."""

    prompt_id: str
    all: int
    decisive: int
    agreeing: int


def _is_answer(judgement: Judgement) -> bool:
    first, second = judgement.candidates
    return first != second and judgement.outcome is not Outcome.SKIP


def _canonical(judgement: Judgement) -> Judgement:
    """The judgement as if the candidates had been presented in alphabetical order."""
    first, second = map(_key, judgement.candidates)
    return judgement if first <= second else judgement.swap()


def _key(candidate: Candidate) -> tuple[str, tuple[float, ...]]:
    return candidate.clip_id, candidate.segment or ()


def _stimulus(judgement: Judgement) -> str:
    return repr((judgement.prompt_id, *map(_key, judgement.candidates)))


def _rater_pairs_by_stimulus(answers: Iterable[Judgement]) -> list[_RaterPairs]:
    by_stimulus: defaultdict[str, list[Judgement]] = defaultdict(list)
    for answer in answers:
        by_stimulus[_stimulus(answer)].append(answer)
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


def _pairable(ratings: FloatArray) -> tuple[FloatArray, IntArray]:
    """Values and their units, both `[n]`, of the units with at least two ratings."""
    if ratings.ndim != 2:
        raise DataError(f"ratings must be [rater, unit], got {ratings.ndim} dimensions")
    kept = ratings[:, np.isfinite(ratings).sum(axis=0) >= 2]
    unit, rater = np.nonzero(np.isfinite(kept.T))
    if not len(unit):
        raise DataError("agreement needs at least one unit with two ratings, found none")
    return kept[rater, unit], unit


def _interval_disagreement(values: FloatArray, unit: IntArray) -> tuple[float, float]:
    """Observed and expected squared differences from sums, without a table of value pairs."""
    centred = values - values.mean()
    size = np.bincount(unit)
    total = np.bincount(unit, weights=centred)
    squares = np.bincount(unit, weights=centred**2)
    observed = 2 * ((size * squares - total**2) / (size - 1)).sum() / len(values)
    expected = 2 * float(centred @ centred) / (len(values) - 1)
    return float(observed), expected


def _ordinal_disagreement(values: FloatArray, unit: IntArray) -> tuple[float, float]:
    # The ordinal distance of two values is the difference of their mid-ranks among all values.
    return _interval_disagreement(mid_ranks(values), unit)


def _nominal_disagreement(values: FloatArray, unit: IntArray) -> tuple[float, float]:
    _, code = np.unique(values, return_inverse=True)
    size = np.bincount(unit)
    cells, counts = np.unique(np.stack([unit, code], axis=1), axis=0, return_counts=True)
    same = np.bincount(cells[:, 0], weights=counts**2)
    totals = np.bincount(code)
    n = len(values)
    observed = ((size**2 - same) / (size - 1)).sum() / n
    return float(observed), float((n**2 - (totals**2).sum()) / (n * (n - 1)))


_DISAGREEMENT: dict[str, Callable[[FloatArray, IntArray], tuple[float, float]]] = {
    "nominal": _nominal_disagreement,
    "ordinal": _ordinal_disagreement,
    "interval": _interval_disagreement,
}
