"""Objectives as pure functions: tensors in, one value per item out; the caller reduces."""

from auralign.losses.batch import Clips, Lists, Loss, Need, Pairs, Unpaired
from auralign.losses.objective import Objective
from auralign.losses.reduce import mean_scored, sum_scored
from auralign.losses.reward import bradley_terry
from auralign.losses.table import OBJECTIVES

__all__ = [
    "OBJECTIVES",
    "Clips",
    "Lists",
    "Loss",
    "Need",
    "Objective",
    "Pairs",
    "Unpaired",
    "bradley_terry",
    "mean_scored",
    "sum_scored",
]
