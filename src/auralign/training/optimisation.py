"""The optimiser and its learning rate."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn

from auralign.training.settings import TrainerSettings


def new_optimiser(
    parameters: Iterable[nn.Parameter], settings: TrainerSettings
) -> torch.optim.AdamW:
    """AdamW (arXiv 1711.05101) over these parameters."""
    return torch.optim.AdamW(
        parameters,
        lr=settings.learning_rate,
        betas=settings.betas,
        weight_decay=settings.weight_decay,
        fused=True,
    )


def learning_rate(step: int, n_steps: int, settings: TrainerSettings) -> float:
    """At `step` of `n_steps`, from 1 on: `warmup_steps` of linear growth, then the schedule.

    The schedule reaches zero after the last step, so that every step learns.
    """
    if step < settings.warmup_steps:
        return settings.learning_rate * step / settings.warmup_steps
    beyond = max(0, step - 1 - settings.warmup_steps)
    progress = beyond / max(1, n_steps - settings.warmup_steps)
    share = {
        "constant": 1.0,
        "linear": 1 - progress,
        "cosine": (1 + math.cos(math.pi * progress)) / 2,
    }[settings.schedule]
    return settings.learning_rate * share


def set_learning_rate(optimiser: torch.optim.Optimizer, value: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = value
