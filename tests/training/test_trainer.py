import math
from contextlib import nullcontext
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from auralign.data.config import parse
from auralign.data.examples import TokenFeedback, TokenList, TokenPair
from auralign.errors import ConfigError, DataError, NotConvergedError, RunStateError
from auralign.training import scoring, trainer
from auralign.training.batches import batches_of, require_order
from auralign.training.checkpoints import FORMAT
from auralign.training.measures import divergence
from auralign.training.optimisation import learning_rate
from auralign.training.settings import TrainerSettings
from auralign.training.sft import SftSettings, train_sft
from auralign.training.tasks import task_of
from auralign.training.trainer import train
from pretended_device import PRETENDED, pretending

ONE_STEP = TrainerSettings(
    learning_rate=3e-3, n_epochs=1, batch_size=6, warmup_steps=1, options={"beta": 0.5}
)


SIDES = ("chosen", "rejected")


def with_(settings: TrainerSettings = ONE_STEP, **changes: Any) -> TrainerSettings:
    return TrainerSettings(**{**settings.model_dump(), **changes})


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def pairs(prompts) -> list[TokenPair]:
    """The rejected clip differs from the chosen one in a single code of its first frame."""
    rng = np.random.default_rng(1)
    pairs = []
    for i in range(6):
        chosen = rng.integers(4, size=(2, 5))
        rejected = chosen.copy()
        rejected[1, 0] = (rejected[1, 0] + 1) % 4
        pairs.append(TokenPair(prompts[i % 2], chosen, rejected))
    return pairs


@pytest.fixture(scope="module")
def start(make_policy, pairs):
    """A policy that has learned chosen and rejected clips alike."""
    policy = make_policy()
    data = (
        [p.prompt for p in pairs] * 2,
        [p.chosen for p in pairs] + [p.rejected for p in pairs],
    )
    settings = SftSettings(80, 12, 1e-2, history_noise=0.0, validate_every=40)
    train_sft(policy, data, data, settings, generator=seeded(), log=lambda step, values: None)
    return policy


def margins(policy, reference, pairs) -> np.ndarray:
    """How much the log-ratio of each pair has moved towards chosen."""
    asked = [p.prompt for p in pairs]
    return np.subtract(
        *(
            policy.sequence_logps(asked, clips) - reference.sequence_logps(asked, clips)
            for clips in ([p.chosen for p in pairs], [p.rejected for p in pairs])
        )
    )


def run(policy, reference, examples, settings, *, preferences=None, keep="last", seed=0, **options):
    """The result, the log of every step, and the hash of the weights after each epoch."""
    log: list[dict[str, float]] = []
    hashes: list[str] = []

    def evaluate(step: int) -> dict[str, float]:
        hashes.append(policy.weights_hash())
        return {"held_out_preference": preferences[len(hashes) - 1] if preferences else 0.5}

    result = train(
        policy,
        reference,
        examples,
        settings,
        seed=seed,
        log=lambda step, values: log.append(dict(values)),
        evaluate=evaluate,
        keep=keep,
        select_by="held_out_preference",
        **options,
    )
    return result, log, hashes


@pytest.mark.parametrize(
    ("objective", "expected"), [("dpo", math.log(2)), ("ipo", (1 / (2 * 0.5)) ** 2)]
)
def test_before_the_first_step_policy_and_reference_are_the_same(start, pairs, objective, expected):
    policy = start.trainable_copy()
    settings = with_(objective=objective)
    _, log, _ = run(policy, start.frozen_copy(), pairs, settings)
    assert log[0]["loss"] == pytest.approx(expected, abs=1e-5)
    for name in ("margin", "chosen_log_ratio", "rejected_log_ratio", "chosen_log_ratio_per_code"):
        assert log[0][name] == pytest.approx(0, abs=1e-5)


def test_a_margin_of_zero_counts_half_in_the_accuracy(start, pairs):
    equal = [replace(p, rejected=p.chosen) for p in pairs]
    _, log, _ = run(start.trainable_copy(), start.frozen_copy(), equal, ONE_STEP)
    assert log[0]["accuracy"] == 0.5


