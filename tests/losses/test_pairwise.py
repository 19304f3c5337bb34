import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from auralign.losses import PAIRWISE, dpo, ipo

without_deadline = settings(deadline=None)  # the first call of a process into torch is slow
LOG_RATIOS = st.floats(-50, 50)
OBJECTIVES = pytest.mark.parametrize("objective", PAIRWISE.values(), ids=PAIRWISE)


def double(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


@without_deadline
@given(log_ratio=LOG_RATIOS, beta=st.floats(0.01, 10))
def test_dpo_is_log_two_where_policy_and_reference_move_both_clips_alike(log_ratio, beta):
    both = double(log_ratio)
    assert_close(dpo(both, both, beta=beta), double(math.log(2)))


def test_dpo_at_published_margins():
    # arXiv 2402.10571's check of plain DPO (beta 0.5), and beta 0.1, both at a margin of 2 nats.
    assert dpo(double(2), double(0), beta=0.5).item() == pytest.approx(0.313262, abs=1e-6)
    assert dpo(double(2), double(0), beta=0.1).item() == pytest.approx(0.598139, abs=1e-6)


@without_deadline
@given(chosen=st.floats(-5, 5), rejected=st.floats(-5, 5), beta=st.floats(0.05, 2))
def test_the_gradient_of_dpo_is_minus_beta_sigmoid_of_minus_z(chosen, rejected, beta):
    step, r = 1e-5, double(rejected)

    def loss(at: float) -> float:
        return dpo(double(at), r, beta=beta).item()

    slope = (loss(chosen + step) - loss(chosen - step)) / (2 * step)
    assert slope == pytest.approx(-beta * sigmoid(-beta * (chosen - rejected)), abs=1e-7)


@OBJECTIVES
def test_autograd_agrees_with_finite_differences(objective):
    chosen, rejected = double(0.3, -2.0), double(-0.4, 1.0)
    inputs = chosen.requires_grad_(), rejected.requires_grad_()
    assert torch.autograd.gradcheck(lambda c, r: objective(c, r, beta=0.3), inputs)


@without_deadline
@given(z=st.floats(-8, 8), flipped=st.floats(0, 0.5))
def test_label_smoothing_mixes_the_loss_of_the_label_and_of_its_opposite(z, flipped):
    expected = (1 - flipped) * math.log1p(math.exp(-z)) + flipped * math.log1p(math.exp(z))
    got = dpo(double(z), double(0), beta=1, label_smoothing=flipped)
    assert got.item() == pytest.approx(expected)


def test_with_label_smoothing_the_best_margin_is_the_log_odds_of_a_right_label():
    flipped, beta = 0.2, 0.5
    margin = torch.linspace(0, 6, 6001, dtype=torch.float64)
    loss = dpo(margin, torch.zeros_like(margin), beta=beta, label_smoothing=flipped)
    assert beta * margin[loss.argmin()].item() == pytest.approx(math.log(0.8 / 0.2), abs=1e-3)


@without_deadline
@given(beta=st.floats(0.05, 5), rejected=LOG_RATIOS)
def test_ipo_is_zero_at_a_margin_of_one_over_two_beta_and_rises_on_both_sides(beta, rejected):
    best = rejected + 1 / (2 * beta)
    at = [ipo(double(best + d), double(rejected), beta=beta).item() for d in (-0.1, 0, 0.1)]
    assert at == pytest.approx([0.01, 0, 0.01], abs=1e-9)


def test_ipo_by_hand():
    assert ipo(double(0.5), double(-0.2), beta=0.5).item() == pytest.approx((0.7 - 1) ** 2)


@OBJECTIVES
def test_at_the_reference_every_objective_pulls_chosen_up_and_pushes_rejected_down(objective):
    chosen, rejected = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    objective(chosen, rejected, beta=0.1).sum().backward()
    assert chosen.grad.item() < 0 < rejected.grad.item()


@OBJECTIVES
def test_a_pair_has_its_own_loss_whatever_stands_beside_it(objective):
    chosen, rejected = torch.randn(2, 7, generator=torch.Generator().manual_seed(0))
    together = objective(chosen, rejected, beta=0.2)
    assert together.shape == (7,)
    alone = [objective(chosen[i : i + 1], rejected[i : i + 1], beta=0.2) for i in range(7)]
    assert_close(together, torch.cat(alone))


@OBJECTIVES
@pytest.mark.parametrize("margin", [-1e4, 1e4])
def test_extreme_margins_have_finite_losses_and_gradients(objective, margin):
    chosen = torch.tensor([margin], requires_grad=True)
    loss = objective(chosen, torch.zeros(1), beta=1)
    loss.sum().backward()
    assert loss.isfinite().all()
    assert chosen.grad.isfinite().all()


def test_an_option_that_an_objective_does_not_take_cannot_be_passed():
    with pytest.raises(TypeError, match="label_smoothing"):
        PAIRWISE["ipo"](double(0), double(0), beta=1, label_smoothing=0.1)
