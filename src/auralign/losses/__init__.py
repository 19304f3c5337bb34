"""Objectives as pure functions: tensors in, one value per item out; the caller reduces."""

from auralign.losses.pairwise import PAIRWISE, dpo, ipo
from auralign.losses.reduce import mean_scored, sum_scored
from auralign.losses.reward import bradley_terry

__all__ = ["PAIRWISE", "bradley_terry", "dpo", "ipo", "mean_scored", "sum_scored"]
