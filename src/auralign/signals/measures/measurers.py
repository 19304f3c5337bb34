"""What the signals' measurers share: one item after the other, and reasons instead of numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from auralign.signals.signal import Item, Measurer, Missing, Values

Float = NDArray[np.float64]

OWN = "own code, Apache-2.0"
SPECTRUM_RATE = 16_000
"""Hz of the signals that look at speech through a mel or pitch analysis."""


class Compared(NamedTuple):
    """A reference and what is compared with it, both mono `[time]`, equally long."""

    reference: Float
    degraded: Float


def each(measure: Callable[[Item], Values]) -> Measurer:
    """A measurer that asks `measure` about one item after the other."""

    def measurer(items: Sequence[Item]) -> list[Values]:
        return [measure(item) for item in items]

    return measurer


def known(value: float | None, reason: str) -> float | Missing:
    """The value, or why it is missing where it is None."""
    return Missing(reason) if value is None else value


def all_missing(names: Sequence[str], reason: str) -> dict[str, float | Missing]:
    """The same reason for every measure."""
    return {name: Missing(reason) for name in names}


def aligned_pair(item: Item) -> Compared | Missing:
    """The mono mixes of an item and of its aligned reference, or why they cannot be compared."""
    if item.reference is None:
        return Missing("there is no reference recording")
    if item.reference.n_samples != item.audio.n_samples:
        return Missing(
            f"the reference has {item.reference.n_samples} samples and the clip "
            f"{item.audio.n_samples}: they are not aligned"
        )
    pair = Compared(item.reference.mono().astype(np.float64), item.audio.mono().astype(np.float64))
    if not pair.reference.any():
        return Missing("the reference is digital silence")
    return pair
