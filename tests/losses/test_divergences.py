import math

import pytest
import torch

from auralign.errors import ConfigError
from auralign.losses.divergences import fdpo_alpha, fdpo_forward_kl, fdpo_js
from auralign.losses.pairwise import dpo


def value(loss) -> float:
    return loss.values.item()


FIRST_DERIVATIVES = {
    fdpo_forward_kl: lambda u: -1 / u,
    fdpo_js: lambda u: math.log(2 * u / (1 + u)),
    fdpo_alpha: lambda u: (1 - u**-0.5) / 0.5,
}


@pytest.mark.parametrize("objective", FIRST_DERIVATIVES)
@pytest.mark.parametrize("rho", [(0.7, -0.4), (-1.5, 2.0), (3.0, 2.9)])
def test_each_divergence_compares_its_derivative_at_the_two_ratios(pairs, objective, rho):
    chosen, rejected = (FIRST_DERIVATIVES[objective](math.exp(x)) for x in rho)
    expected = math.log1p(math.exp(-0.3 * (chosen - rejected)))
    assert value(objective(pairs(*rho), beta=0.3)) == pytest.approx(expected)


def test_the_alpha_divergence_leads_from_reverse_to_forward(pairs):
    batch = pairs(0.7, -0.4)
    near_reverse, near_forward = (value(fdpo_alpha(batch, alpha=a)) for a in (1e-6, 1 - 1e-9))
    assert near_reverse == pytest.approx(value(dpo(batch)), abs=1e-6)
    assert near_forward == pytest.approx(value(fdpo_forward_kl(batch)), abs=1e-6)


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.5])
def test_an_alpha_at_an_end_is_another_objective(pairs, alpha):
    with pytest.raises(ConfigError, match="alpha"):
        fdpo_alpha(pairs(1.0, 0.0), alpha=alpha)


@pytest.mark.parametrize("objective", FIRST_DERIVATIVES)
@pytest.mark.parametrize("rho", [(-1e3, 1e3), (1e3, -1e3)])
def test_log_ratios_of_thousands_of_codes_do_not_overflow(pairs, objective, rho):
    batch = pairs(*rho)
    for clips in (batch.chosen, batch.rejected):
        clips.logp.requires_grad_()
    loss = objective(batch).values
    loss.sum().backward()
    assert loss.isfinite().all()
    assert batch.chosen.logp.grad.isfinite().all()


def test_a_chosen_clip_far_below_the_reference_still_gets_a_gradient(pairs):
    """A clamp in place of the straight line would leave it where it is."""
    batch = pairs(-1e3, 0.0)
    batch.chosen.logp.requires_grad_()
    fdpo_forward_kl(batch).values.sum().backward()
    assert batch.chosen.logp.grad.item() < 0
    assert torch.isfinite(batch.chosen.logp.grad).all()
