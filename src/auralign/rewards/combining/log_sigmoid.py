"""Rewards as log-probabilities that a clip is good, so that their sum asks for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import Field
from scipy.special import log_expit

from auralign.data.config import StrictModel
from auralign.rewards.combining.columns import columns_of, scored
from auralign.rewards.combining.combination import Float, Stateless
from auralign.rewards.combining.scale import Scale, scale_of


class Reference(StrictModel):
    """The value from which on a reward calls a clip good.

    value    in the reward's own unit; None takes the reference of its scale
    spread   in the same unit; P(good) is 1/2 at the value and 0.73 one spread above. 1 for a
             reward that is the logit of a Bradley-Terry model, as in the source
    """

    value: float | None = None
    spread: float = Field(default=1.0, gt=0)


class LogSigmoid(Stateless):
    """Log-probability that a clip is good in every respect, were the respects independent.

    u = sum over k of log sigmoid((r_k - reference_k) / spread_k)

    names        of the columns that it will see
    references   by name; rewards that are not named are not looked at
    scales       of the rewards whose reference states no value

    What is far above its reference gains next to nothing, so that a good reward cannot buy off a
    bad one. The source has a reference for each prompt; here all prompts share one.

    Raises ConfigError for names that are not known. Source: arXiv 2402.00742 (LSC)
    """

    def __init__(
        self,
        names: Sequence[str],
        references: Mapping[str, Reference],
        scales: Mapping[str, Scale],
    ) -> None:
        self.names = tuple(names)
        self.columns = columns_of(self.names, references)
        self.references = np.array(
            [
                scale_of(reward, scales).reference if stated.value is None else stated.value
                for reward, stated in references.items()
            ]
        )
        self.spreads = np.array([stated.spread for stated in references.values()])

    def __call__(self, values: Float) -> Float:
        logits = (scored(values, self.names, self.columns) - self.references) / self.spreads
        return np.asarray(log_expit(logits).sum(1))
