"""Does a finite worth exist? A question about the graph of who beat whom, asked before fitting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import NegativeCycleError, bellman_ford, connected_components

from auralign.errors import NotConvergedError
from auralign.stats.arrays import BoolArray, FloatArray, IntArray
from auralign.stats.comparisons import check_comparisons
from auralign.stats.pairs.pair_models import PairCounts, row_counts
from auralign.types import Comparisons

REMEDY = "leave items out, collect more comparisons, or pass prior > 0 (0.5 is usual)"
MAX_NAMES = 5
ROWS_PER_ITEM = 32  # random comparisons that nearly always connect all items


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


@dataclass(frozen=True)
class Connectivity:
    """Which worths exist, by the graph of who beat whom (Ford 1957).

    status        "connected": finite worths exist; "one-sided": some items never lose to or never
                  win against the rest; "disconnected": some items were never compared, not even
                  through others
    components    items that are linked by comparisons, whoever won
    groups        items that are linked by wins both ways: within a group finite worths exist
    undefeated    the groups that lose to no other group but beat one
    winless       the groups that beat no other group but lose to one
    """

    status: Literal["connected", "one-sided", "disconnected"]
    components: tuple[tuple[str, ...], ...]
    groups: tuple[tuple[str, ...], ...]
    undefeated: tuple[tuple[str, ...], ...]
    winless: tuple[tuple[str, ...], ...]


def diagnose_connectivity(comparisons: Comparisons) -> Connectivity:
    """What can be estimated from comparisons, before anything is fitted.

    Raises `DataError` for broken arrays.
    """
    check_comparisons(comparisons)
    rows = row_counts(comparisons).where(comparisons.weight > 0)
    wins = _win_graph(rows, len(comparisons.items))
    n_parts, part = connected_components(wins, connection="weak")
    n_groups, group = connected_components(wins, connection="strong")
    winner, loser = (group[side] for side in wins.nonzero())
    across = winner != loser
    beaten, beating = np.unique(loser[across]), np.unique(winner[across])
    groups = members_of(group, comparisons.items)
    return Connectivity(
        status="disconnected" if n_parts > 1 else "one-sided" if n_groups > 1 else "connected",
        components=members_of(part, comparisons.items),
        groups=groups,
        undefeated=tuple(groups[k] for k in np.setdiff1d(beating, beaten)),
        winless=tuple(groups[k] for k in np.setdiff1d(beaten, beating)),
    )


def win_groups(comparisons: Comparisons) -> IntArray:
    """For each item `[items]` its group: items that are linked by wins both ways."""
    rows = row_counts(comparisons).where(comparisons.weight > 0)
    wins = _win_graph(rows, len(comparisons.items))
    group: IntArray = connected_components(wins, connection="strong")[1]
    return group.astype(np.int64)


def members_of(group: IntArray, items: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """The names in each group 0 .. groups - 1."""
    order = np.argsort(group, kind="stable")
    ends = np.cumsum(np.bincount(group))[:-1]
    return tuple(tuple(items[k] for k in part) for part in np.split(order, ends))


def table_is_strong(won: FloatArray) -> bool:
    """Is the graph of wins in a table `[items, items]` strongly connected?"""
    beats = won > 0
    return _reaches_all(beats) and _reaches_all(beats.T)


def some_rows_are_strong(
    first: IntArray, second: IntArray, score: FloatArray, total: FloatArray | None, n_items: int
) -> bool:
    """Do the first rows, of points `score` out of `total` (None: 1 each), connect all items?

    A cheap way to know that all rows do; more and more rows are tried. Ties count as wins of the
    first item only, so that False leaves the question open.
    """
    size = ROWS_PER_ITEM * n_items
    while not _part_is_strong(first, second, score, total, n_items, size):
        if size >= len(first):
            return False
        size *= 4
    return True


def _part_is_strong(
    first: IntArray,
    second: IntArray,
    score: FloatArray,
    total: FloatArray | None,
    n_items: int,
    size: int,
) -> bool:
    part: slice | IntArray = slice(0, size)
    if total is not None:
        part = np.flatnonzero(total[:size] > 0)
    ahead = score[part] > 0
    winner = np.where(ahead, first[part], second[part])
    loser = np.where(ahead, second[part], first[part])
    edges = _graph(winner, loser, n_items)
    return bool(connected_components(edges, connection="strong")[0] == 1)


def is_strong(counts: PairCounts, block: IntArray) -> bool:
    """Do finite worths exist in each block?"""
    wins = _win_graph(counts, len(block))
    n_groups = connected_components(wins, connection="strong")[0]
    return bool(n_groups == len(np.unique(block)))


def require_finite_order_effect(
    counts: PairCounts, block: IntArray, *, fixed_worths: bool = False
) -> None:
    """Check that the outcomes contradict any order effect that grows without end.

    Where worths are finite, so is the order effect, if and only if some cycle of wins holds more
    wins of the item presented first than of the second, and some cycle fewer: otherwise worths
    can be shifted so that no outcome speaks against ever more advantage of one side. With
    `fixed_worths` (by a prior) both sides must have won once. Raises `NotConvergedError`.
    """
    of_first, of_second = counts.wins + counts.ties > 0, counts.losses + counts.ties > 0
    as_first = _graph(counts.first[of_first], counts.second[of_first], len(block))
    as_second = _graph(counts.second[of_second], counts.first[of_second], len(block))
    for gains, costs in ((as_first, as_second), (as_second, as_first)):
        found = gains.nnz > 0 if fixed_worths else _has_gaining_cycle(gains, costs, block)
        if not found:
            raise NotConvergedError(
                "no finite order effect exists, or it cannot be told from the worths: present "
                "pairs in both orders, collect more comparisons, or fit without order_effect"
            )


def require_finite_tie_parameter(counts: PairCounts, block: IntArray) -> None:
    """Check that the outcomes contradict ties that grow ever wider with the worths.

    Worths that spread and ties that become likelier can explain each other: a beat b three times
    and tied twice is explained the better the further both go. Where worths are finite without a
    tie parameter and there are ties, it is finite too, for Davidson's model and for Rao and
    Kupper's, if and only if some cycle holds more wins than ties: the condition is that of a
    system of difference constraints. Raises `NotConvergedError`.
    """
    n_items, won, lost, tied = len(block), counts.wins > 0, counts.losses > 0, counts.ties > 0
    wins = _graph(
        np.concatenate([counts.first[won], counts.second[lost]]),
        np.concatenate([counts.second[won], counts.first[lost]]),
        n_items,
    )
    ties = _graph(
        np.concatenate([counts.first[tied], counts.second[tied]]),
        np.concatenate([counts.second[tied], counts.first[tied]]),
        n_items,
    )
    if not _has_gaining_cycle(wins, ties, block):
        raise NotConvergedError(
            "no finite tie parameter exists: no cycle of wins and ties holds more wins than ties, "
            "so that worths ever further apart and ever likelier ties explain the answers ever "
            f"better; use ties='half', {REMEDY}"
        )


def _has_gaining_cycle(gains: sparse.csr_array, costs: sparse.csr_array, block: IntArray) -> bool:
    """Is there a cycle with more edges of `gains` than of `costs`, one of negative length?"""
    if connected_components(gains, connection="strong")[0] < len(block):
        return True
    gained, lost = gains.sign(), costs.sign()
    length = lost - lost.multiply(gained) - gained
    try:
        bellman_ford(length, indices=np.unique(block, return_index=True)[1])
    except NegativeCycleError:
        return True
    return False


def _reaches_all(edges: BoolArray) -> bool:
    reached, count = edges[0].copy(), 0
    reached[0] = True
    while count < (count := int(np.count_nonzero(reached))):
        if count == len(reached):
            return True
        reached |= edges[reached].any(axis=0)
    return False


def count_parts(counts: PairCounts, n_items: int) -> int:
    """Components of the comparison graph, whoever won."""
    return int(connected_components(_win_graph(counts, n_items), connection="weak")[0])


def _win_graph(counts: PairCounts, n_items: int) -> sparse.csr_array:
    forward, backward = counts.score > 0, counts.losses + counts.ties > 0
    winner = np.concatenate([counts.first[forward], counts.second[backward]])
    loser = np.concatenate([counts.second[forward], counts.first[backward]])
    return _graph(winner, loser, n_items)


def _graph(start: IntArray, end: IntArray, n_items: int) -> sparse.csr_array:
    """Edges as a matrix without double entries, in which scipy's search would go round for ever."""
    edges = sparse.coo_array((np.ones(len(start)), (start, end)), (n_items, n_items)).tocsr()
    edges.sum_duplicates()
    return edges


def _disconnected(part: IntArray, items: Sequence[str], block: IntArray) -> str:
    split = np.flatnonzero(np.bincount(block[np.unique(part, return_index=True)[1]]) > 1)
    parts = np.unique(part[np.isin(block, split)])
    listed = " | ".join(_names(items, part == k) for k in parts[:MAX_NAMES])
    more = f" | and {len(parts) - MAX_NAMES} more" if len(parts) > MAX_NAMES else ""
    return (
        f"the comparison graph falls into {len(parts)} components that were never compared "
        f"({listed}{more}), so worths across them do not exist; fit within blocks, or {REMEDY}"
    )


def _one_sided(wins: sparse.csr_array, group: IntArray, items: Sequence[str]) -> str:
    """Name the groups that no other group has beaten, and those that have beaten no other."""
    winner, loser = (group[side] for side in wins.nonzero())
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
