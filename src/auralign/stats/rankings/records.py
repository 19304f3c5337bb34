"""Rankings and best-worst answers as arrays: the form that their models compute on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from auralign.errors import DataError
from auralign.stats.arrays import BoolArray, FloatArray, IntArray
from auralign.stats.comparisons import encode, protocol_judgements
from auralign.types import Judgement, TrialProtocol

PAD = -1


@dataclass(frozen=True, eq=False)
class Rankings:
    """Rankings of some of the items each, padded to one width.

    candidates  int `[rankings, width]`, items in any order; `PAD` fills the end of a row
    place       int `[rankings, width]`, 1 for the best, equal where tied; 0 for a candidate that
                was shown and left unplaced, below all placed ones (top-k)
    weight      `[rankings]`, non-negative
    rater       int `[rankings]`, index into `raters`
    """

    candidates: IntArray
    place: IntArray
    weight: FloatArray
    rater: IntArray
    items: tuple[str, ...]
    raters: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class BestWorst:
    """Best-worst answers: arrays as in `Rankings`; `best` and `worst` are columns, `[answers]`."""

    candidates: IntArray
    best: IntArray
    worst: IntArray
    weight: FloatArray
    rater: IntArray
    items: tuple[str, ...]
    raters: tuple[str, ...]


def rankings_from(
    judgements: Iterable[Judgement],
    dimension: str,
    *,
    item_of: Callable[[str], str] | None = None,
) -> Rankings:
    """The ranking judgements of one dimension, each of weight 1.

    A ranking shorter than its candidates is of the top k: the others are below. An item is a clip
    id, or what `item_of` maps it to; it may then stand in one ranking more than once. Raises
    `DataError` for a broken ranking, or for none.
    """
    chosen = protocol_judgements(judgements, TrialProtocol.RANKING, dimension)
    candidates, items, rater, raters = _encoded(chosen, item_of)
    place = np.zeros_like(candidates)
    for row, j in enumerate(chosen):
        ranking = _ranking(j)
        place[row, list(ranking)] = np.arange(1, len(ranking) + 1)
    return Rankings(candidates, place, np.ones(len(chosen)), rater, items, raters)


def rankings_of(
    places: ArrayLike,
    items: Sequence[str],
    *,
    weight: ArrayLike | None = None,
    rater: ArrayLike | None = None,
) -> Rankings:
    """Rankings from a table `[rankings, items]` of places: 1 for the best, 0 for absent items.

    Equal places are ties. `weight` `[rankings]` defaults to ones; `rater` `[rankings]` are labels,
    by default one for each ranking. Raises `DataError` for anything else.
    """
    table = np.asarray(places)
    if table.ndim != 2 or table.shape[1] != len(items):
        raise DataError(f"places must be [rankings, {len(items)}], got {list(table.shape)}")
    if (table < 0).any() or (table != np.floor(table)).any():
        raise DataError("places must be whole numbers: 1 for the best, 0 for absent items")
    labels = np.arange(len(table)) if rater is None else np.asarray(rater)
    raters, codes = np.unique(labels, return_inverse=True)
    width = max(int((table > 0).sum(axis=1).max(initial=0)), 1)
    best_first = np.argsort(np.where(table > 0, table, table.max(initial=0) + 1), axis=1)
    candidates = best_first[:, :width]
    place = np.take_along_axis(table, candidates, axis=1).astype(np.int64)
    return Rankings(
        candidates=np.where(place > 0, candidates, PAD),
        place=place,
        weight=np.ones(len(table)) if weight is None else np.asarray(weight, dtype=np.float64),
        rater=codes,
        items=tuple(items),
        raters=tuple(str(name) for name in raters),
    )


def best_worst_from(
    judgements: Iterable[Judgement],
    dimension: str,
    *,
    item_of: Callable[[str], str] | None = None,
) -> BestWorst:
    """The best-worst judgements of one dimension, each of weight 1.

    Raises `DataError` when there is none, or one does not name a best and another worst.
    """
    chosen = protocol_judgements(judgements, TrialProtocol.BEST_WORST, dimension)
    candidates, items, rater, raters = _encoded(chosen, item_of)
    answers = [_ranking(j) for j in chosen]
    for j, answer in zip(chosen, answers, strict=True):
        if len(answer) != 2:
            raise DataError(
                f"trial '{j.trial}' by '{j.rater}': a best-worst judgement names the best and the "
                f"worst, got {len(answer)} candidates"
            )
    best, worst = np.array(answers, dtype=np.int64).T
    return BestWorst(candidates, best, worst, np.ones(len(chosen)), rater, items, raters)


def check_rankings(rankings: Rankings) -> None:
    """Raise `DataError` for arrays that no model of rankings can use."""
    r = rankings
    _check_rows(r)
    shown = r.candidates != PAD
    if r.place.shape != r.candidates.shape:
        raise DataError("candidates and place must have one shape")
    _check_problems(
        {
            "a negative place": ((r.place < 0) & shown).any(axis=1),
            "no placed candidate": ~((r.place > 0) & shown).any(axis=1),
        }
    )


def check_best_worst(answers: BestWorst) -> None:
    """Raise `DataError` for arrays that no model of best-worst answers can use."""
    a = answers
    _check_rows(a)
    width = (a.candidates != PAD).sum(axis=1)
    outside = (np.minimum(a.best, a.worst) < 0) | (np.maximum(a.best, a.worst) >= width)
    _check_problems(
        {
            "a best or worst that was not shown": outside,
            "one candidate as best and worst": a.best == a.worst,
        }
    )


def used(rankings: Rankings) -> Rankings:
    """The rankings of positive weight, candidates sorted: best first, unplaced last, then padding.

    Padding has the place 0, unplaced candidates the place `width` + 1.
    """
    r, kept = rankings, rankings.weight > 0
    candidates = r.candidates[kept]
    shown, width = candidates != PAD, candidates.shape[1]
    place = np.where(shown, r.place[kept], 0)
    last = np.iinfo(np.int64).max
    key = np.where(shown, np.where(place > 0, place, last - 1), last)
    order = np.argsort(key, axis=1, kind="stable")
    key = np.take_along_axis(key, order, axis=1)
    steps = np.diff(key, axis=1, prepend=key[:, :1]) > 0
    dense = 1 + np.cumsum(steps, axis=1)
    dense = np.where(key == last - 1, width + 1, np.where(key == last, 0, dense))
    return replace(
        r,
        candidates=np.take_along_axis(candidates, order, axis=1),
        place=dense,
        weight=r.weight[kept],
        rater=r.rater[kept],
    )


def _encoded(
    chosen: Sequence[Judgement], item_of: Callable[[str], str] | None
) -> tuple[IntArray, tuple[str, ...], IntArray, tuple[str, ...]]:
    """Candidates `[n, width]`, the items' names, raters `[n]`, and their names."""
    name = item_of or str
    labels = [name(candidate.clip_id) for j in chosen for candidate in j.candidates]
    items, codes = encode(labels)
    raters, rater = encode([j.rater for j in chosen])
    width = np.array([len(j.candidates) for j in chosen])
    candidates = np.full((len(chosen), int(width.max())), PAD, dtype=np.int64)
    candidates[np.arange(candidates.shape[1]) < width[:, None]] = codes
    return candidates, items, rater, raters


