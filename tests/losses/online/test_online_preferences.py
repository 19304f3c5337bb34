import math
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from auralign.errors import DataError
from auralign.losses import OBJECTIVES, Clips, Pairs
from auralign.losses.online import Rollouts
from auralign.losses.online.advantages import win_margin
from auralign.losses.online.kl import in_loss
from auralign.losses.online.policy_gradient import nash_md
from auralign.losses.online.preferences import (
    general_preference,
    geometric_mixture,
    gepo,
    hypo_kl,
    ipo_md,
    online_dpo,
    ranked_pairs,
    win_rates,
)

pytestmark = pytest.mark.slow

CYCLE = torch.tensor([[0.5, 0.9, 0.2], [0.1, 0.5, 0.8], [0.8, 0.2, 0.5]], dtype=torch.float64)
"""P(row is preferred to column): 1 beats 2 beats 3 beats 1."""


def double(*values):
    return torch.tensor(values, dtype=torch.float64)


def one_code(logits, reference=None, **given):
    """A clip for each code, under softmax(logits) and a uniform reference."""
    logps = logits.log_softmax(-1)[:, None, None]
    uniform = torch.full_like(logps, -math.log(len(logits))).detach()
    reference = uniform if reference is None else reference[:, None, None]
    scored = torch.ones_like(logps).bool()
    return Rollouts(logps, logps.detach(), scored, reference, **given)


def sampled(log_ratios, rewards, group=None):
    """Clips of one code with these log-ratios to the reference."""
    logps = torch.tensor(log_ratios, dtype=torch.float64)[:, None, None] - 3
    return Rollouts(
        logps.requires_grad_(),
        logps.detach(),
        torch.ones_like(logps).bool(),
        torch.full_like(logps, -3.0).detach(),
        rewards=torch.tensor(rewards, dtype=torch.float64),
        group=torch.tensor(group or [0] * len(rewards)),
    )


def test_the_best_and_the_worst_clip_of_each_prompt_make_a_pair():
    batch = sampled([0.1, 0.2, 0.3, 0.4, 0.5], [1, 5, 3, 2, -2], group=[4, 4, 4, 1, 1])
    pairs = ranked_pairs(batch)
    assert_close(pairs.chosen.log_ratio, double(0.4, 0.2))
    assert_close(pairs.rejected.log_ratio, double(0.5, 0.1))
    assert_close(pairs.score_gap, double(4, 4))


def test_ties_and_clips_that_could_not_be_scored_make_no_pair():
    # C15
    batch = sampled([0.1, 0.2, 0.3, 0.4, 0.5], [2, 2, 1, math.nan, 4], group=[0, 0, 1, 1, 1])
    assert_close(ranked_pairs(batch).chosen.log_ratio, double(0.5))
    assert_close(ranked_pairs(batch).rejected.log_ratio, double(0.3))
    with pytest.raises(DataError, match="differ by more than 5, got none"):
        ranked_pairs(batch, min_gap=5)


def test_online_dpo_is_dpo_on_these_pairs():
    batch = sampled([0.7, -0.3, 0.1], [3, 1, 2])
    loss = online_dpo(batch, beta=0.5)
    assert_close(loss.values, double(math.log1p(math.exp(-0.5))))
    loss.values.sum().backward()
    slope = 0.5 / (1 + math.exp(0.5))
    assert_close(batch.token_logps.grad[:, 0, 0], double(-slope, slope, 0))


def test_any_objective_over_pairs_goes_online():
    pairs = ranked_pairs(sampled([0.7, -0.3, 0.1], [3, 1, 2]))
    assert_close(OBJECTIVES["ipo"].function(pairs, beta=0.5).values, double(0))


def test_win_rates_are_means_over_the_rivals_that_the_judge_compared():
    table = CYCLE.clone()
    table.fill_diagonal_(math.nan)
    table[2] = math.nan
    rates, scored = win_rates(table)
    assert_close(rates, double(0.55, 0.45, 0))
    assert scored.tolist() == [True, True, False]
    with pytest.raises(DataError, match="between 0 and 1"):
        win_rates(table * 3)


def test_a_geometric_mixture_lies_between_the_policy_and_the_reference():
    p, r = double(0.7, 0.2, 0.1).log(), double(0.1, 0.1, 0.8).log()
    mixed = geometric_mixture(p + 3, r - 2, 0.25)
    weights = double(0.7**0.75 * 0.1**0.25, 0.2**0.75 * 0.1**0.25, 0.1**0.75 * 0.8**0.25)
    assert_close(mixed.exp(), weights / weights.sum())
    assert_close(geometric_mixture(p, r, 0.0), p)
    assert_close(geometric_mixture(p, r, 1.0), r)


