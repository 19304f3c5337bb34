"""Attributes of clips, aligned with comparisons and put on one scale."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from auralign.errors import ConfigError, DataError, did_you_mean
from auralign.stats.arrays import BoolArray, FloatArray, IntArray
from auralign.stats.comparisons import check_comparisons, comparisons_from, encode, pair_judgements
from auralign.types import Comparisons, Judgement

Attributes = Mapping[str, Mapping[str, float]]
Ties = Literal["leave out", "half"]


@dataclass(frozen=True, eq=False)
class AttributedComparisons:
    """Comparisons whose clips have attributes.

    comparisons  those that cannot be used have weight 0
    names        of the attributes, k
    values       `[items, k]`, in standard deviations over the compared items; 0 where missing
    scale        `[k]`, that standard deviation, in the attribute's own unit
    warnings     how many comparisons were left out, and why
    """

    comparisons: Comparisons
    names: tuple[str, ...]
    values: FloatArray
    scale: FloatArray
    warnings: tuple[str, ...]

    @property
    def used(self) -> IntArray:
        """Rows of positive weight."""
        return np.flatnonzero(self.comparisons.weight > 0)

    @property
    def differences(self) -> FloatArray:
        """Attributes of the first item minus those of the second, `[n, k]`, of all rows."""
        return self.values[self.comparisons.first] - self.values[self.comparisons.second]


def attribute_comparisons(
    comparisons: Comparisons, attributes: Attributes, *, ties: Ties = "leave out"
) -> AttributedComparisons:
    """Join attribute -> {item: value} to comparisons.

    Each attribute is divided by its standard deviation (n - 1) over the items that are compared,
    so that coefficients are comparable; its mean does not matter, since only differences enter.
    A comparison of an item without a value (absent or NaN) is left out and counted. Ties are left
    out by default: in Davidson's model the decisive answers follow Bradley-Terry exactly, whereas
    half wins draw coefficients towards zero.

    Raises `DataError` when an attribute is constant, infinite, or known for no compared item, or
    when nothing is left, `ConfigError` for an unknown treatment of ties.
    """
    check_comparisons(comparisons)
    _check_ties(ties)
    values = _values(attributes, comparisons.items)
    known = np.asarray(np.isfinite(values).all(axis=1))
    complete = known[comparisons.first] & known[comparisons.second]
    decided = (comparisons.outcome != 0.5) | (ties == "half")
    counted = comparisons.weight > 0
    kept = counted & complete & decided
    if not kept.any():
        raise DataError(
            f"none of {int(counted.sum())} comparisons is usable: "
            f"{int((counted & ~complete).sum())} lack an attribute of a clip, the rest are ties; "
            "give values for more clips"
        )
    items = np.unique(np.concatenate([comparisons.first[kept], comparisons.second[kept]]))
    scale = values[items].std(axis=0, ddof=1)
    _check_varied(scale, list(attributes))
    return AttributedComparisons(
        comparisons=replace(comparisons, weight=np.where(kept, comparisons.weight, 0.0)),
        names=tuple(attributes),
        values=np.where(known[:, None], np.nan_to_num(values) / scale, 0.0),
        scale=scale,
        warnings=_left_out(counted, complete, decided),
    )


def require_attributes(attributes: Attributes) -> None:
    """Raise `ConfigError` without attributes."""
    if not attributes:
        raise ConfigError("expected at least one attribute, got none")


def comparisons_by_context(
    judgements: Iterable[Judgement], dimension: str, key: str
) -> dict[str, Comparisons]:
    """The pair judgements of one dimension, apart for each value of a context key.

    For example key `scenario` or `domain`. Judgements without the key are left out. Groups without
    a usable comparison are left out too. Raises `DataError` when no judgement has the key.
    """
    pairs = pair_judgements(judgements, dimension)
    groups: dict[str, list[Judgement]] = {}
    for judgement in pairs:
        if key in judgement.context:
            groups.setdefault(judgement.context[key], []).append(judgement)
    if not groups:
        known = sorted({name for j in pairs for name in j.context})
        raise DataError(
            f"no pair judgement on '{dimension}' has the context '{key}'"
            f"{did_you_mean(key, known)}; contexts there: {', '.join(known) or 'none'}"
        )
    return {
        name: comparisons_from(group, dimension)
        for name, group in sorted(groups.items())
        if any(_compares(judgement) for judgement in group)
    }


def stack_comparisons(groups: Mapping[str, Comparisons]) -> tuple[Comparisons, IntArray]:
    """All groups as one, items and raters matched by name, and the group of each row, `[n]`."""
    if not groups:
        raise DataError("expected comparisons of at least one group, got none")
    parts = list(groups.values())
    items, item_codes = encode([name for c in parts for name in c.items])
    raters, rater_codes = encode([name for c in parts for name in c.raters])
    item_of = np.split(item_codes, np.cumsum([len(c.items) for c in parts])[:-1])
    rater_of = np.split(rater_codes, np.cumsum([len(c.raters) for c in parts])[:-1])
    # Clusters are prompts within a group: two groups never share one.
    offset = np.cumsum([0] + [int(c.cluster.max(initial=-1)) + 1 for c in parts])
    pooled = Comparisons(
        first=np.concatenate([code[c.first] for c, code in zip(parts, item_of, strict=True)]),
        second=np.concatenate([code[c.second] for c, code in zip(parts, item_of, strict=True)]),
        outcome=np.concatenate([c.outcome for c in parts]),
        weight=np.concatenate([c.weight for c in parts]),
        rater=np.concatenate([code[c.rater] for c, code in zip(parts, rater_of, strict=True)]),
        cluster=np.concatenate([c.cluster + k for c, k in zip(parts, offset, strict=False)]),
        items=items,
        raters=raters,
    )
    return pooled, np.repeat(np.arange(len(parts)), [len(c.first) for c in parts])


def _values(attributes: Attributes, items: Sequence[str]) -> FloatArray:
    columns = [[of_item.get(item, np.nan) for item in items] for of_item in attributes.values()]
    table = np.array(columns, dtype=np.float64).reshape(len(columns), len(items)).T
    infinite = np.argwhere(np.isinf(table))
    if len(infinite):
        row, column = infinite[0]
        raise DataError(f"the attribute '{list(attributes)[column]}' of '{items[row]}' is infinite")
    unknown = np.flatnonzero(np.isnan(table).all(axis=0))
    if len(unknown):
        raise DataError(
            f"the attribute '{list(attributes)[unknown[0]]}' is known for none of the "
            f"{len(items)} compared items; its keys must be item names such as '{items[0]}'"
        )
    return table


def _left_out(counted: BoolArray, complete: BoolArray, decided: BoolArray) -> tuple[str, ...]:
    n = int(counted.sum())
    missing = int((counted & ~complete).sum())
    ties = int((counted & complete & ~decided).sum())
    remarks = {
        f"{missing} of {n} comparisons left out: an attribute of a clip is missing": missing > 0,
        f"{ties} of {n} comparisons left out: ties": ties > 0,
    }
    return tuple(text for text, applies in remarks.items() if applies)


def _compares(judgement: Judgement) -> bool:
    first, second = (candidate.clip_id for candidate in judgement.candidates)
    usable = judgement.outcome is not None and (
        judgement.outcome.is_tie or judgement.outcome.is_decisive
    )
    return usable and first != second


def _check_varied(scale: FloatArray, names: Sequence[str]) -> None:
    constant = np.flatnonzero(~(scale > 0))
    if len(constant):
        raise DataError(
            f"the attribute '{names[constant[0]]}' is the same for all compared items: it cannot "
            "explain anything; leave it out"
        )


def _check_ties(ties: str) -> None:
    if ties not in get_args(Ties):
        known = get_args(Ties)
        raise ConfigError(
            f"ties must be one of {', '.join(known)}, got '{ties}'{did_you_mean(ties, known)}"
        )
