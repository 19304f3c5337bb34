"""What online objectives see: clips that a policy has sampled, and what was made of them.

A policy samples, rewards are found, advantages are worked out once over all of it; then updates
follow, in which the policy moves away from the one that sampled (the behaviour policy). One clip
is one row; a code is a decision; a frame is the codes of all codebooks at one time.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import StrEnum

import torch
from torch import Tensor

from auralign.errors import DataError
from auralign.losses.batch import Clips, Need, require
from auralign.losses.reduce import sum_scored


class RolloutNeed(StrEnum):
    """Fields of rollouts that only some objectives need, in the words of `require`."""

    REWARDS = "rewards"
    GROUPS = "the group of each clip: which clips answer the same prompt"
    ADVANTAGES = "advantages: work them out over the whole batch first"
    VALUES = "values of each frame, those of the policy that sampled among them"
    RETURNS = "returns of each frame, which generalised advantage estimation finds"
    MAX_CODES = "the number of codes of the longest clip that the run allows"


@dataclass(frozen=True, eq=False)
class Advantages:
    """By how much a clip, or what follows a frame of it, was better than expected.

    values          `[clips]` or `[clips, time]`; 0 where there is nothing to say. No gradient
    counted         bool `[clips]`, False where a reward could not be scored or had no rival
    n_groups        groups with at least one clip that counts
    n_flat_groups   those of them whose rewards are all the same, which teach nothing
    returns         `[clips, time]`, targets of the value head
    """

    values: Tensor
    counted: Tensor
    n_groups: int = 0
    n_flat_groups: int = 0
    returns: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Rollouts:
    """Sampled clips; gradients reach `token_logps` and `values` alone.

    token_logps       `[clips, codebook, time]` of the policy that is trained
    behaviour_logps   the same of the policy that sampled, when it sampled, with its temperature
    scored            bool, the same shape: codes that the policy has chosen
    reference_logps   the same of the reference
    rewards           `[clips]` or `[clips, rewards]`, higher is better
    reward_scored     bool, as `rewards`: False where a reward could not be scored (NaN says so too)
    reward_weights    `[rewards]`; None weighs them alike
    group             int64 `[clips]`, equal for clips of the same prompt and the same round
    values            `[clips, time]` of the value head: what is still to come before each frame
    old_values        the same when the clips were sampled
    bootstrap         `[clips]`, the value after the last frame of a clip that was cut off; 0 for
                      one that ended itself. None is 0 for all
    kl_penalty        `[clips, codebook, time]`, taken off the reward (`kl.in_reward`)
    advantages        `[clips]` or `[clips, time]`, with `counted` and `returns` as in `Advantages`
    mean_codes        scored codes of a clip, on average over the whole update, where this is a part
    max_codes         scored codes of the longest clip that the run allows
    entropies         `[clips, codebook, time]` of the distribution that each code was drawn from

    Raises DataError for fields whose shapes do not fit together.
    """

    token_logps: Tensor
    behaviour_logps: Tensor
    scored: Tensor
    reference_logps: Tensor | None = None
    rewards: Tensor | None = None
    reward_scored: Tensor | None = None
    reward_weights: Tensor | None = None
    group: Tensor | None = None
    values: Tensor | None = None
    old_values: Tensor | None = None
    bootstrap: Tensor | None = None
    kl_penalty: Tensor | None = None
    advantages: Tensor | None = None
    counted: Tensor | None = None
    returns: Tensor | None = None
    mean_codes: float | None = None
    max_codes: int | None = None
    entropies: Tensor | None = None

    def __post_init__(self) -> None:
        codes = self.token_logps.shape
        if len(codes) != 3:
            raise DataError(f"expected codes as [clips, codebook, time], got {tuple(codes)}")
        expected = {
            codes: ("behaviour_logps", "scored", "reference_logps", "kl_penalty", "entropies"),
            (codes[0], codes[2]): ("values", "old_values", "returns"),
            codes[:1]: ("group", "bootstrap", "counted"),
        }
        for shape, names in expected.items():
            for name in names:
                given = getattr(self, name)
                if given is not None and given.shape != shape:
                    raise DataError(
                        f"expected {name} of shape {tuple(shape)} beside codes of shape "
                        f"{tuple(codes)}, got {tuple(given.shape)}"
                    )

    @property
    def log_ratios(self) -> Tensor:
        """`[clips, codebook, time]`, log p_policy - log p_behaviour, 0 where not scored."""
        return torch.where(self.scored, self.token_logps - self.behaviour_logps.detach(), 0.0)

    @property
    def reference_log_ratios(self) -> Tensor:
        """`[clips, codebook, time]`, log p_policy - log p_reference, 0 where not scored."""
        reference = require(self.reference_logps, Need.REFERENCE).detach()
        return torch.where(self.scored, self.token_logps - reference, 0.0)

    @property
    def n_codes(self) -> Tensor:
        """int64 `[clips]`, scored codes; 0 for an empty clip."""
        return self.scored.sum((-2, -1))

    @property
    def codes_per_clip(self) -> Tensor | float:
        """Scored codes of a clip on average: of the whole update, or of these clips."""
        if self.mean_codes is not None:
            return self.mean_codes
        return self.n_codes.to(self.token_logps).mean().clamp(min=1)

    @property
    def frames(self) -> Tensor:
        """bool `[clips, time]`, frames in which a code is scored."""
        return self.scored.any(-2)

    @property
    def judged(self) -> Tensor:
        """bool `[clips]` or `[clips, rewards]`, rewards that could be scored."""
        rewards = require(self.rewards, RolloutNeed.REWARDS)
        finite = rewards.isfinite()
        return finite if self.reward_scored is None else finite & self.reward_scored

    @property
    def clips(self) -> Clips:
        """The clips as objectives over pairs and lists see them."""
        reference = self.reference_logps
        return Clips(
            sum_scored(self.token_logps, self.scored),
            self.n_codes.clamp(min=1),
            None if reference is None else sum_scored(reference.detach(), self.scored),
            token_logps=self.token_logps,
            reference_tokens=reference,
            scored=self.scored,
        )

    def given(self, found: Advantages) -> Rollouts:
        """The same rollouts with these advantages."""
        return replace(self, advantages=found.values, counted=found.counted, returns=found.returns)


_WHOLE = ("reward_weights", "mean_codes", "max_codes")
"""Fields that belong to the update, not to single clips."""


def take(rollouts: Rollouts, rows: Tensor | slice) -> Rollouts:
    """Some clips of an update, for a part of it; normalisers stay those of the whole."""
    mean = rollouts.codes_per_clip
    found = {f.name: getattr(rollouts, f.name) for f in fields(rollouts)}
    parts = {
        name: value if name in _WHOLE or value is None else value[rows]
        for name, value in found.items()
    }
    return Rollouts(**{**parts, "mean_codes": float(mean)})


def clip_rewards(batch: Rollouts) -> tuple[Tensor, Tensor]:
    """The reward of each clip, less the KL penalty of its codes, and where it could be scored.

    Several rewards are added up with their weights; one that could not be scored leaves the clip
    without any. `[clips]` each; 0 where there is none.
    """
    rewards, judged = require(batch.rewards, RolloutNeed.REWARDS), batch.judged
    if rewards.ndim == 2:
        weights = 1.0 if batch.reward_weights is None else batch.reward_weights
        rewards, judged = (torch.where(judged, rewards, 0.0) * weights).sum(-1), judged.all(-1)
    if batch.kl_penalty is not None:
        rewards = rewards - sum_scored(batch.kl_penalty, batch.scored)
    return torch.where(judged, rewards, 0.0).detach(), judged