def test_a_code_that_is_impossible_stays_impossible_in_the_mixture():
    p, r = double(0.5, 0.5, 0).log(), double(0.2, 0.3, 0.5).log()
    for weight, expected in [(0.0, 0.0), (0.5, 0.0), (1.0, 0.5)]:
        assert_close(geometric_mixture(p, r, weight).exp()[2], double(expected).sum())


def nash_gradient(logits, preferences, rivals, tau):
    """Of Nash-MD's loss over all codes, each as often as the policy samples it."""
    batch = one_code(logits, rewards=(preferences @ rivals).detach())
    batch = batch.given(win_margin(batch))
    kl = in_loss(batch, estimator="k2", place="none", level="clip")
    loss = logits.softmax(-1).detach() @ (nash_md(batch).values + tau * kl)
    return torch.autograd.grad(loss, logits)[0]


def test_the_gradient_of_nash_md_is_that_of_winning_less_the_kl():
    logits, rivals = double(0.3, -0.5, 0.1).requires_grad_(), double(0.2, 0.5, 0.3)
    p = logits.softmax(-1)
    value = p @ CYCLE @ rivals - 0.1 * (p * (p * 3).log()).sum()
    (truth,) = torch.autograd.grad(value, logits)
    assert_close(nash_gradient(logits, CYCLE, rivals, 0.1), -truth)


def settled(weight, tau=0.1, n_steps=400):
    """Logits where natural gradient steps of Nash-MD against a mixture come to rest."""
    logits, uniform = double(2, 0, -2), torch.zeros(3).double()
    for _ in range(n_steps):
        rivals = geometric_mixture(logits, uniform, weight).exp()
        slope = nash_gradient(logits.clone().requires_grad_(), CYCLE, rivals, tau)
        logits = logits - slope / logits.softmax(-1)
    return logits


def test_nash_md_against_itself_settles_on_the_nash_policy_of_a_cyclic_game():
    policy = settled(0.0).softmax(-1)
    assert_close(policy, (CYCLE @ policy / 0.1).softmax(-1))
    assert_close(policy, double(0.330, 0.285, 0.385), atol=5e-4, rtol=0)


def test_nash_md_settles_on_the_best_answer_to_the_mixture_that_rivals_come_from():
    logits = settled(0.25)
    rivals = geometric_mixture(logits, torch.zeros(3).double(), 0.25).exp()
    assert_close(logits.softmax(-1), (CYCLE @ rivals / 0.1).softmax(-1))


def test_with_the_papers_steps_the_rule_in_closed_form_comes_to_the_same_nash_policy():
    # eta_k = 2 / (tau (k + 2)); the KL to the Nash policy is at most 8 / (tau^2 (k + 1)).
    tau, logits = 0.1, double(2, 0, -2)
    for k in range(3000):
        eta = 2 / (tau * (k + 2))
        mixed = geometric_mixture(logits, torch.zeros(3).double(), eta * tau)
        logits = mixed + eta * CYCLE @ mixed.exp()
    assert_close(logits.softmax(-1), double(0.330, 0.285, 0.385), atol=1e-3, rtol=0)


def test_the_rule_of_nash_md_in_closed_form_at_the_worked_numbers():
    # Two codes, P(1 > 2) = .7, tau = .5, eta = 1: logits .2, .3, .35, .375, on the way to .2 / tau.
    preferences = torch.tensor([[0.5, 0.7], [0.3, 0.5]], dtype=torch.float64)
    logits, reached = double(0, 0), []
    for _ in range(4):
        mixed = geometric_mixture(logits, torch.zeros(2).double(), 0.5)  # eta tau
        logits = mixed + preferences @ mixed.exp()
        reached.append((logits[0] - logits[1]).item())
    assert reached == pytest.approx([0.2, 0.3, 0.35, 0.375])


def pairs_of_codes(logits, reference):
    """All ordered pairs of codes, and how often a policy samples each."""
    rho = logits.log_softmax(-1)
    i, j = (x.flatten() for x in torch.meshgrid(torch.arange(3), torch.arange(3), indexing="ij"))
    ones = torch.ones(9)
    chosen, rejected = (Clips(rho[k], ones, reference[k]) for k in (i, j))
    p = logits.softmax(-1).detach()
    return Pairs(chosen, rejected, p_chosen=CYCLE[i, j]), p[i] * p[j]


