"""Does a finite worth exist? A question about the graph of who beat whom, asked before fitting."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from auralign.errors import NotConvergedError
from auralign.stats.arrays import BoolArray, IntArray
from auralign.stats.pairs.pair_models import PairCounts

REMEDY = "leave items out, collect more comparisons, or pass prior > 0 (0.5 is usual)"
MAX_NAMES = 5


def require_finite_worths(counts: PairCounts, items: Sequence[str], block: IntArray) -> None:
    """Check Ford's condition (1957) in each block of items; `block` is int `[items]`.

    Finite worths exist if and only if the items of a block cannot be split into two groups one of
    which never beats the other: the graph of wins, with ties as edges both ways, is strongly
    connected. Raises `NotConvergedError` that lists the components, or the items that never lose
    or never win.
    """
    wins = _win_graph(counts, len(items))
    n_blocks = len(np.unique(block))
    n_parts, part = connected_components(wins, connection="weak")
    if n_parts > n_blocks:
        raise NotConvergedError(_disconnected(part, items, block))
    n_groups, group = connected_components(wins, connection="strong")
    if n_groups > n_blocks:
        raise NotConvergedError(_one_sided(wins, group, items))


def count_parts(counts: PairCounts, n_items: int) -> int:
    """Components of the comparison graph, whoever won."""
    return int(connected_components(_win_graph(counts, n_items), connection="weak")[0])


def _win_graph(counts: PairCounts, n_items: int) -> sparse.coo_array:
    forward, backward = counts.score > 0, counts.losses + counts.ties > 0
    winner = np.concatenate([counts.first[forward], counts.second[backward]])
    loser = np.concatenate([counts.second[forward], counts.first[backward]])
    return sparse.coo_array((np.ones(len(winner)), (winner, loser)), (n_items, n_items))


def _disconnected(part: IntArray, items: Sequence[str], block: IntArray) -> str:
    split = np.flatnonzero(np.bincount(block[np.unique(part, return_index=True)[1]]) > 1)
    parts = np.unique(part[np.isin(block, split)])
    listed = " | ".join(_names(items, part == k) for k in parts[:MAX_NAMES])
    more = f" | and {len(parts) - MAX_NAMES} more" if len(parts) > MAX_NAMES else ""
    return (
        f"the comparison graph falls into {len(parts)} components that were never compared "
        f"({listed}{more}), so worths across them do not exist; fit within blocks, or {REMEDY}"
    )


def _one_sided(wins: sparse.coo_array, group: IntArray, items: Sequence[str]) -> str:
    """Name the groups that no other group has beaten, and those that have beaten no other."""
    winner, loser = (group[side] for side in (wins.row, wins.col))
    across = winner != loser
    extremes = (
        ("loses", "lose", loser[across], winner[across]),
        ("wins", "win", winner[across], loser[across]),
    )
    found = [
        _verdict(items, group == k, single, plural)
        for single, plural, blocked, opposite in extremes
        for k in np.setdiff1d(opposite, blocked)
    ]
    listed = "; ".join(found[:MAX_NAMES])
    more = f"; and {len(found) - MAX_NAMES} more" if len(found) > MAX_NAMES else ""
    return f"no finite worth exists: {listed}{more}; {REMEDY}"


def _verdict(items: Sequence[str], members: BoolArray, single: str, plural: str) -> str:
    names = _names(items, members)
    return f"{names} never {single}" if members.sum() == 1 else f"{names} never {plural} to others"


def _names(items: Sequence[str], members: BoolArray) -> str:
    index = np.flatnonzero(members)
    listed = ", ".join(f"'{items[k]}'" for k in index[:MAX_NAMES])
    return f"{listed} and {len(index) - MAX_NAMES} more" if len(index) > MAX_NAMES else listed
