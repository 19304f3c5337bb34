from dataclasses import replace

import numpy as np
import pytest
import torch

from auralign.errors import NotConvergedError
from auralign.training.sft import SftResult, SftSettings, train_sft, validation_loss, warmup_cosine

SETTINGS = SftSettings(
    n_steps=60, batch_size=8, learning_rate=1e-2, history_noise=0.0, validate_every=20
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def corpus(prompts):
    """Each prompt has one clip, always the same."""
    rng = np.random.default_rng(0)
    return prompts, [rng.integers(4, size=(2, 3)), rng.integers(4, size=(2, 5))]


def train(policy, corpus, settings=SETTINGS, validation=None, seed=0):
    log: list[dict[str, float]] = []
    result = train_sft(
        policy,
        corpus,
        validation or corpus,
        settings,
        generator=seeded(seed),
        log=lambda step, values: log.append({"step": step, **values}),
    )
    return result, log


@pytest.fixture(scope="module")
def trained(make_policy, corpus):
    policy = make_policy()
    return policy, *train(policy, corpus)


def test_it_learns_clips_by_heart_and_then_samples_them(trained, corpus):
    policy, result, log = trained
    assert log[0]["loss"] > 1
    assert log[-1]["loss"] < 0.1
    assert result.best_validation_loss < 0.1
    prompts, clips = corpus
    rollout = policy.sample(prompts, 20, generator=seeded())
    right = [
        clip.tobytes() == clips[i].tobytes()
        for i, clip in zip(rollout.prompt_index, rollout.tokens, strict=True)
    ]
    assert np.mean(right) > 0.6


def test_every_step_is_logged_and_some_are_validated(trained):
    _, _, log = trained
    assert [entry["step"] for entry in log] == list(range(1, 61))
    assert [entry["step"] for entry in log if "validation_loss" in entry] == [20, 40, 60]


def test_validation_loss_is_the_mean_over_scored_codes_and_not_over_clips(make_policy, corpus):
    policy = make_policy()
    prompts, clips = corpus
    logps = policy.sequence_logps(prompts, clips)
    n_scored = (2 * 3 + 1) + (2 * 5 + 1)
    assert validation_loss(policy, prompts, clips) == pytest.approx(-logps.sum() / n_scored)


def test_the_weights_of_the_best_validation_loss_are_kept(make_policy, corpus, prompts):
    """Validation wants other clips than training teaches, so that later is worse."""
    rng = np.random.default_rng(9)
    other = prompts, [rng.integers(4, size=(2, 4)) for _ in prompts]
    policy = make_policy()
    settings = replace(SETTINGS, validate_every=1, warmup_steps=5)
    result, log = train(policy, corpus, settings, validation=other)
    losses = [entry["validation_loss"] for entry in log]
    assert result == SftResult(
        best_step=1 + int(np.argmin(losses)), best_validation_loss=min(losses)
    )
    assert result.best_step < 30
    assert losses[-1] > min(losses) + 0.5
    assert validation_loss(policy, *other) == pytest.approx(min(losses), abs=1e-6)


def test_training_leaves_a_policy_ready_to_evaluate(trained):
    policy, _, _ = trained
    assert not any(module.training for module in policy.model.modules())


def test_the_same_generator_trains_the_same_weights_bit_by_bit(make_policy, corpus):
    settings = replace(SETTINGS, n_steps=5, history_noise=0.3)
    hashes = []
    for seed in (0, 0, 1):
        policy = make_policy()
        train(policy, corpus, settings, seed=seed)
        hashes.append(policy.weights_hash())
    assert hashes[0] == hashes[1] != hashes[2]


def test_with_a_random_history_it_cannot_learn_what_only_the_history_tells(make_policy, prompts):
    """Frames repeat a first frame that nothing announces."""
    clips = [np.full((2, 6), code) for code in range(4)] * 2
    asked = [prompts[0]] * len(clips)
    settings = replace(SETTINGS, n_steps=50)
    losses = {}
    for noise in (0.0, 1.0):
        policy = make_policy()
        train(policy, (asked, clips), replace(settings, history_noise=noise))
        losses[noise] = validation_loss(policy, asked, clips)
    assert losses[0.0] < 0.5 * losses[1.0]


def test_training_that_diverges_is_an_error(make_policy, corpus):
    settings = replace(SETTINGS, n_steps=3, learning_rate=1e38, validate_every=1, warmup_steps=0)
    with pytest.raises(NotConvergedError, match=r"training diverged.*rate 1e\+38: lower it"):
        train(make_policy(), corpus, settings)


def test_the_learning_rate_rises_to_one_and_falls_to_a_tenth():
    # 20 steps of warm-up, then half a cosine over the other 100.
    assert [warmup_cosine(step, 20, 120) for step in (1, 10, 20)] == [0.05, 0.5, 1.0]
    assert warmup_cosine(70, 20, 120) == pytest.approx(0.55)
    assert warmup_cosine(45, 20, 120) == pytest.approx(0.1 + 0.9 * (1 + np.sqrt(0.5)) / 2)
    assert warmup_cosine(120, 20, 120) == pytest.approx(0.1)


def test_without_warm_up_the_learning_rate_starts_near_one():
    assert warmup_cosine(1, 0, 1000) == pytest.approx(1, abs=1e-4)
