"""Conditions, orders and sides stay balanced, whoever leaves."""

import itertools
from collections import Counter

import numpy as np
import pytest

from auralign.listen.design.assignment import Cells, draw
from auralign.listen.design.latin_square import latin_square


def cells_of(count):
    """Cells of counts int `[condition, order]`."""
    condition, order = np.indices(count.shape)
    return Cells(condition.ravel(), order.ravel(), count.ravel())


def test_the_least_filled_condition_comes_next_in_its_rarest_order():
    count = np.array([[2, 2], [1, 2], [2, 1]])
    drawn = draw(cells_of(count), seen={1}, own_orders={}, quota=None, rng=np.random.default_rng(0))
    assert (drawn.condition, drawn.order) == (2, 1)


def test_a_listener_meets_every_condition_once_and_then_nothing():
    rng, count, seen = np.random.default_rng(1), np.zeros((5, 2), dtype=int), set()
    for _ in range(5):
        drawn = draw(cells_of(count), seen=seen, own_orders={}, quota=None, rng=rng)
        count[drawn.condition, drawn.order] += 1
        seen.add(drawn.condition)
    assert seen == set(range(5))
    assert draw(cells_of(count), seen=seen, own_orders={}, quota=None, rng=rng) is None


def test_a_full_condition_is_not_drawn():
    count = np.array([[2, 1], [2, 2]])
    rng = np.random.default_rng(2)
    drawn = draw(cells_of(count), seen=set(), own_orders={}, quota=4, rng=rng)
    assert drawn.condition == 0
    assert draw(cells_of(count + 1), seen=set(), own_orders={}, quota=4, rng=rng) is None


def test_of_equal_orders_the_listener_gets_the_one_she_had_less():
    count = np.zeros((1, 2), dtype=int)
    rng = np.random.default_rng(3)
    drawn = [
        draw(cells_of(count), seen=set(), own_orders={0: 3, 1: 2}, quota=None, rng=rng).order
        for _ in range(20)
    ]
    assert set(drawn) == {1}


@pytest.mark.parametrize("n", range(1, 9))
def test_a_latin_square_is_balanced_in_places_and_neighbours(n):
    orders = latin_square(n)
    places = Counter((place, clip) for order in orders for place, clip in enumerate(order))
    assert set(places.values()) == {len(orders) // n}
    assert len(places) == n * n
    neighbours = Counter(pair for order in orders for pair in itertools.pairwise(order))
    assert len(set(neighbours.values())) <= 1
    assert len(neighbours) == n * (n - 1)
