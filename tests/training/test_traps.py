"""Mistakes seen in other trainers, kept out of ours; `docs/traps.md` tells each of them.

A test is named after the trap that it pins.
"""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from auralign.data.examples import TokenFeedback, TokenList, TokenPair
from auralign.errors import ConfigError, RunStateError
from auralign.losses import OBJECTIVES
from auralign.training.gradients import BatchGradient
from auralign.training.scoring import Asked, Scorer
from auralign.training.settings import TrainerSettings
from auralign.training.tasks import task_of
from auralign.training.trainer import train

pytestmark = pytest.mark.slow

NOTHING = frozenset()


def of(**settings: Any) -> TrainerSettings:
    return TrainerSettings(**{"learning_rate": 3e-3, "warmup_steps": 0, **settings})


@pytest.fixture
def pairs(prompts) -> list[TokenPair]:
    """Clips of every length from one frame to the longest, which was cut off."""
    rng = np.random.default_rng(4)
    lengths = ((1, 8), (8, 2), (3, 3), (5, 1), (2, 7), (4, 6))
    sides = [[rng.integers(4, size=(2, n)) for n in row] for row in lengths]
    return [TokenPair(prompts[i % 2], *row) for i, row in enumerate(sides)]


def asked(pairs: list[TokenPair]) -> list[Asked]:
    return [Asked(p.prompt, clip) for p in pairs for clip in (p.chosen, p.rejected)]


def logged(policy, reference, examples, settings, **options) -> list[dict[str, float]]:
    """What each update logs."""
    log: list[dict[str, float]] = []

    def keep(step, values):
        if "loss" in values:
            log.append(dict(values))

    train(policy, reference, examples, settings, log=keep, **options)
    return log


