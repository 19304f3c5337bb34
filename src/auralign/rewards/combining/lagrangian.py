"""One reward as high as others allow: constraints whose weights are learnt in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import model_validator

from auralign.data.config import StrictModel
from auralign.errors import ConfigError, RunStateError
from auralign.rewards.combining.columns import columns_of, mean_of_scored, scored
from auralign.rewards.combining.combination import Float
from auralign.rewards.combining.multipliers import Ascent, ProjectedAscent
from auralign.rewards.combining.scale import Scale, means_and_sds

_PROJECTED = ProjectedAscent()


class Constraint(StrictModel):
    """What the mean of a reward over the clips of an update has to be, in the reward's own unit.

    Exactly one bound. A proxy point (arXiv 2310.04373), beyond which listeners no longer follow a
    reward, is `at_most` or `equals`.
    """

    reward: str
    at_least: float | None = None
    at_most: float | None = None
    equals: float | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> Constraint:
        given = (self.at_least, self.at_most, self.equals)
        if sum(bound is not None for bound in given) != 1:
            raise ValueError("expected exactly one of at_least, at_most, equals")
        return self

    @property
    def kind(self) -> Literal["at_least", "at_most", "equals"]:
        if self.at_least is not None:
            return "at_least"
        return "equals" if self.at_most is None else "at_most"

    @property
    def threshold(self) -> float:
        return float(getattr(self, self.kind))

    @property
    def label(self) -> str:
        return f"{self.reward}_{self.kind}"


class Lagrangian:
    """A reward to maximise, subject to constraints on the means of others.

    u = w_0 (r_0 - mean_0) / sd_0 + sum over k of m_k s_k (r_k - threshold_k) / sd_k

    with m_k the multiplier of constraint k, s_k = -1 for at_most and else 1, and w_0 = 1, or what
    bounded multipliers leave. Observing an update moves m_k by the slack, which is the mean of
    s_k (r_k - threshold_k) / sd_k over the clips that could be scored; where none could, m_k stays
    as it is. A reward whose multiplier is 0 is not needed: a clip counts without it.
    Clips that could not be scored violate nothing, so keep an eye on how many there are.

    names         of the columns that it will see
    maximise      r_0
    constraints   any number, also two on one reward, or one on r_0
    scales        mean and sd, by name, fixed before training
    ascent        how multipliers move

    `shown` has each multiplier, and the slack of the last update in the reward's own unit.

    Raises ConfigError for names that are not known, a constraint that is there twice, and rewards
    that never differ. Source: arXiv 2310.04373, where r_0 is the KL to the reference
    """

    def __init__(
        self,
        names: Sequence[str],
        maximise: str,
        constraints: Sequence[Constraint],
        scales: Mapping[str, Scale],
        *,
        ascent: Ascent = _PROJECTED,
    ) -> None:
        self.names = tuple(names)
        self.ascent = ascent
        self.labels = _distinct([c.label for c in constraints])
        rewards = [maximise, *(c.reward for c in constraints)]
        self.columns = columns_of(self.names, rewards)
        means, self.sds = means_and_sds(rewards, scales)
        self.zeros = np.array([means[0], *(c.threshold for c in constraints)])
        self.signs = np.array([1.0, *(-1.0 if c.kind == "at_most" else 1.0 for c in constraints)])
        self.equal = np.array([c.kind == "equals" for c in constraints], dtype=np.bool_)
        self.position = np.zeros(len(self.labels))
        self.multipliers = ascent.multipliers(self.position, self.position, self.equal)
        self.slack = np.full(len(self.labels), np.nan)

    def __call__(self, values: Float) -> Float:
        rest = self.ascent.weight_of_maximised(self.multipliers)
        weights = np.array([rest, *self.multipliers])
        needed = weights != 0
        return np.asarray((self._terms(values)[:, needed] * weights[needed]).sum(1))

    def observe(self, values: Float) -> None:
        self.slack = mean_of_scored(self._terms(values))[1:]
        known = np.isfinite(self.slack)
        moved = self.ascent.moved(self.position, self.slack, self.equal)
        self.position = np.where(known, moved, self.position)
        multipliers = self.ascent.multipliers(self.position, self.slack, self.equal)
        self.multipliers = np.where(known, multipliers, self.multipliers)

    def state(self) -> dict[str, Any]:
        slack = [value if np.isfinite(value) else None for value in self.slack.tolist()]
        return {
            "constraints": list(self.labels),
            "position": self.position.tolist(),
            "multipliers": self.multipliers.tolist(),
            "slack": slack,
        }

    def restore(self, state: dict[str, Any]) -> None:
        if state.get("constraints") != list(self.labels):
            raise RunStateError(
                f"expected the multipliers of {', '.join(self.labels)}, got those of "
                f"{', '.join(state.get('constraints', ())) or 'no constraint'}: "
                "go on with the stages that the checkpoint was written in"
            )
        self.position = np.array(state["position"], dtype=np.float64)
        self.multipliers = np.array(state["multipliers"], dtype=np.float64)
        self.slack = np.array(state["slack"], dtype=np.float64)

    def shown(self) -> dict[str, float]:
        found = {f"multiplier/{name}": m for name, m in self._by_label(self.multipliers)}
        slack = {f"slack/{name}": s for name, s in self._by_label(self.slack * self.sds[1:])}
        return found | {name: s for name, s in slack.items() if np.isfinite(s)}

    def _terms(self, values: Float) -> Float:
        """`[clips, 1 + constraints]`: what is maximised, and by how much each clip meets each."""
        rewards = scored(values, self.names, self.columns)
        return np.asarray(self.signs * (rewards - self.zeros) / self.sds)

    def _by_label(self, values: Float) -> zip[tuple[str, float]]:
        return zip(self.labels, values.tolist(), strict=True)


def _distinct(labels: list[str]) -> tuple[str, ...]:
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise ConfigError(f"the constraint {twice[0]} is there twice: keep one")
    return tuple(labels)
