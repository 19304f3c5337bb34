"""Rewards in stages against single ones, and learnt weights against fixed ones.

All arms begin at one SFT policy, see the same prompts and make the same number of updates with the
same settings, which were set before the first of these runs. Another panel with other ears judges
clips on prompts that nothing was trained on.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.claims import Claim, Report, difference
from benchmarks.online.arms import (
    SEEDS,
    SETTINGS,
    Found,
    fresh_prompts,
    look,
    scales_of,
    trained,
    worlds,
)
from benchmarks.worlds import World

N_PROMPTS = 400
N_FIRST, N_SECOND = 15, 30

AT_LEAST = {"word_accuracy": 0.8, "content_preservation": 1.0, "production_quality": 0.5}
"""A share of words, and logits of the reward models."""


def _alone(reward: str, n: int) -> dict[str, Any]:
    return {"combine": "weighted", "n_updates": n, "weights": {reward: 1.0}}


def _constrained(n: int, words: str) -> dict[str, Any]:
    names = dict.fromkeys((words, "content_preservation", "production_quality"))
    return {
        "combine": "lagrangian",
        "n_updates": n,
        "maximise": "overall",
        "constraints": tuple({"reward": n, "at_least": AT_LEAST[n]} for n in names),
    }


def arms(
    first: int, second: int, words: str = "word_accuracy"
) -> dict[str, Sequence[Mapping[str, Any]]]:
    """Stages of each arm, by name; `words` is the reward of the task."""
    whole = first + second
    fixed = dict.fromkeys(("overall", words, "content_preservation", "production_quality"), 1.0)
    return {
        "words alone": [_alone(words, whole)],
        "listeners' reward alone": [_alone("overall", whole)],
        "stages": [_alone(words, first), _constrained(second, words)],
        "fixed weights": [{"combine": "weighted", "n_updates": whole, "weights": fixed}],
        "learnt weights": [_constrained(whole, words)],
    }


COMPARED = [
    ("stages", "words alone"),
    ("stages", "listeners' reward alone"),
    ("learnt weights", "fixed weights"),
]


def measure(*, quick: bool, runs_dir: Path | None) -> Report:
    began = time.perf_counter()
    found = [compare(world, quick=quick) for world in worlds(quick=quick, runs_dir=runs_dir)]
    rates = {arm: [of[arm].win_rate["overall"] for of in found] for arm in found[0]}
    gaps = {f"{a} less {b}": difference(rates[a], rates[b]) for a, b in COMPARED}
    return Report(
        claims=[Claim(name, ">", 0.0, gap["mean"], HOW) for name, gap in gaps.items()],
        seeds=[0] if quick else SEEDS,
        seconds=time.perf_counter() - began,
        sizes={"rounds": N_FIRST + N_SECOND, "prompts": N_PROMPTS},
        details={"differences": gaps, "arms": found, "at least": AT_LEAST, "settings": SETTINGS},
    )


HOW = "mean over seeds of the win rate over the SFT policy, by simulated listeners kept apart"


def compare(world: World, *, quick: bool) -> dict[str, Found]:
    """What becomes of each arm in one world."""
    prompts = fresh_prompts(world, 20 if quick else N_PROMPTS)
    scales = scales_of(world, prompts[:100])
    # Nobody understands a policy of the quick size: there its words are all wrong.
    sizes = (1, 1, "content_preservation") if quick else (N_FIRST, N_SECOND)
    found = {}
    for name, stages in arms(*sizes).items():
        found[name] = look(world, trained(world, stages, scales=scales, prompts=prompts))
        print(f"seed {world.seed}: {name} {asdict(found[name])}", file=sys.stderr)
    return found
