"""What an objective makes of a round: rollouts with advantages, or pairs of best and worst."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from auralign.data.examples import TokenPair
from auralign.errors import ConfigError, did_you_mean
from auralign.losses import OBJECTIVES, Need
from auralign.losses.online import KL, ONLINE_OBJECTIVES, OnlineGroup, OnlineObjective, Rollouts
from auralign.losses.online.rollouts import RolloutNeed, clip_rewards
from auralign.training.gradients import BatchGradient
from auralign.training.online.critic import Critic, StatesCritic
from auralign.training.online.experience import (
    Experience,
    less_overlong,
    rollouts_of,
    tempered,
    with_advantages,
)
from auralign.training.online.samples import Samples, Values
from auralign.training.online.settings import KLSettings, OnlineSettings
from auralign.training.online.updates import RolloutGradient
from auralign.training.processes import Processes
from auralign.training.scoring import DTYPES, Scorer
from auralign.training.tasks import task_of
from auralign.types import Prompt

ALONE_WILL_DO = (OnlineGroup.SINGLE_CLIPS, OnlineGroup.CYCLES)
"""Groups of objectives for which one clip of a prompt is enough."""


@dataclass(eq=False)
class Method(ABC):
    """An objective with the policy and the reference that it looks at.

    kl   how the policy is held to the reference now, or None
    """

    policy: Any
    reference: Any
    critic: Critic | None
    settings: OnlineSettings
    processes: Processes
    kl: KLSettings | None

    @property
    def frames_per_pass(self) -> int:
        device = next(self.policy.model.parameters()).device.type
        return self.settings.frames_per_pass_on(device)

    @property
    def longest(self) -> int | None:
        """Frames of the longest clip that the policy can make, where it says so."""
        limits = getattr(self.policy, "limits", None)
        return None if limits is None else limits.max_frames

    def sample(self, prompts: Sequence[Prompt], generator: torch.Generator) -> Samples:
        """A group of clips for each prompt."""
        return self.sample_own(prompts, self.settings.clips_per_prompt, generator)

    def sample_own(self, prompts: Sequence[Prompt], n: int, generator: torch.Generator) -> Samples:
        """`n` clips of the policy for each prompt."""
        return sampled(self.policy, prompts, n, generator, self.settings.temperature)

    def scorer(self, reference: Any) -> Scorer:
        """Log-probabilities of single codes, at the temperature of sampling."""
        temperature = self.settings.temperature
        return Scorer(
            tempered(self.policy, temperature),
            tempered(reference, temperature),
            frozenset({Need.TOKENS}),
            frames_per_pass=self.frames_per_pass,
            autocast=DTYPES[self.settings.precision],
        )

    def rollouts(self, samples: Samples, rewards: Values) -> Rollouts:
        """The round before its first update, with all that rewards and penalties make of it."""
        buffer = self.settings.overlong_buffer
        if buffer is not None:
            rewards = less_overlong(samples, rewards, self.longest, buffer)
        return self._rollouts(samples, rewards)

    @abstractmethod
    def _rollouts(self, samples: Samples, rewards: Values) -> Rollouts: ...

    @abstractmethod
    def backward(
        self,
        experience: Experience,
        rows: Sequence[int],
        generator: torch.Generator,
        *,
        fresh: bool,
    ) -> dict[str, float]:
        """Adds the gradient of an update; its loss, and what it showed.

        generator   for clips that an objective wants beside those of the round
        fresh       no update has been made since the clips were sampled
        """


class RolloutMethod(Method):
    """An objective over rollouts."""

    objective: OnlineObjective

    def _rollouts(self, samples: Samples, rewards: Values) -> Rollouts:
        longest = self.longest
        # A clip of the longest length was cut off: it has no end that would be scored.
        max_codes = None if longest is None else longest * samples.clips[0].shape[0]
        rollouts = rollouts_of(
            samples, rewards, self.scorer(self.reference), self.critic, max_codes
        )
        return with_advantages(rollouts, self.objective, self.settings, self.kl)

    def backward(
        self,
        experience: Experience,
        rows: Sequence[int],
        generator: torch.Generator,
        *,
        fresh: bool,
    ) -> dict[str, float]:
        gradient = RolloutGradient(
            self.objective,
            self.settings.options,
            self.scorer(None),
            self.critic,
            self.kl,
            self.processes,
        )
        return gradient.backward(experience, rows, fresh=fresh)


class PairMethod(Method):
    """An objective over pairs, of each group's clips with the highest and the lowest reward."""

    def sample(self, prompts: Sequence[Prompt], generator: torch.Generator) -> Samples:
        n = self.settings.clips_per_prompt
        if self.settings.rivals == "policy":
            return self.sample_own(prompts, n, generator)
        own = self.sample_own(prompts, n - n // 2, generator)
        others = sampled(self.reference, prompts, n // 2, generator, self.settings.temperature)
        return _interleaved(own, others, n)

    def _rollouts(self, samples: Samples, rewards: Values) -> Rollouts:
        return rollouts_of(samples, rewards, self.scorer(self.reference), None, None)

    def backward(
        self,
        experience: Experience,
        rows: Sequence[int],
        generator: torch.Generator,
        *,
        fresh: bool,
    ) -> dict[str, float]:
        pairs = self._pairs(experience, rows)
        if not pairs:
            return {"loss": 0.0, "empty_updates": 1.0}
        task = task_of(self.settings.objective, pairs, self.settings.options)
        for need, source in ((Need.OWN, self.policy), (Need.FROM_REFERENCE, self.reference)):
            if need in task.needs:
                with torch.no_grad():
                    clips = sampled(source, task.prompts, 1, generator, self.settings.temperature)
                task.drawn[need] = clips.clips
        score = Scorer(
            tempered(self.policy, self.settings.temperature),
            tempered(self.reference, self.settings.temperature),
            task.needs,
            frames_per_pass=self.frames_per_pass,
            autocast=DTYPES[self.settings.precision],
        )
        return BatchGradient(task, score, self.processes).backward(range(len(pairs)))

    def _pairs(self, experience: Experience, rows: Sequence[int]) -> list[TokenPair]:
        """Best and worst of each group; a group without a gap gives none."""
        samples = experience.samples
        found, judged = clip_rewards(experience.rollouts)
        rewards, known = found.double().cpu().numpy(), judged.cpu().numpy()
        pairs = []
        for group in np.unique(samples.group[list(rows)]):
            members = np.flatnonzero((samples.group == group) & known)
            if not len(members) or np.ptp(rewards[members]) <= self.settings.min_gap:
                continue
            best, worst = (int(members[f(rewards[members])]) for f in (np.argmax, np.argmin))
            pairs.append(
                TokenPair(
                    samples.prompts[best],
                    samples.clips[best],
                    samples.clips[worst],
                    p_chosen=self._p_chosen(rewards[best], rewards[worst]),
                    chosen_score=float(rewards[best]),
                    rejected_score=float(rewards[worst]),
                )
            )
        return pairs

    def _p_chosen(self, chosen: float, rejected: float) -> float | None:
        """What a judge said of two clips: its rewards are then the two shares of one decision."""
        both = chosen + rejected
        of_judge = self.settings.clips_per_prompt == 2 and np.isclose(both, 1, atol=1e-4)
        return float(chosen) if of_judge and 0 <= rejected <= chosen <= 1 else None


def sampled(
    policy: Any, prompts: Sequence[Prompt], n: int, generator: torch.Generator, temperature: float
) -> Samples:
    """`n` clips of each prompt, a group."""
    options = {} if temperature == 1 else {"temperature": temperature}
    rollout = policy.sample(prompts, n, generator=generator, **options)
    index = np.asarray(rollout.prompt_index, dtype=np.int64)
    return Samples([prompts[i] for i in index], list(rollout.tokens), index, rollout.terminated)


def _interleaved(own: Samples, others: Samples, n: int) -> Samples:
    """Both, prompt by prompt, so that a group is `n` clips in a row."""
    both = Samples(
        own.prompts + others.prompts,
        own.clips + others.clips,
        np.concatenate([own.group, others.group]),
        np.concatenate([own.ended, others.ended]),
    )
    return both.take(np.argsort(both.group, kind="stable").tolist())


def method_of(
    policy: Any,
    reference: Any,
    critic: Critic | None,
    settings: OnlineSettings,
    processes: Processes,
) -> Method:
    """The method that the settings name, checked; ConfigError for what does not go together."""
    name = settings.objective
    entry = ONLINE_OBJECTIVES.get(name)
    if entry is not None and entry.data == "rollouts":
        return _rollout_method(entry, policy, reference, critic, settings, processes)
    offline = entry or OBJECTIVES.get(name)
    if offline is None or offline.data != "pairs":
        raise ConfigError(
            f"expected an objective over rollouts or pairs, got '{name}'"
            f"{did_you_mean(name, [*ONLINE_OBJECTIVES, *OBJECTIVES])}: `auralign align "
            "--list-methods` names them"
        )
    offline.bind(settings.options)
    compared = Need.REFERENCE in offline.needs or settings.rivals == "reference"
    _require_reference(name, compared, reference)
    if settings.clips_per_prompt < 2:
        raise ConfigError(f"'{name}' compares clips: expected clips_per_prompt of 2 or more")
    if isinstance(settings.kl, KLSettings) or settings.advantage_options:
        raise ConfigError(
            f"'{name}' compares with the reference itself and has no advantages: leave out `kl` "
            "and `advantage_options`"
        )
    if settings.most_drift is not None:
        raise ConfigError(f"most_drift: '{name}' looks at no behaviour policy: leave it out")
    _require_no_critic(name, settings, critic)
    return PairMethod(policy, reference, None, settings, processes, None)


def _rollout_method(
    entry: OnlineObjective,
    policy: Any,
    reference: Any,
    critic: Critic | None,
    settings: OnlineSettings,
    processes: Processes,
) -> RolloutMethod:
    name = settings.objective
    entry.bind(settings.options)
    if settings.advantage_options or entry.advantages is not None:
        entry.bind_advantages(settings.advantage_options)
    if settings.rivals != "policy":
        raise ConfigError(f"rivals: '{name}' learns from clips of the policy itself: leave it out")
    kl = _kl(entry, settings.kl)
    _require_reference(name, kl is not None or Need.REFERENCE in entry.needs, reference)
    if kl is not None and entry.scope == "mixed":
        raise ConfigError(f"'{name}' compares with the reference itself: leave out `kl`")
    if settings.clips_per_prompt < 2 and entry.group not in ALONE_WILL_DO:
        raise ConfigError(
            f"'{name}' compares the clips of a prompt: expected clips_per_prompt of at least 2, "
            f"got {settings.clips_per_prompt}"
        )
    if settings.min_gap and settings.max_draws == 1:
        raise ConfigError(
            f"min_gap: '{name}' learns from every group, unless `max_draws` above 1 lets others "
            "take the place of flat ones: set it, or an option of the objective or its advantages"
        )
    if RolloutNeed.VALUES not in entry.needs:
        _require_no_critic(name, settings, critic)
    elif critic is None:
        critic = StatesCritic.of(policy)
    method = RolloutMethod(policy, reference, critic, settings, processes, kl)
    method.objective = entry
    return method


def _kl(entry: OnlineObjective, asked: Any) -> KLSettings | None:
    if isinstance(asked, KLSettings):
        KL(asked.weight, asked.place, asked.estimator, asked.level)  # refuses what holds nothing
        return asked if asked.weight > 0 else None
    kl = entry.kl if asked == "published" else None
    if kl is None:
        return None
    return KLSettings(weight=kl.weight, place=kl.place, estimator=kl.estimator, level=kl.level)


def _require_no_critic(name: str, settings: OnlineSettings, critic: Critic | None) -> None:
    if critic is not None or settings.critic_rate is not None:
        raise ConfigError(
            f"'{name}' has no value head: leave out the critic and `critic_rate`, or take 'ppo'"
        )


def _require_reference(name: str, needed: bool, reference: Any) -> None:
    if needed and reference is None:
        raise ConfigError(
            f"objective '{name}' compares with a reference and got none: give a frozen copy of the "
            "policy, or, where only the KL does, `kl: null`"
        )
