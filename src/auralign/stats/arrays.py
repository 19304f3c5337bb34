"""Array types, and sums and ranks by group."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


def sum_by(group: IntArray, values: FloatArray, n_groups: int) -> FloatArray:
    """Sum `values` `[n]` by their `group` `[n]`: `[n_groups]`."""
    return np.bincount(group, values, n_groups).astype(np.float64, copy=False)


def mid_ranks(values: FloatArray) -> FloatArray:
    """Ranks from 1, equal values sharing the mean of their ranks; `[n]` -> `[n]`."""
    _, code, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: FloatArray = np.cumsum(counts) - (counts - 1) / 2
    return ranks[code]
