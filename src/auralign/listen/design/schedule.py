"""What kind of trial stands at each place of a sitting."""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from auralign.listen.settings import Design


class Kind(StrEnum):
    """Why a trial is there; only `MAIN` and `REPEAT` say something about clips."""

    HEADPHONES = "headphones"
    TRAINING = "training"
    MAIN = "main"
    REPEAT = "repeat"
    GOLD = "gold"
    TRAP = "trap"


def draw_schedule(
    design: Design, *, n_headphones: int, n_training: int, rng: np.random.Generator
) -> tuple[Kind, ...]:
    """The kinds of one sitting in order.

    Headphone checks and training come first. Gold and trap trials are drawn a place among the main
    ones, but not the first; repeats one in the second half, so that there is something to repeat.
    """
    body = [Kind.MAIN] * design.trials
    for kind, n in ((Kind.GOLD, design.gold), (Kind.TRAP, design.traps)):
        for _ in range(n):
            body.insert(int(rng.integers(1, len(body) + 1)), kind)
    for _ in range(design.repeats):
        body.insert(int(rng.integers((len(body) + 1) // 2, len(body) + 1)), Kind.REPEAT)
    return (*[Kind.HEADPHONES] * n_headphones, *[Kind.TRAINING] * n_training, *body)
