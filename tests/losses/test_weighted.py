import math

import pytest
import torch

from auralign.errors import DataError
from auralign.losses import Clips, Need, Pairs
from auralign.losses.pairwise import dpo
from auralign.losses.weighted import infonca_pair, mm_dpo, odpo, rpo_reward, videodpo, wpo


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def value(loss) -> float:
    return loss.values.item()


@pytest.fixture
def scored(pairs):
    """Pairs with a difference of scores."""
    return lambda chosen, rejected, gap: pairs(
        chosen, rejected, chosen_score=1.0 + gap, rejected_score=1.0
    )


def test_an_offset_of_the_log_of_the_difference_in_score(scored):
    for gap, expected in ((3.0, 0.743668), (1.0, 0.313262), (0.5, 0.168848)):
        assert value(odpo(scored(2.0, 0.0, gap), beta=0.5)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("gap", [0.0, -1.0, math.nan])
def test_a_chosen_clip_that_does_not_score_higher_is_an_error_that_names_the_pair(pairs, gap):
    scores = torch.tensor([3.0, 1.0 + gap]), torch.tensor([1.0, 1.0])
    batch = pairs((1.0, 1.0), (0.0, 0.0), chosen_score=scores[0], rejected_score=scores[1])
    with pytest.raises(DataError, match=f"pair 1 of the batch.*got a difference of {gap:g}"):
        odpo(batch)


def test_a_reward_aware_margin_is_least_where_it_is_the_difference_in_reward(scored):
    for squared in (False, True):
        at = [
            value(rpo_reward(scored(d, 0.0, 2.0), beta=0.5, eta=0.75, squared=squared))
            for d in (2.9, 3.0, 3.1)
        ]
        assert at[1] == pytest.approx(0, abs=1e-12)
        assert min(at[0], at[2]) > 1e-5


def test_a_reward_aware_loss_by_hand(scored):
    p, q = sigmoid(1.2), sigmoid(0.2)
    kl = p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))
    assert value(rpo_reward(scored(2.0, 0.0, 1.2))) == pytest.approx(kl)
    assert value(rpo_reward(scored(2.0, 0.0, 1.2), squared=True)) == pytest.approx(1.0)


def test_labels_from_scores_are_a_softmax_of_two(scored):
    p = math.exp(5 / 0.5) / (math.exp(5 / 0.5) + math.exp(4.2 / 0.5))
    z = 0.01 * 3
    expected = -p * math.log(sigmoid(z)) - (1 - p) * math.log(sigmoid(-z))
    assert value(infonca_pair(scored(3.0, 0.0, 0.8), temperature=0.5)) == pytest.approx(expected)


def test_dynamic_reward_scaling_at_the_published_numbers(scored):
    assert value(mm_dpo(scored(2.0, 0.0, 1.0))) == pytest.approx(0.580618, abs=1e-6)
    for gap, beta in ((0.0, 0.1), (1.0, 0.119673), (4.0, 0.143233)):
        reward = mm_dpo(scored(1.0, 0.0, gap)).diagnostics["chosen_reward"]
        assert reward.item() == pytest.approx(beta, abs=1e-6)


def test_the_dynamic_beta_stays_between_its_bounds(scored):
    for gap, beta in ((-5.0, 0.1), (1e3, 0.15)):
        reward = mm_dpo(scored(1.0, 0.0, gap)).diagnostics["chosen_reward"]
        assert reward.item() == pytest.approx(beta)


def test_the_supervised_term_of_dynamic_scaling_is_nats_a_code(pairs):
    batch = pairs(-6.0, -9.0, n=(3, 3), chosen_score=2.0, rejected_score=1.0)
    with_it, without = (value(mm_dpo(batch, sft_weight=w)) for w in (0.5, 0.0))
    assert with_it - without == pytest.approx(0.5 * 2.0)


def test_rare_scores_weigh_more(pairs):
    """beta D = 1 as in the source's check: 5000 * 0.5 * 0.0004; weight 2."""
    batch = pairs(10.0, 0.0, score_frequency=0.36)
    assert value(videodpo(batch)) == pytest.approx(2 * 0.313262, abs=1e-5)
    assert value(videodpo(batch)) == pytest.approx(0.626523, abs=1e-6)
    weights = [videodpo(batch, alpha=a).diagnostics["weight"].item() for a in (0.0, 0.5, 1.0)]
    assert weights == pytest.approx([1, 1.414214, 2], abs=1e-6)


def test_the_on_policy_weight_by_its_definition():
    """Two codes of a vocabulary of three; the second clip is what the policy would never say."""
    probabilities = torch.tensor([[0.7, 0.2, 0.1], [0.5, 0.3, 0.2]], dtype=torch.float64)
    collision = probabilities.square().sum(1).log().reshape(1, 1, 2)
    said = {"chosen": [0, 1], "rejected": [2, 2]}
    sides, log_weight = [], 0.0
    for codes in said.values():
        logps = probabilities[range(2), codes].log().reshape(1, 1, 2).requires_grad_()
        log_weight += (logps - collision).mean().item()
        scored = torch.ones(1, 1, 2, dtype=torch.bool)
        sides.append(
            Clips(
                logps.sum((1, 2)),
                torch.tensor([2]),
                torch.full((1,), -3.0, dtype=torch.float64),
                token_logps=logps,
                scored=scored,
                log_collision=collision,
            )
        )
    batch = Pairs(*sides)
    weight = math.exp(log_weight)
    loss = wpo(batch)
    assert loss.diagnostics["weight"].item() == pytest.approx(weight)
    assert value(loss) == pytest.approx(weight * value(dpo(batch)))
    slopes = torch.autograd.grad(loss.values.sum(), sides[0].token_logps)[0]
    plain = torch.autograd.grad(dpo(batch).values.sum(), sides[0].token_logps)[0]
    torch.testing.assert_close(slopes, weight * plain)


@pytest.mark.parametrize(("bound", "expected"), [(1.0, 1.0), (2.0, 2.0), (None, math.exp(1.5))])
def test_pairs_more_likely_than_the_policys_own_are_bounded_on_request(
    random_pairs, bound, expected
):
    drawn = random_pairs({Need.REFERENCE, Need.TOKENS, Need.COLLISION})
    for leaf, fields, above in zip(drawn.leaves, drawn.others, (1.0, 0.5), strict=True):
        fields["log_collision"] = leaf - above
    weights = wpo(drawn.batch(), max_weight=bound).diagnostics["weight"]
    torch.testing.assert_close(weights, torch.full_like(weights, expected))
