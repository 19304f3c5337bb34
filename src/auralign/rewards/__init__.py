"""Reward models: what listeners would say of a clip, as one number; higher is better, always."""

from auralign.rewards.bradley_terry import BradleyTerryReward, SpeechFeatures, average

__all__ = ["BradleyTerryReward", "SpeechFeatures", "average"]
