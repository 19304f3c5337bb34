"""Training loops, one flat file for each kind of model; every loop reads from top to bottom."""

from auralign.training.measures import divergence
from auralign.training.processes import Processes, started_processes
from auralign.training.reward import RewardSettings, train_reward, vote_accuracy
from auralign.training.settings import TrainerSettings
from auralign.training.sft import SftResult, SftSettings, train_sft, validation_loss
from auralign.training.trainer import TrainResult, train

__all__ = [
    "Processes",
    "RewardSettings",
    "SftResult",
    "SftSettings",
    "TrainResult",
    "TrainerSettings",
    "divergence",
    "started_processes",
    "train",
    "train_reward",
    "train_sft",
    "validation_loss",
    "vote_accuracy",
]
