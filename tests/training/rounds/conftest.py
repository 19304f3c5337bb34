"""Rounds of a policy over two codebooks of four codes, judged by how often it says code 1."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from auralign.training.rounds import (
    CURATIONS,
    Methods,
    RoundSettings,
    RoundsResult,
    ask_judge,
    ask_reward,
    bradley_terry_judge,
    compare_with_first,
    draw_from_policy,
    run_rounds,
    train_on_pairs,
)
from auralign.training.rounds.candidates import without_audio
from auralign.training.rounds.records import Candidates, Sampled
from auralign.training.settings import TrainerSettings
from auralign.types import Prompt

TRAINING = TrainerSettings(learning_rate=3e-3, batch_size=4, warmup_steps=0, options={"beta": 0.1})
HELD_OUT = [Prompt(f"held-out-{i}", ("one", "two")[i % 2], "ann") for i in range(4)]


def share_of_ones(prompts, tokens):
    """A reward in logits."""
    return np.array([5 * (codes == 1).mean() for codes in tokens])


def prompts_of(number: int) -> list[Prompt]:
    return [Prompt(f"r{number}-{i}", ("one", "two")[i % 2], "ann") for i in range(4)]


@pytest.fixture
def methods() -> Methods:
    judge = ask_judge(bradley_terry_judge(share_of_ones), name="ones")
    return Methods(
        draw=draw_from_policy(3),
        annotate=ask_reward(share_of_ones, name="ones"),
        curate=CURATIONS["best_and_worst"],
        train=train_on_pairs(TRAINING),
        evaluate=compare_with_first(HELD_OUT, judge, n=2),
        names={"annotator": "ones", "rule": "best_and_worst"},
    )


@pytest.fixture
def run(make_policy, methods) -> Callable[..., RoundsResult]:
    def run(folder: Path, settings: RoundSettings | None = None, **changes) -> RoundsResult:
        """Rounds of a new policy with the same weights each time."""
        options = {name: changes.pop(name) for name in ("watch", "seed") if name in changes}
        settings = settings or RoundSettings(n_rounds=2, patience=None)
        policy = changes.pop("policy", None) or make_policy().trainable_copy()
        prompts = changes.pop("prompts", prompts_of)
        return run_rounds(policy, prompts, replace(methods, **changes), folder, settings, **options)

    return run


@pytest.fixture(scope="session")
def candidates_of() -> Callable[..., Candidates]:
    """Candidates in memory, as `write_candidates` would store them."""

    def make(rows: list[Sampled]) -> Candidates:
        clips = [without_audio(row) for row in rows]
        prompts = {row.prompt.id: row.prompt for row in rows}
        tokens = {clip.id: row.tokens for clip, row in zip(clips, rows, strict=True)}
        return Candidates(None, prompts, clips, tokens)

    return make
