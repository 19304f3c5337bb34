"""Training on clips that the policy samples itself: policy gradients and fresh pairs.

settings     how
samples      clips of a round, and who says how good they are
experience   the clips with their log-probabilities, penalties and advantages
critic       the value head of PPO
methods      what an objective makes of a round
updates      the gradient of an update
trainer      the loop
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from auralign.lazy import importer

if TYPE_CHECKING:
    from auralign.training.online.critic import Critic, StatesCritic
    from auralign.training.online.samples import (
        Samples,
        by_preference_score,
        by_reward,
        by_win_rate,
        by_win_rate_against,
        on_audio,
    )
    from auralign.training.online.settings import KLSettings, OnlineSettings
    from auralign.training.online.trainer import train_online

_MODULES = {
    "Critic": "critic",
    "KLSettings": "settings",
    "OnlineSettings": "settings",
    "Samples": "samples",
    "StatesCritic": "critic",
    "by_preference_score": "samples",
    "by_reward": "samples",
    "by_win_rate": "samples",
    "by_win_rate_against": "samples",
    "on_audio": "samples",
    "train_online": "trainer",
}
"""Name -> module. Whoever needs one module of this room does not wait for the others (PEP 562)."""

__all__ = [
    "Critic",
    "KLSettings",
    "OnlineSettings",
    "Samples",
    "StatesCritic",
    "by_preference_score",
    "by_reward",
    "by_win_rate",
    "by_win_rate_against",
    "on_audio",
    "train_online",
]

__getattr__ = importer(__name__, _MODULES)
