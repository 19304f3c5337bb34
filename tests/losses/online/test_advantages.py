import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from auralign.errors import ConfigError, DataError
from auralign.losses.online.advantages import (
    best_of_group,
    decoupled_z_scores,
    group_centred,
    group_z_scores,
    leave_one_out,
    less_baseline,
    whitened,
    win_margin,
)
from auralign.losses.online.groups import informative
from auralign.losses.online.kl import in_reward
from auralign.losses.online.lengths import overlong_penalty
from auralign.losses.online.policy_gradient import reinforce
from auralign.losses.online.rollouts import Rollouts, take

pytestmark = pytest.mark.slow

IN_GROUPS = [leave_one_out, group_centred, group_z_scores]


def double(*values):
    return torch.tensor(values, dtype=torch.float64)


def batch_of(rewards, group=None, **given):
    """One code a clip; one group unless there are more."""
    rewards = torch.as_tensor(rewards, dtype=torch.float64)
    logps = torch.full((len(rewards), 1, 1), -1.0, dtype=torch.float64)
    group = torch.tensor(group or [0] * len(rewards))
    return Rollouts(
        logps, logps, torch.ones_like(logps).bool(), rewards=rewards, group=group, **given
    )


def test_advantages_of_two_right_and_two_wrong_clips():
    batch = batch_of([1, 0, 0, 1])
    signs = double(1, -1, -1, 1)
    assert_close(group_z_scores(batch, eps=0).values, 0.866025 * signs, atol=1e-6, rtol=0)
    assert_close(group_z_scores(batch, eps=0, unbiased=False).values, signs)
    assert_close(leave_one_out(batch).values, 2 / 3 * signs)
    assert_close(group_centred(batch).values, 0.5 * signs)
    assert_close(less_baseline(batch, baseline=0.25).values, double(0.75, -0.25, -0.25, 0.75))
    assert_close(less_baseline(batch).values, 2 / 3 * signs)


def test_leaving_a_clip_out_of_its_baseline_is_what_the_name_says():
    rewards = [0.3, -1.0, 2.5, 0.1, 0.9]
    expected = [r - (sum(rewards) - r) / 4 for r in rewards]
    assert_close(leave_one_out(batch_of(rewards)).values, double(*expected))


def test_groups_are_told_by_their_index_and_may_stand_in_any_order():
    # D5: two prompts, interleaved; each has its own mean.
    found = group_centred(batch_of([1, 10, 3, 30], group=[7, 2, 7, 2]))
    assert_close(found.values, double(-1, -10, 1, 10))
    assert (found.n_groups, found.n_flat_groups) == (2, 0)


@pytest.mark.parametrize("advantages", IN_GROUPS)
def test_a_group_without_variance_gets_exactly_nothing_and_is_counted(advantages):
    # D4: 0.1 is no binary fraction, and its mean over three need not be 0.1 again.
    found = advantages(batch_of([0.1, 0.1, 0.1, 0.0, 1.0], group=[0, 0, 0, 1, 1]))
    assert (found.values[:3] == 0).all()
    assert (found.values[3:] != 0).all()
    assert (found.n_groups, found.n_flat_groups) == (2, 1)
    assert found.counted.all()


@pytest.mark.parametrize("advantages", IN_GROUPS)
def test_a_group_of_one_clip_is_refused(advantages):
    # D4, D18: no baseline is no advantage; the raw reward is not one, and 0 hides that.
    with pytest.raises(DataError, match="at least 2 clips of each prompt"):
        advantages(batch_of([1.0, 0.0, 1.0], group=[0, 0, 1]))


@pytest.mark.parametrize("advantages", IN_GROUPS)
def test_a_reward_that_could_not_be_scored_is_masked_and_never_0(advantages):
    # D7: by mask or by NaN; the others get what they would get without it.
    alone = advantages(batch_of([1.0, 3.0, 5.0]))
    scored = torch.tensor([True, True, False, True])
    for batch in (
        batch_of([1.0, 3.0, math.nan, 5.0]),
        batch_of([1.0, 3.0, 0.0, 5.0], reward_scored=scored),
    ):
        found = advantages(batch)
        assert_close(found.values[scored], alone.values)
        assert found.values[2] == 0
        assert found.counted.tolist() == scored.tolist()


