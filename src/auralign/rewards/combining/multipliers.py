"""How Lagrange multipliers move from one update to the next.

A multiplier has a position that is learnt and a value that follows from it. Slack is by how much
a constraint is met on average, in standard deviations of its reward; below 0 it is violated.
`equal` marks constraints that want equality, whose multipliers have either sign. All are
`[constraints]`.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.special import expit

from auralign.data.config import StrictModel
from auralign.rewards.combining.combination import Float


class ProjectedAscent(StrictModel):
    """Steps down the slack, cut off at 0: the multiplier of a constraint that is met goes to 0.

    position <- clip(position - learning_rate * slack)
    multiplier = clip(position - damping * slack)
    clip is to [0, max_multiplier], with equality to [-max_multiplier, max_multiplier]

    damping          0 is plain dual ascent, which circles around the optimum where no KL and no
                     entropy hold the policy
    max_multiplier   what a multiplier grows to where its constraint cannot be met

    Source: Arrow, Hurwicz & Uzawa 1958 for the ascent; damping is the proportional term of arXiv
    2007.03964, whose derivative term is left out
    """

    rule: Literal["projected"] = "projected"
    learning_rate: float = Field(default=0.1, gt=0)
    damping: float = Field(default=1.0, ge=0)
    max_multiplier: float = Field(default=10.0, gt=0)

    def moved(self, position: Float, slack: Float, equal: NDArray[np.bool_]) -> Float:
        """The position after an update with this slack."""
        return self._clipped(position - self.learning_rate * slack, equal)

    def multipliers(self, position: Float, slack: Float, equal: NDArray[np.bool_]) -> Float:
        """The multipliers at a position, after an update with this slack."""
        return self._clipped(position - self.damping * slack, equal)

    def weight_of_maximised(self, multipliers: Float) -> float:
        """1, whatever the multipliers are."""
        return 1.0

    def _clipped(self, values: Float, equal: NDArray[np.bool_]) -> Float:
        lowest = np.where(equal, -self.max_multiplier, 0.0)
        return np.clip(values, lowest, self.max_multiplier)


class BoundedAscent(StrictModel):
    """Multipliers between 0 and 1, or with equality between -1 and 1; those of n constraints leave
    the weight n - sum of multipliers to the reward that is maximised.

    multiplier = sigmoid(position), with equality tanh(position)
    position <- position - learning_rate * (derivative of multiplier) * slack

    It starts at 1/2, or 0 with equality. Near its bounds a multiplier moves slowly.

    Source: arXiv 2310.04373 (mu-PPO, and xi-PPO with equality), without the momentum of its code;
    slack is standardised here
    """

    rule: Literal["bounded"] = "bounded"
    learning_rate: float = Field(default=0.1, gt=0)

    def moved(self, position: Float, slack: Float, equal: NDArray[np.bool_]) -> Float:
        """The position after an update with this slack."""
        value = self.multipliers(position, slack, equal)
        derivative = np.where(equal, 1 - value**2, value * (1 - value))
        return position - self.learning_rate * derivative * slack

    def multipliers(self, position: Float, slack: Float, equal: NDArray[np.bool_]) -> Float:
        """The multipliers at a position, whatever the slack was."""
        return np.where(equal, np.tanh(position), expit(position))

    def weight_of_maximised(self, multipliers: Float) -> float:
        """What the multipliers leave of 1 for each constraint."""
        return len(multipliers) - float(multipliers.sum())


Ascent = ProjectedAscent | BoundedAscent
