"""Do objectives keep their word on a policy that speaks? The quickstart's digits, five seeds.

Three comparisons, all from one SFT policy, on one set of judged clips a seed, with the same number
of updates. Labels are the majority of the training panel of simulated listeners; another panel with
other ears judges clips on prompts that nothing was trained on: the win rate over the SFT policy is
its mean choice probability, ties half.

    flipped labels   30 % of the pairs turned round: rDPO, which is told the share, against DPO
    thumbs           the same clips as single ones with a thumb: KTO and BCO against DPO on pairs
    lists of four    a listwise objective against DPO on the best and the worst of each list

Nothing is tuned: all methods share beta, learning rate, anchor, epochs and the number of clips in
an update, which were set before the first of these runs. Intervals are t intervals over the five
seeds' differences.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from auralign.data.examples import TokenFeedback, TokenList, TokenPair
from auralign.training import TrainerSettings, train
from benchmarks.claims import Claim, Report, difference
from benchmarks.worlds import World, world_of

SEEDS = [0, 1, 2, 3, 4]
FLIPPED = 0.3
LIST_SIZE = 4
N_EPOCHS = 1
BATCH_SIZE = 16

SHARED = {"learning_rate": 5e-4, "anchor_weight": 1.0, "warmup_steps": 5}

Choice = Mapping[str, Any]
CHOSEN: dict[str, Choice] = {
    "dpo on flipped labels": {"objective": "dpo", "options": {"beta": 0.05}},
    "rdpo on flipped labels": {
        "objective": "rdpo",
        "options": {"beta": 0.05, "label_smoothing": FLIPPED},
    },
    "dpo": {"objective": "dpo", "options": {"beta": 0.05}},
    "kto": {"objective": "kto", "options": {"beta": 0.05}, "batch_size": 2 * BATCH_SIZE},
    "bco": {"objective": "bco", "options": {"beta": 0.05}, "batch_size": 2 * BATCH_SIZE},
    "dpo on best and worst": {"objective": "dpo", "options": {"beta": 0.05}, "batch_size": 8},
    "plackett_luce": {"objective": "plackett_luce", "options": {"beta": 0.05}, "batch_size": 8},
    "lipo_lambda": {"objective": "lipo_lambda", "options": {"beta": 0.05}, "batch_size": 8},
}
"""Each method's settings beside those that all share."""


def measure(*, quick: bool, runs_dir: Path | None) -> Report:
    began = time.perf_counter()
    seeds = [0] if quick else SEEDS
    with tempfile.TemporaryDirectory() as folder:
        worlds = [world_of(seed, runs_dir or Path(folder), quick=quick) for seed in seeds]
    rates = {name: [] for name in CHOSEN}
    for world in worlds:
        for name, choice in CHOSEN.items():
            rates[name].append(trained(world, name, choice))
            print(f"seed {world.seed}: {name} {rates[name][-1]:.3f}", file=sys.stderr)
    return Report(
        claims=_claims(rates),
        seeds=seeds,
        seconds=time.perf_counter() - began,
        sizes={"epochs": N_EPOCHS, "batch": BATCH_SIZE, "flipped": FLIPPED, "list": LIST_SIZE},
        details={
            "win_rates": rates,
            "differences": {f"{a} - {b}": difference(rates[a], rates[b]) for a, b in COMPARED},
            "settings": {"shared": SHARED, **CHOSEN},
        },
    )


COMPARED = [
    ("rdpo on flipped labels", "dpo on flipped labels"),
    ("kto", "dpo"),
    ("bco", "dpo"),
    ("plackett_luce", "dpo on best and worst"),
    ("lipo_lambda", "dpo on best and worst"),
]


def _claims(rates: Mapping[str, list[float]]) -> list[Claim]:
    def gap(first: str, second: str) -> float:
        return float(np.mean(rates[first]) - np.mean(rates[second]))

    how = "mean over seeds of the win rate over the SFT policy, by simulated listeners"
    return [
        Claim("rDPO less DPO, 30 % flipped", ">", 0.0, gap(*COMPARED[0]), how),
        Claim("KTO on thumbs less DPO on pairs", ">=", -0.05, gap(*COMPARED[1]), how),
        Claim("BCO on thumbs less DPO on pairs", ">=", -0.05, gap(*COMPARED[2]), how),
        Claim("Plackett-Luce less DPO on best and worst", ">", 0.0, gap(*COMPARED[3]), how),
        Claim("LiPO-lambda less DPO on best and worst", ">", 0.0, gap(*COMPARED[4]), how),
    ]


def trained(world: World, name: str, choice: Choice) -> float:
    """The win rate of the SFT policy trained on this world's examples."""
    policy = world.policy.trainable_copy()
    settings = TrainerSettings.model_validate(
        {"n_epochs": N_EPOCHS, "batch_size": BATCH_SIZE, **SHARED, **choice}
    )
    examples = EXAMPLES[name](world)
    train(
        policy,
        world.policy.frozen_copy(),
        examples,
        settings,
        seed=world.seed,
        evaluate=lambda step: {},
        keep="last",
    )
    return world.win_rate(policy)


def pairs_of(world: World) -> list[TokenPair]:
    """Of each prompt every clip against those two and four places below it."""
    return [
        TokenPair(world.prompts[name], ranked[i][0], ranked[i + k][0])
        for name, ranked in world.answers.items()
        for k in (2, 4)
        for i in range(len(ranked) - k)
    ]


def flipped_pairs(world: World) -> list[TokenPair]:
    rng = np.random.default_rng(world.seed)
    return [
        replace(p, chosen=p.rejected, rejected=p.chosen) if rng.random() < FLIPPED else p
        for p in pairs_of(world)
    ]


def thumbs(world: World) -> list[TokenFeedback]:
    """The clips of the pairs one by one: chosen ones liked, rejected ones not."""
    return [
        TokenFeedback(pair.prompt, clip, desirable)
        for pair in pairs_of(world)
        for clip, desirable in ((pair.chosen, True), (pair.rejected, False))
    ]


def lists(world: World) -> list[TokenList]:
    """Two lists of four of each prompt, best first, from its clips in their order."""
    found = []
    rng = np.random.default_rng(world.seed)
    for name, ranked in world.answers.items():
        for _ in range(2):
            drawn = np.sort(rng.permutation(len(ranked))[:LIST_SIZE])
            clips, scores = zip(*(ranked[i] for i in drawn), strict=True)
            found.append(TokenList(world.prompts[name], clips, scores))
    return found


def best_and_worst(world: World) -> list[TokenPair]:
    return [TokenPair(x.prompt, x.clips[0], x.clips[-1]) for x in lists(world)]


EXAMPLES: dict[str, Any] = {
    "dpo on flipped labels": flipped_pairs,
    "rdpo on flipped labels": flipped_pairs,
    "dpo": pairs_of,
    "kto": thumbs,
    "bco": thumbs,
    "dpo on best and worst": best_and_worst,
    "plackett_luce": lists,
    "lipo_lambda": lists,
}
