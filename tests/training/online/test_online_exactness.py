"""On two and three codes, every online objective comes to rest where sums over all groups say.

The worlds, and where methods rest in them, are those of the benchmark; here the points themselves
are checked as well, by other means than the solver that found them.
"""

import numpy as np
import pytest
import torch
from scipy.special import expit, logit, softmax

from auralign.losses.online import ONLINE_OBJECTIVES
from auralign.types import Prompt
from benchmarks.online import fixed_points
from benchmarks.online.exact_cases import GAME, JUDGE, REFERENCE, REWARDS, UNIFORM, all_cases
from benchmarks.online.exactness import TOLERANCE, reached
from benchmarks.online.table import TablePolicy

pytestmark = pytest.mark.slow

CASES = {case.name: case for case in all_cases()}


@pytest.mark.parametrize("name", CASES)
def test_training_comes_to_rest_where_it_has_to_and_fresh_clips_have_ratio_1(name):
    found = reached(CASES[name])
    np.testing.assert_allclose(found.probabilities, CASES[name].point, atol=TOLERANCE)
    assert found.ratio_error < 1e-6


def test_every_online_objective_is_among_the_cases():
    trained = {case.settings["objective"] for case in CASES.values()}
    assert trained >= ONLINE_OBJECTIVES.keys()


def test_clips_of_a_table_are_as_frequent_as_its_probabilities_and_in_random_order():
    prompts = [Prompt("p", "any")] * 1000
    table = TablePolicy.of([0.2, 0.5, 0.3])
    codes = [
        [int(clip[0, 0]) for clip in table.sample_clips(prompts, 1.0, generator)[0]]
        for generator in (torch.Generator().manual_seed(seed) for seed in (0, 1))
    ]
    np.testing.assert_allclose(np.bincount(codes[0]), [200, 500, 300], atol=1)
    assert codes[0] != codes[1]
    first_of_each_four = np.bincount(codes[0][::4])
    np.testing.assert_allclose(first_of_each_four / 250, [0.2, 0.5, 0.3], atol=0.1)


def test_the_optimum_of_reward_less_kl_is_higher_than_all_around_it():
    best = fixed_points.boltzmann(REFERENCE, REWARDS, 0.5)

    def value(policy: np.ndarray) -> float:
        return float(policy @ REWARDS - 0.5 * policy @ np.log(policy / REFERENCE))

    around = [np.array([p, 1 - p]) for p in np.linspace(0.01, 0.99, 99)]
    assert value(best) >= max(map(value, around))
    assert best[1] == pytest.approx(0.4 * np.exp(2) / (0.6 + 0.4 * np.exp(2)))


def test_the_nash_policy_is_the_best_answer_to_itself():
    policy = fixed_points.nash(UNIFORM, GAME, 0.1)
    np.testing.assert_allclose(policy, softmax(GAME @ policy / 0.1), atol=1e-8)
    np.testing.assert_allclose(policy, [0.330, 0.285, 0.385], atol=5e-4)  # published with the game
    mixed = fixed_points.nash(UNIFORM, GAME, 0.25, 0.25)
    rivals = softmax(0.75 * np.log(mixed))
    np.testing.assert_allclose(mixed, softmax(GAME @ rivals / 0.25), atol=1e-8)


def test_pushes_over_all_groups_are_the_means_over_many_drawn_ones():
    rng, policy = np.random.default_rng(0), np.array([0.3, 0.7])
    groups = rng.choice(2, p=policy, size=(100_000, 4))
    advantages = np.apply_along_axis(fixed_points.z_scores, 1, REWARDS[groups])
    drawn = [(advantages * (np.eye(2)[groups][..., c] - policy[c])).mean() for c in range(2)]
    exact = fixed_points.group_push(fixed_points.z_scores, REWARDS, 4)(policy)
    np.testing.assert_allclose(exact, drawn, atol=3e-3)


def test_the_push_of_leaving_one_out_is_the_gradient_of_the_mean_reward():
    policy = np.array([0.3, 0.7])

    def leave_one_out(rewards: np.ndarray) -> np.ndarray:
        return rewards - (rewards.sum() - rewards) / (len(rewards) - 1)

    push = fixed_points.group_push(leave_one_out, REWARDS, 3)(policy)
    np.testing.assert_allclose(push, policy * (REWARDS - policy @ REWARDS), atol=1e-12)


def test_with_answers_of_a_bradley_terry_judge_dpo_has_the_optimum_of_his_scores():
    """Its pairs are chosen as often as the judge says where log-ratios by beta are his scores."""
    point = fixed_points.boltzmann(REFERENCE, REWARDS, 1.0)
    margin = logit(point[1]) - logit(REFERENCE[1])
    assert expit(1.0 * margin) == pytest.approx(JUDGE[1, 0])


def test_without_the_variance_gepo_rests_where_the_odds_of_thumbs_say():
    """Of two clips, one with a thumb: the second code has it with a1 (1 - a0) to a0 (1 - a1)."""
    accepted = np.array([0.4, 0.7])
    push = fixed_points.gepo_push(accepted, REFERENCE, size=2, beta=0.5, variance_weight=0.0)
    point = fixed_points.at_rest(push, REFERENCE)
    margin = logit(point[1]) - logit(REFERENCE[1])
    assert 0.5 * margin == pytest.approx(logit(0.7) - logit(0.4))
