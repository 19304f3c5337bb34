"""Means and spreads of rewards over clips of the same prompt, and which groups teach anything."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from auralign.errors import DataError
from auralign.losses.batch import require
from auralign.losses.online.rollouts import RolloutNeed, Rollouts, clip_rewards


@dataclass(frozen=True, eq=False)
class GroupStatistics:
    """Of the group that each clip belongs to, over the clips in it that could be scored.

    n_groups               groups in which at least two clips could be scored
    n_flat_groups          those whose spread is not above the least that was asked for
    n, mean, std, spread   `[clips]`; spread is the highest reward less the lowest
    """

    n_groups: int
    n_flat_groups: int
    n: Tensor
    mean: Tensor
    std: Tensor
    spread: Tensor


def group_statistics(
    rewards: Tensor,
    judged: Tensor,
    group: Tensor,
    *,
    unbiased: bool = True,
    min_spread: float = 0.0,
) -> GroupStatistics:
    """Statistics of `rewards` by `group`; clips that are not `judged` count nothing.

    rewards, judged, group   float, bool and int64 `[clips]`
    unbiased                 variance divided by n - 1, else by n

    Raises DataError where a group has a single clip: nothing says how good it is.
    """
    _, index, sizes = torch.unique(group, return_inverse=True, return_counts=True)
    if (sizes < 2).any():
        raise DataError(
            "expected at least 2 clips of each prompt, to compare them with each other, "
            f"got {int((sizes < 2).sum())} groups of one"
        )

    def total(values: Tensor) -> Tensor:
        return values.new_zeros(len(sizes)).index_add(0, index, values)

    n = total(judged.to(rewards))
    mean = total(torch.where(judged, rewards, 0.0)) / n.clamp(min=1)
    deviation = torch.where(judged, rewards - mean[index], 0.0)
    variance = total(deviation.square()) / (n - int(unbiased)).clamp(min=1)
    spread = _spread(rewards, judged, index, n)
    compared = n >= 2
    n_flat = int((compared & (spread <= min_spread)).sum())
    of_clips = (found[index] for found in (n, mean, variance.sqrt(), spread))
    return GroupStatistics(int(compared.sum()), n_flat, *of_clips)


def informative(batch: Rollouts, *, min_spread: float = 0.0) -> Tensor:
    """DAPO's rule of dynamic sampling: which clips to keep, bool `[clips]`.

    Those of groups whose rewards differ by more than `min_spread`, and that could be scored
    themselves. Sample further prompts until the batch is full; all the others teach nothing.
    Source: arXiv 2503.14476, section 3.2
    """
    rewards, judged = clip_rewards(batch)
    found = group_statistics(rewards, judged, require(batch.group, RolloutNeed.GROUPS))
    return judged & (found.spread > min_spread)


def _spread(values: Tensor, judged: Tensor, index: Tensor, n: Tensor) -> Tensor:
    """`[groups]`, highest less lowest; 0 where nothing is judged."""
    lowest, highest = (
        torch.full_like(n, -sign * torch.inf).scatter_reduce(
            0, index, torch.where(judged, values, -sign * torch.inf), which
        )
        for sign, which in ((-1, "amin"), (1, "amax"))
    )
    return torch.where(n > 0, highest - lowest, 0.0)
