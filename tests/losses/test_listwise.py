import math
from itertools import combinations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import softplus
from torch.testing import assert_close

from auralign.errors import DataError
from auralign.losses.batch import Clips, Lists
from auralign.losses.listwise import (
    copg,
    dppo,
    irpo,
    lambda_rank,
    lipo_lambda,
    mean_win_probability,
    plackett_luce,
    pro,
)


def double(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def of_log_ratios(rho: torch.Tensor, **fields) -> Lists:
    """Lists `[lists, size]` of log-ratios, under a reference that differs from clip to clip."""
    reference = -torch.arange(3.0, 3 + rho.numel(), dtype=torch.float64)
    clips = Clips(rho.flatten() + reference, torch.full_like(reference, 4), reference)
    return Lists(clips, rho.shape[-1], **fields)


def of_mean_logps(h: torch.Tensor, **fields) -> Lists:
    n_codes = torch.arange(1.0, 1 + h.numel(), dtype=torch.float64)
    return Lists(Clips(h.flatten() * n_codes, n_codes), h.shape[-1], **fields)


RHO = torch.randn(5, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_plackett_luce_by_hand():
    # Rewards 0.2, 0.1, -0.3: first out of three, then second out of two.
    e = math.exp
    expected = -math.log(e(0.2) / (e(0.2) + e(0.1) + e(-0.3))) - math.log(
        e(0.1) / (e(0.1) + e(-0.3))
    )
    batch = of_log_ratios(double(2.0, 1.0, -3.0)[None])
    assert plackett_luce(batch, beta=0.1).values.item() == pytest.approx(expected)


def test_at_the_reference_every_ranking_of_plackett_luce_is_as_likely():
    values = plackett_luce(of_log_ratios(torch.zeros(2, 4, dtype=torch.float64))).values
    assert_close(values, torch.full_like(values, math.log(math.factorial(4))))


@given(st.floats(-30, 30), st.floats(-30, 30), st.floats(0.01, 2))
def test_lists_of_two_are_dpo(best, worst, beta):
    batch = of_log_ratios(double(best, worst)[None], scores=double(1, 0)[None])
    loss = softplus(-beta * double(best - worst))
    assert_close(plackett_luce(batch, beta=beta).values, loss)
    # LiPO: |2 - 1| |1 / log 2 - 1 / log 3| times DPO
    constant = 1 / math.log(2) - 1 / math.log(3)
    assert_close(lipo_lambda(batch, beta=beta).values, constant * loss)
    # IRPO with places 1 and 2: half of DPO
    assert_close(irpo(batch, beta=beta).values, loss / 2)


def test_pro_at_the_numbers_of_a_review():
    h, scores = double(-0.5, -0.8, -1.2)[None], double(1, 0.6, 0.1)[None]
    batch = of_mean_logps(h, scores=scores)
    assert pro(batch, sft_weight=0).values.item() == pytest.approx(1.580749, abs=1e-6)
    # (K - 1)^2 0.05 = 0.2 times the mean log-likelihood of the best, not its sum
    assert pro(batch).values.item() == pytest.approx(1.680749, abs=1e-6)


def test_pro_is_the_formula_term_by_term():
    h, scores = -RHO.abs(), torch.linspace(1, 0, 4, dtype=torch.float64).pow(2).expand(5, 4)
    expected = []
    for row, r in zip(h.tolist(), scores.tolist(), strict=True):
        total = 0.0
        for k in range(3):
            sharp = {i: r[k] - r[i] for i in range(k + 1, 4)}
            own = math.exp(row[k] * max(sharp.values()))
            rest = sum(math.exp(row[i] * sharp[i]) for i in sharp)
            total -= math.log(own / (own + rest))
        expected.append(total)
    got = pro(of_mean_logps(h, scores=scores), sft_weight=0).values
    assert_close(got, double(*expected))


def test_pro_is_finite_where_exponentials_of_its_scores_would_overflow():
    h = double(-1.0, -2.0, -3.0)[None].requires_grad_()
    values = pro(of_mean_logps(h, scores=double(2000, 900, 0)[None])).values
    values.sum().backward()
    assert values.isfinite().all()
    assert h.grad.isfinite().all()


@pytest.mark.parametrize("scores", [(1.0, 0.5, 0.5), (0.1, 0.5, 0.0)])
def test_pro_refuses_ties_and_rising_scores(scores):
    with pytest.raises(DataError, match="equal or rising"):
        pro(of_mean_logps(-RHO[:1, :3].abs(), scores=double(*scores)[None]))


def test_lipo_lambda_at_pinned_numbers():
    scores = double(0.9, 0.5, 0.1)[None]
    batch = of_log_ratios(double(0.1, 0.3, -0.2)[None], scores=scores)
    assert lipo_lambda(batch, beta=1).values.item() == pytest.approx(0.392304, abs=1e-6)
    two = of_log_ratios(double(0.2, 0.0)[None], scores=double(1, 0)[None])
    assert lipo_lambda(two, beta=1).values.item() == pytest.approx(0.318483, abs=1e-6)


def test_lambda_weights_are_the_change_of_discounted_gain_by_a_swap():
    scores = torch.tensor([[0.9, 0.7, 0.4, 0.1]], dtype=torch.float64)
    rewards = double(0.1, 0.5, -0.3, 0.2)[None]
    rank = {1: 1, 3: 2, 0: 3, 2: 4}  # by reward
    total = 0.0
    for i, j in combinations(range(4), 2):
        gain = abs(2 ** scores[0, i] - 2 ** scores[0, j])
        discount = abs(1 / math.log(1 + rank[i]) - 1 / math.log(1 + rank[j]))
        total += gain * discount * softplus(rewards[0, j] - rewards[0, i])
    assert_close(lambda_rank(rewards, scores), total[None])


def test_at_the_reference_where_all_rewards_tie_lipo_lambda_still_has_a_gradient():
    rho = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    scores = double(0.9, 0.5, 0.1)[None]
    lipo_lambda(of_log_ratios(rho, scores=scores)).values.sum().backward()
    assert rho.grad[0, 0] < rho.grad[0, 1] < rho.grad[0, 2]


def test_lipo_lambda_gives_tied_scores_no_pull_and_refuses_scores_outside_zero_to_one():
    tied = of_log_ratios(RHO, scores=torch.full_like(RHO, 0.5))
    assert (lipo_lambda(tied).values == 0).all()
    with pytest.raises(DataError, match="scores from 0 to 1"):
        lipo_lambda(of_log_ratios(RHO, scores=4 * torch.ones_like(RHO)))


def test_mean_win_probability_is_the_mean_over_the_other_answers():
    scores = double(1.2, 0.0, -0.5)[None]
    got = mean_win_probability(scores)[0]
    for i in range(3):
        others = [1 / (1 + math.exp(scores[0, j] - scores[0, i])) for j in range(3) if j != i]
        assert got[i].item() == pytest.approx(sum(others) / 2)
    assert got.mean().item() == pytest.approx(0.5)


def test_irpo_at_the_numbers_of_its_code():
    batch = of_log_ratios(double(0.5, 0.2, -0.1)[None], scores=double(2, 1, 0)[None])
    assert irpo(batch).values.item() == pytest.approx(0.648118, abs=1e-6)


def test_irpo_takes_the_place_of_presentation_where_it_is_known():
    rho, scores = double(0.5, 0.2, -0.1)[None], double(2, 1, 0)[None]
    best_last = of_log_ratios(rho, scores=scores, places=torch.tensor([[3, 2, 1]]))
    inner = [0.644815, 1.045339]  # of the first two items, by hand
    weights = [3 / math.log2(4), 1 / math.log2(3)]
    expected = sum(w * math.log1p(x) for w, x in zip(weights, inner, strict=True)) / 3
    assert irpo(best_last).values.item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("distances", "conservatism", "expected"),
    [((0.2, 0.5), 1.0, 0.048587), ((0.5, 0.2), 1.0, 3.048587), ((0.2, 0.5), 0.5, 0.474077)],
)
def test_dppo_at_pinned_numbers(distances, conservatism, expected):
    batch = of_mean_logps(-double(*distances)[None])
    got = dppo(batch, temperature=0.1, conservatism=conservatism).values.item()
    assert got == pytest.approx(expected, abs=1e-6)


def test_dppo_on_longer_lists_is_the_mean_over_its_pairs():
    h = -RHO.abs()
    pairs = [dppo(of_mean_logps(h[:, list(p)])).values for p in combinations(range(4), 2)]
    assert_close(dppo(of_mean_logps(h)).values, torch.stack(pairs).mean(0))


def test_copg_by_hand_with_the_coefficient_of_its_gradient():
    rho = double(0.5, -0.2)[None].requires_grad_()
    values = copg(of_log_ratios(rho, scores=double(1, 0)[None]), beta=0.5).values
    assert values.item() == pytest.approx((0.75 - 0.1) ** 2)
    values.backward()
    assert_close(rho.grad, double(-0.65, 0.65)[None])


@given(st.floats(-5, 5), st.floats(0.05, 2))
def test_copg_with_scores_of_a_quarter_is_beta_squared_times_ipo(margin, beta):
    batch = of_log_ratios(double(margin, 0)[None], scores=double(0.25, -0.25)[None])
    ipo = (margin - 1 / (2 * beta)) ** 2
    assert copg(batch, beta=beta).values.item() == pytest.approx(beta**2 * ipo, abs=1e-9)


def test_copg_is_the_sum_over_pairs():
    scores = torch.linspace(1, -1, 4, dtype=torch.float64).expand(5, 4)
    left = scores - 0.3 * RHO
    expected = sum((left[:, i] - left[:, j]) ** 2 for i, j in combinations(range(4), 2)) / 3
    assert_close(copg(of_log_ratios(RHO, scores=scores), beta=0.3).values, expected)


def test_copg_reaches_the_optimum_from_another_policys_samples():
    # Scores (1, 0.5, 0), beta 0.5, uniform reference, behaviour (0.2, 0.2, 0.6): softmax(R / beta).
    logits = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    scores, behaviour = double(1, 0.5, 0), double(0.2, 0.2, 0.6)
    pairs = torch.cartesian_prod(torch.arange(3), torch.arange(3))
    weights = behaviour[pairs].prod(1)
    reference = torch.full((18,), -math.log(3), dtype=torch.float64)
    for _ in range(400):
        logp = logits.log_softmax(0)[pairs].flatten()
        batch = Lists(Clips(logp, torch.ones(18), reference), 2, scores=scores[pairs])
        (slope,) = torch.autograd.grad((weights * copg(batch, beta=0.5).values).sum(), logits)
        with torch.no_grad():
            logits -= slope
    assert_close(
        logits.softmax(0).detach(), double(0.665241, 0.244728, 0.090031), atol=1e-4, rtol=0
    )


def test_the_share_of_pairs_in_the_right_order_counts_ties_half():
    batch = of_log_ratios(double(0.3, 0.3, -1.0, 0.5)[None])
    # Of six pairs: (1,2) tied; (1,3) and (2,3) right; the three with the last are wrong.
    found = plackett_luce(batch).diagnostics
    assert found["pair_accuracy"].item() == pytest.approx(2.5 / 6)
    assert_close(found["best_reward"], double(0.03))
    assert_close(found["worst_reward"], double(0.05))


@pytest.mark.parametrize(("n", "size"), [(4, 1), (5, 2)])
def test_lists_of_one_or_of_unequal_length_are_refused(n, size):
    with pytest.raises(DataError, match="at least 2 answers, all of one length"):
        Lists(Clips(torch.zeros(n), torch.ones(n)), size)
