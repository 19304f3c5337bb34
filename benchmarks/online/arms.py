"""One way of training a policy on its own clips in a world of simulated listeners."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import TypeAdapter

from auralign.pipeline.own_rewards import OwnRewards
from auralign.pipeline.stages.prefer import draw_prompts
from auralign.policies import CodecLanguageModel
from auralign.rewards.combining import RewardStage, Scale, combination_of
from auralign.training.measures import divergence
from auralign.training.online import OnlineSettings, by_reward, train_online
from auralign.types import Prompt, Split
from benchmarks.worlds import World, world_of

REWARDS = ("overall", "word_accuracy", "content_preservation", "production_quality")
STAGES: TypeAdapter[Any] = TypeAdapter(RewardStage)

SEEDS = [0, 1, 2]

SETTINGS = {
    "objective": "rloo",
    "prompts_per_round": 16,
    "clips_per_prompt": 4,
    "learning_rate": 6e-4,
    "warmup_steps": 5,
    "kl": {"weight": 0.05, "place": "reward", "estimator": "k1"},
}


@dataclass(frozen=True)
class Found:
    """What listeners and ears who took no part in training say of a policy.

    win_rate     over the SFT policy, by dimension
    word_error   share of words
    kl           from the SFT policy, nats a clip
    frames       mean length
    """

    win_rate: dict[str, float]
    word_error: float
    kl: float
    frames: float


def worlds(*, quick: bool, runs_dir: Path | None) -> Iterator[World]:
    """The world of each seed, up to its reward models."""
    with tempfile.TemporaryDirectory() as folder:
        for seed in [0] if quick else SEEDS:
            base = runs_dir or Path(folder)
            yield world_of(seed, base, quick=quick, recipe_name="staged_rl")


def look(world: World, policy: CodecLanguageModel) -> Found:
    dimensions = ("overall", "content_preservation", "production_quality")
    generator = torch.Generator().manual_seed(world.seed)
    clips = policy.sample(world.test_prompts, 1, generator=generator).tokens
    found = divergence(policy, world.policy, world.test_prompts, clips)
    return Found(
        {d: float(world.preference(policy, d).mean()) for d in dimensions},
        world.word_error(policy),
        found["kl_exact"],
        float(np.mean([clip.shape[1] for clip in clips])),
    )


def trained(
    world: World,
    stages: Sequence[Mapping[str, Any]],
    *,
    scales: Mapping[str, Scale],
    prompts: Sequence[Prompt],
    changes: Mapping[str, Any] | None = None,
    every: int | None = None,
    watch: Callable[[int, CodecLanguageModel], None] = lambda step, policy: None,
) -> CodecLanguageModel:
    """The SFT policy after these stages of rewards, each from where the last one ended.

    watch   told the policy `every` so many rounds of a stage
    """
    assert world.reward is not None
    policy = world.policy.trainable_copy()
    rewards = OwnRewards(REWARDS, world.codec, world.reward)
    for number, words in enumerate(stages):
        stage = STAGES.validate_python({"name": f"stage {number}", **words})
        settings = {
            **SETTINGS,
            **(changes or {}),
            "n_rounds": stage.n_updates,
            "evaluate_every": every,
        }

        def evaluate(step: int) -> dict[str, float]:
            watch(step, policy)
            return {}

        train_online(
            policy,
            world.policy.frozen_copy(),
            prompts,
            by_reward(rewards),
            OnlineSettings.model_validate(settings),
            combination=combination_of(stage, REWARDS, scales),
            seed=world.seed + 100 * number,
            evaluate=evaluate,
            keep="last",
        )
    return policy


def fresh_prompts(world: World, n: int) -> list[Prompt]:
    """Prompts that nothing was trained, judged or tested on."""
    return draw_prompts(
        {Split.TRAIN: n},
        world.corpus.prompts.values(),
        np.random.default_rng(500 + world.seed),
        taken=itertools.chain(world.prompts.values(), world.test_prompts),
    )


def scales_of(world: World, prompts: Sequence[Prompt]) -> Mapping[str, Scale]:
    assert world.reward is not None
    rewards = OwnRewards(REWARDS, world.codec, world.reward)
    return rewards.scales(world.policy, prompts, torch.Generator().manual_seed(world.seed))
