"""Pair judgements as arrays: the form that every model of comparisons computes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

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
        outcome=np.array([_share_of_first(pairs[k]) for k in used]),
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
    problems = {
        "an item compared with itself": c.first == c.second,
        "an item index out of range": _outside(c.first, c.items) | _outside(c.second, c.items),
        "a rater index out of range": _outside(c.rater, c.raters),
        "an outcome that is not 1, 0 or 0.5": ~np.isin(c.outcome, (1.0, 0.0, 0.5)),
        "a weight that is negative or not finite": ~(np.isfinite(c.weight) & (c.weight >= 0)),
    }
    for problem, rows in problems.items():
        if rows.any():
            raise DataError(f"comparison {np.flatnonzero(rows)[0]} has {problem}")
    if not (c.weight > 0).any():
        raise DataError("expected comparisons of positive weight, got none")


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


def _outside(index: NDArray[np.int64], names: Sequence[str]) -> NDArray[np.bool_]:
    return (index < 0) | (index >= len(names))


def _usable(judgement: Judgement, items: Sequence[str], include_ties: bool) -> bool:
    left_out = {Outcome.SKIP} if include_ties else {Outcome.SKIP, *TIES}
    return items[0] != items[1] and judgement.outcome not in left_out


def _share_of_first(judgement: Judgement) -> float:
    return 0.5 if judgement.outcome in TIES else float(judgement.outcome is Outcome.A)


def _nothing_usable(pairs: Sequence[Judgement], dimension: str, include_ties: bool) -> str:
    skips = sum(j.outcome is Outcome.SKIP for j in pairs)
    ties = sum(j.outcome in TIES for j in pairs)
    return (
        f"no usable comparison on '{dimension}' among {len(pairs)} pair judgements: {skips} skips, "
        f"{ties} ties ({'counted' if include_ties else 'left out'}), the rest compare an item "
        "with itself; collect more answers or compare other items"
    )
