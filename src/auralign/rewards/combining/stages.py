"""Stages of training as a recipe writes them: which rewards count when, and how they combine.

- name: the task first
  combine: weighted
  n_updates: 200
  weights: {task_achievement: 1}
- name: what was asked for, in good sound
  combine: lagrangian
  n_updates: 300
  maximise: task_achievement
  constraints:
    - {reward: content_preservation, at_least: 0.95}
    - {reward: production_quality, at_least: 3.2}
- name: as listeners like it
  combine: lagrangian
  n_updates: 300
  maximise: overall
  constraints:
    - {reward: task_achievement, at_least: 0.9}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field

from auralign.data.config import StrictModel
from auralign.errors import ConfigError
from auralign.rewards.combining.combination import Combination
from auralign.rewards.combining.harmonic_mean import HarmonicMean, Utility
from auralign.rewards.combining.lagrangian import Constraint, Lagrangian
from auralign.rewards.combining.log_sigmoid import LogSigmoid, Reference
from auralign.rewards.combining.max_min import MaxMin
from auralign.rewards.combining.multipliers import Ascent, ProjectedAscent
from auralign.rewards.combining.scale import Scale
from auralign.rewards.combining.weighted import Weighted


class _Stage(StrictModel):
    """`n_updates` of the policy under one combination of rewards."""

    name: str
    n_updates: int = Field(ge=1)


class WeightedStage(_Stage):
    """Weights of standardised rewards (`Weighted`); a reward that is not named weighs nothing."""

    combine: Literal["weighted"]
    weights: dict[str, Annotated[float, Field(gt=0)]] = Field(min_length=1)

    def combination(self, names: Sequence[str], scales: Mapping[str, Scale]) -> Combination:
        return Weighted(names, self.weights, scales)


class LogSigmoidStage(_Stage):
    """From where on each reward calls a clip good (`LogSigmoid`)."""

    combine: Literal["log_sigmoid"]
    references: dict[str, Reference] = Field(min_length=1)

    def combination(self, names: Sequence[str], scales: Mapping[str, Scale]) -> Combination:
        return LogSigmoid(names, self.references, scales)


class HarmonicMeanStage(_Stage):
    """What each reward is worth (`HarmonicMean`)."""

    combine: Literal["harmonic_mean"]
    utilities: dict[str, Utility] = Field(min_length=1)

    def combination(self, names: Sequence[str], scales: Mapping[str, Scale]) -> Combination:
        return HarmonicMean(names, self.utilities)


class LagrangianStage(_Stage):
    """The reward to maximise, and what others have to be on average (`Lagrangian`)."""

    combine: Literal["lagrangian"]
    maximise: str
    constraints: tuple[Constraint, ...] = Field(min_length=1)
    multipliers: Ascent = Field(default=ProjectedAscent(), discriminator="rule")

    def combination(self, names: Sequence[str], scales: Mapping[str, Scale]) -> Combination:
        return Lagrangian(names, self.maximise, self.constraints, scales, ascent=self.multipliers)


class MaxMinStage(_Stage):
    """Rewards, each of one group of listeners (`MaxMin`)."""

    combine: Literal["max_min"]
    groups: tuple[str, ...] = Field(min_length=1)

    def combination(self, names: Sequence[str], scales: Mapping[str, Scale]) -> Combination:
        return MaxMin(names, self.groups, scales)


RewardStage = Annotated[
    WeightedStage | LogSigmoidStage | HarmonicMeanStage | LagrangianStage | MaxMinStage,
    Field(discriminator="combine"),
]


def combination_of(
    stage: RewardStage, names: Sequence[str], scales: Mapping[str, Scale]
) -> Combination:
    """What a stage says, for rewards whose columns have these names.

    scales   by name, of the rewards that the stage standardises

    Raises ConfigError, naming the stage, for names that are not known and scales that are missing.
    """
    try:
        return stage.combination(names, scales)
    except ConfigError as error:
        raise ConfigError(f"stage '{stage.name}': {error}") from None
