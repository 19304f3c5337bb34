"""Every place and estimator of the KL, by summing over all clips of a small policy."""

import math
from dataclasses import replace
from typing import get_args

import pytest
import torch
from torch.testing import assert_close

from auralign.errors import ConfigError
from auralign.losses.online import KL, Rollouts
from auralign.losses.online.advantages import less_baseline
from auralign.losses.online.kl import (
    GRADIENTS,
    Estimator,
    Gradient,
    Place,
    adapted_weight,
    estimate,
    in_loss,
    in_reward,
)
from auralign.losses.online.policy_gradient import reinforce
from auralign.losses.online.reductions import code_mean
from auralign.losses.online.returns import whitened_returns

pytestmark = pytest.mark.slow

IN_LOSS = [(place, k) for place, k in GRADIENTS if place != "reward"]


def double(*values):
    return torch.tensor(values, dtype=torch.float64)


def gradient(loss, logits):
    options = {"allow_unused": True, "materialize_grads": True, "retain_graph": True}
    (found,) = torch.autograd.grad(loss, logits, **options)
    return found


def kl(p_logits, q_logits):
    """Of each row, nats."""
    p, q = p_logits.log_softmax(-1), q_logits.log_softmax(-1)
    return (p.exp() * (p - q)).sum(-1)


def closed_forms(world, logits, behaviour, reference, level):
    """Gradients of both divergences, by what they are: of whole clips, or of codes where they are.

    Of codes, prefixes are those that the behaviour policy visits, and get no gradient.
    """
    if level == "code":
        visits = world.prefixes(behaviour).detach()
        policy, held = (visits @ d for d in (kl(logits, reference), kl(reference, logits)))
    else:
        p, r = world.probabilities(logits), world.probabilities(reference)
        policy, held = (p * (p / r).log()).sum(), (r * (r / p).log()).sum()
    of_policy, of_reference = gradient(policy, logits), gradient(held, logits)
    return {
        Gradient.POLICY: of_policy,
        Gradient.REFERENCE: of_reference,
        Gradient.DIFFERENCE: of_policy - of_reference,
        Gradient.NOTHING: torch.zeros_like(logits),
    }


def expected_gradient(world, logits, behaviour, reference, level, place, estimator):
    batch = world.batch(logits, behaviour, reference)
    terms = in_loss(batch, estimator=estimator, place=place, level=level)
    return gradient(world.probabilities(behaviour).detach() @ terms, logits)


