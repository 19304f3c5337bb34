import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from auralign.errors import ConfigError
from auralign.losses.batch import Clips, Pairs
from auralign.losses.diagnostics import (
    chosen_logp_drop,
    critical_beta,
    difficulty_threshold,
    entropy,
    exact_kl,
    flipped,
    idealised_log_ratio,
    idealised_ranking_accuracy,
    k1,
    k2,
    k3,
    ranking_accuracy,
    reference_error,
)


def double(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def clips(logp: torch.Tensor, reference: torch.Tensor | None = None, n_codes: float = 4) -> Clips:
    return Clips(logp, torch.full_like(logp, n_codes), reference)


def pairs(policy: tuple, reference: tuple) -> Pairs:
    """Chosen and rejected log-probabilities, by policy and by reference."""
    chosen, rejected = (
        clips(double(*p), double(*r)) for p, r in zip(policy, reference, strict=True)
    )
    return Pairs(chosen, rejected)


def test_ranking_accuracy_asks_for_likelihood_not_for_reward():
    # The first pair has moved the right way and is still ranked wrong.
    batch = pairs(((-9, -5), (-8, -6)), ((-12, -5), (-8, -6)))
    assert_close(ranking_accuracy(batch), double(0, 1))
    assert batch.margin[0] > 0


def test_a_tie_counts_half_in_every_accuracy():
    batch = pairs(((-7.0,), (-7.0,)), ((-9.0,), (-8.0,)))
    assert_close(ranking_accuracy(batch), double(0.5))
    assert_close(flipped(batch), double(0.5))
    assert_close(idealised_ranking_accuracy(double(0), double(0.5), beta=1), double(0.5))


@given(st.lists(st.integers(-3, 3), min_size=2, max_size=2))
def test_exchanging_chosen_and_rejected_turns_the_ranking_accuracy_around(logps):
    chosen, rejected = (clips(double(value)) for value in logps)
    both = [ranking_accuracy(Pairs(*two)) for two in ((chosen, rejected), (rejected, chosen))]
    assert_close(both[0] + both[1], double(1))


def test_the_reference_error_is_positive_where_it_prefers_the_rejected_clip():
    batch = pairs(((0, 0), (0, 0)), ((-12, -5), (-8, -6)))
    assert_close(reference_error(batch), double(4, -1))
    assert_close(reference_error(batch, per_code=True), double(1, -0.25))
    bare = Pairs(clips(double(-1)), clips(double(-2)))
    with pytest.raises(ConfigError, match="under a reference"):
        reference_error(bare)


def test_idealised_rankings_at_the_published_numbers():
    c, a = double(0.8), double(0.75)
    assert idealised_log_ratio(c, a, beta=0.1).item() == pytest.approx(10.186123, abs=1e-6)
    assert idealised_log_ratio(c, a, beta=5).item() == pytest.approx(-0.580278, abs=1e-6)
    assert idealised_ranking_accuracy(c, a, beta=0.1).item() == 1
    assert idealised_ranking_accuracy(c, a, beta=5).item() == 0
    assert critical_beta(c, a).item() == pytest.approx(1.373265, abs=1e-6)


@given(st.floats(-30, 30), st.floats(0.5, 1), st.floats(0.01, 10))
def test_the_exact_minimiser_of_soft_dpo_has_the_idealised_log_ratio(c, a, beta):
    ratio = idealised_log_ratio(double(c), double(a), beta=beta)
    z = beta * (ratio + c)  # beta times the margin of log-ratios
    assert torch.sigmoid(z).item() == pytest.approx(min(a, 0.999), abs=1e-6)


def test_agreement_of_all_raters_is_kept_short_of_certainty():
    assert_close(idealised_log_ratio(double(0), double(1), beta=1), double(math.log(0.999 / 0.001)))


def test_the_critical_beta_is_infinite_where_the_reference_is_right():
    assert critical_beta(double(-1, 0), double(0.9, 0.9)).isinf().all()


@pytest.mark.parametrize("beta", [0.01, 0.1, 1, 5, 10])
def test_idealised_accuracy_under_normal_reference_errors_is_a_normal_probability(beta):
    # c normal with sd 5: the pair is ranked right with probability Phi(logit(a) / (5 beta)).
    c = 5 * torch.randn(100_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for a in (0.55, 0.75, 0.95):
        found = idealised_ranking_accuracy(c, torch.full_like(c, a), beta=beta).mean()
        expected = torch.special.ndtr(torch.logit(double(a)) / (5 * beta))
        assert found.item() == pytest.approx(expected.item(), abs=0.006)


def test_difficulty_thresholds_at_the_published_numbers():
    found = difficulty_threshold(double(-5, 0, 5, 20), beta=0.1)
    assert_close(found, double(0.974077, 0.693147, 0.474077, 0.126928), atol=1e-6, rtol=0)


@given(st.floats(-20, 20), st.floats(-20, 20), st.floats(0.05, 2))
def test_a_pair_is_ranked_right_just_when_its_dpo_loss_is_below_its_threshold(c, log_ratio, beta):
    loss = torch.nn.functional.softplus(-beta * (double(log_ratio) + c))
    threshold = difficulty_threshold(double(c), beta=beta)
    if abs(log_ratio) > 1e-6:
        assert (loss <= threshold).item() == (log_ratio >= 0)


def test_flipped_pairs_were_wrong_and_are_right():
    batch = pairs(((-5, -5, -5, -9), (-6, -6, -4, -8)), ((-9, -5, -9, -9), (-8, -6, -8, -9.5)))
    assert_close(flipped(batch), double(1, 0, 0, 0))


def test_the_drop_of_chosen_clips_is_positive_under_displacement():
    batch = pairs(((-9.0, -4.0), (-20.0, -9.0)), ((-7.0, -5.0), (-7.0, -5.0)))
    assert_close(chosen_logp_drop(batch), double(2, -1))
    assert (batch.margin > 0).all()


def five_symbols() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    logits, reference = torch.randn(2, 5, generator=generator, dtype=torch.float64)
    return logits.requires_grad_(), reference.log_softmax(0)


@pytest.mark.parametrize("estimator", [k1, k2, k3])
def test_gradients_of_kl_estimators_as_losses_by_exact_enumeration(estimator):
    logits, reference = five_symbols()
    logp = logits.log_softmax(0)
    u = (logp - reference)[:, None, None]
    values = estimator(u, torch.ones_like(u, dtype=torch.bool))
    (slope,) = torch.autograd.grad((logp.exp().detach() * values).sum(), logits, retain_graph=True)
    forward = (logp.exp() * (logp - reference)).sum()
    reverse = (reference.exp() * (reference - logp)).sum()
    of = {k1: 0 * forward, k2: forward, k3: reverse}[estimator]
    (expected,) = torch.autograd.grad(of, logits)
    assert_close(slope, expected)


@pytest.mark.parametrize("estimator", [k1, k3])
def test_k1_and_k3_are_unbiased_by_exact_enumeration(estimator):
    logits, reference = five_symbols()
    logp = logits.detach().log_softmax(0)
    u = (logp - reference)[:, None, None]
    mean = (logp.exp() * estimator(u, torch.ones_like(u, dtype=torch.bool))).sum()
    assert_close(mean, exact_kl(logits.detach(), reference))


@given(st.floats(-15, 15))
def test_k2_and_k3_are_never_negative(u):
    ratio = double(u)[:, None, None]
    scored = torch.ones_like(ratio, dtype=torch.bool)
    assert k2(ratio, scored).item() == pytest.approx(u**2 / 2)
    assert k3(ratio, scored).item() == pytest.approx(math.expm1(-u) + u, abs=1e-9)
    assert k3(ratio, scored).item() >= -1e-12


@pytest.mark.parametrize("estimator", [k1, k2, k3])
@pytest.mark.parametrize("hidden", [math.nan, math.inf, -1e30])
def test_what_is_not_scored_adds_nothing_to_a_kl(estimator, hidden):
    u = torch.tensor([[[0.3, hidden], [-0.2, hidden]]], dtype=torch.float64, requires_grad=True)
    scored = torch.tensor([[[True, False], [True, False]]])
    value = estimator(u, scored)
    alone = estimator(u[..., :1], scored[..., :1])
    assert_close(value, alone)
    value.sum().backward()
    assert (u.grad[~scored] == 0).all()


def test_k3_neither_overflows_nor_loses_its_gradient_where_the_policy_has_left_a_code():
    u = torch.full((1, 1, 1), -1e3, requires_grad=True)
    value = k3(u, torch.ones_like(u, dtype=torch.bool))
    value.sum().backward()
    assert value.isfinite().all()
    assert u.grad.isfinite().all()
    assert u.grad.item() < -1e6


def test_entropy_and_divergence_by_hand_and_with_impossible_codes():
    half = torch.tensor([0.0, 0.0, -math.inf])
    quarter = torch.tensor([0.25, 0.25, 0.5]).log()
    assert entropy(half).item() == pytest.approx(math.log(2))
    assert exact_kl(half, quarter).item() == pytest.approx(math.log(2))
    assert exact_kl(quarter, half).item() == math.inf
    assert exact_kl(quarter, quarter + 3).item() == pytest.approx(0, abs=1e-6)
    assert entropy(torch.zeros(2, 3, 8)).shape == (2, 3)
