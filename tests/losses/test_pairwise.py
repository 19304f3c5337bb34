import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from auralign.errors import ConfigError
from auralign.losses import Clips, Pairs
from auralign.losses.pairwise import (
    cdpo,
    dpo,
    dpo_g,
    dpop,
    flex_dpo,
    hinge,
    hypo_clip,
    ipo,
    ln_dpo,
    rdpo,
    rso,
    spce,
)

without_deadline = settings(
    deadline=None, max_examples=30
)  # the first call of a process into torch is slow
MARGINS = st.floats(-20, 20)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def value(loss) -> float:
    return loss.values.item()


def test_published_and_hand_derived_numbers(pairs):
    two = pairs(2.0, 0.0)
    assert value(dpo(two, beta=0.5)) == pytest.approx(0.313262, abs=1e-6)
    assert value(dpo(two, beta=0.1)) == pytest.approx(0.598139, abs=1e-6)
    assert value(rso(two)) == pytest.approx(0.644397, abs=1e-6)
    assert value(hinge(two, beta=0.05)) == pytest.approx(0.9)
    assert value(flex_dpo(pairs(1.0, -1.0))) == pytest.approx(0.607192, abs=1e-6)
    assert value(spce(pairs(2.0, 0.0, p_chosen=0.8))) == pytest.approx(0.638139, abs=1e-6)


def test_dpop_penalises_a_chosen_clip_that_has_become_less_likely_inside_the_sigmoid(pairs):
    for chosen, expected in ((0.0, 0.554355), (-0.01, 0.620957), (-0.05, 0.943249)):
        batch = pairs(chosen, chosen - 1.0)
        assert value(dpop(batch)) == pytest.approx(expected, abs=1e-6)
    by_penalty = [value(dpop(pairs(-0.1, -1.0), penalty=x)) for x in (0.0, 5.0, 50.0)]
    assert by_penalty == sorted(by_penalty)
    assert by_penalty[0] == value(dpo(pairs(-0.1, -1.0), beta=0.3))


def test_dpop_a_code_divides_only_the_penalty_by_the_number_of_codes(pairs):
    batch = pairs(-2.0, -5.0, n=(100, 100))
    z = 0.3 * (3 - 50 * 2 / 100)
    assert value(dpop(batch, per_code=True)) == pytest.approx(-math.log(sigmoid(z)))


def test_the_critical_beta_of_the_ranking_paper(pairs):
    """-c + logit(a) / beta changes its sign at beta = logit(a) / c; there the DPO loss is H(a)."""
    c, a = 0.8, 0.75
    beta = math.log(a / (1 - a)) / c
    assert beta == pytest.approx(1.373265, abs=1e-6)
    for margin, expected in ((-5.0, 0.974077), (0.0, 0.693147), (5.0, 0.474077), (20.0, 0.126928)):
        assert value(dpo(pairs(margin, 0.0))) == pytest.approx(expected, abs=1e-6)


@without_deadline
@given(margin=MARGINS, beta=st.floats(0.01, 2))
def test_the_gradient_of_dpo_is_minus_beta_sigmoid_of_minus_z(pairs, margin, beta):
    batch = pairs(margin, 0.0)
    batch.chosen.logp.requires_grad_()
    dpo(batch, beta=beta).values.sum().backward()
    expected = -beta * sigmoid(-beta * margin)
    assert batch.chosen.logp.grad.item() == pytest.approx(expected, rel=1e-9)


@without_deadline
@given(z=MARGINS, flipped=st.floats(0, 0.49))
def test_conservative_mixes_and_robust_unmixes_the_loss_of_a_label_and_its_opposite(
    pairs, z, flipped
):
    right, wrong = math.log1p(math.exp(-z)), math.log1p(math.exp(z))
    batch, options = pairs(z, 0.0), {"beta": 1.0, "label_smoothing": flipped}
    mixed = (1 - flipped) * right + flipped * wrong
    unmixed = ((1 - flipped) * right - flipped * wrong) / (1 - 2 * flipped)
    assert value(cdpo(batch, **options)) == pytest.approx(mixed)
    assert value(rdpo(batch, **options)) == pytest.approx(unmixed)


@without_deadline
@given(z=MARGINS, flipped=st.floats(0, 0.45))
def test_over_flipped_labels_the_robust_loss_is_that_of_the_clean_label_on_the_average(
    pairs, z, flipped
):
    options = {"beta": 1.0, "label_smoothing": flipped}
    right, wrong = (value(rdpo(pairs(x, 0.0), **options)) for x in (z, -z))
    clean = value(dpo(pairs(z, 0.0), beta=1.0))
    assert (1 - flipped) * right + flipped * wrong == pytest.approx(clean, abs=1e-9)


