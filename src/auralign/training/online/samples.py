"""Clips that a policy has just sampled, and who says how good they are.

Nothing here looks into a clip: codes, latents and waveforms are all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from auralign.errors import DataError
from auralign.losses.online.preferences import win_rates
from auralign.types import Audio, Prompt

Values = NDArray[np.float64]
Reward = Callable[[Sequence[Prompt], Sequence[Any]], Values]
"""Prompts and clips -> `[clips]` or `[clips, rewards]`, higher is better; NaN where a clip cannot
be scored, never a number in its place."""
Judge = Callable[[Sequence[Prompt], Sequence[Any], Sequence[Any]], Values]
"""Prompts, first and second clips -> the probability `[clips]` that the first is preferred; NaN
where the judge does not answer."""
Rivals = Callable[[Sequence[Prompt], torch.Generator], Sequence[Any]]
"""One clip for each prompt, of somebody else."""


@dataclass(frozen=True, eq=False)
class Samples:
    """The clips of a round, group by group.

    prompts   of each clip
    clips     what was sampled
    group     int64 `[clips]`, equal for clips of one prompt of the round
    ended     bool `[clips]`, whether the clip ended itself
    """

    prompts: list[Prompt]
    clips: list[Any]
    group: NDArray[np.int64]
    ended: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.clips)

    def take(self, rows: Sequence[int]) -> Samples:
        """Some of the clips, in their order."""
        kept = list(rows)
        return Samples(
            [self.prompts[i] for i in kept],
            [self.clips[i] for i in kept],
            self.group[kept],
            self.ended[kept],
        )


def joined(parts: Sequence[Samples]) -> Samples:
    """All clips; groups of different parts stay apart."""
    first = np.cumsum([0, *(1 + part.group.max() for part in parts)])
    return Samples(
        [p for part in parts for p in part.prompts],
        [c for part in parts for c in part.clips],
        np.concatenate([part.group + n for part, n in zip(parts, first, strict=False)]),
        np.concatenate([part.ended for part in parts]),
    )


Assess = Callable[[Samples, torch.Generator], Values]
"""The reward of each clip of a round, as `Reward`; random numbers for who needs some."""


def assessed(assess: Assess, samples: Samples, generator: torch.Generator) -> Values:
    """What `assess` says of these clips; DataError unless it says something of each."""
    values = np.asarray(assess(samples, generator), dtype=np.float64)
    if values.shape[:1] != (len(samples),) or values.ndim > 2:
        raise DataError(
            f"expected a reward of shape [{len(samples)}] or [{len(samples)}, rewards], got "
            f"{list(values.shape)}: give one row for each clip"
        )
    return values


def by_reward(reward: Reward) -> Assess:
    """What a reward says of each clip by itself."""
    return lambda samples, generator: reward(samples.prompts, samples.clips)


def on_audio(
    decode: Callable[[Sequence[Any]], Sequence[Audio]],
    hear: Callable[[Sequence[Audio], Sequence[Prompt]], Values],
) -> Reward:
    """A reward that hears clips, such as `RewardModel.score`, as one of what was sampled."""
    return lambda prompts, clips: hear(decode(clips), prompts)


def by_win_rate(judge: Judge) -> Assess:
    """How often a clip is preferred to the others of its group (self-play).

    Its mean is 1/2 whatever the policy has learnt: a policy is judged, and its best weights are
    chosen, by an `evaluate` of your own, such as its win rate over the reference.
    """

    def assess(samples: Samples, generator: torch.Generator) -> Values:
        rates, known = win_rates(torch.from_numpy(_against_group(judge, samples)))
        return np.where(known, rates, np.nan)

    return assess


def by_win_rate_against(judge: Judge, rivals: Rivals) -> Assess:
    """How likely a clip is preferred to one of a rival, such as a mixture with the reference.

    Each pair is asked in both orders, and what the judge thinks of places cancels.
    """

    def assess(samples: Samples, generator: torch.Generator) -> Values:
        prompts, others = samples.prompts, rivals(samples.prompts, generator)
        wins, losses = judge(prompts, samples.clips, others), judge(prompts, others, samples.clips)
        both: Values = (wins + 1 - losses) / 2
        return both

    return assess


def by_preference_score(judge: Judge) -> Assess:
    """The mean of logit P(clip > other) over all clips of the group, 0 for the clip itself.

    What `general_preference` takes for a reward. Source: arXiv 2410.02197, section 5
    """

    def assess(samples: Samples, generator: torch.Generator) -> Values:
        wins = _against_group(judge, samples).clip(1e-6, 1 - 1e-6)
        scores = np.log(wins) - np.log1p(-wins)
        known = ~np.isnan(scores)
        total: Values = np.where(known, scores, 0.0).sum(1) / (1 + known.sum(1))
        return np.where(known.any(1), total, np.nan)

    return assess


def _against_group(judge: Judge, samples: Samples) -> Values:
    """P(row > column) `[clips, clips]`; NaN between groups and on the diagonal.

    Each pair is asked in both orders, and what the judge thinks of places cancels.
    """
    n = len(samples)
    same = samples.group[:, None] == samples.group[None]
    first, second = np.nonzero(same & ~np.eye(n, dtype=np.bool_))
    wins = np.full((n, n), np.nan)
    if len(first):
        wins[first, second] = judge(
            [samples.prompts[i] for i in first],
            [samples.clips[i] for i in first],
            [samples.clips[i] for i in second],
        )
    both: Values = (wins + 1 - wins.T) / 2
    return both