def test_what_is_logged_is_what_the_policy_says(start, pairs):
    """Two steps: the second one is logged with the weights that the first one left."""
    policy, reference = start.trainable_copy(), start.frozen_copy()
    _, log, _ = run(policy, reference, pairs, with_(n_epochs=2))
    once = start.trainable_copy()
    run(once, reference, pairs, ONE_STEP)
    moved = margins(once, reference, pairs)
    steps = [values for values in log if "held_out_preference" not in values]
    z = 0.5 * moved
    assert steps[1]["margin"] == pytest.approx(z.mean(), abs=1e-4)
    assert steps[1]["accuracy"] == pytest.approx((moved > 0).mean())
    assert steps[1]["loss"] == pytest.approx(np.log1p(np.exp(-z)).mean(), abs=1e-4)
    asked, chosen = [p.prompt for p in pairs], [p.chosen for p in pairs]
    log_ratio = once.sequence_logps(asked, chosen) - reference.sequence_logps(asked, chosen)
    assert steps[1]["chosen_log_ratio"] == pytest.approx(log_ratio.mean(), abs=1e-4)
    # Five frames of two codes, and the end.
    per_code = pytest.approx(log_ratio.mean() / 11, abs=1e-5)
    assert steps[1]["chosen_log_ratio_per_code"] == per_code


def test_the_anchor_adds_the_negative_log_likelihood_of_chosen_a_code(start, pairs):
    settings = with_(anchor_weight=2.0)
    _, log, _ = run(start.trainable_copy(), start.frozen_copy(), pairs, settings)
    asked, chosen = [p.prompt for p in pairs], [p.chosen for p in pairs]
    nll = -start.sequence_logps(asked, chosen).mean() / 11
    assert log[0]["loss"] == pytest.approx(math.log(2) + 2 * nll, abs=1e-5)


def test_without_an_anchor_chosen_clips_become_less_likely_and_with_one_they_do_not(start, pairs):
    settings = with_(n_epochs=30)
    moved = {}
    for weight in (0.0, 1.0):
        policy, reference = start.trainable_copy(), start.frozen_copy()
        result, _, _ = run(policy, reference, pairs, with_(settings, anchor_weight=weight))
        assert margins(policy, reference, pairs).min() > 1
        moved[weight] = result.evaluations[-1]["chosen_log_ratio"]
    assert moved[0.0] < -1
    assert moved[1.0] > 0


def test_the_reference_stays_as_it_is_bit_by_bit_and_gets_no_gradient(start, pairs):
    policy, reference = start.trainable_copy(), start.frozen_copy()
    before = reference.weights_hash()
    run(policy, reference, pairs, with_(n_epochs=3))
    assert reference.weights_hash() == before != policy.weights_hash()
    assert all(p.grad is None and not p.requires_grad for p in reference.model.parameters())


def test_the_best_epoch_is_kept_or_the_last(start, pairs):
    settings = with_(n_epochs=3)
    preferences = [0.6, 0.9, 0.3]
    for keep, epoch in (("best", 2), ("last", 3)):
        policy = start.trainable_copy()
        result, _, hashes = run(
            policy, start.frozen_copy(), pairs, settings, preferences=preferences, keep=keep
        )
        assert result.evaluations[epoch - 1]["step"] == result.kept_step
        assert policy.weights_hash() == hashes[epoch - 1]
        assert [e["held_out_preference"] for e in result.evaluations] == preferences
        assert not policy.model.training


def test_the_same_generator_trains_the_same_weights_bit_by_bit(start, pairs):
    settings = with_(batch_size=2)
    hashes = []
    for seed in (0, 0, 1):
        policy = start.trainable_copy()
        run(policy, start.frozen_copy(), pairs, settings, seed=seed)
        hashes.append(policy.weights_hash())
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_pair_without_weight_teaches_nothing(start, pairs):
    backwards = TokenPair(pairs[0].prompt, pairs[0].rejected, pairs[0].chosen, weight=0.0)
    with_it, without = start.trainable_copy(), start.trainable_copy()
    run(with_it, start.frozen_copy(), [*pairs, backwards], with_(batch_size=7))
    run(without, start.frozen_copy(), pairs, ONE_STEP)
    asked, clips = [p.prompt for p in pairs], [p.chosen for p in pairs]
    np.testing.assert_allclose(
        with_it.sequence_logps(asked, clips), without.sequence_logps(asked, clips), atol=1e-3
    )


def test_warm_up_of_no_steps_starts_at_the_whole_learning_rate(start, pairs):
    one, none = start.trainable_copy(), start.trainable_copy()
    run(one, start.frozen_copy(), pairs, ONE_STEP)
    run(none, start.frozen_copy(), pairs, with_(warmup_steps=0))
    assert one.weights_hash() == none.weights_hash()


