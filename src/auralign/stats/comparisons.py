"""Pair judgements as arrays: the form that every model of comparisons computes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from auralign.errors import DataError, did_you_mean
from auralign.types import Comparisons, Judgement, Outcome, TrialProtocol

TIES = tuple(outcome for outcome in Outcome if outcome.is_tie)


def comparisons_from(
    judgements: Iterable[Judgement],
    dimension: str,
    *,
    include_ties: bool = True,
    item_of: Callable[[str], str] | None = None,
) -> Comparisons:
    """The pair judgements of one dimension as arrays `[n]`, each of weight 1.

    Skips are left out (`outcome_counts` counts them), and so are judgements whose two candidates
    are the same item: they say nothing about items. A tie of any kind counts 0.5, or is left out
    when `include_ties` is False. An item is a clip id, or what `item_of` maps it to (for example
    clip -> system). The cluster is the prompt.

    Raises `DataError` when a judgement has no outcome or nothing usable is left.
    """
    pairs = pair_judgements(judgements, dimension)
    name = item_of or str
    items = [[name(candidate.clip_id) for candidate in j.candidates] for j in pairs]
    used = [k for k, j in enumerate(pairs) if _usable(j, items[k], include_ties)]
    if not used:
        raise DataError(_nothing_usable(pairs, dimension, include_ties))
    names, codes = encode([item for k in used for item in items[k]])
    raters, rater = encode([pairs[k].rater for k in used])
    _, cluster = encode([pairs[k].prompt_id for k in used])
    return Comparisons(
        first=codes[0::2],
        second=codes[1::2],
        outcome=np.array([share_of_first(pairs[k]) for k in used]),
        weight=np.ones(len(used)),
        rater=rater,
        cluster=cluster,
        items=names,
        raters=raters,
    )


def outcome_counts(judgements: Iterable[Judgement], dimension: str) -> dict[Outcome, int]:
    """How often each outcome was answered to the pair trials of one dimension, skips included."""
    counts = Counter(j.outcome for j in pair_judgements(judgements, dimension))
    return {outcome: counts[outcome] for outcome in Outcome}


def check_comparisons(comparisons: Comparisons) -> None:
    """Raise `DataError` for arrays that no model of comparisons can use."""
    c = comparisons
    if len({len(c.first), len(c.second), len(c.outcome), len(c.weight), len(c.rater)}) != 1:
        raise DataError("the arrays of comparisons must have one length")
    if not len(c.first):
        raise DataError("expected comparisons of positive weight, got none")
    for problem, rows in _problems(c):
        if rows is not None and rows.any():
            raise DataError(f"comparison {np.flatnonzero(rows)[0]} has {problem}")
    if not c.weight.max() > 0:
        raise DataError("expected comparisons of positive weight, got none")


def comparisons_of(
    first: ArrayLike,
    second: ArrayLike,
    outcome: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    rater: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    items: Sequence[str] | None = None,
) -> Comparisons:
    """Comparisons from plain arrays `[n]`: item indices from 0, and 1, 0 or 0.5 for a tie.

    Without `weight` each counts 1; without `rater` (indices from 0) all are of one rater, and
    without `cluster` of one cluster. `items` names the items, which else are called by their
    indices. Nothing is copied that has its type already. Raises `DataError` for broken arrays.
    """
    sides = [np.asarray(side) for side in (first, second)]
    if not all(np.issubdtype(side.dtype, np.integer) and side.size for side in sides):
        raise DataError("items must be given as arrays of indices from 0, and at least one pair")
    n = len(sides[0])
    raters, clusters = (
        np.broadcast_to(np.int64(0), n) if index is None else np.asarray(index, dtype=np.int64)
        for index in (rater, cluster)
    )
    n_items = 1 + max(int(side.max()) for side in sides)
    made = Comparisons(
        first=sides[0].astype(np.int64, copy=False),
        second=sides[1].astype(np.int64, copy=False),
        outcome=np.asarray(outcome, dtype=np.float64),
        weight=np.broadcast_to(1.0, n) if weight is None else np.asarray(weight, np.float64),
        rater=raters,
        cluster=clusters,
        items=tuple(map(str, range(n_items))) if items is None else tuple(items),
        raters=tuple(map(str, range(1 + int(raters.max(initial=0))))),
    )
    check_comparisons(made)
    return made


def subset(comparisons: Comparisons, kept: NDArray[np.bool_] | NDArray[np.int64]) -> Comparisons:
    """The comparisons `kept`, of the same items and raters."""
    columns = ("first", "second", "outcome", "weight", "rater", "cluster")
    return replace(comparisons, **{name: getattr(comparisons, name)[kept] for name in columns})


def pair_judgements(judgements: Iterable[Judgement], dimension: str) -> list[Judgement]:
    """The pair judgements of one dimension, each with two candidates and an outcome.

    Raises `DataError` when there are none or one is incomplete.
    """
    pairs = protocol_judgements(judgements, TrialProtocol.PAIR, dimension)
    for j in pairs:
        if j.outcome is None or len(j.candidates) != 2:
            raise DataError(
                f"trial '{j.trial}' by '{j.rater}': a pair judgement needs two candidates and an "
                f"outcome, got {len(j.candidates)} and {j.outcome}"
            )
    return pairs


def protocol_judgements(
    judgements: Iterable[Judgement], protocol: TrialProtocol, dimension: str
) -> list[Judgement]:
    """The judgements of one protocol and dimension; raises `DataError` when there are none."""
    of_protocol = [j for j in judgements if j.protocol is protocol]
    chosen = [j for j in of_protocol if j.dimension == dimension]
    if not chosen:
        known = sorted({j.dimension for j in of_protocol})
        raise DataError(
            f"expected {protocol.value} judgements on the dimension '{dimension}', found none"
            f"{did_you_mean(dimension, known)}; dimensions with {protocol.value} judgements: "
            f"{', '.join(known) or 'none'}"
        )
    return chosen


def encode(labels: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The sorted distinct labels, and for each label its index among them."""
    # A dict, because np.unique on Python strings costs more than a model fit.
    names = tuple(sorted(set(labels)))
    index = {name: k for k, name in enumerate(names)}
    return names, np.array([index[label] for label in labels], dtype=np.int64)


