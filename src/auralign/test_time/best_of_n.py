"""Best of n: draw n clips for a prompt, hand out the one with the highest reward.

How far this moves from the policy that was sampled is known. For rewards without ties the KL is
log n - (n - 1) / n nats (`training.guard.best_of_n_kl`). Short clips of few codes tie, and then
that is too much (arXiv 2401.01879): for outcomes that can be listed the exact law stands here.
What a second, better reward says of the best of n is estimated from clips that are already scored
by `training.guard.best_of_n_gold`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import rel_entr

from auralign.errors import DataError
from auralign.test_time.selection import (
    Float,
    Reward,
    Sampler,
    Selection,
    choose,
    draw,
    require_positive,
    score,
)
from auralign.types import Prompt

if TYPE_CHECKING:
    import torch


def best_of_n(
    policy: Sampler,
    prompts: Sequence[Prompt],
    reward: Reward,
    *,
    generator: torch.Generator,
    n: int = 8,
    temperature: float = 1.0,
) -> Selection:
    """The best of `n` clips for each prompt, by the reward; the first of equal ones.

    Raises ConfigError for n below 1, DataError where no clip of a prompt has a score.
    """
    candidates = draw(policy, prompts, n, generator=generator, temperature=temperature)
    return choose(prompts, candidates, score(reward, prompts, candidates))


def best_of_n_law(probabilities: ArrayLike, rewards: ArrayLike, n: int) -> Float:
    """Probability with which each outcome is the best of n independent draws, `[outcomes]`.

    probabilities   of the outcomes under the policy, [outcomes], summing to 1
    rewards         [outcomes]; of equal ones the first drawn is taken

    Derived: the maximum is r with probability F(r)^n - F(r-)^n, where F(r) is the probability of a
    reward up to r and F(r-) of one below, and outcomes that tie share it as the policy does.
    Raises DataError for probabilities that do not sum to 1, ConfigError for n below 1.
    """
    require_positive(n=n)
    law, values = np.asarray(probabilities, dtype=np.float64), np.asarray(rewards, dtype=np.float64)
    if law.shape != values.shape or (law < 0).any() or not np.isclose(law.sum(), 1):
        raise DataError(
            "expected a probability for each reward, none below 0 and 1 in all, got "
            f"{len(law)} for {len(values)} with the sum {law.sum():g}"
        )
    _, level = np.unique(values, return_inverse=True)
    of_level = np.bincount(level, law)
    up_to = np.append(0.0, of_level.cumsum())
    maximum = np.diff(up_to**n)
    share = np.divide(law, of_level[level], out=np.zeros_like(law), where=law > 0)
    return np.asarray(maximum[level] * share)


def best_of_n_exact_kl(probabilities: ArrayLike, rewards: ArrayLike, n: int) -> float:
    """KL of the best of n from the policy in nats, for outcomes that can be listed.

    Arguments and errors as `best_of_n_law`. At most log n - (n - 1) / n (arXiv 2401.01879).
    """
    law = best_of_n_law(probabilities, rewards, n)
    return float(rel_entr(law, np.asarray(probabilities, dtype=np.float64)).sum())
