import math

import pytest
import torch

from auralign.losses import Clips
from auralign.losses.conditional import mapl_inter, mapl_intra, re_align


def elsewhere(rho: float) -> Clips:
    zero = torch.zeros(1, dtype=torch.float64)
    return Clips(zero + rho, torch.tensor([1]), zero)


def value(loss) -> float:
    return loss.values.item()


def test_a_clip_under_two_conditions_at_the_published_numbers(pairs):
    batch = pairs(1.0, -7.0, mismatched=elsewhere(-0.5))
    assert value(mapl_intra(batch)) == pytest.approx(0.620957, abs=1e-6)


def test_re_align_adds_the_conditional_term_at_the_published_numbers(pairs):
    loss = re_align(pairs(1.0, -1.0, mismatched=elsewhere(-0.5)))
    assert value(loss) == pytest.approx(1.219096, abs=1e-6)
    assert loss.diagnostics["conditional"].item() == pytest.approx(0.620957, abs=1e-6)


def test_a_policy_that_ignores_its_condition_keeps_the_conditional_term_at_log_2(pairs):
    for rho in (-3.0, 0.0, 5.0):
        loss = re_align(pairs(rho, -1.0, mismatched=elsewhere(rho)))
        assert loss.diagnostics["conditional"].item() == pytest.approx(math.log(2))


def test_a_pair_should_have_the_larger_margin_than_its_lesser(pairs):
    greater, lesser = pairs(1.0, -2.0), pairs(0.5, 0.0)
    batch = pairs(1.0, -2.0, lesser=lesser)
    assert value(mapl_inter(batch)) == pytest.approx(math.log1p(math.exp(-0.1 * (3 - 0.5))))
    assert value(mapl_inter(pairs(1.0, -2.0, lesser=greater))) == pytest.approx(math.log(2))