def _ranking(judgement: Judgement) -> tuple[int, ...]:
    n, ranking = len(judgement.candidates), judgement.ranking
    whole = ranking is not None and set(ranking) <= set(range(n))
    if not ranking or not whole or len(set(ranking)) != len(ranking) or n < 2:
        raise DataError(
            f"trial '{judgement.trial}' by '{judgement.rater}': expected a ranking of different "
            f"candidates by their index, 0 to {n - 1}, got {ranking}"
        )
    return ranking


def _check_rows(answers: Rankings | BestWorst) -> None:
    a = answers
    if a.candidates.ndim != 2 or not len(a.candidates):
        raise DataError(f"candidates must be [n, width], got {list(a.candidates.shape)}")
    if not len(a.candidates) == len(a.weight) == len(a.rater):
        raise DataError("candidates, weight and rater must have one length")
    if len(a.items) < 2:
        raise DataError(f"expected at least two items, got {len(a.items)}")
    shown = a.candidates != PAD
    strange = shown & ((a.candidates < 0) | (a.candidates >= len(a.items)))
    _check_problems(
        {
            "an item index out of range": strange.any(axis=1),
            "padding before a candidate": (np.diff(shown.astype(np.int8), axis=1) > 0).any(axis=1),
            "fewer than two candidates": shown.sum(axis=1) < 2,
            "a rater index out of range": (a.rater < 0) | (a.rater >= len(a.raters)),
            "a weight that is negative or not finite": ~(np.isfinite(a.weight) & (a.weight >= 0)),
        }
    )
    if not (a.weight > 0).any():
        raise DataError("expected answers of positive weight, got none")


def _check_problems(problems: dict[str, BoolArray]) -> None:
    for problem, rows in problems.items():
        if rows.any():
            raise DataError(f"answer {np.flatnonzero(rows)[0]} has {problem}")
