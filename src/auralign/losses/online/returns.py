"""How much better what follows a frame was than expected: rewards and values of single frames.

A frame is a step: its codes of all codebooks are one action. The reward of a clip falls due at its
last frame, the KL penalty of a code at its own. Frames without a scored code (prompt, padding) are
skipped, wherever they stand.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from auralign.losses.batch import require
from auralign.losses.online.advantages import whitened
from auralign.losses.online.groups import group_statistics
from auralign.losses.online.rollouts import Advantages, RolloutNeed, Rollouts, clip_rewards


def frame_rewards(batch: Rollouts) -> tuple[Tensor, Tensor]:
    """Rewards `[clips, time]`, and the clips `[clips]` whose reward could be scored.

    Source: arXiv 2203.02155 (the score at the end, the KL penalty at every code)
    """
    scores, judged = clip_rewards(replace(batch, kl_penalty=None))
    rewards = _last(batch.frames) * scores[:, None]
    if batch.kl_penalty is not None:
        rewards = rewards - torch.where(batch.scored, batch.kl_penalty, 0.0).sum(-2)
    return rewards.detach(), judged


def gae(
    batch: Rollouts, *, gamma: float = 1.0, lam: float = 0.95, whiten: bool = True
) -> Advantages:
    """Generalised advantage estimation: how far values were wrong, now and later.

    d_t = R_t + gamma V_t+1 - V_t,   A_t = sum over k of (gamma lam)^k d_t+k
    returns = A + V, found before A is whitened over all codes of the batch

    gamma    1, for clips that end
    lam      0.95 in TRL, 1 in verl: near 1 the reward at the end reaches the first frame unspoilt
             by values that know nothing yet, at more variance
    whiten   mean 0 and standard deviation 1

    After the last frame the value is 0, or `bootstrap` where a clip was cut off.
    Source: arXiv 1506.02438, eq. 16
    """
    rewards, judged = frame_rewards(batch)
    values = require(batch.old_values, RolloutNeed.VALUES).detach()
    frames = batch.frames & judged[:, None]
    after = values.new_zeros(len(values)) if batch.bootstrap is None else batch.bootstrap
    values = torch.where(frames, values, 0.0)
    found = _backwards(rewards, values, frames, after.detach(), gamma, gamma * lam)
    returns = torch.where(frames, found + values, 0.0)
    if whiten:
        found = whitened(found, _codes_of(batch, judged))
    return Advantages(found, judged, returns=returns)


def whitened_returns(
    batch: Rollouts, *, gamma: float = 1.0, group_baseline: bool = False
) -> Advantages:
    """What follows each frame, as standard deviations from the mean of the whole batch.

    A_t = (G_t - mean) / std,   G_t = R_t + gamma G_t+1; mean and std over all codes of the batch

    gamma            1
    group_baseline   first takes the mean reward of the prompt off (needs `group`): use it where
                     some prompts are harder than others

    Source: arXiv 2501.03262 (REINFORCE++)
    """
    rewards, judged = frame_rewards(batch)
    if group_baseline:
        group = require(batch.group, RolloutNeed.GROUPS)
        found = group_statistics(rewards.sum(-1), judged, group)
        judged = judged & (found.n >= 2)
        rewards = rewards - _last(batch.frames) * found.mean[:, None]
    frames = batch.frames & judged[:, None]
    nothing = torch.zeros_like(rewards)
    to_go = _backwards(rewards, nothing, frames, nothing[:, 0], gamma, gamma)
    return Advantages(whitened(to_go, _codes_of(batch, judged)), judged)


def _backwards(
    rewards: Tensor, values: Tensor, frames: Tensor, after: Tensor, gamma: float, decay: float
) -> Tensor:
    """A_t = R_t + gamma V_t+1 - V_t + decay A_t+1 over the frames that count, `[clips, time]`."""
    advantage, next_value = torch.zeros_like(after), after
    found = []
    for t in reversed(range(rewards.shape[1])):
        here = frames[:, t]
        step = rewards[:, t] + gamma * next_value - values[:, t] + decay * advantage
        advantage = torch.where(here, step, advantage)
        next_value = torch.where(here, values[:, t], next_value)
        found.append(torch.where(here, step, 0.0))
    return torch.stack(found[::-1], -1)


def _last(frames: Tensor) -> Tensor:
    """bool `[clips, time]`, True at the last frame of each clip that counts."""
    return frames & (frames.flip(-1).cumsum(-1).flip(-1) == 1)


def _codes_of(batch: Rollouts, judged: Tensor) -> Tensor:
    """How many codes each frame stands for, 0 where the clip has no reward, `[clips, time]`."""
    return batch.scored.sum(-2) * judged[:, None]
