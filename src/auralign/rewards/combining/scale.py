"""What is usual for a reward, so that rewards on different scales can be compared and added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from auralign.errors import ConfigError, DataError, did_you_mean
from auralign.rewards.combining.combination import Float


@dataclass(frozen=True, slots=True)
class Scale:
    """A reward on the clips of a policy before it is trained on that reward.

    mean, sd    in the reward's own unit; sd by n - 1
    reference   what only good clips reach (`LogSigmoid`)
    n_clips     clips that it was learnt from
    """

    mean: float
    sd: float
    reference: float
    n_clips: int

    @classmethod
    def learn(cls, values: Float, *, quantile: float = 0.85) -> Scale:
        """From one reward `[clips]`; clips that could not be scored are left out.

        quantile   of the reference, 0.85; reported for arXiv 2402.00742, not checked there

        Raises DataError where fewer than 2 clips could be scored.
        """
        known = values[np.isfinite(values)]
        if len(known) < 2:
            raise DataError(
                "expected at least 2 clips with a reward to learn its scale from, "
                f"got {len(known)} of {len(values)}: sample more, or look at why none is scored"
            )
        return cls(
            float(known.mean()),
            float(known.std(ddof=1)),
            float(np.quantile(known, quantile)),
            len(known),
        )


def scale_of(reward: str, scales: Mapping[str, Scale]) -> Scale:
    """ConfigError where there is none."""
    if reward not in scales:
        raise ConfigError(
            f"expected a scale of the reward '{reward}'{did_you_mean(reward, scales)}, got "
            f"{', '.join(scales) or 'none'}: learn it from clips of the policy before training"
        )
    return scales[reward]


def means_and_sds(rewards: Sequence[str], scales: Mapping[str, Scale]) -> tuple[Float, Float]:
    """`[rewards]` each; ConfigError for a reward without a scale or with the same value always."""
    found = [scale_of(reward, scales) for reward in rewards]
    for reward, scale in zip(rewards, found, strict=True):
        if not scale.sd > 0:
            raise ConfigError(
                f"expected the reward '{reward}' to differ between clips, got {scale.mean:g} for "
                f"all {scale.n_clips} that its scale was learnt from: leave it out, or sample more"
            )
    return np.array([s.mean for s in found]), np.array([s.sd for s in found])