def test_no_pairs_are_an_error(start):
    with pytest.raises(DataError, match="at least one example and got none"):
        run(start.trainable_copy(), start.frozen_copy(), [], ONE_STEP)


def test_an_unknown_objective_is_an_error_that_suggests_the_near_one(start, pairs):
    settings = with_(objective="dpoo")
    with pytest.raises(ConfigError, match=r"got 'dpoo' \(did you mean 'dpo'\?\)"):
        run(start.trainable_copy(), start.frozen_copy(), pairs, settings)


def test_an_option_that_the_objective_does_not_take_is_an_error(start, pairs):
    settings = with_(objective="dpo", options={"betta": 0.1})
    with pytest.raises(ConfigError, match=r"dpo takes beta, got 'betta' \(did you mean 'beta'\?\)"):
        run(start.trainable_copy(), start.frozen_copy(), pairs, settings)


def test_the_logged_margin_is_that_of_the_rewards_that_were_optimised(start, pairs):
    settings = with_(objective="simpo", options={})
    _, log, _ = run(start.trainable_copy(), start.frozen_copy(), pairs, settings)
    asked = [p.prompt for p in pairs]
    chosen, rejected = (
        start.sequence_logps(asked, clips).mean() / 11
        for clips in ([p.chosen for p in pairs], [p.rejected for p in pairs])
    )
    assert log[0]["margin"] == pytest.approx(2.0 * (chosen - rejected), abs=1e-5)
    assert log[0]["chosen_log_ratio"] == pytest.approx(0, abs=1e-5)


def test_a_policy_does_not_diverge_from_itself(start, prompts):
    tokens = start.sample(prompts, 1, generator=seeded()).tokens
    found = divergence(start, start.frozen_copy(), prompts, tokens)
    assert found["kl"] == 0
    assert found["token_entropy"] == pytest.approx(start.token_entropy(prompts, tokens))


def test_divergence_on_own_samples_estimates_the_kullback_leibler_divergence(make_policy, prompts):
    """Against all 16 + 16 * 16 clips of at most two frames."""
    policy, other = make_policy(max_frames=2, seed=0), make_policy(max_frames=2, seed=1)
    clips = [
        np.array(codes).reshape(2, n) for n in (1, 2) for codes in product(range(4), repeat=2 * n)
    ]
    asked = [prompts[0]] * len(clips)
    logp, logq = (p.sequence_logps(asked, clips) for p in (policy, other))
    log_ratio, probability = logp - logq, np.exp(logp)
    assert probability.sum() == pytest.approx(1, abs=1e-5)
    kl = (probability * log_ratio).sum()
    n = 1500
    spread = np.sqrt((probability * (log_ratio - kl) ** 2).sum() / n)
    tokens = policy.sample(prompts[:1], n, generator=seeded(), batch_size=n).tokens
    estimate = divergence(policy, other, [prompts[0]] * n, tokens)["kl"]
    assert kl > 5 * spread
    assert estimate == pytest.approx(kl, abs=3 * spread)


class Killed(Exception):
    """Stands for what ends a process."""


def kill_at(step: int):
    """A log that ends the run at its `step`th update."""
    seen = []

    def log(at, values):
        seen.append(at)
        if "loss" in values and at == step:
            raise Killed

    return log


@pytest.mark.parametrize("settings", [{}, {"reference_every": 2}, {"schedule": "cosine"}])
def test_a_run_that_was_stopped_goes_on_to_the_same_weights_bit_by_bit(
    start, pairs, tmp_path, settings
):
    settings = with_(n_epochs=4, batch_size=2, **settings)
    whole = start.trainable_copy()
    train(whole, start.frozen_copy(), pairs, settings, held_out=pairs[:2])
    stopped = start.trainable_copy()
    arguments = start.frozen_copy(), pairs, settings
    with pytest.raises(Killed):
        train(stopped, *arguments, held_out=pairs[:2], folder=tmp_path, log=kill_at(8))
    steps = []
    again = start.trainable_copy()
    result = train(
        again,
        *arguments,
        held_out=pairs[:2],
        folder=tmp_path,
        log=lambda step, values: steps.append(step),
    )
    assert steps[0] == 7  # the third epoch, after the checkpoint of the second
    assert result.n_steps == 12
    assert again.weights_hash() == whole.weights_hash() != stopped.weights_hash()


