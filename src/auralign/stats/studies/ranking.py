"""A table of the items of a study, best first, with intervals: from votes, rankings or ratings."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from scipy import special

from auralign.errors import ConfigError
from auralign.stats.arrays import FloatArray, IntArray
from auralign.stats.hypotheses.multiplicity import holm_adjusted
from auralign.stats.intervals import check_level
from auralign.stats.pairs.bradley_terry import BradleyTerryFit
from auralign.stats.pairs.significance_groups import compact_letters
from auralign.stats.studies.clustering import (
    ClusterBy,
    Clustering,
    InfluenceOf,
    ItemErrors,
    cluster_answers,
    clustered_errors,
    model_errors,
)
from auralign.stats.studies.comparison_intervals import ComparisonIntervals, comparison_intervals
from auralign.stats.studies.contests import Contests, contests_of
from auralign.stats.studies.selection import Selection
from auralign.types import Estimate

MAX_COMPARED = 60
"""Items of which all differences are listed; above, nobody reads the table."""


@dataclass(frozen=True, eq=False)
class ItemEstimates:
    """What a model says of the items, all `[items]`.

    influence_of, covariance
             one of them gives the errors: over clusters, or `[items, items]` from the model alone
    intervals
             for people: where errors from the model come from
    unit     what the values are in, for people
    details  what else the fit says of itself, as plain data
    block    items of different blocks cannot be compared; names in `blocks`
    fit      of comparisons
    """

    items: tuple[str, ...]
    values: FloatArray
    influence_of: InfluenceOf | None
    unit: str
    model: str
    details: Mapping[str, Any]
    warnings: tuple[str, ...] = ()
    covariance: FloatArray | None = None
    intervals: str = ""
    block: IntArray | None = None
    blocks: tuple[str, ...] = ("",)
    fit: BradleyTerryFit | None = None


@dataclass(frozen=True, slots=True)
class RankedItem:
    """One item: its place, the places it may have, and its value.

    Items of a block that share a letter are not told apart. `places` follows from how many items
    are significantly better and worse; None where differences are not listed. `block` is "" unless
    items are compared only within blocks.

    quasi_variance  the variance of a difference of two items is about the sum of theirs
    comparison      value -+ Student's t times the root of it: with it, and not with the interval of
                    `value`, any two items may be compared by eye

    Both are None where they do not exist, as a quasi-variance may be negative.
    """

    item: str
    place: int
    places: tuple[int, int] | None
    letters: str
    value: Estimate
    standard_error: float
    n: int
    n_prompts: int
    quasi_variance: float | None = None
    comparison: tuple[float, float] | None = None
    block: str = ""


@dataclass(frozen=True, slots=True)
class ItemDifference:
    """First less second, with p-values of no difference: alone, and by Holm in the family."""

    first: str
    second: str
    value: Estimate
    p: float
    p_holm: float


@dataclass(frozen=True, eq=False)
class StudyRanking:
    """The items of a study on one dimension, best first.

    intervals    how the intervals were made, for people
    quasi_error  the largest relative error of a difference's standard error from quasi-variances
    """

    study: str
    simulated: bool
    dimension: str
    descriptive: bool
    protocol: str
    item: str
    model: str
    unit: str
    clusters: str
    intervals: str
    level: float
    n: int
    n_raters: int
    n_prompts: int
    skipped: int
    items: tuple[RankedItem, ...]
    differences: tuple[ItemDifference, ...]
    quasi_error: float | None
    contests: Contests | None
    details: Mapping[str, Any]
    warnings: tuple[str, ...]


def ranking_of(
    selection: Selection,
    estimates: ItemEstimates,
    *,
    cluster: ClusterBy,
    level: float,
    rng: np.random.Generator,
) -> StudyRanking:
    """Places, intervals and letters of estimated items.

    Intervals are Student's t with the sandwich covariance over clusters (`clustering`), or normal
    with the covariance of the model where that is all there is; `cluster` is then "auto" or an
    error. Letters and places follow the differences that are significant at 1 - `level` by Holm's
    procedure (1979, Scand. J. Stat. 6:65) in the family of all pairs of the table. `rng` is for the
    test of cycles.
    """
    check_level(level)
    known = _uncertainty(selection, estimates, cluster, level)
    differences = _differences(estimates, known)
    quasi = comparison_intervals(known.errors, _blocks(estimates), level)
    rows = _rows(selection, estimates, known, differences, quasi)
    return StudyRanking(
        study=selection.study,
        simulated=selection.simulated,
        dimension=selection.dimension,
        descriptive=selection.descriptive,
        protocol=selection.protocol.value,
        item=selection.item,
        model=estimates.model,
        unit=estimates.unit,
        clusters=str(known.clustering),
        intervals=known.intervals,
        level=level,
        n=len(selection.judgements),
        n_raters=selection.n_raters,
        n_prompts=selection.n_prompts,
        skipped=selection.skipped,
        items=rows,
        differences=differences,
        quasi_error=None if quasi is None else quasi.worst_error,
        contests=_contests(selection, estimates, rows, rng),
        details=estimates.details,
        warnings=(
            *selection.warnings,
            *estimates.warnings,
            *known.clustering.warnings,
            *_remarks(selection, estimates),
        ),
    )


@dataclass(frozen=True, eq=False)
class _Uncertainty:
    """Errors of the items, the clusters that they know, and how intervals follow, for people."""

    errors: ItemErrors
    clustering: Clustering
    intervals: str
    level: float


def _uncertainty(
    selection: Selection, estimates: ItemEstimates, cluster: ClusterBy, level: float
) -> _Uncertainty:
    if estimates.influence_of is None:
        if cluster != "auto" or estimates.covariance is None:
            raise ConfigError(f"a {estimates.model} has errors of its own and takes no --cluster")
        clustering = cluster_answers(selection, "rater")
        errors = model_errors(estimates.covariance)
        return _Uncertainty(errors, clustering, estimates.intervals, level)
    clustering = cluster_answers(selection, cluster)
    listed = len(estimates.items) <= MAX_COMPARED
    errors = clustered_errors(
        estimates.influence_of, clustering, estimates.items, differences=listed
    )
    return _Uncertainty(errors, clustering, f"sandwich over {clustering}, Student's t", level)


def _blocks(estimates: ItemEstimates) -> IntArray:
    n_items = len(estimates.items)
    return np.zeros(n_items, dtype=np.int64) if estimates.block is None else estimates.block


def _compared(estimates: ItemEstimates) -> list[tuple[int, int]]:
    """The pairs of items whose difference is tested, the better one first."""
    if len(estimates.items) > MAX_COMPARED:
        return []
    block, order = _blocks(estimates), np.argsort(-estimates.values, kind="stable")
    pairs = combinations(order.tolist(), 2)
    return [(i, j) for i, j in pairs if block[i] == block[j]]


def _differences(estimates: ItemEstimates, known: _Uncertainty) -> tuple[ItemDifference, ...]:
    pairs, errors, clustering = _compared(estimates), known.errors, known.clustering
    if not pairs or errors.differences is None:
        return ()
    first, second = np.array(pairs).T
    value = estimates.values[first] - estimates.values[second]
    error = errors.differences[first, second]
    freedom = np.minimum(errors.freedom[first], errors.freedom[second])
    half = special.stdtrit(freedom, (1 + known.level) / 2) * error
    p = 2 * special.stdtr(freedom, -_ratio(np.abs(value), error))
    spread = [clustering.spread(name) for name in estimates.items]
    return tuple(
        ItemDifference(
            estimates.items[i],
            estimates.items[j],
            Estimate(
                value=float(value[k]),
                low=float(value[k] - half[k]),
                high=float(value[k] + half[k]),
                level=known.level,
                n=clustering.n,
                n_clusters=min(spread[i], spread[j]),
                method=f"difference; {known.intervals}",
            ),
            float(p[k]),
            p_holm,
        )
        for k, ((i, j), p_holm) in enumerate(zip(pairs, holm_adjusted(p).tolist(), strict=True))
    )


def _ratio(value: FloatArray, error: FloatArray) -> FloatArray:
    ratio: FloatArray = np.where(value == 0, 0.0, np.inf)
    np.divide(value, error, out=ratio, where=error > 0)
    return ratio


def _rows(
    selection: Selection,
    estimates: ItemEstimates,
    known: _Uncertainty,
    differences: Sequence[ItemDifference],
    quasi: ComparisonIntervals | None,
) -> tuple[RankedItem, ...]:
    clustering, level = known.clustering, known.level
    half, answers = known.errors.half_width(level), _answers(selection)
    told_apart = {(d.first, d.second) for d in differences if d.p_holm < 1 - level}
    method = f"{estimates.model}; {known.intervals}"

    def row(k: int, place: int, letters: str, n_peers: int, block: str) -> RankedItem:
        name, value, width = estimates.items[k], float(estimates.values[k]), float(half[k])
        n, n_prompts = answers[name]
        n_clusters = clustering.spread(name)
        return RankedItem(
            item=name,
            place=place,
            places=_places(name, told_apart, n_peers) if differences else None,
            letters=letters,
            value=Estimate(value, value - width, value + width, level, n, n_clusters, method),
            standard_error=float(known.errors.items[k]),
            n=n,
            n_prompts=n_prompts,
            quasi_variance=None if quasi is None else quasi.variance(k),
            comparison=None if quasi is None else quasi.interval(k, value),
            block=block,
        )

    rows = []
    for index, block in enumerate(estimates.blocks):
        order = _best_first(estimates, index)
        names = [estimates.items[k] for k in order]
        letters = _letters(names, told_apart) if differences else ("",) * len(names)
        rows += [
            row(k, place, mark, len(order), block)
            for place, (k, mark) in enumerate(zip(order, letters, strict=True), start=1)
        ]
    return tuple(rows)


def _best_first(estimates: ItemEstimates, block: int) -> list[int]:
    members = np.flatnonzero(_blocks(estimates) == block)
    order: list[int] = members[np.argsort(-estimates.values[members], kind="stable")].tolist()
    return order


def _contests(
    selection: Selection,
    estimates: ItemEstimates,
    rows: Sequence[RankedItem],
    rng: np.random.Generator,
) -> Contests | None:
    if len(rows) > MAX_COMPARED or len(estimates.blocks) > 1:
        return None
    return contests_of(selection, [row.item for row in rows], estimates.fit, rng)


def _letters(names: Sequence[str], told_apart: Collection[tuple[str, str]]) -> tuple[str, ...]:
    """Letters of the items of a block, from best to worst."""
    differ = np.array([[(i, j) in told_apart for j in names] for i in names])
    return compact_letters(differ | differ.T, np.arange(len(names)))


def _places(name: str, told_apart: set[tuple[str, str]], n: int) -> tuple[int, int]:
    better = sum(second == name for _, second in told_apart)
    worse = sum(first == name for first, _ in told_apart)
    return 1 + better, n - worse


def _answers(selection: Selection) -> dict[str, tuple[int, int]]:
    """For each item the number of answers about it, and of their prompts."""
    answers: dict[str, list[str]] = {}
    for judgement in selection.judgements:
        for item in set(selection.items(judgement)):
            answers.setdefault(item, []).append(judgement.prompt_id)
    return {item: (len(prompts), len(set(prompts))) for item, prompts in answers.items()}


def _remarks(selection: Selection, estimates: ItemEstimates) -> tuple[str, ...]:
    remarks = {
        "all listeners are simulated: programs, not people": selection.simulated,
        f"'{selection.dimension}' describes and does not judge: more is not better": (
            selection.descriptive
        ),
        f"more than {MAX_COMPARED} items: their differences are not listed": (
            len(estimates.items) > MAX_COMPARED
        ),
        "one rater: the intervals hold for this rater only": (selection.n_raters == 1),
        "every rater answered once, so intervals cannot allow for one rater's taste in several "
        "answers": not selection.raters_repeat,
    }
    return tuple(text for text, applies in remarks.items() if applies)
