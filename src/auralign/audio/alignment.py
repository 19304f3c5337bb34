"""Alignment of two recordings in time (dynamic time warping; Sakoe and Chiba, IEEE TASSP 1978)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Int = NDArray[np.int64]


class Warping(NamedTuple):
    """The cheapest way through two recordings.

    cost            sum of the distances along the path
    first, second   the frames of both that belong together, `[path]`, neither ever going back
    """

    cost: float
    first: Int
    second: Int


def warp(distance: Float) -> Warping:
    """The cheapest path from the first to the last frames, `distance` being `[first, second]`.

    A step goes on by one frame in either recording or in both, and each costs the distance that
    it arrives at, once (Sakoe and Chiba's P = 0, unweighted). Where steps cost the same, the one
    in both is taken.
    """
    # Anti-diagonals: a cell depends on cells of the two before its own only.
    total = _skewed(distance)
    for d in range(1, len(total)):
        cheapest = np.minimum(total[d - 1, :-1], total[d - 1, 1:])
        if d > 1:
            np.minimum(cheapest, total[d - 2, :-1], out=cheapest)
        total[d, 1:] += cheapest
    return Warping(float(total[-1, -1]), *_walk_back(total, *distance.shape))


def _skewed(distance: Float) -> Float:
    """Row `i + j` holds cell `[i, j]` at place `i + 1`, infinity where there is none."""
    n, m = distance.shape
    skewed = np.full((n + m - 1, n + 1), np.inf)
    rows = np.arange(n)[:, None]
    skewed[rows + np.arange(m), rows + 1] = distance
    return skewed


def _walk_back(total: Float, n: int, m: int) -> tuple[Int, Int]:
    i, j = n - 1, m - 1
    path = [(i, j)]
    while i or j:
        in_first, in_second = total[i + j - 1, i], total[i + j - 1, i + 1]
        in_both = total[i + j - 2, i] if i and j else np.inf
        cheapest = min(in_both, in_first, in_second)
        both = in_both == cheapest
        i, j = i - (both or in_first == cheapest), j - (both or in_first != cheapest)
        path.append((i, j))
    first, second = np.array(path[::-1], dtype=np.int64).T
    return first, second