def test_a_finished_run_is_not_run_again(start, pairs, tmp_path):
    arguments = start.frozen_copy(), pairs, ONE_STEP
    first = train(start.trainable_copy(), *arguments, folder=tmp_path)
    steps = []
    policy = start.trainable_copy()
    again = train(policy, *arguments, folder=tmp_path, log=lambda step, v: steps.append(step))
    assert not steps
    assert again.evaluations == first.evaluations
    assert policy.weights_hash() != start.weights_hash()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"settings": with_(n_epochs=2)}, "settings"),
        ({"seed": 5}, "seed"),
        ({"examples": 5}, "examples"),
        ({"policy": True}, "policy"),
    ],
)
def test_a_checkpoint_of_another_training_is_an_error(
    start, make_policy, pairs, tmp_path, change, named
):
    train(start.trainable_copy(), start.frozen_copy(), pairs, ONE_STEP, folder=tmp_path)
    policy = make_policy(seed=9) if "policy" in change else start.trainable_copy()
    examples = pairs[: change.get("examples", len(pairs))]
    settings = change.get("settings", ONE_STEP)
    with pytest.raises(RunStateError, match=f"but it is of another {named}: restore"):
        train(
            policy,
            start.frozen_copy(),
            examples,
            settings,
            seed=change.get("seed", 0),
            folder=tmp_path,
        )


