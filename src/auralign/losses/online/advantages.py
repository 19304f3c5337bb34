"""How much better a clip was than expected, from its reward and those of its rivals.

R is the reward of a clip, less the KL penalty in it, if any (`clip_rewards`); G the clips of a
prompt. What could not be scored has no advantage, and is left out of the means of its rivals: it
is neither good nor bad. Worked out once over the whole batch, before it is parted for updates.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from auralign.errors import ConfigError, DataError
from auralign.losses.batch import require
from auralign.losses.online.groups import GroupStatistics, group_statistics
from auralign.losses.online.rollouts import Advantages, RolloutNeed, Rollouts, clip_rewards


def less_baseline(batch: Rollouts, *, baseline: float | None = None) -> Advantages:
    """Reward less a baseline.

    R_i - b

    baseline   b, such as a running mean that the caller keeps; None takes the mean reward of the
               other clips of the batch, whatever their prompts are

    A baseline that does not depend on the clip leaves the expected gradient as it is.
    Source: Williams 1992, Machine Learning 8:229
    """
    rewards, judged = clip_rewards(batch)
    if baseline is not None:
        return Advantages(torch.where(judged, rewards - baseline, 0.0), judged)
    everybody = torch.zeros(len(rewards), dtype=torch.long, device=rewards.device)
    return _compared(rewards, judged, group_statistics(rewards, judged, everybody), _without_it)


def leave_one_out(batch: Rollouts) -> Advantages:
    """Reward less the mean reward of the other clips of the prompt.

    R_i - mean over j != i of R_j = G / (G - 1) (R_i - mean R)

    Source: arXiv 2402.14740 (RLOO)
    """
    rewards, judged, found = _in_groups(batch)
    return _compared(rewards, judged, found, _without_it)


def group_centred(batch: Rollouts, *, min_spread: float = 0.0) -> Advantages:
    """Reward less the mean reward of the prompt.

    R_i - mean R

    min_spread   groups whose rewards differ by no more teach nothing; 0

    Source: arXiv 2503.20783 (Dr.GRPO)
    """
    rewards, judged, found = _in_groups(batch, min_spread=min_spread)
    return _compared(rewards, judged, found, lambda r, s: r - s.mean, min_spread)


def group_z_scores(
    batch: Rollouts, *, unbiased: bool = True, eps: float = 1e-4, min_spread: float = 0.0
) -> Advantages:
    """Reward as standard deviations from the mean of the prompt.

    (R_i - mean R) / (std R + eps)

    unbiased     std by n - 1, as in TRL and verl; else by n, as in code that takes numpy's
    eps          1e-4 in TRL, 1e-6 in verl
    min_spread   groups whose rewards differ by no more teach nothing; 0. Where rewards are nearly
                 tied (mean opinions), set it to the noise of the reward: dividing by a tiny std
                 blows that noise up to +-1

    Every prompt gets the same weight, however much its clips differ.
    Source: arXiv 2402.03300 (GRPO)
    """
    rewards, judged, found = _in_groups(batch, unbiased=unbiased, min_spread=min_spread)
    return _compared(rewards, judged, found, _z_score(eps), min_spread)


def decoupled_z_scores(
    batch: Rollouts, *, unbiased: bool = True, eps: float = 1e-4, min_spread: float = 0.0
) -> Advantages:
    """Several rewards, each as standard deviations within the prompt, then weighed and whitened.

    A_i = sum over k of w_k (R_ik - mean R_k) / (std R_k + eps), whitened over the clips

    unbiased, eps, min_spread   as in `group_z_scores`, for each reward by itself

    The scale of a reward does not decide what it weighs, as it does where rewards are added first.
    A clip counts where all its rewards could be scored. The KL belongs into the loss: a penalty
    in the reward has no group to be compared with, and raises ConfigError.
    Source: arXiv 2601.05242 (GDPO); whitened over clips as in TRL (over codes in verl)
    """
    rewards, judged = require(batch.rewards, RolloutNeed.REWARDS), batch.judged
    if rewards.ndim != 2:
        raise DataError(f"expected rewards as [clips, rewards], got {tuple(rewards.shape)}")
    if batch.kl_penalty is not None:
        raise ConfigError("GDPO normalises each reward: put the KL into the loss instead")
    group = require(batch.group, RolloutNeed.GROUPS)
    columns = []
    for reward, known in zip(rewards.detach().T, judged.T, strict=True):
        kept = torch.where(known, reward, 0.0)
        found = group_statistics(kept, known, group, unbiased=unbiased, min_spread=min_spread)
        columns.append(_compared(kept, known, found, _z_score(eps), min_spread))
    counted = torch.stack([c.counted for c in columns]).all(0)
    scores = torch.stack([c.values for c in columns], -1)
    weights = 1.0 if batch.reward_weights is None else batch.reward_weights
    combined = (scores * weights).sum(-1)
    found = group_statistics(combined, counted, group)
    return Advantages(whitened(combined, counted), counted, found.n_groups, found.n_flat_groups)


def win_margin(batch: Rollouts) -> Advantages:
    """How much more often than not a clip beats its rivals.

    P(clip beats rivals) - 1/2; the reward has to be that probability (`win_rates`)

    The constant is the value of a clip against itself, so that no baseline is estimated.
    Raises DataError for rewards that are no probabilities.
    Source: arXiv 2312.00886 (Nash-MD)
    """
    rewards, judged = clip_rewards(batch)
    if batch.kl_penalty is None and ((rewards < 0) | (rewards > 1)).any():
        raise DataError("expected shares of won comparisons as rewards, between 0 and 1")
    return Advantages(torch.where(judged, rewards - 0.5, 0.0), judged)


def best_of_group(batch: Rollouts) -> Advantages:
    """1 for the clip of each prompt with the highest reward, and 0 for the others.

    Of equal ones the first is taken. Source: arXiv 2304.06767 (RAFT)
    """
    rewards, judged, found = _in_groups(batch)
    ranked = torch.where(judged, rewards, -torch.inf)
    places = ranked.argsort(descending=True, stable=True).argsort()
    _, index = torch.unique(require(batch.group, RolloutNeed.GROUPS), return_inverse=True)
    highest = torch.full_like(places, len(places)).scatter_reduce(0, index, places, "amin")
    best = judged & (highest[index] == places)
    return Advantages(best.to(rewards), best, found.n_groups, found.n_flat_groups)


def whitened(values: Tensor, weights: Tensor, *, eps: float = 1e-8) -> Tensor:
    """Mean 0 and standard deviation 1 (by n - 1) where `weights` is above 0; elsewhere 0.

    values, weights   one shape; weights are numbers of codes that a value stands for, or bool
    """
    counted = weights > 0
    weight = weights.to(values)
    n = weight.sum()
    known = torch.where(counted, values, 0.0)
    deviation = torch.where(counted, known - (weight * known).sum() / n.clamp(min=1), 0.0)
    variance = (weight * deviation.square()).sum() / (n - 1).clamp(min=1)
    return deviation / (variance.sqrt() + eps)


_Measure = Callable[[Tensor, GroupStatistics], Tensor]


def _in_groups(
    batch: Rollouts, *, unbiased: bool = True, min_spread: float = 0.0
) -> tuple[Tensor, Tensor, GroupStatistics]:
    """Rewards, where they could be scored, and statistics of their groups."""
    rewards, judged = clip_rewards(batch)
    group = require(batch.group, RolloutNeed.GROUPS)
    found = group_statistics(rewards, judged, group, unbiased=unbiased, min_spread=min_spread)
    return rewards, judged, found


def _compared(
    rewards: Tensor,
    judged: Tensor,
    found: GroupStatistics,
    measure: _Measure,
    min_spread: float = 0.0,
) -> Advantages:
    """`measure` of the clips that have a rival; exactly 0 in groups that are flat."""
    counted = judged & (found.n >= 2)
    values = torch.where(counted & (found.spread > min_spread), measure(rewards, found), 0.0)
    return Advantages(values, counted, found.n_groups, found.n_flat_groups)


def _without_it(rewards: Tensor, found: GroupStatistics) -> Tensor:
    """Reward less the mean of the others of its group."""
    return found.n / (found.n - 1).clamp(min=1) * (rewards - found.mean)


def _z_score(eps: float) -> _Measure:
    """Reward as standard deviations from the mean of its group."""
    return lambda rewards, found: (rewards - found.mean) / (found.std + eps)