@pytest.mark.parametrize("level", ["code", "clip"])
@pytest.mark.parametrize(("place", "estimator"), IN_LOSS)
def test_the_gradient_on_fresh_clips_is_the_one_that_the_table_claims(
    world, place, estimator, level
):
    logits, reference = world.logits(0).requires_grad_(), world.logits(1)
    found = expected_gradient(world, logits, logits, reference, level, place, estimator)
    claims = closed_forms(world, logits, logits, reference, level)
    if GRADIENTS[place, estimator] is Gradient.NEITHER:
        assert all((found - claim).abs().max() > 0.02 for claim in claims.values())
    else:
        assert_close(found, claims[GRADIENTS[place, estimator]], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("level", ["code", "clip"])
@pytest.mark.parametrize(
    ("place", "estimator"),
    [(p, k) for p, k in IN_LOSS if "ratio" in p and GRADIENTS[p, k] is not Gradient.NEITHER],
)
def test_with_a_ratio_the_gradient_on_old_clips_is_still_the_one_claimed_clip_by_clip(
    world, place, estimator, level
):
    logits, behaviour, reference = (world.logits(i) for i in range(3))
    logits.requires_grad_()
    found = expected_gradient(world, logits, behaviour, reference, level, place, estimator)
    claims = closed_forms(world, logits, behaviour, reference, level)
    assert_close(found, claims[GRADIENTS[place, estimator]], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("place", ["none", "straight_through"])
def test_without_a_ratio_the_gradient_on_old_clips_is_of_neither_divergence(world, place):
    logits, behaviour, reference = (world.logits(i) for i in range(3))
    logits.requires_grad_()
    found = expected_gradient(world, logits, behaviour, reference, "clip", place, "k2")
    claims = closed_forms(world, logits, behaviour, reference, "clip")
    assert all((found - claim).abs().max() > 0.02 for claim in claims.values())


def test_times_its_ratio_k2_has_the_gradient_of_its_own_mean(world):
    logits, reference = world.logits(0).requires_grad_(), world.logits(1)
    found = expected_gradient(world, logits, logits, reference, "clip", "ratio", "k2")
    p, r = world.probabilities(logits), world.probabilities(reference)
    assert_close(found, gradient((p * (p / r).log().square() / 2).sum(), logits))


def reward_gradient(world, logits, reference, estimator):
    """Of REINFORCE on no reward but the penalty, to be descended."""
    batch = world.batch(logits, logits, reference, rewards=torch.zeros(7, dtype=torch.float64))
    batch = in_reward(batch, weight=1.0, estimator=estimator)
    batch = batch.given(less_baseline(batch, baseline=0.0))
    return gradient(world.probabilities(logits).detach() @ reinforce(batch).values, logits)


def test_in_the_reward_k1_looks_ahead_and_has_the_gradient_of_the_kl_of_whole_clips(world):
    logits, reference = world.logits(0).requires_grad_(), world.logits(1)
    found = reward_gradient(world, logits, reference, "k1")
    of_clips = closed_forms(world, logits, logits, reference, "clip")[Gradient.POLICY]
    assert_close(found, of_clips)
    myopic = closed_forms(world, logits, logits, reference, "code")[Gradient.POLICY]
    assert (found - myopic).abs().max() > 0.01


def test_in_the_reward_k3_is_off_by_the_gradient_of_the_other_divergence_of_codes(world):
    logits, reference = world.logits(0).requires_grad_(), world.logits(1)
    found = reward_gradient(world, logits, reference, "k3")
    of_clips = closed_forms(world, logits, logits, reference, "clip")[Gradient.POLICY]
    bias = closed_forms(world, logits, logits, reference, "code")[Gradient.REFERENCE]
    assert_close(found, of_clips - bias)


def test_in_the_reward_k2_has_the_gradient_of_neither(world):
    logits, reference = world.logits(0).requires_grad_(), world.logits(1)
    found = reward_gradient(world, logits, reference, "k2")
    claims = closed_forms(world, logits, logits, reference, "clip")
    assert all((found - claim).abs().max() > 0.02 for claim in claims.values())


def test_as_reward_to_go_k1_has_the_gradient_of_the_kl_of_whole_clips(world):
    # Whitening takes a mean off all frames, which is a baseline, and divides by one number.
    logits, reference = world.logits(0).requires_grad_(), world.logits(1)
    batch = world.batch(logits, logits, reference, rewards=torch.zeros(7, dtype=torch.float64))
    batch = in_reward(batch, weight=1.0)
    batch = batch.given(whitened_returns(batch))
    found = gradient(world.probabilities(logits).detach() @ reinforce(batch).values, logits)
    of_clips = closed_forms(world, logits, logits, reference, "clip")[Gradient.POLICY]
    assert_close(found / found.norm(), of_clips / of_clips.norm())


ONE_CODE = {
    ("none", "k1"): (0, 0, 0),
    ("none", "k2"): (0.512221, -0.175499, -0.336722),
    ("none", "k3"): (0.4, 0, -0.4),
    ("ratio", "k1"): (0.512221, -0.175499, -0.336722),
    ("ratio", "k3"): (0.512221, -0.175499, -0.336722),
    ("detached_ratio", "k1"): (0, 0, 0),
    ("detached_ratio", "k2"): (0.512221, -0.175499, -0.336722),
    ("detached_ratio", "k3"): (0.4, 0, -0.4),
    ("straight_through", "k3"): (0.512221, -0.175499, -0.336722),
    ("reward", "k1"): (0.512221, -0.175499, -0.336722),
    ("reward", "k2"): (0.263439, -0.230480, -0.032959),
    ("reward", "k3"): (0.112221, -0.175499, 0.063278),
}


def one_code(logits):
    """Three clips of one code each, under p = softmax(logits) and reference (.1, .3, .6)."""
    logps = logits.log_softmax(-1)[:, None, None]
    reference = double(0.1, 0.3, 0.6).log()[:, None, None]
    scored = torch.ones(3, 1, 1, dtype=torch.bool)
    return Rollouts(logps, logps.detach(), scored, reference, rewards=double(0, 0, 0))


@pytest.mark.parametrize(("place", "estimator"), ONE_CODE)
def test_gradients_of_one_code_at_the_enumerated_numbers(place, estimator):
    p = double(0.5, 0.3, 0.2)
    logits = p.log().requires_grad_()
    batch = one_code(logits)
    if place == "reward":
        batch = in_reward(batch, weight=1.0, estimator=estimator)
        values = reinforce(batch.given(less_baseline(batch, baseline=0.0))).values
    else:
        values = in_loss(batch, estimator=estimator, place=place)
    expected = double(*ONE_CODE[place, estimator])
    assert_close(gradient(p @ values, logits), expected, atol=2e-6, rtol=0)


@pytest.mark.parametrize(
    ("estimator", "mean"), [("k1", 0.584996), ("k2", 0.768267), ("k3", 0.584996)]
)
def test_means_of_the_estimators_at_the_enumerated_numbers(estimator, mean):
    p, reference = double(0.5, 0.3, 0.2), double(0.1, 0.3, 0.6)
    assert (p @ estimate((p / reference).log(), estimator)).item() == pytest.approx(mean, abs=1e-6)


def test_every_place_and_estimator_has_its_gradient_in_the_table():
    assert set(GRADIENTS) == {(p, k) for p in get_args(Place) for k in get_args(Estimator)}


@pytest.mark.parametrize("place", ["none", "detached_ratio"])
def test_a_kl_that_holds_nothing_cannot_be_declared(place):
    with pytest.raises(ConfigError, match="k1 in the loss"):
        KL(0.1, place, "k1")


def test_far_from_the_reference_k3_keeps_a_gradient_and_stays_finite():
    # D3: clamped estimators have none exactly where it is needed.
    u = double(-1e4, -30, 1e4).requires_grad_()
    values = estimate(u, "k3")
    values.sum().backward()
    assert values.isfinite().all()
    assert_close(u.grad, double(1 - math.exp(20), 1 - math.exp(20), 1))


def test_the_penalty_has_no_gradient_and_looks_at_the_policy_that_sampled(rollouts):
    batch = rollouts([2], [[0.5, 0.25]], rewards=(0.0,))
    batch = replace(batch, reference_logps=torch.full((1, 1, 2), -3.0, dtype=torch.float64))
    penalty = in_reward(batch, weight=2.0).kl_penalty
    assert_close(penalty, 2 * double(-1 - 0.5 + 3, -1 - 0.25 + 3)[None, None])
    assert not penalty.requires_grad


def test_the_kl_in_the_loss_is_reduced_like_the_objective(rollouts):
    batch = rollouts([1, 3])
    batch = replace(batch, reference_logps=torch.full((2, 1, 3), -2.0, dtype=torch.float64))
    per_code = math.exp(-1) - 1 + 1
    found = in_loss(batch, estimator="k3", place="none", reduction=code_mean)
    assert_close(found, double(per_code / 2, 3 * per_code / 2))


def test_the_adaptive_weight_at_the_published_horizon():
    # KL at twice the target: the error is clipped at 0.2; 256 of 10,000 clips.
    assert adapted_weight(1.0, 12.0, target=6.0, n=256) == pytest.approx(1.00512)
    assert adapted_weight(1.0, 0.0, target=6.0, n=256) == pytest.approx(1 - 0.00512)
    assert adapted_weight(0.3, 6.3, target=6.0, n=1000) == pytest.approx(0.3 * 1.005)


def test_the_adaptive_weight_settles_where_the_kl_meets_the_target():
    weight = 1.0
    for _ in range(2000):  # a policy whose KL is 1 / weight
        weight = adapted_weight(weight, 1 / weight, target=4.0, n=256)
    assert weight == pytest.approx(0.25, rel=1e-6)
