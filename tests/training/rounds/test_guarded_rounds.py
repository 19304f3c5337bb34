"""A guard in rounds: it knows the policy before round 1, and feeds what it finds to the next."""

import numpy as np
import pytest

from auralign.training.guard import Probe
from auralign.training.guard.records import read_inspections
from auralign.training.rounds import RoundSettings, ask_reward, train_on_pairs
from auralign.training.rounds.folder import RoundFolder
from auralign.training.rounds.train_pairs import guarded_by
from auralign.training.settings import TrainerSettings
from auralign.types import Audio, Prompt

pytestmark = pytest.mark.slow

PROBE = [Prompt(f"probe-{i}", ("one", "two")[i % 2], "ann") for i in range(8)]


def decode(tokens):
    """Tones whose level is the first codebook."""
    levels = [np.repeat(10.0 ** (0.4 * codes[0] - 1.5), 1600) for codes in tokens]
    return [
        Audio((g * np.sin(np.arange(g.size) / 8)).astype(np.float32)[None], 8000) for g in levels
    ]


def loudness(prompts, tokens):
    return np.array([4 * float(codes[0].mean()) for codes in tokens])


def test_clips_of_a_faulty_reward_are_rejected_in_the_round_after_the_alarm(
    run, make_policy, methods, tmp_path
):
    settings = TrainerSettings(
        learning_rate=8e-3, n_epochs=5, batch_size=4, warmup_steps=0, options={"beta": 0.1}
    )
    rewards = {
        "proxy": lambda audios, prompts: np.array([np.abs(a.samples).mean() for a in audios])
    }
    guard = guarded_by(Probe(PROBE, decode, rewards=rewards), on_alarm="warn")
    first, second = run(
        tmp_path,
        RoundSettings(n_rounds=2, patience=None),
        annotate=ask_reward(loudness, name="loudness"),
        train=train_on_pairs(settings, guard=guard),
    ).rounds
    inspections = read_inspections(tmp_path / "round-01" / "guard.jsonl")
    assert len(inspections) == 5
    n_fed = sum(inspection.n_fed for inspection in inspections)
    assert second.counts["n_hacked"] == n_fed > 0
    assert first.counts["n_hacked"] == 0
    rejected = {p.rejected.tobytes() for p in RoundFolder(tmp_path, 2).examples()}
    assert {p.rejected.tobytes() for p in RoundFolder(tmp_path, 1).hacked()} <= rejected
