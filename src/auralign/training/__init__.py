"""Training loops, one flat file for each kind of model; every loop reads from top to bottom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auralign.lazy import importer

if TYPE_CHECKING:
    from auralign.training.keeping import TrainResult
    from auralign.training.measures import divergence
    from auralign.training.processes import Processes, started_processes
    from auralign.training.reward import RewardSettings, train_reward, vote_accuracy
    from auralign.training.settings import TrainerSettings
    from auralign.training.sft import SftResult, SftSettings, train_sft, validation_loss
    from auralign.training.trainer import train

_MODULES = {
    "Processes": "processes",
    "RewardSettings": "reward",
    "SftResult": "sft",
    "SftSettings": "sft",
    "TrainResult": "keeping",
    "TrainerSettings": "settings",
    "divergence": "measures",
    "started_processes": "processes",
    "train": "trainer",
    "train_reward": "reward",
    "train_sft": "sft",
    "validation_loss": "sft",
    "vote_accuracy": "reward",
}
"""Where each name lives. Who trains a policy does not wait for what a reward model needs."""

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

__getattr__ = importer(__name__, _MODULES)
