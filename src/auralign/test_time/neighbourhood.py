"""Robust preference selection: ask for several directions near the wanted one, keep the best.

A policy that was trained to follow a direction between two dimensions of judgement (such as
`preferences.directions`) does so best near directions that it has seen. So it is asked for k
directions in the neighbourhood of the target, one clip each, and the clip that the target direction
itself values most is handed out (arXiv 2510.20498). The cost is that of the best of k.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from auralign.errors import ConfigError
from auralign.preferences.directions import direction
from auralign.test_time.selection import (
    Candidates,
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

Steer = Callable[[Prompt, Float], Prompt]
"""The prompt that asks for a clip along a direction `[2]`, a unit vector."""


def best_of_neighbourhood(
    policy: Sampler,
    prompts: Sequence[Prompt],
    rewards: tuple[Reward, Reward],
    *,
    towards_degrees: float,
    steer: Steer,
    rng: np.random.Generator,
    generator: torch.Generator,
    k: int = 5,
    max_degrees: float = 30.0,
    temperature: float = 1.0,
) -> Selection:
    """Of `k` clips for each prompt, asked for along as many directions, the best along the target.

    rewards           one for each dimension, on one scale; they see the prompt as it was given
    towards_degrees   the target, as an angle from the first dimension towards the second
    max_degrees       how far the directions that are asked for lie from it; they are drawn
                      uniformly (Derived: the law within the range could not be read). At 0 this is
                      the best of k along the target

    Raises ConfigError for k below 1 and a negative range, DataError where no clip of a prompt has
    a score on both dimensions.
    """
    require_positive(k=k)
    if max_degrees < 0:
        raise ConfigError(f"max_degrees: expected at least 0, got {max_degrees:g}")
    angles = towards_degrees + rng.uniform(-max_degrees, max_degrees, (len(prompts), k))
    asked = [
        steer(prompt, direction(angle))
        for prompt, row in zip(prompts, angles.tolist(), strict=True)
        for angle in row
    ]
    drawn = draw(policy, asked, 1, generator=generator, temperature=temperature)
    own = np.repeat(np.arange(len(prompts)), k)
    candidates = Candidates(own, drawn.tokens, drawn.terminated)
    values = np.stack([score(reward, prompts, candidates) for reward in rewards], axis=-1)
    return choose(prompts, candidates, values @ direction(towards_degrees))