@pytest.mark.parametrize("advantages", IN_GROUPS)
def test_the_only_clip_of_a_group_that_could_be_scored_does_not_count(advantages):
    found = advantages(batch_of([4.0, math.nan, 0.0, 1.0], group=[0, 0, 1, 1]))
    assert found.counted.tolist() == [False, False, True, True]
    assert (found.values[:2] == 0).all()
    assert (found.n_groups, found.n_flat_groups) == (1, 0)


rewards_of_a_group = st.lists(st.floats(-10, 10, width=32), min_size=2, max_size=8).filter(
    lambda r: max(r) - min(r) > 0.1
)


@settings(max_examples=30)
@given(rewards_of_a_group, st.floats(-100, 100))
def test_a_constant_on_all_rewards_changes_no_advantage(rewards, constant):
    for advantages in (*IN_GROUPS, less_baseline):
        shifted = advantages(batch_of([r + constant for r in rewards])).values
        assert_close(shifted, advantages(batch_of(rewards)).values, rtol=1e-6, atol=1e-6)


@settings(max_examples=30)
@given(rewards_of_a_group, st.floats(0.01, 100))
def test_the_scale_of_rewards_matters_just_where_there_is_no_std(rewards, scale):
    scaled = batch_of([r * scale for r in rewards])
    z = group_z_scores(batch_of(rewards), eps=0).values
    assert_close(group_z_scores(scaled, eps=0).values, z, rtol=1e-6, atol=1e-6)
    for advantages in (leave_one_out, group_centred):
        expected = scale * advantages(batch_of(rewards)).values
        assert_close(advantages(scaled).values, expected, rtol=1e-6, atol=1e-6)


def test_nearly_tied_rewards_are_blown_up_unless_a_least_spread_is_set():
    batch = batch_of([3.001, 3.0, 3.0, 3.001])
    assert group_z_scores(batch).values.abs().min() > 0.7
    found = group_z_scores(batch, min_spread=0.05)
    assert (found.values == 0).all()
    assert found.n_flat_groups == 1


def test_several_rewards_at_the_numbers_of_gdpo():
    rewards = torch.tensor([[1.0, 10.0], [1.0, 0.0], [0.0, 10.0], [0.0, 0.0]])
    root = math.sqrt(1.5)
    assert_close(decoupled_z_scores(batch_of(rewards), eps=0).values, double(root, 0, 0, -root))
    added = group_z_scores(batch_of(rewards), eps=0).values
    assert_close(added, double(0.9479, -0.7756, 0.7756, -0.9479), atol=5e-5, rtol=0)


def test_the_scale_of_one_of_several_rewards_decides_nothing():
    # D16: it does where rewards are added first.
    generator = torch.Generator().manual_seed(0)
    rewards = torch.randn((8, 3), generator=generator, dtype=torch.float64)
    group = [0, 0, 0, 0, 1, 1, 1, 1]
    louder = rewards * double(1, 100, 1)
    before, after = (
        decoupled_z_scores(batch_of(r, group), eps=0).values for r in (rewards, louder)
    )
    assert_close(after, before)
    assert (
        group_z_scores(batch_of(louder)).values - group_z_scores(batch_of(rewards)).values
    ).any()


def test_weights_of_several_rewards_weigh_their_z_scores():
    rewards = torch.tensor([[1.0, 10.0], [1.0, 0.0], [0.0, 10.0], [0.0, 0.0]])
    found = decoupled_z_scores(batch_of(rewards, reward_weights=double(1, 0)), eps=0)
    assert_close(found.values, whitened(double(1, 1, -1, -1), torch.ones(4)))


def test_a_clip_that_lacks_one_of_several_rewards_does_not_count_but_its_others_do():
    rewards = torch.tensor([[1.0, 5.0], [0.0, 4.0], [40.0, math.nan], [3.0, 6.0]])
    found = decoupled_z_scores(batch_of(rewards))
    assert found.counted.tolist() == [True, True, False, True]
    assert found.values[2] == 0
    assert_close(found.values.sum(), double(0).sum())
    without = decoupled_z_scores(batch_of(rewards[[0, 1, 3]])).values
    assert (found.values[[0, 1, 3]] - without).abs().max() > 0.01