def test_the_gradient_of_online_ipo_is_four_times_that_of_self_play():
    logits, reference = double(0.3, -0.5, 0.1).requires_grad_(), double(0.2, 0.5, 0.3).log()
    pairs, often = pairs_of_codes(logits, reference)
    found = torch.autograd.grad(often @ ipo_md(pairs, beta=0.2).values, logits, retain_graph=True)
    p = logits.softmax(-1)
    kl = (p * (p.log() - reference)).sum()
    (truth,) = torch.autograd.grad(4 * (kl - p @ CYCLE @ p.detach() / 0.2), logits)
    assert_close(found[0], truth)


def test_for_a_judge_that_is_sure_online_ipo_is_ipo(random_pairs):
    drawn = random_pairs(OBJECTIVES["spce"].needs)
    sure = replace(drawn.batch(), p_chosen=torch.ones(3, dtype=torch.float64))
    assert_close(ipo_md(sure).values, OBJECTIVES["ipo"].function(sure).values)


def test_hypo_pulls_the_policy_to_the_reference_on_its_own_clips(world):
    logits, reference = world.logits(0).requires_grad_(), world.logits(1)
    own = world.batch(logits, logits, reference).clips
    labelled = Clips(torch.zeros(7).double(), torch.ones(7), torch.zeros(7).double())
    loss = hypo_kl(Pairs(labelled, labelled, own=own), kl_weight=0.3)
    p = world.probabilities(logits)
    (truth,) = torch.autograd.grad(
        0.3 * (p * (p / world.probabilities(reference)).log()).sum(), logits, retain_graph=True
    )
    assert_close(torch.autograd.grad(p.detach() @ loss.values, logits)[0], truth)


def test_hypo_without_kl_is_dpo(random_pairs):
    batch = random_pairs(OBJECTIVES["selm"].needs).batch()
    expected = OBJECTIVES["dpo"].function(batch).values
    assert_close(hypo_kl(batch, kl_weight=0.0).values, expected)


def test_general_preference_is_least_where_log_ratios_are_scores_by_beta():
    batch = sampled([4.0, -2.0, 0.5], [0.4, -0.2, math.nan])
    loss = general_preference(batch, beta=0.1)
    assert_close(loss.values, double(0, 0, 0))
    other = sampled([1.0], [0.4])
    general_preference(other, beta=0.1).values.sum().backward()
    assert_close(other.token_logps.grad.flatten(), double(2 * (1 - 4)))


def test_general_preference_with_win_rates_is_sppo():
    log_ratios, p = [0.3, -0.4], 0.8
    found = general_preference(sampled(log_ratios, [p - 0.5, 0.5 - p]), beta=0.1).values
    clips = [Clips(double(x), torch.ones(1), double(0)) for x in log_ratios]
    pairs = Pairs(*clips, p_chosen=double(p))
    assert_close(found.sum(), OBJECTIVES["sppo"].function(pairs, beta=0.1).values[0])


def test_gepo_at_two_equivalent_clips_and_one_other():
    batch = sampled([0.4, 0.8, -0.2], [1, 1, 0])
    loss = gepo(batch)
    assert_close(loss.values, double(0.693947 - 0.04 + 0.04), atol=1e-6, rtol=0)
    assert_close(loss.diagnostics["variance"], double(0.04))


def test_gepo_on_one_accepted_and_one_other_clip_is_dpo():
    batch = sampled([0.4, -0.2, 0.1, 0.3], [1, 0, 0, 0], group=[0, 0, 1, 1])
    assert_close(gepo(batch).values, double(math.log1p(math.exp(-0.06))))


def test_gepo_draws_equivalent_clips_together():
    batch = sampled([0.4, 0.8, -0.2], [1, 1, 0])
    gepo(batch, beta=1e-6).values.sum().backward()
    slopes = batch.token_logps.grad.flatten()
    assert_close(slopes, double(-0.2, 0.2, 0), atol=1e-5, rtol=0)


def test_without_a_prompt_that_has_accepted_and_other_clips_there_is_nothing_to_learn():
    with pytest.raises(DataError, match="none with both"):
        gepo(sampled([0.4, 0.8], [1, 1]))
