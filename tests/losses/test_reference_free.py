import math

import pytest
import torch

from auralign.losses.reference_free import alphapo, cpo, orpo, simpo, slic


def ls(x: float) -> float:
    return -math.log1p(math.exp(-x))


def value(loss) -> float:
    return loss.values.item()


def test_the_target_margin_of_simpo_stands_outside_beta(pairs):
    batch = pairs(-20.0, -24.0, n=(10, 8))  # -2 and -3 nats a code
    assert value(simpo(batch, beta=2.0, gamma=0.5)) == pytest.approx(-ls(2 * (-2 + 3) - 0.5))
    ratio = 0.25  # `gamma_beta_ratio` of the authors' code
    assert value(simpo(batch, beta=2.0, gamma=ratio * 2.0)) == pytest.approx(-ls(2 * (1 - ratio)))


@pytest.mark.parametrize("alpha", [-0.5, 0.25, 1.0])
def test_alphapo_by_hand(pairs, alpha):
    batch = pairs(10 * math.log(0.5), 8 * math.log(0.2), n=(10, 8))
    chosen, rejected = ((1 - p**-alpha) / alpha for p in (0.5, 0.2))
    got = value(alphapo(batch, beta=2.0, gamma=0.5, alpha=alpha))
    assert got == pytest.approx(-ls(2 * (chosen - rejected) - 0.5))


@pytest.mark.parametrize("alpha", [0.0, 1e-9])
def test_alphapo_without_a_bend_is_simpo(pairs, alpha):
    batch = pairs(-20.0, -24.0, n=(10, 8))
    assert value(alphapo(batch, alpha=alpha)) == pytest.approx(value(simpo(batch)))


def test_cpo_by_hand(pairs):
    batch = pairs(-20.0, -24.0, n=(10, 8))
    assert value(cpo(batch, beta=0.1, alpha=0.5)) == pytest.approx(-ls(0.4) + 0.5 * 2.0)


def test_orpo_by_hand(pairs):
    batch = pairs(10 * math.log(0.5), 8 * math.log(0.2), n=(10, 8))
    odds = math.log(0.5 / 0.5) - math.log(0.2 / 0.8)
    assert value(orpo(batch, weight=0.1)) == pytest.approx(math.log(2) - 0.1 * ls(odds))


def test_orpo_is_finite_where_the_policy_is_certain(pairs):
    batch = pairs(-1e-6, -1.0)
    batch.chosen.logp.requires_grad_()
    loss = orpo(batch).values
    loss.sum().backward()
    assert loss.isfinite().all()
    assert batch.chosen.logp.grad.isfinite().all()


def test_slic_at_the_published_numbers(pairs):
    """delta 1, lambda 0.1 of a supervised term of 20 nats: 1.5 + 2."""
    assert value(slic(pairs(-20.0, -19.5))) == pytest.approx(3.5)


def test_slic_is_done_with_a_pair_beyond_its_margin(pairs):
    batch = pairs(-20.0, -22.0)
    batch.rejected.logp.requires_grad_()
    slic(batch).values.sum().backward()
    assert batch.rejected.logp.grad.item() == 0


@pytest.mark.parametrize("objective", [cpo, orpo, slic])
def test_the_supervised_term_is_nats_a_code_and_stands_in_the_diagnostics(pairs, objective):
    short, long = pairs(-20.0, -24.0, n=(10, 8)), pairs(-40.0, -24.0, n=(20, 8))
    nll = [objective(batch).diagnostics["nll"] for batch in (short, long)]
    torch.testing.assert_close(nll[0], nll[1])
    assert nll[0].item() > 0