def test_the_robust_loss_of_a_pair_may_be_negative(pairs):
    assert value(rdpo(pairs(20.0, 0.0), beta=1.0, label_smoothing=0.3)) < 0


def test_with_soft_labels_the_best_margin_is_the_log_odds_of_the_share_of_votes(pairs):
    p, beta = 0.8, 0.5
    margins = torch.linspace(0, 6, 6001, dtype=torch.float64)
    losses = spce(pairs(tuple(margins.tolist()), 0.0, p_chosen=p), beta=beta).values
    assert beta * margins[losses.argmin()].item() == pytest.approx(1.386294, abs=1e-3)
    assert losses.min().item() == pytest.approx(0.500402, abs=1e-6)
    smoothed = cdpo(pairs(tuple(margins.tolist()), 0.0), beta=beta, label_smoothing=1 - p).values
    torch.testing.assert_close(smoothed, losses)


@pytest.mark.parametrize("objective", [cdpo, rdpo])
@pytest.mark.parametrize("smoothing", [-0.1, 0.5, 0.7])
def test_a_label_cannot_be_flipped_more_often_than_not(pairs, objective, smoothing):
    with pytest.raises(ConfigError, match=r"label_smoothing in \[0, 0.5\)"):
        objective(pairs(1.0, 0.0), label_smoothing=smoothing)


@without_deadline
@given(beta=st.floats(0.05, 5), rejected=st.floats(-50, 50))
def test_ipo_is_zero_at_a_margin_of_one_over_two_beta_and_rises_on_both_sides(
    pairs, beta, rejected
):
    best = rejected + 1 / (2 * beta)
    at = [value(ipo(pairs(best + d, rejected), beta=beta)) for d in (-0.1, 0.0, 0.1)]
    assert at == pytest.approx([0.01, 0, 0.01], abs=1e-9)


def test_means_over_codes_or_sums_are_told_by_the_option_not_by_habit(pairs):
    batch = pairs(4.0, -6.0, n=(2, 3))
    assert value(ipo(batch, beta=0.5)) == pytest.approx((10 - 1) ** 2)
    assert value(ipo(batch, beta=0.5, per_code=True)) == pytest.approx((2 + 2 - 1) ** 2)
    assert value(ln_dpo(batch, beta=0.5)) == pytest.approx(math.log1p(math.exp(-0.5 * 4)))


def test_length_normalised_dpo_does_not_see_that_a_clip_is_said_twice(pairs):
    once, twice = pairs(3.0, -2.0, n=(4, 5)), pairs(6.0, -2.0, n=(8, 5))
    assert value(ln_dpo(once)) == value(ln_dpo(twice))


def test_scaling_the_references_margin_leads_from_no_reference_to_dpo_and_beyond(pairs):
    batch = pairs(-3.0, -4.0, reference=(-2.0, -5.0))  # c = -3, l(w) - l(l) = 1
    for g, z in ((0.0, 1.0), (1.0, -2.0), (2.0, -5.0)):
        expected = math.log1p(math.exp(-0.1 * z))
        assert value(dpo_g(batch, g=g)) == pytest.approx(expected)
    assert value(dpo_g(batch)) == pytest.approx(value(dpo(batch)))


@pytest.mark.parametrize(
    ("reference", "margin"), [((-2.0, -5.0), 1 - 3.0), ((-5.0, -2.0), 1.0), ((-5.0, -5.0), 1.0)]
)
def test_a_reference_that_prefers_the_rejected_clip_counts_as_one_without_preference(
    pairs, reference, margin
):
    batch = pairs(-3.0, -4.0, reference=reference)
    assert value(hypo_clip(batch, beta=1.0)) == pytest.approx(math.log1p(math.exp(-margin)))


def test_as_the_rejected_clip_dies_its_probability_has_the_larger_gradient():
    """dL/dp(l) = -p(w) / p(l) dL/dp(w): -8 at 0.4 and 0.05."""
    chosen, rejected = (torch.tensor([p], requires_grad=True) for p in (0.4, 0.05))
    one, zero = torch.ones(1), torch.zeros(1)
    batch = Pairs(Clips(chosen.log(), one, zero), Clips(rejected.log(), one, zero))
    dpo(batch).values.sum().backward()
    assert (rejected.grad / chosen.grad).item() == pytest.approx(-8, rel=1e-5)


def test_diagnostics_hold_the_rewards_that_were_optimised_and_no_gradient(pairs):
    batch = pairs(4.0, -6.0, n=(2, 3))
    batch.chosen.logp.requires_grad_()
    found = ln_dpo(batch, beta=0.5).diagnostics
    assert (found["chosen_reward"].item(), found["rejected_reward"].item()) == (1.0, -1.0)
    assert not found["chosen_reward"].requires_grad
