"""Reward models (what listeners would say of a clip, as one number; higher is better, always), and
combinations of several rewards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auralign.lazy import importer

if TYPE_CHECKING:
    from auralign.rewards.bradley_terry import BradleyTerryReward, SpeechFeatures, average
    from auralign.rewards.combining import Combination, RewardStage, Scale, combination_of

_MODULES = {
    "BradleyTerryReward": "bradley_terry",
    "Combination": "combining",
    "RewardStage": "combining",
    "Scale": "combining",
    "SpeechFeatures": "bradley_terry",
    "average": "bradley_terry",
    "combination_of": "combining",
}
"""Where each name lives. Who combines rewards does not wait for torch."""

__all__ = [
    "BradleyTerryReward",
    "Combination",
    "RewardStage",
    "Scale",
    "SpeechFeatures",
    "average",
    "combination_of",
]

__getattr__ = importer(__name__, _MODULES)
