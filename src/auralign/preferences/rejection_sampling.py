"""Statistical rejection sampling: candidates as if the best policy under a reward had drawn them.

arXiv 2309.06657 (RSO). Pair the accepted clips by their rewards (`pairs_from_rewards`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from auralign.errors import ConfigError, DataError


def acceptance(rewards: NDArray[np.float64], *, temperature: float) -> NDArray[np.float64]:
    """Probability with which each candidate is accepted: exp((R - max R) / temperature)."""
    return np.asarray(np.exp((rewards - rewards.max()) / temperature))


def rejection_sample(
    rewards: Mapping[str, float], n: int, *, rng: np.random.Generator, temperature: float = 0.5
) -> list[str]:
    """`n` distinct clips out of the candidates of one prompt, in the order of acceptance.

    rewards       clip id -> reward, 64 candidates for 8 accepted in the source; a clip id names
                  its samples, so that equal takes count once
    temperature   beta_s, 0.5 (the source's): near 0 the best n, large a uniform draw

    Sweeps over the remaining candidates in a fresh random order, each accepted against the best
    that remains, until n are. Raises DataError for fewer than n candidates, ConfigError for a
    temperature that is not positive.
    """
    if temperature <= 0:
        raise ConfigError(f"expected temperature above 0, got {temperature:g}")
    if not 0 <= n <= len(rewards):
        raise DataError(
            f"expected at least {n} different candidates to accept {n}, got {len(rewards)}: "
            "sample more or accept fewer"
        )
    remaining, accepted = list(rewards), list[str]()
    while len(accepted) < n:
        remaining = [remaining[i] for i in rng.permutation(len(remaining))]
        chance = acceptance(np.array([rewards[c] for c in remaining]), temperature=temperature)
        passed = rng.random(len(remaining)) < chance
        accepted += [c for c, ok in zip(remaining, passed, strict=True) if ok]
        remaining = [c for c, ok in zip(remaining, passed, strict=True) if not ok]
    return accepted[:n]
