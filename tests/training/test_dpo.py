import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from auralign.errors import ConfigError, DataError
from auralign.training.dpo import PAIRWISE, DpoSettings, TokenPair, divergence, train_dpo
from auralign.training.sft import SftSettings, train_sft

ONE_STEP = DpoSettings(
    learning_rate=3e-3, n_epochs=1, batch_size=6, warmup_steps=1, options={"beta": 0.5}
)


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


def train(policy, reference, pairs, settings, *, preferences=None, keep="last", seed=0):
    """The result, the log of every step, and the hash of the weights after each epoch."""
    log: list[dict[str, float]] = []
    hashes: list[str] = []

    def evaluate(epoch: int) -> dict[str, float]:
        hashes.append(policy.weights_hash())
        return {"held_out_preference": preferences[epoch - 1] if preferences else 0.5}

    result = train_dpo(
        policy,
        reference,
        pairs,
        settings,
        generator=seeded(seed),
        log=lambda step, values: log.append(values),
        evaluate=evaluate,
        keep=keep,
    )
    return result, log, hashes


@pytest.mark.parametrize(
    ("objective", "expected"), [("dpo", math.log(2)), ("ipo", (1 / (2 * 0.5)) ** 2)]
)
def test_before_the_first_step_policy_and_reference_are_the_same(start, pairs, objective, expected):
    policy = start.trainable_copy()
    settings = replace(ONE_STEP, objective=objective)
    _, log, _ = train(policy, start.frozen_copy(), pairs, settings)
    assert log[0]["loss"] == pytest.approx(expected, abs=1e-5)
    for name in ("margin", "chosen_log_ratio", "rejected_log_ratio", "chosen_log_ratio_per_code"):
        assert log[0][name] == pytest.approx(0, abs=1e-5)


def test_a_margin_of_zero_counts_half_in_the_accuracy(start, pairs):
    equal = [replace(p, rejected=p.chosen) for p in pairs]
    _, log, _ = train(start.trainable_copy(), start.frozen_copy(), equal, ONE_STEP)
    assert log[0]["accuracy"] == 0.5


# Where policy and reference are the same, the loss of DiscoPOP falls with the margin.
@pytest.mark.parametrize("objective", sorted(PAIRWISE.keys() - {"discopop"}))
def test_one_step_raises_chosen_relative_to_rejected(start, pairs, objective):
    policy, reference = start.trainable_copy(), start.frozen_copy()
    train(policy, reference, pairs, replace(ONE_STEP, objective=objective, options={}))
    assert margins(policy, reference, pairs).mean() > 0.1


def test_what_is_logged_is_what_the_policy_says(start, pairs):
    """Two steps: the second one is logged with the weights that the first one left."""
    policy, reference = start.trainable_copy(), start.frozen_copy()
    _, log, _ = train(policy, reference, pairs, replace(ONE_STEP, n_epochs=2))
    once = start.trainable_copy()
    train(once, reference, pairs, ONE_STEP)
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
    settings = replace(ONE_STEP, anchor_weight=2.0)
    _, log, _ = train(start.trainable_copy(), start.frozen_copy(), pairs, settings)
    asked, chosen = [p.prompt for p in pairs], [p.chosen for p in pairs]
    nll = -start.sequence_logps(asked, chosen).mean() / 11
    assert log[0]["loss"] == pytest.approx(math.log(2) + 2 * nll, abs=1e-5)


def test_without_an_anchor_chosen_clips_become_less_likely_and_with_one_they_do_not(start, pairs):
    settings = replace(ONE_STEP, n_epochs=30)
    moved = {}
    for weight in (0.0, 1.0):
        policy, reference = start.trainable_copy(), start.frozen_copy()
        result, _, _ = train(policy, reference, pairs, replace(settings, anchor_weight=weight))
        assert margins(policy, reference, pairs).min() > 1
        moved[weight] = result.evaluations[-1]["chosen_log_ratio"]
    assert moved[0.0] < -1
    assert moved[1.0] > 0


