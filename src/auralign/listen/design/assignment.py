"""The next condition for a listener, and its order: the least filled, drawn where several are.

A cell is a condition in one of its orders. What is open counts like what is answered, so that
listeners who come together are spread; when they leave, their cells are given back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Cells:
    """All cells of a design, int `[cells]` each; `count` is open and answered together."""

    condition: IntArray
    order: IntArray
    count: IntArray


@dataclass(frozen=True, slots=True)
class Drawn:
    """A cell: the number of a condition and of one of its orders."""

    condition: int
    order: int


def draw(
    cells: Cells,
    *,
    seen: Collection[int],
    own_orders: Mapping[int, int],
    quota: int | None,
    rng: np.random.Generator,
) -> Drawn | None:
    """A cell for a listener who has met the conditions in `seen`; None when nothing is left.

    own_orders   how often the listener had each order; of equally filled orders the rarer comes
    quota        presentations of a condition, above which it is not drawn
    """
    total = np.bincount(cells.condition, cells.count)
    free = np.zeros(total.size, dtype=bool)
    free[cells.condition] = True
    free[[number for number in seen if number < total.size]] = False
    if quota is not None:
        free &= total < quota
    if not free.any():
        return None
    least = np.flatnonzero(free & (total == total[free].min()))
    condition = int(rng.choice(least))
    return Drawn(condition, _order(cells, condition, own_orders, rng))


def _order(
    cells: Cells, condition: int, own_orders: Mapping[int, int], rng: np.random.Generator
) -> int:
    own = cells.condition == condition
    orders, count = cells.order[own], cells.count[own]
    orders = orders[count == count.min()]
    used = np.array([own_orders.get(int(order), 0) for order in orders])
    return int(rng.choice(orders[used == used.min()]))
