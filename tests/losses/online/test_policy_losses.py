"""What holds of every policy gradient, and the numbers of each."""

import math
from dataclasses import fields, replace

import pytest
import torch
from torch.nn.functional import pad
from torch.testing import assert_close

from auralign.errors import ConfigError, DataError
from auralign.losses import Loss
from auralign.losses.online import ONLINE_OBJECTIVES, Rollouts, take
from auralign.losses.online.advantages import less_baseline
from auralign.losses.online.clipped import cispo, dapo, dr_grpo, gdpo, grpo, gspo, ppo, reinforce_pp
from auralign.losses.online.kl import in_loss, in_reward
from auralign.losses.online.policy_gradient import best_of_n, reinforce, rloo

pytestmark = pytest.mark.slow

GRADIENTS = {n: o for n, o in ONLINE_OBJECTIVES.items() if o.advantages is not None}
EACH = pytest.mark.parametrize("name", GRADIENTS)
WITHOUT_RATIO = {"reinforce", "rloo", "best_of_n", "nash_md"}
OF_CODES = [grpo, dr_grpo, dapo, gdpo, reinforce_pp]


def double(*values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.fixture
def batch(rollouts):
    """Four clips of 2, 4, 4 and 2 frames of two codebooks, good, bad, bad and good."""
    values = torch.zeros(4, 4, dtype=torch.float64)
    made = rollouts(
        [2, 4, 4, 2],
        codebooks=2,
        advantages=(1.0, -1.0, -1.0, 1.0),
        counted=torch.ones(4).bool(),
        max_codes=16,
        **{"values": values, "old_values": values, "returns": values},
    )
    generator = torch.Generator().manual_seed(0)
    logps = -torch.rand(made.token_logps.shape, generator=generator, dtype=torch.float64)
    return replace(made, token_logps=logps.requires_grad_(), behaviour_logps=logps.detach())


def older(batch, scale=0.3):
    """The same clips, after the policy has moved."""
    generator = torch.Generator().manual_seed(1)
    moved = scale * torch.randn(
        batch.token_logps.shape, generator=generator, dtype=batch.token_logps.dtype
    )
    return replace(batch, behaviour_logps=batch.behaviour_logps + moved)


def slope(loss, batch):
    """Of the mean over clips, with respect to the policy's log-probabilities."""
    return torch.autograd.grad(loss(batch).values.mean(), batch.token_logps)[0]


@EACH
def test_on_fresh_clips_the_gradient_is_that_of_reinforce_with_the_methods_normaliser(name, batch):
    entry = GRADIENTS[name]
    advantages = batch.advantages[:, None, None]

    def expected(fresh):
        return Loss(-entry.reduction(advantages * fresh.token_logps, fresh), {})

    assert_close(slope(entry.function, batch), slope(expected, batch))


@pytest.mark.parametrize("name", sorted(GRADIENTS.keys() - WITHOUT_RATIO))
def test_on_fresh_clips_the_ratio_is_exactly_1_and_nothing_is_clipped(name, batch):
    shown = GRADIENTS[name].function(batch).diagnostics
    assert (shown["ratio"] == 1).all()
    assert (shown["clip_share"] == 0).all()


@EACH
def test_the_reference_does_not_enter_the_ratio_however_far_the_policy_has_gone(name, batch):
    # D1: the ratio is to the policy that sampled; taken to the reference it would be e^9 here.
    far = replace(batch, reference_logps=batch.behaviour_logps - 9)
    assert_close(slope(GRADIENTS[name].function, far), slope(GRADIENTS[name].function, batch))


@EACH
def test_gradients_reach_the_policy_and_its_value_head_alone(name, batch):
    others = ("behaviour_logps", "reference_logps", "advantages", "returns", "old_values")
    old = replace(older(batch), reference_logps=batch.behaviour_logps - 1)
    leaves = {other: getattr(old, other).clone().requires_grad_() for other in others}
    held = replace(old, **leaves)
    loss = GRADIENTS[name].function(held).values.sum() + in_loss(held, place="ratio").sum()
    loss.backward()
    assert all(leaf.grad is None for leaf in leaves.values())
    assert (batch.token_logps.grad != 0).any()


@EACH
def test_padding_changes_nothing_and_what_stands_there_reaches_no_gradient(name, batch):
    loss, old = GRADIENTS[name].function, older(batch)
    codes = ("token_logps", "behaviour_logps")
    filled = {c: torch.where(old.scored, getattr(old, c).detach(), math.nan) for c in codes}
    padded = {c: pad(x, (1, 2), value=-math.inf) for c, x in filled.items()}
    values = {
        f: pad(getattr(old, f), (1, 2), value=math.nan) for f in ("values", "old_values", "returns")
    }
    logps = padded.pop("token_logps").requires_grad_()
    wider = replace(old, token_logps=logps, scored=pad(old.scored, (1, 2)), **padded, **values)
    assert_close(loss(wider).values, loss(old).values)
    assert_close(slope(loss, wider), pad(slope(loss, old), (1, 2)))


@EACH
def test_a_batch_in_unequal_parts_has_the_gradient_of_the_whole(name, batch):
    # C13, D6: normalisers belong to the update, not to its parts.
    loss, old = GRADIENTS[name].function, older(batch)
    parts = [take(old, torch.tensor(rows)) for rows in ([2], [0, 3, 1])]
    total = sum(loss(part).values.sum() for part in parts) / 4
    (found,) = torch.autograd.grad(total, old.token_logps)
    assert_close(found, slope(loss, old))


@EACH
def test_a_clip_without_advantage_is_not_pushed(name, batch):
    # D7: a reward that could not be scored
    quiet = replace(older(batch), advantages=double(1, -1, 0, 1))
    assert (slope(GRADIENTS[name].function, quiet)[2] == 0).all()


@EACH
def test_an_empty_clip_is_no_trouble(name, batch):
    # A14
    scored = batch.scored.clone()
    scored[0] = False
    empty = replace(batch, scored=scored)
    values = GRADIENTS[name].function(empty).values
    assert values.isfinite().all()
    assert values[0] == 0 or name == "gspo"
    assert (slope(GRADIENTS[name].function, empty)[0] == 0).all()


@EACH
def test_values_keep_the_precision_of_the_log_probabilities(name, batch):
    single = {
        f.name: x.float() if torch.is_tensor(x) and x.is_floating_point() else x
        for f in fields(batch)
        for x in [getattr(batch, f.name)]
    }
    assert GRADIENTS[name].function(Rollouts(**single)).values.dtype == torch.float32


@EACH
def test_far_off_clips_have_finite_losses_and_gradients(name, batch):
    for nats in (-1e4, 1e4):
        far = replace(batch, behaviour_logps=batch.behaviour_logps + nats)
        assert GRADIENTS[name].function(far).values.isfinite().all()
        assert slope(GRADIENTS[name].function, far).isfinite().all()


@pytest.mark.parametrize(
    ("loss", "short", "long"),
    [
        (grpo, 1 / 8, 1 / 16),
        (dapo, 1 / 12, 1 / 12),
        (dr_grpo, 1 / 32, 1 / 32),
        (rloo, 1 / 4, 1 / 4),
    ],
)
def test_what_a_code_of_a_short_and_of_a_long_clip_weighs(rollouts, loss, short, long):
    # D6: GRPO gives a short wrong answer twice the push per code of a long wrong one.
    one_sided = rollouts([2, 4, 4, 2], advantages=(1.0, 1.0, 1.0, 1.0), max_codes=8)
    found = -slope(loss, one_sided)[:2, 0]
    assert_close(found[0, :2], double(short, short))
    assert_close(found[1], double(long, long, long, long))


@pytest.mark.parametrize("loss", OF_CODES)
@pytest.mark.parametrize(
    ("advantage", "ratio", "moves"),
    [
        *((1.0, 1.1, True), (1.0, 1.5, False), (1.0, 0.5, True)),
        *((-1.0, 0.9, True), (-1.0, 0.5, False), (-1.0, 1.5, True)),
    ],
)
def test_a_ratio_beyond_its_bound_in_the_direction_of_the_advantage_gets_no_gradient(
    rollouts, loss, advantage, ratio, moves
):
    batch = rollouts([1], [[math.log(ratio)]], advantages=(advantage,), max_codes=1)
    expected = -advantage * ratio if moves else 0.0
    assert_close(slope(loss, batch), double(expected)[None, None])
    bound = 1.28 if loss is dapo else 1.2
    clipped = min(max(ratio, 0.8), bound)
    value = max(-advantage * ratio, -advantage * clipped)
    assert_close(loss(batch).values, double(value))
    assert_close(loss(batch).diagnostics["clip_share"], double(0.0 if moves else 1.0))


def test_dapo_has_more_room_upwards_than_downwards(rollouts):
    batch = rollouts([2], [[math.log(1.25), math.log(0.75)]], advantages=double(1, -1)[None])
    assert_close(slope(dapo, batch), double(-1.25 / 2, 0)[None, None])
    assert_close(slope(grpo, batch), double(0, 0)[None, None])


def with_values(batch):
    nothing = torch.zeros(len(batch.scored), batch.scored.shape[2], dtype=torch.float64)
    counted = torch.ones(len(nothing)).bool()
    return replace(batch, values=nothing, old_values=nothing, returns=nothing, counted=counted)


def test_the_dual_clip_bounds_what_a_code_that_has_become_far_likelier_can_cost(rollouts):
    # D21: advantage -1, ratio 5
    batch = with_values(rollouts([1], [[math.log(5)]], advantages=(-1.0,)))
    assert_close(ppo(batch).values, double(3.0))
    assert_close(ppo(batch, dual_clip=None).values, double(5.0))
    assert (slope(ppo, batch) == 0).all()
    assert_close(ppo(batch).diagnostics["clip_share"], double(1.0))
    good = replace(batch, advantages=double(1.0))
    assert_close(ppo(good).values, double(-1.2))


def test_ppo_adds_the_value_loss_with_its_weight(rollouts):
    batch = with_values(rollouts([2], advantages=(0.0,)))
    batch = replace(batch, returns=torch.full_like(batch.values, 2.0))
    assert_close(ppo(batch, value_weight=0.1).values, double(0.1 * 0.5 * 4))
    assert_close(ppo(batch).diagnostics["value_loss"], double(0.2))


def test_advantages_of_frames_fall_on_all_codebooks_of_the_frame(rollouts):
    batch = rollouts([2], codebooks=3, advantages=double(2, -4)[None])
    assert_close(slope(dapo, batch)[0], double(-2, 4).expand(3, 2) / 6)


def test_gspo_has_one_ratio_a_clip_where_token_ratios_clip_the_last_code_only(rollouts):
    ratios = [0.1, 0.1, -0.2, 0.4]
    batch = rollouts([4], [ratios], advantages=(1.0,))
    shown = gspo(batch, clip_low=0.2, clip_high=0.2).diagnostics
    assert_close(shown["ratio"], double(1.105171), atol=1e-6, rtol=0)
    assert_close(shown["clip_share"], double(0.0))
    found = slope(lambda b: gspo(b, clip_low=0.2, clip_high=0.2), batch)
    assert_close(found, torch.full_like(found, -math.exp(0.1) / 4))
    of_codes = slope(grpo, batch)[0, 0]
    assert (of_codes != 0).tolist() == [True, True, True, False]
    assert_close(gspo(batch).values, double(-1.0004))


def test_gspo_takes_no_advantages_of_frames(rollouts):
    with pytest.raises(DataError, match="one advantage for each clip"):
        gspo(rollouts([2], advantages=double(1, 2)[None]))


def test_cispo_weighs_codes_that_clipping_leaves_out(rollouts):
    batch = rollouts([1], [[math.log(1.5)]], advantages=(1.0,), max_codes=1)
    assert_close(slope(cispo, batch), double(-1.5)[None, None])
    assert_close(slope(lambda b: cispo(b, max_ratio=1.2), batch), double(-1.2)[None, None])
    assert_close(slope(grpo, batch), double(0)[None, None])


def test_a_cap_on_ratios_below_1_is_refused():
    with pytest.raises(ConfigError, match="largest ratio itself"):
        cispo(None, max_ratio=0.2)


@pytest.mark.parametrize("options", [{"clip_low": 1.5}, {"clip_high": -0.1}])
def test_bounds_that_bound_nothing_are_refused(batch, options):
    with pytest.raises(ConfigError, match=f"expected {next(iter(options))} in"):
        grpo(batch, **options)


def test_a_dual_clip_inside_the_clip_is_refused(batch):
    with pytest.raises(ConfigError, match="expected dual_clip above 1"):
        ppo(batch, dual_clip=0.5)


def test_the_expected_gradient_of_reinforce_is_that_of_the_expected_reward(world):
    logits, rewards = world.logits(5).requires_grad_(), double(1, -1, 0.5, 2, 0, -3, 0.2)
    p = world.probabilities(logits)
    (truth,) = torch.autograd.grad(p @ rewards, logits, retain_graph=True)
    for baseline in (0.0, 0.7):
        batch = world.batch(logits, logits, logits, advantages=rewards - baseline)
        loss = p.detach() @ reinforce(batch).values
        assert_close(torch.autograd.grad(loss, logits, retain_graph=True)[0], -truth)


def optimum(world, rewards, reference, beta):
    """Logits of the policy with the most reward less beta KL: p_reference e^(R / beta), normed."""
    gain = {clip: r / beta for clip, r in zip(world.clips, rewards.tolist(), strict=True)}
    table = reference.log_softmax(-1).clone()
    for first in (1, 2):
        table[first] += double(*(gain[first, second] for second in range(3)))
    table[0] += torch.stack([double(gain[(0,)]).sum(), *table[1:].logsumexp(-1)])
    return table


@pytest.mark.parametrize("place", ["reward", "ratio", "none"])
def test_at_the_optimum_of_reward_less_kl_nothing_moves_on_average(world, place):
    beta, reference = 0.7, world.logits(1)
    rewards = double(1, -1, 0.5, 2, 0, -3, 0.2)
    logits = optimum(world, rewards, reference, beta).requires_grad_()
    batch = world.batch(logits, logits, reference, rewards=rewards)
    if place == "reward":
        batch = in_reward(batch, weight=beta)
    values = reinforce(batch.given(less_baseline(batch, baseline=0.3))).values
    if place != "reward":
        estimator = "k3" if place == "ratio" else "k2"
        values = values + beta * in_loss(batch, estimator=estimator, place=place, level="clip")
    loss = world.probabilities(logits).detach() @ values
    assert_close(torch.autograd.grad(loss, logits)[0], torch.zeros_like(logits))


def test_old_clips_have_the_gradient_of_fresh_ones_where_ratios_of_one_code_are_not_clipped():
    logits = double(0.2, -0.1, 0.4).requires_grad_()
    logps, behaviour = logits.log_softmax(-1), double(0.5, 0.3, 0.2).log()
    rewards = double(1, 0, -1)
    batch = Rollouts(
        logps[:, None, None],
        behaviour[:, None, None],
        torch.ones(3, 1, 1).bool(),
        advantages=rewards,
    )
    (truth,) = torch.autograd.grad(logps.exp() @ rewards, logits, retain_graph=True)
    loss = behaviour.exp() @ dapo(batch, clip_low=0.99, clip_high=100).values
    assert_close(torch.autograd.grad(loss, logits)[0], -truth)


def test_best_of_n_is_the_likelihood_of_the_best_clips(rollouts):
    batch = rollouts([2, 4], advantages=(0.0, 1.0))
    assert_close(best_of_n(batch).values, double(0, 1))
    assert_close(slope(best_of_n, batch)[1, 0], torch.full((4,), -1 / 8, dtype=torch.float64))


def test_without_advantages_every_method_asks_for_them(rollouts):
    for entry in GRADIENTS.values():
        with pytest.raises(ConfigError, match="needs advantages"):
            entry.function(rollouts([2]))
