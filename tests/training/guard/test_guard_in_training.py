"""A policy that is trained to be loud, the guard that hears it, and the trainer that goes back."""

import numpy as np
import pytest
import torch

from auralign.data.examples import TokenPair
from auralign.training import TrainerSettings, train
from auralign.training.guard import RULES, Guard, Probe, watched_trainings
from auralign.training.guard.probe import hear, listen
from auralign.types import Audio, Prompt

pytestmark = pytest.mark.slow

RATE = 8000
SETTINGS = TrainerSettings(learning_rate=3e-3, n_epochs=12, batch_size=8, warmup_steps=0)
LOUDNESS = [rule for rule in RULES if rule.name == "loudness"]


def decode(tokens):
    """A tone, 80 ms a frame, at -30 dB and 8 dB more for each step of the mean code."""
    return [_tone(codes.shape[1], 10 ** ((8 * codes[0].mean() - 30) / 20)) for codes in tokens]


def _tone(n_frames, gain):
    t = np.arange(n_frames * RATE // 12) / RATE
    return Audio((gain * np.sin(2 * np.pi * 150 * t)).astype(np.float32)[None], RATE)


@pytest.fixture(scope="module")
def asked():
    return [Prompt(f"p{i}", ("one", "two")[i % 2], "ann") for i in range(8)]


def test_training_ends_at_the_alarm_with_the_weights_before(make_policy, asked, tmp_path):
    start = make_policy()
    loud, soft = (np.full((2, 6), code) for code in (3, 0))
    pairs = [TokenPair(prompt, loud, soft) for prompt in asked]
    policy = start.trainable_copy()
    probe = Probe(asked, decode, signals=(), n_before=4)
    reference = start.frozen_copy()
    guard = Guard.learn(policy, probe, reference=reference, folder=tmp_path, rules=LOUDNESS)
    result = train(policy, reference, pairs, SETTINGS, keep="last", guard=guard)
    assert result.stopped.startswith("the guard's rule 'loudness'")
    (training,) = watched_trainings(tmp_path)
    alarmed = [
        any(f.rule == "loudness" and f.verdict == "alarm" for f in look.findings)
        for look in training.looks
    ]
    assert alarmed == [False] * (len(alarmed) - 1) + [True]
    assert len(alarmed) > 1
    assert result.kept_step == result.evaluations[-2]["step"]
    assert training.looks[-1].evidence.figures["kl_exact"] > 0


def test_the_guard_draws_the_same_clips_whatever_torch_has_drawn_before(make_policy, asked):
    policy = make_policy()
    probe = Probe(asked, decode, signals=(), n_before=2)
    torch.manual_seed(1)
    first = Guard.learn(policy, probe, seed=4)
    torch.manual_seed(2)
    second = Guard.learn(policy, probe, seed=4)
    for a, b in zip(first.before.tokens, second.before.tokens, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_rollout_is_heard_as_the_policy_that_sampled_it(make_policy, asked):
    policy = make_policy()
    probe = Probe(asked, decode, signals=(), n_before=2)
    rollout = policy.sample(asked, 2, generator=torch.Generator().manual_seed(4))
    listened, heard = listen(policy, probe, 2, seed=4), hear(rollout, probe)
    assert listened.columns.keys() == heard.columns.keys()
    for name, values in heard.columns.items():
        np.testing.assert_array_equal(listened.columns[name], values)
