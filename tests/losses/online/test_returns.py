from dataclasses import replace

import pytest
import torch
from torch.nn.functional import pad
from torch.testing import assert_close

from auralign.errors import ConfigError, DataError
from auralign.losses.online.advantages import whitened
from auralign.losses.online.kl import in_reward
from auralign.losses.online.returns import frame_rewards, gae, whitened_returns
from auralign.losses.online.values import explained_variance, value_loss

pytestmark = pytest.mark.slow


def double(*values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.fixture
def worked(rollouts):
    """One clip of three frames with reward 1 and values .2, .4, .6."""
    return rollouts([3], rewards=(1.0,), old_values=double(0.2, 0.4, 0.6)[None])


def test_generalised_advantages_at_the_worked_example(worked):
    found = gae(worked, lam=0.95, whiten=False)
    assert_close(found.values, double(0.751, 0.58, 0.4)[None])
    assert_close(found.returns, double(0.951, 0.98, 1.0)[None])


def test_with_lambda_1_an_advantage_is_the_discounted_return_less_the_value(worked):
    found = gae(worked, gamma=0.9, lam=1.0, whiten=False)
    assert_close(found.values, double(0.81 - 0.2, 0.9 - 0.4, 1 - 0.6)[None])


def test_with_lambda_0_an_advantage_is_the_error_of_one_step(worked):
    found = gae(worked, gamma=0.9, lam=0.0, whiten=False)
    assert_close(found.values, double(0.9 * 0.4 - 0.2, 0.9 * 0.6 - 0.4, 1 - 0.6)[None])


def test_values_that_are_right_leave_no_advantage(rollouts):
    batch = rollouts([3], rewards=(1.0,), old_values=torch.ones(1, 3, dtype=torch.float64))
    assert_close(gae(batch, whiten=False).values, torch.zeros(1, 3, dtype=torch.float64))


def test_a_clip_that_was_cut_off_goes_on_with_the_value_after_it(worked):
    found = gae(replace(worked, bootstrap=double(0.5)), lam=1.0, whiten=False)
    assert_close(found.returns, double(1.5, 1.5, 1.5)[None])


def test_returns_are_found_before_advantages_are_whitened(worked):
    # D19
    plain, white = gae(worked, whiten=False), gae(worked)
    assert_close(white.returns, plain.returns)
    assert_close(white.values, whitened(plain.values, torch.ones(1, 3)))
    assert_close(white.values.mean(), double(0).sum())
    assert_close(white.values.std(), double(1).sum())


@pytest.mark.parametrize("advantages", [gae, whitened_returns])
@pytest.mark.parametrize("sides", [(0, 2), (2, 0), (3, 1)])
def test_padding_on_either_side_changes_no_advantage_whatever_stands_there(
    rollouts, advantages, sides
):
    generator = torch.Generator().manual_seed(0)
    values = torch.randn((3, 4), generator=generator, dtype=torch.float64)
    batch = rollouts([4, 1, 3], rewards=(1.0, 0.0, 2.0), old_values=values)
    reference = torch.full_like(batch.behaviour_logps, -1.7)
    batch = in_reward(replace(batch, reference_logps=reference), weight=0.1)
    expected = advantages(batch)
    padded = {
        name: pad(getattr(batch, name), sides, value=filler)
        for name, filler in [
            ("token_logps", float("nan")),
            ("behaviour_logps", float("nan")),
            ("kl_penalty", float("nan")),
            ("old_values", float("nan")),
            ("scored", False),
        ]
    }
    found = advantages(replace(batch, reference_logps=None, **padded))
    assert_close(found.values, pad(expected.values, sides))
    if expected.returns is not None:
        assert_close(found.returns, pad(expected.returns, sides))


@pytest.mark.parametrize("frames", [[1, 3, 4], [0, 2, 5], [0, 1, 2]])
def test_frames_without_a_code_are_skipped_wherever_they_stand(worked, frames):
    worked = replace(worked, bootstrap=double(0.5))
    expected = gae(worked, gamma=0.9, whiten=False)

    def spread(values, filler):
        wider = torch.full((*values.shape[:-1], 6), filler, dtype=values.dtype)
        wider[..., frames] = values
        return wider

    codes = ("token_logps", "behaviour_logps", "old_values")
    wider = {name: spread(getattr(worked, name).detach(), 9.0) for name in codes}
    found = gae(
        replace(worked, scored=spread(worked.scored, False), **wider), gamma=0.9, whiten=False
    )
    assert_close(found.values, spread(expected.values, 0.0))
    assert_close(found.returns, spread(expected.returns, 0.0))


def test_the_score_is_due_at_the_last_frame_of_each_clip_and_the_penalty_at_each_code(rollouts):
    # D19: not at the last column, and once for both codebooks.
    batch = rollouts([3, 1], codebooks=2, rewards=(1.0, 5.0))
    reference = torch.full_like(batch.behaviour_logps, -1.5)
    batch = in_reward(replace(batch, reference_logps=reference), weight=1.0)
    rewards, judged = frame_rewards(batch)
    assert_close(rewards, torch.tensor([[-1, -1, 0], [4, 0, 0]], dtype=torch.float64))
    assert judged.all()


def test_a_clip_without_a_reward_has_no_advantage_and_is_in_no_mean(rollouts):
    # D7
    values = torch.full((3, 2), 0.5, dtype=torch.float64)
    batch = rollouts([2, 2, 2], rewards=(1.0, float("nan"), 3.0), old_values=values)
    without = rollouts([2, 2], rewards=(1.0, 3.0), old_values=values[:2])
    for advantages in (gae, whitened_returns):
        found = advantages(batch)
        assert found.counted.tolist() == [True, False, True]
        assert (found.values[1] == 0).all()
        assert_close(found.values[[0, 2]], advantages(without).values)


def test_whitened_returns_of_clips_with_one_reward_each_are_z_scores_over_codes(rollouts):
    # Rewards 1 and 4 on clips of 1 and 3 codes: mean 13/4, variance 27/12 = 9/4.
    found = whitened_returns(rollouts([1, 3], rewards=(1.0, 4.0)))
    expected = torch.tensor([[-1.5, 0, 0], [0.5, 0.5, 0.5]], dtype=torch.float64)
    assert_close(found.values, expected)


def test_rewards_to_go_are_discounted(rollouts):
    batch = rollouts([3], rewards=(1.0,))
    found = whitened_returns(batch, gamma=0.5)
    assert_close(found.values, whitened(double(0.25, 0.5, 1)[None], torch.ones(1, 3)))


def test_a_group_baseline_takes_out_how_hard_a_prompt_is(rollouts):
    group = torch.tensor([0, 0, 1, 1])
    easy_and_hard = rollouts([2] * 4, rewards=(9.0, 10.0, 0.0, 1.0), group=group)
    found = whitened_returns(easy_and_hard, group_baseline=True).values[:, 0]
    assert_close(found, whitened(double(-1, -1, 1, 1, -1, -1, 1, 1), torch.ones(8))[[0, 2, 4, 6]])
    assert whitened_returns(easy_and_hard).values[2:].max() < 0
    with pytest.raises(DataError, match="at least 2 clips"):
        whitened_returns(replace(easy_and_hard, group=torch.arange(4)), group_baseline=True)


def test_the_value_loss_takes_the_worse_of_moved_and_bounded(rollouts):
    old = torch.zeros(1, 3, dtype=torch.float64)
    values = double(0.5, -0.5, 0.1)[None].requires_grad_()
    returns = torch.ones(1, 3, dtype=torch.float64)
    batch = rollouts(
        [3], values=values, old_values=old, returns=returns, counted=torch.tensor([True])
    )
    # (0.5 - 1)^2 < (0.2 - 1)^2;  (-0.5 - 1)^2 > (-0.2 - 1)^2;  0.1 lies within the bound.
    loss = value_loss(batch, clip=0.2)
    assert_close(loss, double((0.64 + 2.25 + 0.81) / 2 / 3))
    loss.sum().backward()
    assert_close(values.grad, double(0, -1.5 / 3, -0.9 / 3)[None])
    assert_close(value_loss(batch, clip=None), double((0.25 + 2.25 + 0.81) / 2 / 3))


def test_the_value_head_learns_nothing_from_clips_without_a_reward_or_frames_without_a_code(
    rollouts,
):
    values = torch.full((2, 3), 0.5, dtype=torch.float64).requires_grad_()
    nothing = torch.full((2, 3), float("nan"), dtype=torch.float64)
    old, returns = (torch.where(torch.tensor([[1], [0]]).bool(), x, nothing) for x in (0.4, 1.0))
    batch = rollouts(
        [2, 3], values=values, old_values=old, returns=returns, counted=torch.tensor([True, False])
    )
    value_loss(batch).sum().backward()
    assert (values.grad != 0).tolist() == [[True, True, False], [False, False, False]]
    assert values.grad.isfinite().all()


def test_values_explain_all_none_or_less_than_none_of_the_variance(rollouts):
    returns = double(1, 2, 3, 4)[None]
    given = {"returns": returns, "counted": torch.tensor([True])}
    for old, expected in [(returns, 1.0), (torch.zeros_like(returns), 0.0), (-returns, -3.0)]:
        found = explained_variance(rollouts([4], old_values=old, **given))
        assert_close(found, double(expected).sum())


def test_without_values_of_the_sampler_there_are_no_generalised_advantages(rollouts):
    with pytest.raises(ConfigError, match="needs values of each frame"):
        gae(rollouts([2], rewards=(1.0,)))
