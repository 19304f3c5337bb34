"""REINFORCE: every clip moves the policy by how much better it is than the others of its prompt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from auralign.training.guard import Guard
from auralign.training.guard.proxy_checks import Reward
from auralign.training.online import OnlineSettings, by_reward, on_audio, train_online
from benchmarks.hacks.recordings import draw_prompts
from benchmarks.hacks.world import World


@dataclass(frozen=True, slots=True)
class Reinforce:
    """In each round one update on `n_clips` clips of each of `n_prompts` new prompts.

    Without a KL term, and with the other clips of the prompt as the baseline (RLOO, arXiv
    2402.14740).
    """

    n_rounds: int
    n_prompts: int
    n_clips: int = 4
    look_every: int = 4
    learning_rate: float = 2e-4

    @property
    def words(self) -> str:
        return f"{self.n_rounds} updates by REINFORCE on {self.n_prompts * self.n_clips} clips each"

    def train(self, world: World, reward: Reward, seed: int, guard: Guard) -> None:
        """Trains the guard's policy; the guard looks and does not interfere."""
        prompts = draw_prompts(self.n_rounds * self.n_prompts, "train", np.random.default_rng(seed))
        train_online(
            guard.policy,
            None,
            prompts,
            by_reward(on_audio(world.decode, reward)),
            OnlineSettings(
                objective="rloo",
                kl=None,
                n_rounds=self.n_rounds,
                prompts_per_round=self.n_prompts,
                clips_per_prompt=self.n_clips,
                learning_rate=self.learning_rate,
                warmup_steps=0,
                evaluate_every=self.look_every,
            ),
            seed=seed,
            evaluate=lambda step: {},
            guard=guard,
            keep="last",
        )
