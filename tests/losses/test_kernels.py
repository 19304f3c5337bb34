import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from auralign.losses.kernels import binary_kl, capped_expm1, log1mexp, log_odds, log_sigmoid_loss

without_deadline = settings(
    deadline=None, max_examples=30
)  # the first call of a process into torch is slow


def double(value: float) -> torch.Tensor:
    return torch.tensor([value], dtype=torch.float64)


@without_deadline
@given(p=st.floats(1e-12, 1 - 1e-9))
def test_log1mexp_is_the_log_of_the_other_probability(p):
    assert log1mexp(double(math.log(p))).item() == pytest.approx(math.log1p(-p), rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("logp", [0.0, -1e-30, -1e-6, -math.log(2), -1.0, -1e4])
def test_log_odds_are_finite_up_to_certainty(dtype, logp):
    """Near p = 1, log(1 - exp(logp)) taken literally is -inf."""
    x = torch.tensor([logp], dtype=dtype, requires_grad=True)
    odds = log_odds(x)
    odds.sum().backward()
    assert odds.isfinite().all()
    assert x.grad.isfinite().all()


def test_log_odds_by_hand():
    assert log_odds(double(math.log(0.2))).item() == pytest.approx(math.log(0.25))
    assert log_odds(double(-1e-6)).item() == pytest.approx(-math.log(1e-6), rel=1e-6)


def test_beyond_its_cap_the_exponential_goes_on_as_its_tangent():
    x = torch.linspace(-5, 3, 17, dtype=torch.float64)
    expected = torch.where(x <= 1, torch.expm1(x), math.e - 1 + math.e * (x - 1))
    torch.testing.assert_close(capped_expm1(x, cap=1.0), expected)
    far = torch.tensor([1e4], requires_grad=True)
    capped_expm1(far).backward()
    assert far.grad.item() == pytest.approx(math.exp(20), rel=1e-5)


@without_deadline
@given(target=st.floats(-6, 6), logit=st.floats(-6, 6))
def test_the_divergence_of_two_coins_by_its_definition(target, logit):
    p, q = (1 / (1 + math.exp(-x)) for x in (target, logit))
    expected = p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))
    assert binary_kl(double(target), double(logit)).item() == pytest.approx(expected, abs=1e-12)


@without_deadline
@given(z=st.floats(-30, 30), e=st.floats(0, 1))
def test_swapping_the_label_is_negating_the_logit(z, e):
    swapped = log_sigmoid_loss(double(-z), 1 - e).item()
    assert log_sigmoid_loss(double(z), e).item() == pytest.approx(swapped, abs=1e-9)
