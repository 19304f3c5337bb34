"""What a combination of rewards is to a trainer: a function of rewards that may learn from them."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]


class Combination(Protocol):
    """Several rewards of each clip as the one number that a policy is trained on.

    Before each update `observe` sees all its fresh clips; then the call combines their rewards.
    """

    def __call__(self, values: Float) -> Float:
        """`[clips, rewards]` -> `[clips]`, higher is better.

        NaN (or an infinity) is a reward that could not be scored. A clip whose combination needs
        such a reward is NaN too and counts for nothing; it is never 0.

        Raises DataError for values of another shape.
        """
        ...

    def observe(self, values: Float) -> None:
        """Learn from the rewards `[clips, rewards]` of all fresh clips of an update."""
        ...

    def state(self) -> dict[str, Any]:
        """What it has learnt, as plain data for a checkpoint."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave. Raises RunStateError for the state of something else."""
        ...

    def shown(self) -> dict[str, float]:
        """What belongs into the log of an update."""
        ...


class Stateless:
    """What a combination that learns nothing in training answers to its trainer."""

    def observe(self, values: Float) -> None:
        pass

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        pass

    def shown(self) -> dict[str, float]:
        return {}
