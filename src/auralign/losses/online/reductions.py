"""From one term for each code to one value for each clip; the mean over clips is the loss.

They differ in what a long clip weighs beside a short one. `terms` and the scored mask are
`[clips, codebook, time]`, the result `[clips]`.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from auralign.losses.batch import require
from auralign.losses.online.rollouts import RolloutNeed, Rollouts
from auralign.losses.reduce import sum_scored

Reduction = Callable[[Tensor, Rollouts], Tensor]


def clip_sum(terms: Tensor, batch: Rollouts) -> Tensor:
    """Sum over the codes of a clip: the gradient of its log-probability (REINFORCE, RLOO)."""
    return sum_scored(terms, batch.scored)


def clip_mean(terms: Tensor, batch: Rollouts) -> Tensor:
    """Mean over the codes of a clip (GRPO): a code of a short clip is pushed harder."""
    return clip_sum(terms, batch) / batch.n_codes.clamp(min=1)


def code_mean(terms: Tensor, batch: Rollouts) -> Tensor:
    """Mean over all codes of the update (DAPO, PPO): every code is pushed alike.

    A sum over codes, divided by the codes of a clip on average over the whole update.
    """
    return clip_sum(terms, batch) / batch.codes_per_clip


def constant_length(terms: Tensor, batch: Rollouts) -> Tensor:
    """Sum over the codes of a clip by a constant, the longest that a run allows (Dr.GRPO)."""
    return clip_sum(terms, batch) / require(batch.max_codes, RolloutNeed.MAX_CODES)
