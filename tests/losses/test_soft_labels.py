import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import softplus
from torch.testing import assert_close

from auralign.errors import ConfigError, DataError
from auralign.losses.batch import Clips, Lists
from auralign.losses.soft_labels import exo_list, info_nca, nca

SCORES = (5.0, 4.0, 4.0, 2.0)
REWARDS = (0.2, 0.1, -0.1, -0.3)
ONE_HOT = 1e-4


def double(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def lists(rewards: torch.Tensor, scores: torch.Tensor) -> Lists:
    """Lists whose rewards are these at beta = 1."""
    reference = -torch.arange(3.0, 3 + rewards.numel(), dtype=torch.float64)
    clips = Clips(rewards.flatten() + reference, torch.ones_like(reference), reference)
    return Lists(clips, rewards.shape[-1], scores=scores)


def test_info_nca_and_nca_at_the_numbers_of_their_code():
    batch = lists(double(*REWARDS)[None], double(*SCORES)[None])
    assert info_nca(batch, beta=1).values.item() == pytest.approx(1.275682, abs=1e-6)
    assert nca(batch, beta=1).values.item() == pytest.approx(1.330269, abs=1e-6)
    pair = lists(double(0.2, -0.3)[None], double(1, 0)[None])
    got = nca(pair, beta=1, temperature=ONE_HOT).values.item()
    assert got == pytest.approx(1.274386, abs=1e-6)


@given(st.floats(-20, 20), st.floats(-20, 20))
def test_info_nca_of_two_with_one_hot_labels_is_dpo(best, worst):
    batch = lists(double(best, worst)[None], double(1, 0)[None])
    got = info_nca(batch, beta=1, temperature=ONE_HOT).values
    assert_close(got, softplus(-double(best - worst)))


def test_logarithms_of_vote_shares_as_scores_give_the_shares_as_labels():
    shares = double(0.5, 0.3, 0.2)
    rewards = double(0.4, 0.1, -0.2)
    expected = -(shares * rewards.log_softmax(0)).sum()
    got = info_nca(lists(rewards[None], shares.log()[None]), beta=1).values
    assert_close(got, expected[None])


@pytest.mark.parametrize("objective", [info_nca, exo_list])
def test_both_divergences_are_least_where_the_policy_is_the_label(objective):
    scores = double(*SCORES)[None]
    best = objective(lists(scores, scores), beta=1, temperature=1).values
    noise = torch.randn(20, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for step in 0.1 * noise:
        assert objective(lists(scores + step, scores), beta=1, temperature=1).values > best


def test_exo_is_zero_at_its_labels_and_the_divergence_from_the_policys_side_elsewhere():
    scores = double(*SCORES)[None]
    assert exo_list(lists(scores, scores), beta=1, temperature=1).values.abs().item() < 1e-12
    p = [math.exp(r) for r in REWARDS]
    q = [math.exp(s / 0.5) for s in SCORES]
    expected = sum(
        a / sum(p) * (math.log(a / sum(p)) - math.log(b / sum(q)))
        for a, b in zip(p, q, strict=True)
    )
    got = exo_list(lists(double(*REWARDS)[None], scores), beta=1, temperature=0.5).values.item()
    assert got == pytest.approx(expected)


def test_exo_of_two_with_smoothed_labels_is_exo_on_the_pair():
    flipped, margin = 0.1, 0.7
    q, p = 1 / (1 + math.exp(-margin)), 1 - flipped
    expected = q * math.log(q / p) + (1 - q) * math.log((1 - q) / (1 - p))
    labels = double(math.log(1 - flipped), math.log(flipped))
    batch = lists(double(margin, 0)[None], labels[None])
    assert exo_list(batch, beta=1, temperature=1).values.item() == pytest.approx(expected)


def test_nca_keeps_the_best_answer_likely_where_info_nca_lets_all_fall():
    # All rewards equally below zero: InfoNCA sees no difference of levels, NCA pulls the best up.
    def slopes(objective, level):
        rewards = torch.full((1, 4), level, dtype=torch.float64, requires_grad=True)
        objective(lists(rewards, double(*SCORES)[None]), beta=1).values.sum().backward()
        return rewards.grad[0]

    assert_close(slopes(info_nca, -5.0), slopes(info_nca, 0.0))
    assert slopes(nca, -5.0)[0] < slopes(nca, 0.0)[0] < 0


def test_an_answer_without_a_vote_is_no_label_for_exo_and_one_for_info_nca():
    batch = lists(double(*REWARDS)[None], double(0.5, 0.5, 0.0, 0.0).log()[None])
    assert info_nca(batch).values.isfinite().all()
    with pytest.raises(DataError, match="label above 0 for every answer"):
        exo_list(batch)


@pytest.mark.parametrize("objective", [info_nca, nca, exo_list])
def test_labels_need_a_positive_temperature(objective):
    with pytest.raises(ConfigError, match="temperature above 0"):
        objective(lists(double(*REWARDS)[None], double(*SCORES)[None]), temperature=0)
