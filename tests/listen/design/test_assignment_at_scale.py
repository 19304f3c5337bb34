"""Ten thousand sittings at once and in turn, a fifth of which are left half way."""

import numpy as np
import pytest

from auralign.listen.course.trials import LOOK_AHEAD
from auralign.listen.design.assignment import Cells, draw

pytestmark = pytest.mark.slow

N_SESSIONS, AT_ONCE, N_CONDITIONS, N_TRIALS, DROP_OUT = 10_000, 20, 10, 4, 0.2


class Sitting:
    """A listener with as many trials open as the server draws ahead."""

    def __init__(self, rng):
        leaves = rng.random() < DROP_OUT
        self.stays_for = int(rng.integers(0, N_TRIALS)) if leaves else N_TRIALS
        self.open, self.seen, self.orders, self.answered = [], set(), {}, 0


def fill(sitting, opened, answered, rng):
    """Draw ahead, as the server does after every answer."""
    condition, order = np.indices(opened.shape)
    while len(sitting.open) < LOOK_AHEAD and len(sitting.seen) < N_TRIALS:
        cells = Cells(condition.ravel(), order.ravel(), (opened + answered).ravel())
        drawn = draw(cells, seen=sitting.seen, own_orders=sitting.orders, quota=None, rng=rng)
        sitting.open.append((drawn.condition, drawn.order))
        sitting.seen.add(drawn.condition)
        sitting.orders[drawn.order] = sitting.orders.get(drawn.order, 0) + 1
        opened[drawn.condition, drawn.order] += 1


def step(sitting, opened, answered, rng):
    """One answer, or the listener leaves and what was open goes back; True while she is here."""
    if sitting.answered == sitting.stays_for:
        for cell in sitting.open:
            opened[cell] -= 1
        return False
    cell = sitting.open.pop(0)
    opened[cell] -= 1
    answered[cell] += 1
    sitting.answered += 1
    fill(sitting, opened, answered, rng)
    return True


def test_conditions_differ_by_two_at_most_and_sides_are_shown_equally_often():
    rng = np.random.default_rng(7)
    opened = np.zeros((N_CONDITIONS, 2), dtype=np.int64)
    answered = np.zeros_like(opened)
    present, begun = [], 0
    while begun < N_SESSIONS or present:
        while len(present) < AT_ONCE and begun < N_SESSIONS:
            present.append(Sitting(rng))
            fill(present[-1], opened, answered, rng)
            begun += 1
        k = int(rng.integers(len(present)))
        if not step(present[k], opened, answered, rng):
            present.pop(k)
    per_condition = answered.sum(axis=1)
    first_side = answered[:, 0] / per_condition
    assert opened.sum() == 0
    assert per_condition.max() - per_condition.min() <= 2
    assert np.abs(first_side - 0.5).max() < 0.01