def test_a_checkpoint_of_another_format_is_an_error(start, pairs, tmp_path):
    arguments = start.frozen_copy(), pairs, ONE_STEP
    train(start.trainable_copy(), *arguments, folder=tmp_path)
    path = tmp_path / "checkpoint.pt"
    parts = torch.load(path, weights_only=True)
    assert parts["format"] == FORMAT
    torch.save({**parts, "format": FORMAT + 1, "state": {"of": "a later version"}}, path)
    sentence = f"expected a checkpoint of format {FORMAT}, got one of format {FORMAT + 1}"
    with pytest.raises(RunStateError, match=sentence):
        train(start.trainable_copy(), *arguments, folder=tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:for .* copying from a non-meta parameter")
def test_a_run_on_another_device_takes_the_same_steps_and_leaves_its_weights_on_the_cpu(
    make_policy, pairs, tmp_path, monkeypatch
):
    """From scoring to sampling and checkpoints; AdamW is not fused where there is no device."""
    monkeypatch.setattr(scoring, "autocast", lambda model, dtype: nullcontext())
    monkeypatch.setattr(
        trainer, "new_optimiser", lambda parameters, settings: torch.optim.AdamW(parameters, 3e-3)
    )
    settings = with_(reference_every=2, n_epochs=2, batch_size=2)
    found = {}
    for place in ("cpu", PRETENDED):
        policy = make_policy(seed=1)
        options = {"held_out": pairs[:2], "folder": tmp_path / str(place)}
        with pretending() if place == PRETENDED else nullcontext():
            policy.model.to(place)
            found[place] = train(policy, policy.frozen_copy(), pairs, settings, **options)
            train(policy, policy.frozen_copy(), pairs, with_(n_epochs=1))  # with stored numbers
            assert policy.device == torch.device(place)
    here, there = found["cpu"], found[PRETENDED]
    for name, weight in here.weights.items():
        torch.testing.assert_close(there.weights[name], weight, atol=1e-4, rtol=1e-3)
    for ours, theirs in zip(here.evaluations, there.evaluations, strict=True):
        assert theirs == pytest.approx(ours, rel=1e-3, abs=1e-3)


def test_a_file_that_is_no_checkpoint_is_an_error(start, pairs, tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"something else")
    with pytest.raises(RunStateError, match="expected a checkpoint of this training, got another"):
        train(start.trainable_copy(), start.frozen_copy(), pairs, ONE_STEP, folder=tmp_path)


def test_a_reference_in_training_mode_is_an_error(start, pairs):
    reference = start.frozen_copy()
    reference.model.train()
    with pytest.raises(ConfigError, match=r"a reference in evaluation mode, got \d+ parts"):
        train(start.trainable_copy(), reference, pairs, ONE_STEP)


def test_an_objective_that_compares_with_a_reference_needs_one(start, pairs):
    with pytest.raises(ConfigError, match="'dpo' compares with a reference and got none"):
        train(start.trainable_copy(), None, pairs, ONE_STEP)


def test_without_a_reference_an_objective_that_needs_none_is_trained(start, pairs):
    settings = with_(objective="simpo", options={})
    result = train(start.trainable_copy(), None, pairs, settings, held_out=pairs)
    found = result.evaluations[-1]
    assert found["held_out_accuracy"] == found["held_out_ranking_accuracy"]
    assert "kl" not in found


def test_a_reference_that_moves_leaves_the_given_one_alone_and_changes_the_loss(start, pairs):
    settings = with_(n_epochs=6, batch_size=6)
    reference = start.frozen_copy()
    before = reference.weights_hash()
    fixed, moving = (
        train(start.trainable_copy(), reference, pairs, s).evaluations[-1]["loss"]
        for s in (settings, with_(settings, reference_every=1, reference_alpha=1.0))
    )
    assert reference.weights_hash() == before
    # A reference that is the policy itself at each step leaves every loss at log 2.
    assert moving == pytest.approx(math.log(2), abs=1e-5)
    assert fixed < 0.6


def test_weights_that_are_not_finite_end_training_and_name_the_step(start, pairs):
    policy = start.trainable_copy()
    with torch.no_grad():
        policy.model.norm.weight.fill_(math.nan)
    with pytest.raises(NotConvergedError, match=r"the loss of step 1 is nan \(prompts p0, p1\)"):
        train(policy, start.frozen_copy(), pairs, ONE_STEP)


def test_training_stops_when_the_held_out_preference_no_longer_rises(start, pairs):
    settings = with_(n_epochs=9, patience=2)
    preferences = [0.5, 0.7, 0.6, 0.7, 0.9, 0.9, 0.9, 0.9, 0.9]
    result, _, _ = run(
        start.trainable_copy(), start.frozen_copy(), pairs, settings, preferences=preferences,
        keep="best",
    )  # fmt: skip
    assert result.stopped == "held_out_preference has not risen for 2 evaluations"
    assert len(result.evaluations) == 4
    assert result.kept_step == 4  # the latest of equals


def test_a_guard_ends_training_with_the_weights_before(start, pairs):
    seen = []

    def guard(measures):
        seen.append(measures["held_out_preference"])
        return "the words are gone" if len(seen) == 3 else None

    policy = start.trainable_copy()
    result, _, hashes = run(
        policy, start.frozen_copy(), pairs, with_(n_epochs=9), keep="last", guard=guard
    )
    assert result.stopped == "the words are gone"
    assert len(hashes) == 3
    assert policy.weights_hash() == hashes[1]


@pytest.mark.parametrize(
    ("schedule", "shares"),
    [
        ("constant", [0.5, 1, 1, 1, 1, 1]),
        ("linear", [0.5, 1, 1, 0.75, 0.5, 0.25]),
        ("cosine", [0.5, 1, 1, 0.5 + 0.5**1.5, 0.5, 0.5 - 0.5**1.5]),
    ],
)
def test_the_learning_rate_rises_as_a_line_and_falls_as_its_schedule_says(schedule, shares):
    settings = with_(learning_rate=2.0, warmup_steps=2, schedule=schedule)
    rates = [learning_rate(step, 6, settings) for step in range(1, 7)]
    assert rates == pytest.approx([2 * share for share in shares])


def test_in_bfloat16_the_loss_is_near_and_the_weights_stay_float32(start, pairs):
    losses = []
    for precision in ("fp32", "bf16"):
        policy = start.trainable_copy()
        settings = with_(n_epochs=5, precision=precision)
        losses.append(train(policy, start.frozen_copy(), pairs, settings).evaluations[-1]["loss"])
        assert all(p.dtype is torch.float32 for p in policy.model.parameters())
    assert losses[1] != losses[0]
    assert losses[1] == pytest.approx(losses[0], abs=0.1)


def test_codebook_weights_choose_whose_codes_count(start, pairs):
    """The rejected clips differ from the chosen ones in codebook 1 alone, at their first frame."""
    moved = {}
    for weights in ("sum", "first", (0.0, 1.0)):
        policy, reference = start.trainable_copy(), start.frozen_copy()
        settings = with_(codebook_weights=weights)
        result = train(policy, reference, pairs, settings)
        moved[weights] = result.evaluations[0]["chosen_logp"]
    asked, chosen = [p.prompt for p in pairs], [p.chosen for p in pairs]
    by_book = start.token_logps(asked, chosen)[0].detach().sum(-1).mean(0)
    assert moved["sum"] == pytest.approx(float(by_book.sum()), abs=1e-4)
    assert moved["first"] == pytest.approx(float(by_book[0]), abs=1e-4)
    assert moved[(0.0, 1.0)] == pytest.approx(float(by_book[1]), abs=1e-4)


def test_the_widest_gap_comes_first_where_the_order_says_so(start, pairs):
    graded = [
        replace(p, chosen_score=float(gap), rejected_score=0.0)
        for p, gap in zip(pairs, (1, 5, 3, 6, 2, 4), strict=True)
    ]
    task = task_of("dpo", graded, {})
    settings = with_(order="easiest_first", batch_size=2)
    assert batches_of(task, settings, seeded()) == [[3, 1], [5, 2], [4, 0]]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ([{}] * 6, r"example 0 \(prompt 'p0'\) has neither"),
        ([{"p_chosen": 0.8}] * 3 + [{}] * 3, r"example 3 \(prompt 'p1'\) has neither"),
        ([{"p_chosen": 1.0}] * 6, "all 6 have the gap 1"),
    ],
)
def test_an_order_by_gaps_that_the_examples_do_not_have_is_an_error(
    start, pairs, changes, sentence
):
    examples = [replace(p, **change) for p, change in zip(pairs, changes, strict=True)]
    with pytest.raises(ConfigError, match=f"'easiest_first' expects scores or votes .* {sentence}"):
        train(start.trainable_copy(), start.frozen_copy(), examples, with_(order="easiest_first"))


