"""What a round has brought: clips, their rewards, and their log-probabilities when sampled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from auralign.errors import ConfigError
from auralign.losses.online import OnlineObjective, Rollouts
from auralign.losses.online.groups import group_statistics
from auralign.losses.online.kl import in_reward
from auralign.losses.online.lengths import overlong_penalty
from auralign.losses.online.rollouts import clip_rewards
from auralign.losses.online.values import explained_variance
from auralign.policies.layouts import length_groups
from auralign.policies.model_policy import pick_logps
from auralign.training.online.critic import Critic
from auralign.training.online.samples import Samples, Values
from auralign.training.online.settings import KLSettings, OnlineSettings
from auralign.training.scoring import Asked, Scorer
from auralign.types import Prompt, Tokens


@dataclass(frozen=True, eq=False)
class Tempered:
    """A policy as it is sampled with a temperature: logits over it, policy and reference alike."""

    policy: Any
    temperature: float

    @property
    def model(self) -> Any:
        return self.policy.model

    @property
    def packs(self) -> bool:
        return False

    def logits(
        self, prompts: Sequence[Prompt], tokens: Sequence[Tokens]
    ) -> tuple[Tensor, Tensor, Tensor]:
        logits, drawn, scored = self.policy.logits(prompts, tokens)
        return logits / self.temperature, drawn, scored

    def token_logps(
        self, prompts: Sequence[Prompt], tokens: Sequence[Tokens]
    ) -> tuple[Tensor, Tensor]:
        logits, drawn, scored = self.logits(prompts, tokens)
        return pick_logps(logits, drawn, scored), scored


def tempered(policy: Any, temperature: float) -> Any:
    """The policy itself at temperature 1; ConfigError where its logits cannot be asked for."""
    if policy is None or temperature == 1:
        return policy
    if not hasattr(policy, "logits"):
        raise ConfigError(
            "temperature: expected 1 for a policy or reference without `logits`, got "
            f"{temperature:g}: log-probabilities have to be those that clips were sampled with"
        )
    return Tempered(policy, temperature)


@dataclass(frozen=True, eq=False)
class Experience:
    """A round: what was sampled, and its `rollouts` with advantages where the objective has some.

    values    what the rewards said, `[clips]` or `[clips, rewards]`, before they were combined
    """

    samples: Samples
    values: Values
    rollouts: Rollouts


def rollouts_of(
    samples: Samples, rewards: Values, score: Scorer, critic: Critic | None, max_codes: int | None
) -> Rollouts:
    """The clips of a round as the policy, the reference and the critic see them now; no gradient.

    rewards   `[clips]` or `[clips, rewards]`, NaN where there is none
    """
    asked = [Asked(*pair) for pair in zip(samples.prompts, samples.clips, strict=True)]
    with torch.no_grad():
        clips = score(asked)
    assert clips.token_logps is not None  # the scorer was asked for single codes
    assert clips.scored is not None
    reference = clips.reference_tokens
    return Rollouts(
        clips.token_logps,
        clips.token_logps,
        clips.scored,
        reference_logps=reference,
        rewards=torch.from_numpy(rewards).to(clips.token_logps),
        group=torch.from_numpy(samples.group).to(clips.scored.device),
        old_values=_values(critic, asked, clips.scored.shape[-1], score.frames_per_pass),
        max_codes=max_codes,
    )


def with_advantages(
    rollouts: Rollouts,
    objective: OnlineObjective,
    settings: OnlineSettings,
    kl: KLSettings | None,
) -> Rollouts:
    """The same with the KL in the reward, if it is there, and advantages, if there are some."""
    if kl is not None and kl.place == "reward" and kl.weight:
        rollouts = in_reward(rollouts, weight=kl.weight, estimator=kl.estimator)
    if objective.advantages is None:
        return rollouts
    advantages = objective.bind_advantages(settings.advantage_options)
    # What the value head said when the clips were sampled stands in for what it says now.
    return rollouts.given(advantages(replace(rollouts, values=rollouts.old_values)))


def less_overlong(samples: Samples, rewards: Values, longest: int | None, buffer: int) -> Values:
    """The rewards with the penalty of long clips in them, or, of several, as one more of them."""
    if longest is None:
        raise ConfigError(
            "overlong_buffer: expected a policy that knows how long its clips may be, got one "
            "without a limit: leave it out, or penalise length in the reward"
        )
    n_frames = torch.tensor([clip.shape[1] for clip in samples.clips], dtype=torch.float64)
    penalty = overlong_penalty(n_frames, longest=longest, buffer=buffer).numpy()
    return rewards + penalty if rewards.ndim == 1 else np.column_stack([rewards, penalty])


@torch.no_grad()
def _values(
    critic: Critic | None, asked: Sequence[Asked], n_frames: int, frames_per_pass: int | None
) -> Tensor | None:
    """Values of all clips, `[clips, time]`."""
    if critic is None:
        return None
    rows = list(length_groups([a.n_frames for a in asked], frames_per_pass))
    parts = [values_of(critic, [asked[i] for i in part], n_frames) for part in rows]
    order = torch.tensor([i for part in rows for i in part], device=parts[0].device)
    return torch.cat(parts)[order.argsort()]


def values_of(critic: Critic, asked: Sequence[Asked], n_frames: int) -> Tensor:
    """`[clips, n_frames]`, with a gradient; 0 beyond the clips."""
    found = critic.values([a.prompt for a in asked], [a.clip for a in asked])
    return pad(found, (0, n_frames - found.shape[-1]))


def measures_of(experience: Experience, names: Sequence[str]) -> dict[str, float]:
    """What is logged of a round, means over its clips.

    reward              of those that could be scored, combined and less the penalty of length
    reward/NAME         each reward by itself, as it was given
    scored              the share of clips that have a reward
    flat_groups         the share of groups that teach nothing, as their rewards are all the same
    kl                  KL(policy || reference), nats a clip (k1)
    explained_variance  the share of the returns' variance that the value head explains
    frames, ended       of clips: the mean length, and the share that ended themselves
    """
    rollouts, samples = experience.rollouts, experience.samples
    rewards, judged = clip_rewards(replace(rollouts, kl_penalty=None))
    found = {
        "scored": float(judged.float().mean()),
        "flat_groups": _flat_groups(rewards, judged, rollouts.group),
        "frames": float(np.mean([clip.shape[1] for clip in samples.clips])),
        "ended": float(samples.ended.mean()),
    }
    if judged.any():
        found["reward"] = float(rewards[judged].mean())
    if rollouts.reference_logps is not None:
        found["kl"] = float(rollouts.reference_log_ratios.sum((-2, -1)).mean())
    if rollouts.old_values is not None and rollouts.returns is not None:
        found["explained_variance"] = float(explained_variance(rollouts))
    for name, column in zip(names, experience.values.reshape(len(samples), -1).T, strict=True):
        if np.isfinite(column).any():
            found[f"reward/{name}"] = float(np.nanmean(column))
    return {name: value for name, value in found.items() if np.isfinite(value)}


def _flat_groups(rewards: Tensor, judged: Tensor, group: Tensor | None) -> float:
    """NaN where no group has two clips to compare."""
    assert group is not None
    _, sizes = group.unique(return_counts=True)
    if (sizes < 2).any():
        return math.nan
    found = group_statistics(rewards, judged, group)
    return found.n_flat_groups / found.n_groups if found.n_groups else math.nan