@torch.no_grad()
def test_a2_the_mean_over_codes_knows_nothing_of_the_padding_beside_it(make_policy, pairs):
    policy, clips = make_policy(), asked(pairs)
    together = Scorer(policy, None, NOTHING)(clips).mean_logp
    alone = [Scorer(policy, None, NOTHING)([clip]).mean_logp for clip in clips]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a5_every_clip_has_a_log_probability_of_its_own(make_policy, pairs):
    """One number for each clip, whoever shares its batch; not one for the batch."""
    policy, clips = make_policy(), asked(pairs)
    together = Scorer(policy, policy.frozen_copy(), NOTHING)(clips)
    assert together.logp.shape == together.reference_logp.shape == (len(clips),)
    assert len(set(together.logp.tolist())) == len(clips)
    halves = [Scorer(policy, None, NOTHING)(half).logp for half in (clips[:5], clips[5:])]
    torch.testing.assert_close(together.logp, torch.cat(halves), atol=1e-4, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize(
    ("weights", "of_frame", "of_end"), [(None, 2, 1), ((1, 0), 1, 1), ((0, 1), 1, 0)]
)
def test_a10_codes_are_counted_after_masking(make_policy, pairs, weights, of_frame, of_end):
    """Two codes a frame and the end of codebook 0, which a clip of 8 frames, cut off, has not."""
    weighted = None if weights is None else torch.tensor(weights, dtype=torch.float32)
    found = Scorer(make_policy(), None, NOTHING, weighted)(asked(pairs)).n_codes
    frames = [clip.n_frames for clip in asked(pairs)]
    assert found.tolist() == [of_frame * n + of_end * (n < 8) for n in frames]


@torch.no_grad()
def test_a18_a_codebook_that_does_not_count_adds_nothing_to_any_objective(make_policy, pairs):
    """With codebook 0 alone, what stands in codebook 1 changes no factor of a pair."""
    for name in ("wpo", "sparsepo"):
        needs = OBJECTIVES[name].needs
        reference = make_policy(seed=2).frozen_copy()
        score = Scorer(make_policy(seed=1), reference, needs, torch.tensor([1.0, 0.0]))
        clips = score(asked(pairs))
        for found in (clips.log_collision, clips.token_kl):
            assert found is None or not found[:, 1].any()


@torch.no_grad()
def test_a19_the_clips_of_a_list_stay_in_their_list_and_in_their_order(make_policy, prompts):
    rng = np.random.default_rng(0)
    lists = [
        TokenList(prompts[i % 2], tuple(rng.integers(4, size=(2, n)) for n in (2 + i, 1, 3)))
        for i in range(4)
    ]
    policy = make_policy()
    task = task_of("plackett_luce", lists, {})
    gradient = BatchGradient(task, Scorer(policy, policy.frozen_copy(), task.needs))
    rows = [2, 0, 3]
    batch, _ = gradient.shown(rows)
    for row, found in zip(rows, batch.by_list(batch.clips.logp), strict=True):
        clips = list(lists[row].clips)
        wanted = policy.sequence_logps([lists[row].prompt] * 3, clips)
        np.testing.assert_allclose(found, wanted, rtol=1e-5)


@pytest.mark.parametrize("name", ["simpo", "ln_dpo", "orpo", "dppo"])
def test_a19_a_mean_over_codes_is_finite_for_clips_of_every_length(make_policy, pairs, name):
    lists = [TokenList(p.prompt, (p.chosen, p.rejected)) for p in pairs]
    examples = lists if OBJECTIVES[name].data == "lists" else pairs
    policy = make_policy()
    (shown,) = logged(policy, policy.frozen_copy(), examples, of(objective=name))
    assert all(math.isfinite(value) for value in shown.values())


@pytest.mark.parametrize("frames_per_pass", [8, 20, 4096])
def test_b1_before_the_first_step_all_is_as_in_the_reference_but_the_gradient(
    make_policy, pairs, frames_per_pass
):
    policy = make_policy()
    settings = of(options={"beta": 1.0}, frames_per_pass=frames_per_pass)
    (shown,) = logged(policy, policy.frozen_copy(), pairs, settings)
    assert shown["loss"] == pytest.approx(math.log(2), abs=1e-5)
    for name in ("margin", "chosen_log_ratio", "rejected_log_ratio"):
        assert shown[name] == pytest.approx(0, abs=1e-5)
    assert shown["gradient_norm"] > 0.01


def test_b1_before_the_first_step_the_reference_has_the_precision_of_the_policy(make_policy, pairs):
    policy = make_policy()
    settings = of(options={"beta": 1.0}, precision="bf16")
    (shown,) = logged(policy, policy.frozen_copy(), pairs, settings)
    assert shown["chosen_log_ratio"] == pytest.approx(0, abs=1e-5)
    assert shown["loss"] == pytest.approx(math.log(2), abs=1e-5)


class Recited:
    """A policy that says of every clip what it was told."""

    packs = False

    def __init__(self, token_logps: torch.Tensor) -> None:
        self.model, self.said = torch.nn.Linear(1, 1), token_logps

    def token_logps(self, prompts, tokens):
        return self.said, torch.ones_like(self.said, dtype=torch.bool)


def test_b1_a_sum_over_thousands_of_codes_is_the_same_for_policy_and_reference(prompts):
    """8 codebooks of a minute at 25 frames a second: a unit in the last place is 0.008 nats."""
    generator = torch.Generator().manual_seed(0)
    said = -16 * torch.rand(4, 8, 1500, generator=generator)
    clips = [Asked(prompts[0], np.zeros((8, 1500), dtype=np.int64))] * 4
    found = Scorer(Recited(said), Recited(said), NOTHING)(clips)
    assert found.log_ratio.tolist() == [0, 0, 0, 0]
    torch.testing.assert_close(found.logp.double(), said.double().sum((1, 2)), atol=1e-3, rtol=0)


def test_b2_the_policys_training_mode_does_not_reach_the_reference(make_policy, pairs):
    policy = make_policy()
    reference = policy.frozen_copy()
    parts = set(policy.model.modules())
    assert not any(part in parts for part in reference.model.modules())
    seen = []

    def look(step, values):
        seen.append((policy.model.training, any(m.training for m in reference.model.modules())))

    train(policy, reference, pairs, of(batch_size=2), log=look)
    assert (True, False) in seen
    assert not any(of_reference for _, of_reference in seen)


def test_b2_a_reference_that_is_switched_to_training_ends_the_run(make_policy, pairs):
    policy = make_policy()
    reference = policy.frozen_copy()
    steps = []

    def switch(step, values):
        steps.append(step)
        reference.model.train()

    with pytest.raises(ConfigError, match="a reference in evaluation mode, got"):
        train(policy, reference, pairs, of(batch_size=2), log=switch)
    assert steps == [1]


def test_b3_a_resumed_run_refuses_a_reference_made_of_half_trained_weights(
    make_policy, pairs, tmp_path
):
    policy = make_policy()
    train(policy, policy.frozen_copy(), pairs, of(), folder=tmp_path)
    half_trained = policy.frozen_copy()
    with pytest.raises(RunStateError, match="of another reference: restore"):
        train(make_policy(), half_trained, pairs, of(), folder=tmp_path)


def test_b4_the_reference_says_the_same_to_the_bit_after_training(make_policy, pairs):
    """It shares no weight with the policy, not even one that prompts go through."""
    policy = make_policy()
    reference = policy.frozen_copy()
    own = {p.data_ptr() for p in policy.model.parameters()}
    assert not any(p.data_ptr() in own for p in reference.model.parameters())
    question = [p.prompt for p in pairs], [p.chosen for p in pairs]
    before = reference.token_logps(*question)[0]
    train(policy, reference, pairs, of(n_epochs=5, options={"beta": 1.0}))
    assert torch.equal(reference.token_logps(*question)[0], before)
    assert not torch.equal(policy.token_logps(*question)[0], before)


def test_b6_the_reference_is_the_policy_in_memory_and_not_the_file_it_came_from(
    make_policy, pairs, tmp_path
):
    policy = make_policy()
    policy.save(tmp_path / "policy.safetensors")
    with torch.no_grad():
        policy.model.depth_out.mul_(2)
    loaded = type(policy).load(tmp_path / "policy.safetensors")
    assert loaded.weights_hash() != policy.weights_hash()
    (shown,) = logged(policy, policy.frozen_copy(), pairs, of(options={"beta": 1.0}))
    assert shown["loss"] == pytest.approx(math.log(2), abs=1e-5)


@pytest.mark.parametrize(
    "kept",
    [
        True,
        False,
    ],
)
def test_b7_the_reference_is_asked_once_about_each_clip_and_its_answers_are_used(
    make_policy, pairs, tmp_path, kept
):
    policy, reference = make_policy(seed=1), make_policy(seed=2).frozen_copy()
    settings = of(n_epochs=3, options={"beta": 1.0})
    expected = logged(make_policy(seed=1), reference, pairs, settings)
    asked_for: list[bytes] = []

    class Counted(type(reference)):
        def token_logps(self, prompts, tokens):
            asked_for.extend(clip.tobytes() for clip in tokens)
            return super().token_logps(prompts, tokens)

    counted = Counted(reference.model, reference.vocabulary)
    folder = tmp_path if kept else None
    # Without an evaluation, which would ask about fresh samples as well.
    log = logged(policy, counted, pairs, settings, folder=folder, evaluate=lambda step: {})
    assert [s["loss"] for s in log] == [s["loss"] for s in expected]
    assert log[0]["chosen_log_ratio"] != 0
    assert sorted(asked_for) == sorted(clip.clip.tobytes() for clip in asked(pairs))


@torch.no_grad()
@pytest.mark.parametrize("frames_per_pass", [1, 9, 30])
def test_b8_how_clips_are_cut_into_passes_moves_no_log_ratio(make_policy, pairs, frames_per_pass):
    policy, reference = make_policy(seed=1), make_policy(seed=2).frozen_copy()
    whole = Scorer(policy, reference, NOTHING)(asked(pairs))
    parts = Scorer(policy, reference, NOTHING, frames_per_pass=frames_per_pass)(asked(pairs))
    torch.testing.assert_close(parts.log_ratio, whole.log_ratio, atol=1e-5, rtol=1e-5)
    assert torch.equal(parts.n_codes, whole.n_codes)


def test_b9_what_requires_a_gradient_is_what_moves(make_policy, pairs):
    policy = make_policy()
    reference = policy.frozen_copy()
    frozen = {name for name, _ in policy.model.named_parameters() if name.startswith("blocks")}
    assert frozen
    for name, parameter in policy.model.named_parameters():
        parameter.requires_grad_(name not in frozen)
    before = {name: p.detach().clone() for name, p in policy.model.named_parameters()}
    train(policy, reference, pairs, of(n_epochs=3, options={"beta": 1.0}))
    moved = {n for n, p in policy.model.named_parameters() if not torch.equal(p, before[n])}
    assert moved == before.keys() - frozen


def test_b9_a_policy_without_anything_to_train_is_an_error(make_policy, pairs):
    policy = make_policy()
    policy.model.requires_grad_(False)
    with pytest.raises(ConfigError, match="weights to train, and all of it is frozen"):
        train(policy, policy.frozen_copy(), pairs, of())


@torch.no_grad()
def test_c8_the_reference_point_is_of_clips_below_prompts_that_they_do_not_answer(
    make_policy, prompts
):
    rng = np.random.default_rng(1)
    clips = [rng.integers(4, size=(2, n)) for n in (2, 5, 3, 4)]
    thumbs = [TokenFeedback(prompts[i % 2], clip, i < 3) for i, clip in enumerate(clips)]
    policy, reference = make_policy(seed=1), make_policy(seed=2).frozen_copy()
    task = task_of("kto", thumbs, {"beta": 1.0})
    batch, loss = BatchGradient(task, Scorer(policy, reference, task.needs)).shown([0, 1, 2, 3])
    own = [thumb.prompt for thumb in thumbs]
    other = [prompts[1 - prompts.index(prompt)] for prompt in own]

    def reward(prompt_of_each):
        logps = [p.sequence_logps(prompt_of_each, clips) for p in (policy, reference)]
        return logps[0] - logps[1]

    point = max(0.0, reward(other).mean())
    signs = np.array([1, 1, 1, -1])
    gain = signs * (reward(own) - point)
    assert loss == pytest.approx((1 / (1 + np.exp(gain))).mean(), abs=1e-4)
    np.testing.assert_allclose(batch.mismatched.log_ratio, reward(other), atol=1e-4)


def gradient(make_policy, examples, rows, frames_per_pass=None) -> torch.Tensor:
    """Of one batch of these rows under DPO with an anchor."""
    policy, reference = make_policy(seed=1), make_policy(seed=2).frozen_copy()
    task = task_of("dpo", examples, {"beta": 1.0})
    score = Scorer(policy, reference, task.needs, frames_per_pass=frames_per_pass)
    BatchGradient(task, score, anchor_weight=0.5).backward(rows)
    return torch.cat([p.grad.flatten() for p in policy.model.parameters()])


@pytest.mark.parametrize("frames_per_pass", [1, 8, 20])
def test_c13_weights_and_anchors_are_those_of_the_whole_batch_however_it_is_cut(
    make_policy, pairs, frames_per_pass
):
    weighted = [replace(p, weight=1.0 + i) for i, p in enumerate(pairs)]
    whole = gradient(make_policy, weighted, [0, 1, 2, 3, 4, 5])
    parts = gradient(make_policy, weighted, [0, 1, 2, 3, 4, 5], frames_per_pass)
    torch.testing.assert_close(parts, whole, atol=1e-5, rtol=1e-4)


def test_c13_batches_of_unequal_clips_add_up_to_the_large_batch(make_policy, pairs):
    whole = gradient(make_policy, pairs, [0, 1, 2, 3, 4, 5])
    for batches in ([[0], [1, 2], [3, 4, 5]], [[5, 0], [1, 2, 3, 4]]):
        parts = [len(rows) / 6 * gradient(make_policy, pairs, rows) for rows in batches]
        torch.testing.assert_close(sum(parts), whole, atol=1e-5, rtol=1e-4)


def test_c13_a_weight_counts_whoever_shares_the_batch(make_policy, pairs):
    """Alone in their batches, a pair of weight 5 pulls five times as much as one of weight 1."""
    weighted = [replace(pairs[0], weight=5.0), *pairs[1:]]
    pulls = [
        gradient(make_policy, weighted, [i]).norm() / gradient(make_policy, pairs, [i]).norm()
        for i in range(2)
    ]
    assert float(pulls[0] / pulls[1]) == pytest.approx(5, rel=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("frames_per_pass", [None, 9, 16])
def test_c16_a_batch_keeps_chosen_and_rejected_of_a_pair_in_one_row(
    make_policy, pairs, frames_per_pass
):
    policy = make_policy()
    task = task_of("dpo", pairs, {})
    reference = policy.frozen_copy()
    score = Scorer(policy, reference, task.needs, frames_per_pass=frames_per_pass)
    gradient = BatchGradient(task, score)
    rows = [4, 1, 5, 0]
    batch, _ = gradient.shown(rows)
    for side in ("chosen", "rejected"):
        clips = [getattr(pairs[i], side) for i in rows]
        wanted = policy.sequence_logps([pairs[i].prompt for i in rows], clips)
        np.testing.assert_allclose(getattr(batch, side).logp, wanted, rtol=1e-5)
