"""Best-of-n: the clip that a reward puts first is learnt by SFT, round by round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from auralign.data.examples import TokenFeedback
from auralign.training import TrainerSettings, train
from auralign.training.guard import Guard
from auralign.training.guard.proxy_checks import Reward
from auralign.training.scoring import TrainablePolicy
from auralign.types import Prompt
from benchmarks.hacks.recordings import draw_prompts
from benchmarks.hacks.world import World


@dataclass(frozen=True, slots=True)
class BestOfN:
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

    @property
    def words(self) -> str:
        return f"{self.n_rounds} rounds of best-of-{self.n_candidates}"

    def train(self, world: World, reward: Reward, seed: int, guard: Guard) -> None:
        """Trains the guard's policy, round by round; the guard looks and does not interfere."""
        generator = torch.Generator().manual_seed(seed)
        rng = np.random.default_rng(seed)
        settings = TrainerSettings(
            objective="pmpo_positive",
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            n_epochs=self.n_epochs,
            evaluate_every=self.steps_per_round // self.looks_per_round,
            warmup_steps=0,
        )
        for k in range(self.n_rounds):
            prompts = draw_prompts(self.n_prompts, f"train-{k}", rng)
            done = k * self.steps_per_round
            train(
                guard.policy,
                None,
                best_of_n(world, guard.policy, reward, prompts, self.n_candidates, generator),
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
    """The clip of each prompt that the reward puts first, where it gives any of them a value."""
    rollout = policy.sample(prompts, n, generator=generator)
    asked = [prompts[i] for i in rollout.prompt_index]
    values = reward(world.decode(rollout.tokens), asked)
    ranked = np.where(np.isnan(values), -np.inf, values).reshape(len(prompts), n)
    valued = np.flatnonzero(np.isfinite(ranked).any(axis=1))
    best = valued * n + ranked[valued].argmax(axis=1)
    return [TokenFeedback(asked[i], rollout.tokens[i], True) for i in best]
