"""Training loops, one flat file for each method; every loop reads from top to bottom."""

from auralign.training.dpo import DpoResult, DpoSettings, TokenPair, divergence, train_dpo
from auralign.training.reward import RewardSettings, train_reward, vote_accuracy
from auralign.training.sft import SftResult, SftSettings, train_sft, validation_loss

__all__ = [
    "DpoResult",
    "DpoSettings",
    "RewardSettings",
    "SftResult",
    "SftSettings",
    "TokenPair",
    "divergence",
    "train_dpo",
    "train_reward",
    "train_sft",
    "validation_loss",
    "vote_accuracy",
]
