"""Rewards on one scale, added with fixed weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from auralign.rewards.combining.columns import columns_of, scored
from auralign.rewards.combining.combination import Float, Stateless
from auralign.rewards.combining.scale import Scale, means_and_sds


class Weighted(Stateless):
    """Weighted sum of standardised rewards.

    u = sum over k of w_k (r_k - mean_k) / sd_k

    names     of the columns that it will see
    weights   w, by name; rewards that are not named are not looked at
    scales    mean and sd, by name, fixed before training

    The scale of a reward does not decide what it weighs, as in GDPO (arXiv 2601.05242), which
    standardises within each prompt instead: what is good for a prompt then does not show in u.

    Raises ConfigError for names that are not known and rewards that never differ.
    """

    def __init__(
        self, names: Sequence[str], weights: Mapping[str, float], scales: Mapping[str, Scale]
    ) -> None:
        self.names = tuple(names)
        self.columns = columns_of(self.names, weights)
        self.weights = np.array(list(weights.values()))
        self.means, self.sds = means_and_sds(list(weights), scales)

    def __call__(self, values: Float) -> Float:
        standardised = (scored(values, self.names, self.columns) - self.means) / self.sds
        return np.asarray((standardised * self.weights).sum(1))