def _problems(c: Comparisons) -> Iterator[tuple[str, NDArray[np.bool_] | None]]:
    """What can be wrong, and where it is; None where a glance at the extremes excludes it."""
    yield "an item compared with itself", c.first == c.second
    yield "an item index out of range", _outside(c.first, c.items)
    yield "an item index out of range", _outside(c.second, c.items)
    yield "a rater index out of range", _outside(c.rater, c.raters)
    sound = (c.outcome == 1) | (c.outcome == 0)
    yield (
        "an outcome that is not 1, 0 or 0.5",
        None if sound.all() else ~(sound | (c.outcome == 0.5)),
    )
    low, high = c.weight.min(), c.weight.max()
    yield (
        "a weight that is negative or not finite",
        None if low >= 0 and high < np.inf else ~(np.isfinite(c.weight) & (c.weight >= 0)),
    )


def index_of(names: Sequence[str], name: str, kind: str = "item") -> int:
    """Where `name` stands among the names of a fit; DataError with the nearest when it does not."""
    if name not in names:
        raise DataError(f"no {kind} '{name}' in this fit{did_you_mean(name, names)}")
    return names.index(name)


def _outside(index: NDArray[np.int64], names: Sequence[str]) -> NDArray[np.bool_] | None:
    if index.min() >= 0 and index.max() < len(names):
        return None
    return (index < 0) | (index >= len(names))


def _usable(judgement: Judgement, items: Sequence[str], include_ties: bool) -> bool:
    left_out = {Outcome.SKIP} if include_ties else {Outcome.SKIP, *TIES}
    return items[0] != items[1] and judgement.outcome not in left_out


def share_of_first(judgement: Judgement) -> float:
    """1 where the candidate presented first won, 0 where it lost, 0.5 for a tie."""
    return 0.5 if judgement.outcome in TIES else float(judgement.outcome is Outcome.A)


def _nothing_usable(pairs: Sequence[Judgement], dimension: str, include_ties: bool) -> str:
    skips = sum(j.outcome is Outcome.SKIP for j in pairs)
    ties = sum(j.outcome in TIES for j in pairs)
    return (
        f"no usable comparison on '{dimension}' among {len(pairs)} pair judgements: {skips} skips, "
        f"{ties} ties ({'counted' if include_ties else 'left out'}), the rest compare an item "
        "with itself; collect more answers or compare other items"
    )