def test_a_penalty_in_the_reward_cannot_be_normalised_reward_by_reward():
    batch = batch_of(torch.zeros(2, 2), kl_penalty=torch.zeros(2, 1, 1))
    with pytest.raises(ConfigError, match="put the KL into the loss"):
        decoupled_z_scores(batch)


def test_one_reward_is_not_several():
    with pytest.raises(DataError, match=r"expected rewards as \[clips, rewards\], got \(4,\)"):
        decoupled_z_scores(batch_of([1, 0, 0, 1]))


def test_the_kl_penalty_of_all_codes_of_a_clip_is_taken_off_its_reward(rollouts):
    reference = torch.full((2, 1, 3), -1.5, dtype=torch.float64)
    batch = rollouts([1, 3], rewards=(1.0, 1.0), reference_logps=reference)
    found = less_baseline(in_reward(batch, weight=0.1), baseline=0.0)
    assert_close(found.values, double(1 - 0.1 * 0.5, 1 - 0.1 * 3 * 0.5))


def test_the_best_clip_of_each_group_is_taken_once():
    batch = batch_of([1, 3, 3, math.nan, 0, -1], group=[0, 0, 0, 0, 1, 1])
    found = best_of_group(batch)
    assert_close(found.values, double(0, 1, 0, 0, 1, 0))
    assert found.counted.tolist() == [False, True, False, False, True, False]


def test_a_win_margin_is_0_for_a_clip_that_wins_as_often_as_not():
    assert_close(win_margin(batch_of([0.5, 1.0, 0.2])).values, double(0, 0.5, -0.3))
    with pytest.raises(DataError, match="between 0 and 1"):
        win_margin(batch_of([0.5, 3.0]))


def test_whitening_weighs_frames_by_their_codes():
    values, codes = double(3.0, 1.0, 9.0), torch.tensor([2, 1, 0])
    spelt_out = whitened(double(3.0, 3.0, 1.0), torch.ones(3))
    assert_close(whitened(values, codes), double(spelt_out[0], spelt_out[2], 0))


def expected_gradient(world, logits, rewards, advantages):
    """Of REINFORCE over all pairs of clips as groups, each as often as the policy samples it."""
    p = world.probabilities(logits).detach()
    total = torch.zeros_like(logits)
    fresh = world.batch(logits, logits, logits, rewards=rewards)
    for i in range(7):
        for j in range(7):
            group = torch.zeros(2, dtype=torch.long)
            both = take(fresh, torch.tensor([i, j]))
            both = Rollouts(**{**vars(both), "group": group})
            loss = reinforce(both.given(advantages(both))).values.mean()
            total = total + p[i] * p[j] * torch.autograd.grad(loss, logits, retain_graph=True)[0]
    return total


def test_leaving_one_out_keeps_the_gradient_of_the_expected_reward_and_the_group_mean_shrinks_it(
    world,
):
    logits = world.logits(3).requires_grad_()
    rewards = double(0.5, -1, 2, 0.3, 1.5, 0, -0.7)
    (truth,) = torch.autograd.grad(-(world.probabilities(logits) @ rewards), logits)
    found = expected_gradient(world, logits, rewards, leave_one_out)
    assert_close(found, truth)
    centred = expected_gradient(world, logits, rewards, group_centred)
    assert_close(centred, truth / 2)  # (G - 1) / G with two clips


def test_dynamic_sampling_keeps_clips_that_were_scored_in_groups_that_differ():
    batch = batch_of([1, 1, 0, 1, 2, math.nan, 5, math.nan], group=[0, 0, 1, 1, 2, 2, 3, 3])
    assert informative(batch).tolist() == [False, False, True, True, False, False, False, False]
    assert not informative(batch, min_spread=1.0).any()


def test_the_overlong_penalty_grows_in_the_buffer():
    frames = torch.tensor([10, 80, 90, 100, 130])
    found = overlong_penalty(frames, longest=100, buffer=20)
    assert_close(found, torch.tensor([0, 0, -0.5, -1, -1]), check_dtype=False)
    with pytest.raises(ConfigError, match="buffer of 1 to 100 frames, got 0"):
        overlong_penalty(frames, longest=100, buffer=0)
