"""The reward of those listeners whom the policy serves worst."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from auralign.errors import ConfigError, RunStateError
from auralign.rewards.combining.columns import columns_of, mean_of_scored, scored
from auralign.rewards.combining.combination import Float
from auralign.rewards.combining.scale import Scale, means_and_sds


class MaxMin:
    """The standardised reward of the group that is in charge: the one with the lowest mean.

    u = (r_g - mean_g) / sd_g, with g the group whose mean u is lowest over the clips of the update

    names    of the columns that it will see
    groups   rewards, each of one group of listeners; of equal groups the first is in charge
    scales   mean and sd, by name: a common scale on which a group's gain is its gain over the
             policy before training

    A group without a clip that could be scored is not in charge. Where no group has one, or none
    has been observed yet, nobody is, and all clips are NaN. The minimum is over means of groups; a
    minimum for each clip, as in the authors' code, is another objective, which a mixture of clips
    for different tastes cannot satisfy.

    Raises ConfigError for no groups, names that are not known and rewards that never differ.
    Source: arXiv 2402.08925 (MaxMin-RLHF)
    """

    def __init__(
        self, names: Sequence[str], groups: Sequence[str], scales: Mapping[str, Scale]
    ) -> None:
        if not groups:
            raise ConfigError("expected at least 1 group of listeners, got none")
        self.names = tuple(names)
        self.groups = tuple(groups)
        self.columns = columns_of(self.names, groups)
        self.means, self.sds = means_and_sds(self.groups, scales)
        self.found = np.full(len(self.groups), np.nan)

    @property
    def in_charge(self) -> int | None:
        """Index into `groups`."""
        return int(np.nanargmin(self.found)) if np.isfinite(self.found).any() else None

    def __call__(self, values: Float) -> Float:
        standardised, group = self._standardised(values), self.in_charge
        if group is None:
            return np.full(len(standardised), np.nan)
        return np.asarray(standardised[:, group])

    def observe(self, values: Float) -> None:
        self.found = mean_of_scored(self._standardised(values))

    def state(self) -> dict[str, Any]:
        means = [value if np.isfinite(value) else None for value in self.found.tolist()]
        return {"groups": list(self.groups), "means": means}

    def restore(self, state: dict[str, Any]) -> None:
        if state.get("groups") != list(self.groups):
            raise RunStateError(
                f"expected the means of {', '.join(self.groups)}, got those of "
                f"{', '.join(state.get('groups', ())) or 'no group'}: "
                "go on with the stages that the checkpoint was written in"
            )
        self.found = np.array(state["means"], dtype=np.float64)

    def shown(self) -> dict[str, float]:
        """Mean of each group in standard deviations, and 1 for the group in charge, else 0."""
        shown = {}
        for i, (group, mean) in enumerate(zip(self.groups, self.found.tolist(), strict=True)):
            if np.isfinite(mean):
                shown[f"mean/{group}"] = mean
            shown[f"in_charge/{group}"] = float(i == self.in_charge)
        return shown

    def _standardised(self, values: Float) -> Float:
        """`[clips, groups]`"""
        rewards = scored(values, self.names, self.columns)
        return np.asarray((rewards - self.means) / self.sds)
