"""How raters answer, whatever they answer: speed, sides, straight-lining."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
from scipy import special

from auralign.errors import ConfigError, DataError
from auralign.stats.comparisons import pair_judgements
from auralign.stats.proportions import clopper_pearson
from auralign.stats.ratings.table import rating_judgements, rating_value
from auralign.types import Estimate, Judgement, Outcome


@dataclass(frozen=True, slots=True)
class AnswerTimes:
    """`median_s` of a rater's times to answer, and the share that was too fast."""

    n: int
    median_s: float
    too_fast: Estimate


@dataclass(frozen=True, slots=True)
class SideUse:
    """A rater's decisive answers by side of presentation.

    share_first     share of answers for the candidate presented first
    p_side          of a share as far from one half, two-sided, if sides were random
    longest_run     most answers in a row for one side
    p_run           of a run as long or longer in as many tosses of a coin
    """

    n: int
    share_first: Estimate
    p_side: float
    longest_run: int
    p_run: float


@dataclass(frozen=True, slots=True)
class ScaleUse:
    """A rater's ratings: their spread, the share of the commonest, and the longest equal run."""

    n: int
    standard_deviation: float
    commonest_share: float
    longest_run: int


def answer_times(
    judgements: Iterable[Judgement], *, too_fast_s: float, level: float = 0.95
) -> dict[str, AnswerTimes]:
    """For each rater the median time to answer and the share below `too_fast_s` seconds.

    What is too fast depends on the clips: less than it takes to hear them is. Judgements without
    a time are left out. Raises `DataError` when none has one or one is negative, `ConfigError` for
    a threshold that is not positive.
    """
    if not (np.isfinite(too_fast_s) and too_fast_s > 0):
        raise ConfigError(f"too_fast_s must be a positive number of seconds, got {too_fast_s}")
    times: defaultdict[str, list[float]] = defaultdict(list)
    for j in judgements:
        if j.time_to_answer_s is not None:
            if not j.time_to_answer_s >= 0:
                raise DataError(
                    f"trial '{j.trial}' by '{j.rater}': time_to_answer_s must be 0 or more, got "
                    f"{j.time_to_answer_s}"
                )
            times[j.rater].append(j.time_to_answer_s)
    if not times:
        raise DataError("no judgement has a time_to_answer_s")
    return {rater: _times(own, too_fast_s, level) for rater, own in sorted(times.items())}


def side_use(
    judgements: Iterable[Judgement], dimension: str, *, level: float = 0.95
) -> dict[str, SideUse]:
    """For each rater the sides of her decisive pair answers, in the order of the judgements.

    The p-values hold where sides were drawn at random for each trial. Raises `DataError` when the
    dimension has no pair judgement.
    """
    sides: defaultdict[str, list[bool]] = defaultdict(list)
    for j in pair_judgements(judgements, dimension):
        if j.outcome in (Outcome.A, Outcome.B):
            sides[j.rater].append(j.outcome is Outcome.A)
    return {rater: _sides(own, level) for rater, own in sorted(sides.items())}


def scale_use(judgements: Iterable[Judgement], dimension: str) -> dict[str, ScaleUse]:
    """For each rater the use of the scale, in the order of the judgements.

    Raises `DataError` when the dimension has no rating judgement.
    """
    ratings: defaultdict[str, list[float]] = defaultdict(list)
    for j in rating_judgements(judgements, dimension):
        ratings[j.rater].append(rating_value(j))
    return {rater: _scale(own) for rater, own in sorted(ratings.items())}


def run_p_value(longest_run: int, n: int) -> float:
    """Probability of a run of `longest_run` or more equal sides in `n` tosses of a fair coin.

    Tosses equal to the one before are themselves n - 1 fair tosses, in which a run of
    `longest_run` - 1 successes has a recursion (Feller 1968, vol. 1, ch. XIII.7).
    """
    k, tosses = longest_run - 1, n - 1
    if k <= 0:
        return 1.0
    without = np.ones(tosses + 1)
    for m in range(k, tosses + 1):
        before = without[m - k - 1] if m > k else 1.0
        without[m] = without[m - 1] - before * (0.5 ** (k + 1) if m > k else 0.5**k)
    return float(1 - without[tosses])


def _times(seconds: Sequence[float], too_fast_s: float, level: float) -> AnswerTimes:
    fast = sum(time < too_fast_s for time in seconds)
    share = clopper_pearson(fast, len(seconds), level=level)
    method = f"answers in less than {too_fast_s:g} s; Clopper-Pearson"
    return AnswerTimes(len(seconds), float(np.median(seconds)), replace(share, method=method))


def _sides(first: Sequence[bool], level: float) -> SideUse:
    n, wins, run = len(first), sum(first), _longest_run(first)
    share = clopper_pearson(wins, n, level=level)
    method = "answers for the first side; Clopper-Pearson"
    tail = float(special.bdtr(min(wins, n - wins), n, 0.5))
    return SideUse(n, replace(share, method=method), min(1.0, 2 * tail), run, run_p_value(run, n))


def _scale(ratings: Sequence[float]) -> ScaleUse:
    n = len(ratings)
    spread = float(np.std(ratings, ddof=1)) if n > 1 else float("nan")
    _, counts = np.unique(ratings, return_counts=True)
    return ScaleUse(n, spread, float(counts.max() / n), _longest_run(ratings))


def _longest_run(values: Sequence[object]) -> int:
    return max(len(list(group)) for _, group in groupby(values))
