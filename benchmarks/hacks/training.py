"""Best-of-n on a reward and nothing else, under the ears of the guard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from auralign.data.examples import TokenFeedback
from auralign.signals.recognisers.ctc import CtcRecogniser
from auralign.signals.recognisers.words import word_errors
from auralign.training import TrainerSettings, divergence, train
from auralign.training.guard import Guard, Probe
from auralign.training.guard.bands import learn_bands
from auralign.training.guard.measures import spread_of_values
from auralign.training.guard.probe import Heard, listen
from auralign.training.guard.proxy_checks import Reward, proxy_figures
from auralign.training.guard.rules import RULES
from auralign.training.scoring import TrainablePolicy
from auralign.types import Audio, Prompt
from benchmarks.hacks.recordings import draw_prompts
from benchmarks.hacks.world import World

N_BEFORE, N_JUDGED = 8, 2
"""Clips of each prompt of the probe: for the bands, and at each look."""
WORD_ERRORS = ("word_error", "held_out_word_error")
"""Of recogniser A, which a reward may use, and of B."""
N_CHECKED = 32
"""Clips on which the reward is tried before training."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """In each round the best of `n_candidates` clips of each prompt is learnt for `n_epochs`."""

    n_prompts: int
    n_candidates: int = 16
    n_rounds: int = 3
    n_epochs: int = 5
    looks_per_round: int = 2
    batch_size: int = 16
    learning_rate: float = 1e-3

    @property
    def steps_per_round(self) -> int:
        return self.n_epochs * -(-self.n_prompts // self.batch_size)


@dataclass(frozen=True, eq=False)
class Before:
    """Clips of the SFT policy on the prompts of the probe, and what every reward says of them."""

    probe: Probe
    heard: Heard
    entropy: float

    @classmethod
    def of(cls, world: World, rewards: Mapping[str, Reward], prompts: Sequence[Prompt]) -> Before:
        recognisers = world.recogniser_a, world.recogniser_b
        errors = dict(zip(WORD_ERRORS, map(_word_error, recognisers), strict=True))
        probe = Probe(
            prompts,
            world.decode,
            rewards={**rewards, **errors},
            n_before=N_BEFORE,
            n_clips=N_JUDGED,
            voice_prompts=list(world.policy.voices.values()),
        )
        heard = listen(world.policy, probe, N_BEFORE, seed=1)
        asked = probe.asked(heard.prompt)
        measured = divergence(world.policy, None, asked, heard.tokens, frames_per_pass=4096)
        return cls(replace(probe, listeners=world.prefer), heard, measured["token_entropy"])

    def guard(self, world: World, name: str, folder: Path | None) -> Guard:
        """Over a copy of the SFT policy, with one of the rewards as its proxy.

        As `Guard.learn` makes it, but what is the same for all rewards is heard once. It warns and
        never rolls back, so that the whole way down is seen.
        """
        columns, clips = self._columns(name), self.heard.audios
        rewards = {"proxy": self.probe.rewards[name]}
        rewards |= {kept: self.probe.rewards[kept] for kept in WORD_ERRORS}
        some = slice(None, None, len(clips) // N_CHECKED)
        asked = self.probe.asked(self.heard.prompt)[some]
        rng = np.random.default_rng(0)
        return Guard(
            policy=world.policy.trainable_copy(),
            reference=world.policy.frozen_copy(),
            probe=replace(self.probe, rewards=rewards),
            before=replace(self.heard, columns=columns),
            bands=learn_bands(columns, self.heard.prompt),
            known=proxy_figures(rewards["proxy"], clips[some], asked, rng),
            entropy_before=self.entropy,
            kl_budget=None,
            folder=folder,
            on_alarm="warn",
            seed=0,
            rules=RULES,
        )

    def _columns(self, name: str) -> dict[str, NDArray[np.float64]]:
        """As if there were no other reward."""
        values = self.heard.columns[name]
        others = set(self.probe.rewards) - set(WORD_ERRORS)
        columns = {k: column for k, column in self.heard.columns.items() if k not in others}
        columns["proxy"] = values
        columns["unscored"] = np.isnan(values).astype(np.float64)
        columns["proxy_spread"] = spread_of_values(values, self.heard.prompt)
        return columns


def train_on(world: World, reward: Reward, schedule: Schedule, seed: int, guard: Guard) -> None:
    """Trains the guard's policy, round by round; the guard looks and does not interfere."""
    generator = torch.Generator().manual_seed(seed)
    rng = np.random.default_rng(seed)
    settings = TrainerSettings(
        objective="pmpo_positive",
        learning_rate=schedule.learning_rate,
        batch_size=schedule.batch_size,
        n_epochs=schedule.n_epochs,
        evaluate_every=schedule.steps_per_round // schedule.looks_per_round,
        warmup_steps=0,
    )
    for k in range(schedule.n_rounds):
        prompts = draw_prompts(schedule.n_prompts, f"train-{k}", rng)
        done = k * schedule.steps_per_round
        train(
            guard.policy,
            None,
            best_of_n(world, guard.policy, reward, prompts, schedule.n_candidates, generator),
            settings,
            seed=seed + k,
            evaluate=lambda step: {},
            guard=partial(_look, guard, done),
            keep="last",
        )


def _look(guard: Guard, done: int, measures: Mapping[str, float]) -> str | None:
    """The guard counts updates over all rounds, a trainer those of its own."""
    return guard({**measures, "step": done + measures["step"]})


def best_of_n(
    world: World,
    policy: TrainablePolicy,
    reward: Reward,
    prompts: Sequence[Prompt],
    n: int,
    generator: torch.Generator,
) -> list[TokenFeedback]:
    """The clip of each prompt that the reward puts first; a clip without a value is never it."""
    rollout = policy.sample(prompts, n, generator=generator)
    asked = [prompts[i] for i in rollout.prompt_index]
    values = reward(world.decode(rollout.tokens), asked)
    ranked = np.where(np.isnan(values), -np.inf, values).reshape(len(prompts), n)
    best = np.arange(len(prompts)) * n + ranked.argmax(axis=1)
    return [TokenFeedback(asked[i], rollout.tokens[i], True) for i in best]


def _word_error(recogniser: CtcRecogniser) -> Reward:
    def reward(audios: Sequence[Audio], prompts: Sequence[Prompt]) -> NDArray[np.float64]:
        texts = [prompt.text for prompt in prompts]
        errors = word_errors(texts, recogniser.transcribe(audios))
        return np.array([wrong / n_words for wrong, n_words in errors])

    return reward