def test_thumbs_and_lists_without_scores_have_no_gaps(prompts):
    clips = (np.zeros((2, 3), dtype=np.int64), np.ones((2, 3), dtype=np.int64))
    thumbs = [TokenFeedback(p, clips[0], True) for p in prompts]
    lists = [TokenList(p, clips) for p in prompts]
    for name, examples in (("kto", thumbs), ("plackett_luce", lists)):
        with pytest.raises(ConfigError, match="has neither"):
            require_order(task_of(name, examples, {}), with_(order="easiest_first"))


def test_a_step_of_a_reference_that_does_not_move_is_an_error():
    with pytest.raises(ConfigError, match="reference_alpha: expected `reference_every` beside it"):
        parse(TrainerSettings, {"reference_alpha": 0.6}, "here")
    for settings in ({"reference_alpha": 0.5, "reference_every": 2}, {"reference_every": 2}, {}):
        again = parse(TrainerSettings, settings, "here").model_dump(mode="json")
        assert parse(TrainerSettings, again, "what was resolved")


def test_lists_of_one_length_share_a_batch(prompts):
    rng = np.random.default_rng(0)
    lists = [
        TokenList(prompts[i % 2], tuple(rng.integers(4, size=(2, 3)) for _ in range(2 + i % 2)))
        for i in range(10)
    ]
    task = task_of("plackett_luce", lists, {})
    batches = batches_of(task, with_(batch_size=4), seeded())
    assert sorted(i for batch in batches for i in batch) == list(range(10))
    assert all(len({i % 2 for i in batch}) == 1 for batch in batches)


def test_held_out_measures_are_those_of_the_policy(start, make_policy, pairs):
    """Against the log-probabilities themselves, two dimensions apart."""
    policy, reference = make_policy(seed=3), start.frozen_copy()
    labelled = [replace(p, dimension="overall" if i < 4 else "pace") for i, p in enumerate(pairs)]
    settings = with_(learning_rate=1e-12, options={"beta": 0.3})
    found = train(policy, reference, pairs, settings, held_out=labelled).evaluations[-1]
    moved = margins(policy, reference, pairs)
    asked = [p.prompt for p in pairs]
    own = [policy.sequence_logps(asked, [getattr(p, s) for p in pairs]) for s in SIDES]
    theirs = [reference.sequence_logps(asked, [getattr(p, s) for p in pairs]) for s in SIDES]
    assert found["held_out_loss"] == pytest.approx(np.log1p(np.exp(-0.3 * moved)).mean(), abs=1e-4)
    assert found["held_out_accuracy"] == pytest.approx((moved > 0).mean())
    assert found["held_out_ranking_accuracy"] == pytest.approx((own[0] > own[1]).mean())
    assert found["held_out_chosen_drift"] == pytest.approx((own[0] - theirs[0]).mean(), abs=1e-3)
    assert found["held_out_margin/overall"] == pytest.approx(moved[:4].mean(), abs=1e-3)
    assert found["held_out_margin/pace"] == pytest.approx(moved[4:].mean(), abs=1e-3)
    # For unanimous votes, kept 0.001 from 1, the minimiser's margin is -c + logit / beta.
    ideal = theirs[0] - theirs[1] + np.log(0.999 / 0.001) / 0.3 > 0
    assert found["held_out_idealised_accuracy"] == pytest.approx(ideal.mean())
