"""Mixtures of diagonal Gaussians, one mixture for each state of a model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

Float = NDArray[np.float32]

VARIANCE_FLOOR = 0.05
"""Share of the variance over all frames that no component's variance falls below."""

SPLIT_STEP = 0.2
"""How far a split moves each half's mean, in standard deviations."""

MIN_FRAMES = 5.0
"""A component with fewer frames (counted by responsibility) keeps its mean and variance."""


@dataclass(frozen=True, eq=False)
class Mixtures:
    """Parameters, all float32; frames are `[frames, features]`."""

    means: Float
    """`[components, states, features]`"""
    variances: Float
    """`[components, states, features]`"""
    log_weights: Float
    """`[components, states]`"""
    variance_floor: Float
    """`[features]`"""

    @classmethod
    def single(cls, frames: Float, states: NDArray[np.int64], n_states: int) -> Mixtures:
        """One Gaussian per state, for frames of known states `[frames]`."""
        spread = frames.var(axis=0)
        ones = np.ones((1, n_states, 1), dtype=np.float32)
        everywhere = cls(
            means=ones * frames.mean(axis=0),
            variances=ones * spread,
            log_weights=0 * ones[..., 0],
            variance_floor=VARIANCE_FLOOR * spread,
        )
        return everywhere.refit(frames, states)

    def log_likelihood(self, frames: Float) -> Float:
        """Log-density of each frame in each state, `[frames, states]`."""
        joint = self._joint(frames)
        best = joint.max(axis=0)
        joint -= best
        return np.asarray(best + np.log(np.exp(joint, out=joint).sum(axis=0)))

    def _joint(self, frames: Float) -> Float:
        """Log-weight plus log-density, `[components, frames, states]`."""
        # log N(x; m, v) = x^2 . (-1 / 2v) + x . (m / v) + constant: one matrix product.
        weights = np.concatenate([-0.5 / self.variances, self.means / self.variances], axis=2)
        constant = self.log_weights - 0.5 * (
            self.means**2 / self.variances + np.log(2 * np.pi * self.variances)
        ).sum(axis=2)
        powers = np.concatenate([frames**2, frames], axis=1)
        joint = powers @ weights.transpose(0, 2, 1)
        joint += constant[:, None]
        return np.asarray(joint)

    def refit(self, frames: Float, states: NDArray[np.int64]) -> Mixtures:
        """One step of expectation maximisation, for frames of known states `[frames]`."""
        fitted = [
            self._state(state)._refit_one(frames[states == state])
            for state in range(self.means.shape[1])
        ]
        return Mixtures(
            means=np.concatenate([one.means for one in fitted], axis=1),
            variances=np.concatenate([one.variances for one in fitted], axis=1),
            log_weights=np.concatenate([one.log_weights for one in fitted], axis=1),
            variance_floor=self.variance_floor,
        )

    def _state(self, state: int) -> Mixtures:
        part = slice(state, state + 1)
        return Mixtures(
            self.means[:, part],
            self.variances[:, part],
            self.log_weights[:, part],
            self.variance_floor,
        )

    def _refit_one(self, frames: Float) -> Mixtures:
        """One step of expectation maximisation where there is one state; all frames are its."""
        share = softmax(self._joint(frames)[:, :, 0], axis=0)  # [components, frames]
        count = share.sum(axis=1, keepdims=True)
        divisor = np.maximum(count, MIN_FRAMES)
        mean = share @ frames / divisor
        variance = np.maximum(share @ frames**2 / divisor - mean**2, self.variance_floor)
        enough = (count >= MIN_FRAMES)[:, None]
        weight = (count + 1) / (count + 1).sum()
        return Mixtures(
            means=np.where(enough, mean[:, None], self.means),
            variances=np.where(enough, variance[:, None], self.variances),
            log_weights=np.log(weight),
            variance_floor=self.variance_floor,
        )

    def split(self, rng: np.random.Generator) -> Mixtures:
        """Twice the components: each in two, pushed apart along a random diagonal."""
        sign = rng.choice(np.array([-1, 1], dtype=np.float32), size=self.means.shape)
        push = SPLIT_STEP * np.sqrt(self.variances) * sign
        return Mixtures(
            means=np.concatenate([self.means - push, self.means + push]),
            variances=np.tile(self.variances, (2, 1, 1)),
            log_weights=np.tile(self.log_weights - np.float32(np.log(2)), (2, 1)),
            variance_floor=self.variance_floor,
        )
