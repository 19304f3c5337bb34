"""Rewards as utilities between 0 and 1 whose mean the worst of them decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from auralign.data.config import StrictModel
from auralign.rewards.combining.columns import columns_of, scored
from auralign.rewards.combining.combination import Float, Stateless


class Utility(StrictModel):
    """What a reward is worth, from 1 where it is `best` or better down to 0.

    With d = max(best - r, 0) / scale: `linear` max(1 - d, 0), `tanh` 1 - tanh(d), `exponential`
    exp(-d). Of an error rate r = -CER with best 0 and scale 1 / tau, `tanh` is that of the source;
    of a log-likelihood `exponential`; of a cosine, `linear` with best 1 and scale 2.

    best, scale   in the reward's own unit
    weight        in the mean
    """

    shape: Literal["linear", "tanh", "exponential"]
    best: float
    scale: float = Field(gt=0)
    weight: float = Field(default=1.0, gt=0)

    def __call__(self, rewards: Float) -> Float:
        """`[clips]` -> `[clips]`; NaN stays NaN."""
        distance = np.maximum(self.best - rewards, 0.0) / self.scale
        if self.shape == "linear":
            return np.maximum(1 - distance, 0.0)
        return np.exp(-distance) if self.shape == "exponential" else 1 - np.tanh(distance)


class HarmonicMean(Stateless):
    """Weighted harmonic mean of utilities; one of 0 makes it 0.

    u = sum of w_k / sum of w_k / U_k(r_k)

    names       of the columns that it will see
    utilities   U and w, by name; rewards that are not named are not looked at

    Raises ConfigError for names that are not known. Source: arXiv 2509.18531 (KoCC-TTS), whose tau
    could not be read; a policy that was trained on it alone lost its prosody there
    """

    def __init__(self, names: Sequence[str], utilities: Mapping[str, Utility]) -> None:
        self.names = tuple(names)
        self.columns = columns_of(self.names, utilities)
        self.utilities = tuple(utilities.values())

    def __call__(self, values: Float) -> Float:
        rewards = scored(values, self.names, self.columns)
        worth = np.stack([u(r) for u, r in zip(self.utilities, rewards.T, strict=True)], 1)
        weights = np.array([u.weight for u in self.utilities])
        with np.errstate(divide="ignore", over="ignore"):
            # A utility of 0 has the reciprocal inf, and the mean becomes the 0 that it should be.
            return np.asarray(weights.sum() / (weights / worth).sum(1))
