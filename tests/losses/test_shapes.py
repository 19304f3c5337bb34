import math

import pytest
import torch
from torch.testing import assert_close

from auralign.errors import ConfigError
from auralign.losses.shapes import (
    aot,
    aot_unpaired,
    apo_down,
    apo_zero,
    discopop,
    exo,
    nca_pair,
    sppo,
    sppo_hard,
)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def double(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def value(loss) -> float:
    return loss.values.item()


def slopes(objective, batch, **options) -> tuple[float, float]:
    """Derivatives with respect to the log-probabilities of chosen and rejected."""
    leaves = [clips.logp.requires_grad_() for clips in (batch.chosen, batch.rejected)]
    loss = objective(batch, **options).values.sum()
    return tuple(slope.item() for slope in torch.autograd.grad(loss, leaves))


def test_anchored_losses_by_hand(pairs):
    batch = pairs(2.0, -3.0)
    up, down = sigmoid(0.2), sigmoid(-0.3)
    assert value(apo_zero(batch)) == pytest.approx(1 - up + down)
    assert value(apo_down(batch)) == pytest.approx(up + 1 - sigmoid(0.5))


def test_anchored_zero_lifts_chosen_and_anchored_down_lowers_it_once_the_pair_is_right(pairs):
    assert slopes(apo_zero, pairs(10.0, -30.0))[0] < 0
    chosen, rejected = slopes(apo_down, pairs(10.0, -30.0))
    assert chosen > 0
    assert rejected > 0


def test_noise_contrastive_alignment_at_the_published_rewards(pairs):
    assert value(nca_pair(pairs(0.2, -0.3), beta=1.0)) == pytest.approx(1.274386, abs=1e-6)


def test_noise_contrastive_alignment_sees_a_shift_of_both_rewards(pairs):
    both = [value(nca_pair(pairs(shift, shift), beta=1.0)) for shift in (-2.0, 0.0, 2.0)]
    assert both[1] == pytest.approx(2 * math.log(2))
    assert both[1] < min(both[0], both[2])


@pytest.mark.parametrize("z", [-3.0, 0.0, 0.7, 6.0])
def test_exact_optimisation_is_the_reverse_divergence_of_two_coins(pairs, z):
    q, e = sigmoid(z), 0.1
    expected = q * math.log(q / (1 - e)) + (1 - q) * math.log((1 - q) / e)
    got = value(exo(pairs(z, 0.0), beta=1.0, label_smoothing=e))
    assert got == pytest.approx(expected)
    assert value(exo(pairs(math.log(9), 0.0), beta=1.0, label_smoothing=e)) == pytest.approx(0)


@pytest.mark.parametrize("smoothing", [0.0, 0.5])
def test_exact_optimisation_refuses_the_logarithm_of_nought(pairs, smoothing):
    with pytest.raises(ConfigError, match="label_smoothing"):
        exo(pairs(1.0, 0.0), label_smoothing=smoothing)


@pytest.mark.parametrize("z", [-2.0, -0.1, 0.0, 0.1, 2.0])
def test_the_discovered_loss_by_its_formula(pairs, z):
    m = sigmoid(z / 0.05)
    expected = (1 - m) * math.log1p(math.exp(-z)) + m * math.exp(-z)
    assert value(discopop(pairs(z, 0.0), beta=1.0)) == pytest.approx(expected)


def test_the_discovered_loss_first_lowers_the_margin_at_the_reference(pairs):
    """d/dz at 0 is (1/2 - log 2 ... ) / (4 tau) - 3/4 = (1 - log 2) / (4 tau) - 3/4 > 0."""
    expected = (1 - math.log(2)) / (4 * 0.05) - 0.75
    assert slopes(discopop, pairs(0.0, 0.0), beta=1.0)[0] == pytest.approx(expected)
    assert expected > 0
    assert all(slopes(discopop, pairs(z, 0.0), beta=1.0)[0] < 0 for z in (-2.0, 0.5, 2.0))


def test_self_play_by_hand(pairs):
    batch = pairs(30.0, -20.0, p_chosen=0.8)
    assert value(sppo(batch, beta=0.01)) == pytest.approx((30 - 30) ** 2 + (-20 + 30) ** 2)
    assert value(sppo_hard(batch, beta=0.01)) == pytest.approx((30 - 50) ** 2 + (-20 + 50) ** 2)
    assert value(sppo(pairs(1.0, 2.0, p_chosen=1.0))) == value(sppo_hard(pairs(1.0, 2.0)))


def test_optimal_transport_sorts_margins_of_policy_and_reference_apart(pairs):
    batch = pairs((-1.0, -5.0, -3.0), (-2.0, -3.0, -3.0))
    batch.chosen.reference_logp.copy_(double(-4.0, -1.0, -2.0))
    batch.rejected.reference_logp.copy_(double(-2.0, -2.0, -2.0))
    # Margins of the policy 1, -2, 0; of the reference -2, 1, 0.
    z = double(-2 - -2, 0 - 0, 1 - 1)
    assert_close(aot(batch, beta=0.5).values, torch.log1p(torch.exp(-0.5 * z)))


def test_unpaired_optimal_transport_does_not_care_who_stands_beside_whom(pairs):
    one = aot_unpaired(pairs((1.0, 2.0, -1.0), (0.0, -3.0, 4.0)), beta=1.0)
    other = aot_unpaired(pairs((-1.0, 1.0, 2.0), (4.0, 0.0, -3.0)), beta=1.0)
    z = double(-1 - -3, 1 - 0, 2 - 4)
    assert_close(one.values, other.values)
    assert_close(one.values, torch.log1p(torch.exp(-z)))


@pytest.mark.parametrize("objective", [aot, aot_unpaired])
def test_what_a_pair_costs_depends_on_the_batch_it_is_sorted_into(pairs, objective):
    together = objective(pairs((5.0, -5.0), (-4.0, 4.0), reference=(0.0, 0.0)), beta=1.0)
    alone = [objective(pairs(*row), beta=1.0) for row in ((5.0, -4.0), (-5.0, 4.0))]
    means = together.values.mean().item(), sum(value(loss) for loss in alone) / 2
    assert (means[0] == pytest.approx(means[1])) is (objective is aot)
