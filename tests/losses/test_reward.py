import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from auralign.losses import bradley_terry

without_deadline = settings(deadline=None)  # the first call of a process into torch is slow


def loss(margin: float, p_chosen: float) -> float:
    pair = torch.tensor([[margin], [p_chosen]], dtype=torch.float64)
    return bradley_terry(*pair).item()


@without_deadline
@given(margin=st.floats(-20, 20))
def test_a_unanimous_label_gives_the_usual_log_sigmoid_loss(margin):
    assert loss(margin, 1.0) == pytest.approx(math.log1p(math.exp(-margin)))


@without_deadline
@given(p=st.floats(0.02, 0.98))
def test_a_soft_label_is_met_where_the_sigmoid_of_the_margin_is_the_share_of_votes(p):
    best = math.log(p / (1 - p))
    entropy = -p * math.log(p) - (1 - p) * math.log(1 - p)
    assert loss(best, p) == pytest.approx(entropy)
    assert loss(best, p) < min(loss(best - 0.01, p), loss(best + 0.01, p))


@without_deadline
@given(margin=st.floats(-20, 20), p=st.floats(0, 1))
def test_naming_the_clips_the_other_way_round_changes_nothing(margin, p):
    assert loss(margin, p) == pytest.approx(loss(-margin, 1 - p))


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("margin", [-1e4, 1e4])
def test_extreme_margins_have_finite_losses_and_gradients(margin, p):
    margins = torch.tensor([margin], requires_grad=True)
    value = bradley_terry(margins, torch.tensor([p]))
    value.sum().backward()
    assert value.isfinite().all()
    assert margins.grad.isfinite().all()
