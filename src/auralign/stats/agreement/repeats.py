"""How far raters agree with themselves when the same stimulus comes again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy import special

from auralign.errors import DataError
from auralign.stats.agreement.stimuli import canonical, is_answer, stimulus
from auralign.stats.comparisons import TIES, pair_judgements
from auralign.stats.intervals import check_level
from auralign.stats.proportions import clustered_share
from auralign.stats.ratings.table import rating_judgements, rating_value
from auralign.types import Estimate, Judgement, Outcome


@dataclass(frozen=True, slots=True)
class RepeatConsistency:
    """Share of repeated pairs of clips that a rater answered the same way.

    Repeats in the same order of presentation and in the other one are also counted apart: a rater
    who follows the side is consistent in the first and not in the second. None: no such repeat.
    """

    overall: Estimate
    same_order: Estimate | None
    swapped_order: Estimate | None
    by_rater: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True)
class RatingRepeats:
    """Differences between ratings of one clip by one rater, in units of the scale.

    within_sd       standard deviation of repeated ratings, pooled over raters and clips
    repeatability   95 % of two ratings of a clip differ by less: 1.96 sqrt(2) within_sd
                    (Bland & Altman 1986, Lancet 327:307)
    """

    mean_absolute_difference: Estimate
    within_sd: float
    repeatability: float
    within_sd_by_rater: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Repeat:
    rater: str
    stimulus: str
    same_order: bool
    same_answer: bool


def repeat_consistency(
    judgements: Iterable[Judgement], dimension: str, *, level: float = 0.95
) -> RepeatConsistency:
    """How often a rater gives the same answer to the same pair of clips again.

    A stimulus is a prompt with an unordered pair of candidates; ties of any kind are one answer,
    skips none. Of three answers all three pairs count. A rater who guesses between the two clips
    reaches a half. Intervals are over raters, for one rater over stimuli (`clustered_share`).

    Raises `DataError` when no rater answered a pair twice.
    """
    answers = [j for j in pair_judgements(judgements, dimension) if is_answer(j)]
    repeats = _repeats(answers)
    if not repeats:
        raise DataError(f"no rater answered the same pair on '{dimension}' twice")
    by_rater: defaultdict[str, list[_Repeat]] = defaultdict(list)
    for repeat in repeats:
        by_rater[repeat.rater].append(repeat)
    return RepeatConsistency(
        overall=_share(repeats, level),
        same_order=_share_or_none([r for r in repeats if r.same_order], level),
        swapped_order=_share_or_none([r for r in repeats if not r.same_order], level),
        by_rater={rater: _share(own, level) for rater, own in sorted(by_rater.items())},
    )


def rating_repeats(
    judgements: Iterable[Judgement], dimension: str, *, level: float = 0.95
) -> RatingRepeats:
    """How far repeated ratings of a clip by the same rater differ.

    The interval of the mean absolute difference is Student's t over raters, each with the mean of
    her repeats; one rater has none. Raises `DataError` when no rater rated a clip twice.
    """
    check_level(level)
    cells: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for j in rating_judgements(judgements, dimension):
        cells[j.rater, j.candidates[0].clip_id].append(rating_value(j))
    repeated = {cell: np.array(values) for cell, values in cells.items() if len(values) > 1}
    if not repeated:
        raise DataError(f"no rater rated the same clip on '{dimension}' twice")
    of_rater: defaultdict[str, list[np.ndarray[tuple[int], np.dtype[np.float64]]]]
    of_rater = defaultdict(list)
    for (rater, _), values in sorted(repeated.items()):
        of_rater[rater].append(values)
    within = _pooled_sd(list(repeated.values()))
    return RatingRepeats(
        mean_absolute_difference=_mean_difference(of_rater, level),
        within_sd=within,
        repeatability=float(special.ndtri(0.975)) * 2**0.5 * within,
        within_sd_by_rater={rater: _pooled_sd(groups) for rater, groups in of_rater.items()},
    )


def _repeats(answers: Sequence[Judgement]) -> list[_Repeat]:
    groups: defaultdict[tuple[str, str], list[tuple[Outcome | None, bool]]] = defaultdict(list)
    for answer in answers:
        ordered = canonical(answer)
        outcome = Outcome.TIE if ordered.outcome in TIES else ordered.outcome
        groups[answer.rater, stimulus(ordered)].append((outcome, ordered is answer))
    return [
        _Repeat(rater, name, a[1] == b[1], a[0] == b[0])
        for (rater, name), given in groups.items()
        for a, b in combinations(given, 2)
    ]


def _share(repeats: Sequence[_Repeat], level: float) -> Estimate:
    one_rater = len({r.rater for r in repeats}) == 1
    estimate = clustered_share(
        [float(r.same_answer) for r in repeats],
        np.ones(len(repeats)),
        [r.stimulus if one_rater else r.rater for r in repeats],
        level=level,
    )
    over = "stimuli" if one_rater else "raters"
    return replace(
        estimate, method=f"same answer to a repeated pair, over {over}; {estimate.method}"
    )


def _share_or_none(repeats: Sequence[_Repeat], level: float) -> Estimate | None:
    return _share(repeats, level) if repeats else None


def _pooled_sd(groups: Sequence[np.ndarray[tuple[int], np.dtype[np.float64]]]) -> float:
    squares = sum(float(((g - g.mean()) ** 2).sum()) for g in groups)
    return float((squares / sum(len(g) - 1 for g in groups)) ** 0.5)


def _mean_difference(
    of_rater: Mapping[str, Sequence[np.ndarray[tuple[int], np.dtype[np.float64]]]], level: float
) -> Estimate:
    means = np.array(
        [
            np.mean([abs(a - b) for g in groups for a, b in combinations(g.tolist(), 2)])
            for groups in of_rater.values()
        ]
    )
    n = sum(len(g) * (len(g) - 1) // 2 for groups in of_rater.values() for g in groups)
    mean, n_raters = float(means.mean()), len(means)
    if n_raters == 1:
        method = "mean absolute difference of repeated ratings of one rater; no interval"
        return Estimate(mean, np.nan, np.nan, level, n, 1, method)
    half = special.stdtrit(n_raters - 1, (1 + level) / 2) * means.std(ddof=1) / n_raters**0.5
    method = "mean absolute difference of repeated ratings; Student's t over raters"
    return Estimate(mean, float(mean - half), float(mean + half), level, n, n_raters, method)