def test_the_reference_stays_as_it_is_bit_by_bit_and_gets_no_gradient(start, pairs):
    policy, reference = start.trainable_copy(), start.frozen_copy()
    before = reference.weights_hash()
    train(policy, reference, pairs, replace(ONE_STEP, n_epochs=3))
    assert reference.weights_hash() == before != policy.weights_hash()
    assert all(p.grad is None and not p.requires_grad for p in reference.model.parameters())


def test_the_best_epoch_is_kept_or_the_last(start, pairs):
    settings = replace(ONE_STEP, n_epochs=3)
    preferences = [0.6, 0.9, 0.3]
    for keep, epoch in (("best", 2), ("last", 3)):
        policy = start.trainable_copy()
        result, _, hashes = train(
            policy, start.frozen_copy(), pairs, settings, preferences=preferences, keep=keep
        )
        assert result.kept_epoch == epoch
        assert policy.weights_hash() == hashes[epoch - 1]
        assert [e["held_out_preference"] for e in result.evaluations] == preferences
        assert not policy.model.training


def test_the_same_generator_trains_the_same_weights_bit_by_bit(start, pairs):
    settings = replace(ONE_STEP, batch_size=2)
    hashes = []
    for seed in (0, 0, 1):
        policy = start.trainable_copy()
        train(policy, start.frozen_copy(), pairs, settings, seed=seed)
        hashes.append(policy.weights_hash())
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_pair_without_weight_teaches_nothing(start, pairs):
    backwards = TokenPair(pairs[0].prompt, pairs[0].rejected, pairs[0].chosen, weight=0.0)
    with_it, without = start.trainable_copy(), start.trainable_copy()
    train(with_it, start.frozen_copy(), [*pairs, backwards], replace(ONE_STEP, batch_size=7))
    train(without, start.frozen_copy(), pairs, ONE_STEP)
    asked, clips = [p.prompt for p in pairs], [p.chosen for p in pairs]
    np.testing.assert_allclose(
        with_it.sequence_logps(asked, clips), without.sequence_logps(asked, clips), atol=1e-3
    )


def test_warm_up_of_no_steps_starts_at_the_whole_learning_rate(start, pairs):
    one, none = start.trainable_copy(), start.trainable_copy()
    train(one, start.frozen_copy(), pairs, ONE_STEP)
    train(none, start.frozen_copy(), pairs, replace(ONE_STEP, warmup_steps=0))
    assert one.weights_hash() == none.weights_hash()


def test_no_pairs_are_an_error(start):
    with pytest.raises(DataError, match="at least one preference pair and got none"):
        train(start.trainable_copy(), start.frozen_copy(), [], ONE_STEP)


def test_an_unknown_objective_is_an_error_that_suggests_the_near_one(start, pairs):
    settings = replace(ONE_STEP, objective="dpoo")
    with pytest.raises(ConfigError, match=r"got 'dpoo' \(did you mean 'dpo'\?\)"):
        train(start.trainable_copy(), start.frozen_copy(), pairs, settings)


def test_an_option_that_the_objective_does_not_take_is_an_error(start, pairs):
    settings = replace(ONE_STEP, objective="dpo", options={"betta": 0.1})
    with pytest.raises(ConfigError, match=r"dpo takes beta, got 'betta' \(did you mean 'beta'\?\)"):
        train(start.trainable_copy(), start.frozen_copy(), pairs, settings)


def test_an_objective_that_needs_more_than_pairs_and_a_reference_is_not_offered(start, pairs):
    with pytest.raises(ConfigError, match=r"expected an objective out of .*got 'odpo'"):
        train(
            start.trainable_copy(), start.frozen_copy(), pairs, replace(ONE_STEP, objective="odpo")
        )


def test_the_logged_margin_is_that_of_the_rewards_that_were_optimised(start, pairs):
    settings = replace(ONE_STEP, objective="simpo", options={})
    _, log, _ = train(start.trainable_copy(), start.frozen_copy(), pairs, settings)
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
    assert found["token_entropy"] == start.token_entropy(prompts, tokens)


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
