"""The optimiser, its learning rate, and the random numbers of a training."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch
from torch import nn

from auralign.training.settings import OptimiserSettings


def new_optimiser(
    parameters: Iterable[nn.Parameter], settings: OptimiserSettings
) -> torch.optim.AdamW:
    """AdamW (arXiv 1711.05101) over these parameters."""
    return torch.optim.AdamW(
        parameters,
        lr=settings.learning_rate,
        betas=settings.betas,
        weight_decay=settings.weight_decay,
        fused=True,
    )


def learning_rate(step: int, n_steps: int, settings: OptimiserSettings) -> float:
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


def random_numbers(seed: int, purpose: str, number: int) -> torch.Generator:
    """For one purpose at one time: a run that goes on from a checkpoint draws what it would have.

    number   of the epoch or the step
    """
    words = [seed, number, *purpose.encode()]
    return torch.Generator().manual_seed(int(np.random.SeedSequence(words).generate_state(1)[0]))
