"""Online objectives: advantages of sampled clips, policy gradients, and what holds them back."""

from auralign.losses.online.objective import KL, OnlineGroup, OnlineObjective
from auralign.losses.online.rollouts import Advantages, RolloutNeed, Rollouts, take
from auralign.losses.online.table import ONLINE_OBJECTIVES

__all__ = [
    "KL",
    "ONLINE_OBJECTIVES",
    "Advantages",
    "OnlineGroup",
    "OnlineObjective",
    "RolloutNeed",
    "Rollouts",
    "take",
]
