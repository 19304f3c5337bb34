import math

import pytest
import torch

from auralign.losses import Clips
from auralign.losses.auxiliary import (
    mpo,
    rationale_dpo,
    rationale_orpo,
    rpo_sft,
    selm,
    spo_degree,
    tpo,
    tpo_l,
    xpo,
)
from auralign.losses.reference_free import orpo


def double(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def single(logp: float, n_codes: int = 1) -> Clips:
    return Clips(double(logp), torch.tensor([n_codes]), double(0.0))


def ls(x: float) -> float:
    return -math.log1p(math.exp(-x))


def value(loss) -> float:
    return loss.values.item()


def test_dpo_with_imitation_by_hand(pairs):
    batch = pairs(-6.0, -8.0, n=(3, 4))
    assert value(rpo_sft(batch, alpha=0.5)) == pytest.approx(0.598139 + 0.5 * 2, abs=1e-6)


def test_the_mixture_of_order_quality_and_imitation_by_hand(pairs):
    batch = pairs(-6.0, -8.0, n=(3, 4))
    shift = -0.5
    quality = -ls(-0.6 - shift) - ls(-(-0.8 - shift))
    loss = mpo(batch, shift=shift)
    assert value(loss) == pytest.approx(-0.8 * ls(0.2) + 0.2 * quality + 2.0)
    parts = [loss.diagnostics[name].item() for name in ("preference", "quality", "nll")]
    assert sum(parts) == pytest.approx(value(loss))


def test_a_triple_at_the_published_numbers(pairs):
    batch = pairs(-20.0, -24.0, n=(10, 8), gold=single(-6.0, 4))
    assert value(tpo(batch)) == pytest.approx(2.173347, abs=1e-6)
    assert value(tpo_l(batch)) == pytest.approx(2.467864, abs=1e-6)


def test_a_rationale_at_the_published_numbers(pairs):
    rationale = double(-12.0).requires_grad_()
    batch = pairs(2.0, 0.0, rationale_logp=rationale)
    loss = rationale_dpo(batch).values
    assert loss.item() == pytest.approx(2.061421, abs=1e-6)
    (slope,) = torch.autograd.grad(loss.sum(), rationale)
    assert slope.item() == pytest.approx(-0.076852, abs=1e-6)
    linear = rationale_dpo(batch, gamma=0.001, linear=True)
    assert value(linear) == pytest.approx(0.610139, abs=1e-6)


def test_a_rationale_without_a_reference_adds_its_negative_log_likelihood_to_orpo(pairs):
    batch = pairs(-6.0, -8.0, n=(3, 4), rationale_logp=-2.0)
    expected = value(orpo(batch, weight=0.1)) + 0.25 * 2
    assert value(rationale_orpo(batch, gamma=0.25)) == pytest.approx(expected)


def test_the_degree_of_degradation_at_the_published_numbers(pairs):
    """Probabilities 0.7, 0.6, 0.8 of the right degree: mean cross-entropy 0.363548."""
    right = double(0.7, 0.6, 0.8)
    logits = torch.stack([right.log(), (1 - right).log()], dim=1)
    batch = pairs(
        (2.0,) * 3, (0.0,) * 3, degree_logits=logits, degree=torch.zeros(3, dtype=torch.int64)
    )
    assert spo_degree(batch).values.mean().item() == pytest.approx(0.634494, abs=1e-6)
    assert spo_degree(batch, gamma=1.0).diagnostics["degree"].mean().item() == pytest.approx(
        0.363548, abs=1e-6
    )


def test_optimism_moves_mass_off_the_policys_own_sample(pairs):
    own = single(0.6)
    own.logp.requires_grad_()
    batch = pairs(2.0, 0.0, own=own)
    loss = selm(batch).values
    assert loss.item() == pytest.approx(0.683203, abs=1e-6)
    loss.sum().backward()
    assert own.logp.grad.item() == pytest.approx(1e-5)


def test_exploration_moves_mass_off_the_references_sample(pairs):
    sample = single(-40.0, 4)
    sample.logp.requires_grad_()
    batch = pairs(2.0, 0.0, from_reference=sample)
    loss = xpo(batch).values
    assert loss.item() == pytest.approx(0.597739, abs=1e-6)
    loss.sum().backward()
    assert sample.logp.grad.item() == pytest.approx(1e-5)
    bonus = xpo(batch, per_code=True).diagnostics["bonus"].item()
    assert bonus == pytest.approx(1e-5 * -40 / 4)
