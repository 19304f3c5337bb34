"""The value head: what it is trained to say, and how well it says it."""

from __future__ import annotations

import torch
from torch import Tensor

from auralign.losses.batch import require
from auralign.losses.online.reductions import code_mean
from auralign.losses.online.rollouts import RolloutNeed, Rollouts


def value_loss(batch: Rollouts, *, clip: float | None = 0.2) -> Tensor:
    """Squared distance of values from returns, `[clips]`; the mean over clips is that over codes.

    1/2 max((V - R)^2, (V_old + clip(V - V_old, -c, c) - R)^2)

    clip   c, by how far a value may move in one round of updates; None for no bound. It has the
           units of the reward

    Clips without a reward count nothing. Source: the PPO practice of OpenAI's baselines
    """
    counted = _counted_frames(batch)
    values = _masked(batch.values, counted, RolloutNeed.VALUES)
    returns = _masked(batch.returns, counted, RolloutNeed.RETURNS).detach()
    error = (values - returns).square()
    if clip is not None:
        old = _masked(batch.old_values, counted, RolloutNeed.VALUES).detach()
        error = torch.maximum(error, (old + (values - old).clamp(-clip, clip) - returns).square())
    return code_mean(error[:, None, :].expand(batch.scored.shape) / 2, batch)


def explained_variance(batch: Rollouts) -> Tensor:
    """Share of the variance of returns that the values explain, a scalar; below 0 they mislead.

    1 - var(R - V_old) / var(R) over the frames that count; NaN where all returns are the same.
    """
    counted = _counted_frames(batch)
    returns = _masked(batch.returns, counted, RolloutNeed.RETURNS)[counted]
    old = _masked(batch.old_values, counted, RolloutNeed.VALUES)[counted]
    return 1 - (returns - old).var() / returns.var()


def _counted_frames(batch: Rollouts) -> Tensor:
    """bool `[clips, time]`, frames of clips that have a reward."""
    return batch.frames & require(batch.counted, RolloutNeed.ADVANTAGES)[:, None]


def _masked(found: Tensor | None, counted: Tensor, need: RolloutNeed) -> Tensor:
    """With 0 where not counted, so that what stands there reaches no gradient."""
    return torch.where(counted, require(found, need), 0.0)
