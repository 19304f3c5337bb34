"""Pair comparisons with the time that each answer took."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from auralign.errors import ConfigError, DataError, NotConvergedError, did_you_mean
from auralign.stats.arrays import FloatArray, IntArray, sum_by
from auralign.stats.comparisons import check_comparisons, comparisons_from, pair_judgements
from auralign.stats.pairs.laplacian import PairGraph
from auralign.types import Comparisons, Judgement

Bounds = Literal["shared", "by rater"]

LEAST_TRIALS = 10


@dataclass(frozen=True, eq=False)
class TimedTrials:
    """Rows `[n]` of positive weight; `choice` is +1 or -1, `group` shares bound and other time."""

    first: IntArray
    second: IntArray
    choice: FloatArray
    weight: FloatArray
    seconds: FloatArray
    group: IntArray
    n_groups: int
    graph: PairGraph
    non_decision_s: float | None

    def by_group(self, values: FloatArray) -> FloatArray:
        return sum_by(self.group, self.weight * values, self.n_groups)


def timed_comparisons(
    judgements: Iterable[Judgement],
    dimension: str,
    *,
    item_of: Callable[[str], str] | None = None,
) -> tuple[Comparisons, FloatArray]:
    """The decisive pair judgements of one dimension that have a time, and their times `[n]` in s.

    Ties and skips are left out: the model has no bound for them. Raises `DataError` when nothing
    is left.
    """
    name = item_of or str
    timed = [
        j
        for j in pair_judgements(judgements, dimension)
        if j.outcome is not None
        and j.outcome.is_decisive
        and j.time_to_answer_s is not None
        and name(j.candidates[0].clip_id) != name(j.candidates[1].clip_id)
    ]
    if not timed:
        raise DataError(f"no decisive pair judgement on '{dimension}' has a time_to_answer_s")
    seconds = np.array([j.time_to_answer_s for j in timed], dtype=np.float64)
    return comparisons_from(timed, dimension, item_of=item_of), seconds


def timed_trials(
    comparisons: Comparisons, seconds: ArrayLike, bounds: str, non_decision_s: float | None
) -> TimedTrials:
    """The comparisons of positive weight with their times; each group shares a bound.

    Raises `DataError` for ties, broken arrays or times, and for a rater with fewer than
    `LEAST_TRIALS` comparisons if `bounds` is "by rater", `NotConvergedError` when items are not
    connected by comparisons, `ConfigError` for an unknown option.
    """
    check_comparisons(comparisons)
    known = get_args(Bounds)
    if bounds not in known:
        raise ConfigError(
            f"bounds must be one of {', '.join(known)}, got '{bounds}'{did_you_mean(bounds, known)}"
        )
    time = np.asarray(seconds, dtype=np.float64)
    _check_times(comparisons, time, non_decision_s)
    used = comparisons.weight > 0
    first, second = comparisons.first[used], comparisons.second[used]
    n_items = len(comparisons.items)
    _require_connected(first, second, comparisons.items)
    by_rater = bounds == "by rater"
    trials = TimedTrials(
        first=first,
        second=second,
        choice=2 * comparisons.outcome[used] - 1,
        weight=comparisons.weight[used],
        seconds=time[used],
        group=comparisons.rater[used] if by_rater else np.zeros(len(first), dtype=np.int64),
        n_groups=len(comparisons.raters) if by_rater else 1,
        graph=PairGraph(first, second, np.zeros(n_items, dtype=np.int64)),
        non_decision_s=non_decision_s,
    )
    per_group = np.bincount(trials.group, minlength=trials.n_groups)
    if by_rater and per_group.min() < LEAST_TRIALS:
        few = comparisons.raters[int(per_group.argmin())]
        raise DataError(
            f"a bound for each rater needs at least {LEAST_TRIALS} timed comparisons of each, "
            f"'{few}' made {per_group.min()}; leave such raters out or use bounds='shared'"
        )
    return trials


def _check_times(comparisons: Comparisons, time: FloatArray, non_decision_s: float | None) -> None:
    if time.shape != comparisons.first.shape:
        raise DataError(
            f"expected one time for each of {len(comparisons.first)} comparisons, got {time.shape}"
        )
    used = comparisons.weight > 0
    if (comparisons.outcome[used] == 0.5).any():
        raise DataError("a tie has no bound to reach: leave ties out (see timed_comparisons)")
    least = 0.0 if non_decision_s is None else non_decision_s
    if not (np.isfinite(least) and least >= 0):
        raise ConfigError(f"non_decision_s must be 0 or more seconds, got {non_decision_s}")
    wrong = np.flatnonzero(used & ~(np.isfinite(time) & (time > least)))
    if len(wrong):
        raise DataError(
            f"times must be finite and longer than {least:g} s, comparison {wrong[0]} took "
            f"{time[wrong[0]]:g} s"
        )


def _require_connected(first: IntArray, second: IntArray, items: tuple[str, ...]) -> None:
    edges = sparse.coo_array((np.ones(len(first)), (first, second)), (len(items), len(items)))
    n_parts, part = connected_components(edges, directed=False)
    if n_parts > 1:
        example = [items[int(np.flatnonzero(part == k)[0])] for k in range(2)]
        raise NotConvergedError(
            f"the comparison graph falls into {n_parts} components ('{example[0]}' and "
            f"'{example[1]}' are in different ones), so worths across them do not exist; collect "
            "comparisons between them or fit each alone"
        )
