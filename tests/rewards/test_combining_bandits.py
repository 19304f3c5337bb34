"""Worlds of a few clips whose best policy is known, trained by exact gradients without sampling.

A policy is a softmax over the clips. As combinations learn from means over the clips of an update,
one row that holds the expected rewards stands for an update of infinitely many clips.
"""

import numpy as np
import pytest
from scipy.optimize import brentq, linprog

from auralign.rewards.combining import (
    BoundedAscent,
    Combination,
    Constraint,
    Lagrangian,
    MaxMin,
    ProjectedAscent,
    Scale,
    Weighted,
    search_thresholds,
)

pytestmark = pytest.mark.slow

NAMES = ("task", "content", "quality")
UNIT = {name: Scale(mean=0.0, sd=1.0, reference=0.0, n_clips=9) for name in NAMES}

DENTED = np.array([[1, 0, 0], [0, 1, 0], [0.4, 0.4, 0]])
"""Rewards of three clips: the third lies below the line between the others."""


def softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def trained(
    combination: Combination,
    rewards: np.ndarray,
    *,
    n_updates: int = 3000,
    step: float = 1.0,
    beta: float = 0.0,
) -> np.ndarray:
    """Policies `[updates, clips]`, from the uniform one, which is also the reference of the KL."""
    logits = np.zeros(len(rewards))
    policies = []
    for _ in range(n_updates):
        policy = softmax(logits)
        policies.append(policy)
        combination.observe(policy[None] @ rewards)
        worth = combination(rewards) - beta * np.log(policy * len(policy))
        logits += step * policy * (worth - policy @ worth)
    return np.array(policies)


def best_policy(rewards: np.ndarray, at_least: dict[int, float]) -> np.ndarray:
    """The mixture with the most task for the least of other rewards, by linear programming."""
    found = linprog(
        -rewards[:, 0],
        A_ub=[-rewards[:, column] for column in at_least],
        b_ub=[-bound for bound in at_least.values()],
        A_eq=np.ones((1, len(rewards))),
        b_eq=[1],
    )
    return np.asarray(found.x)


def constrained(bounds: dict[int, float], ascent=None) -> Lagrangian:
    constraints = [Constraint(reward=NAMES[column], at_least=b) for column, b in bounds.items()]
    return Lagrangian(NAMES, "task", constraints, UNIT, ascent=ascent or ProjectedAscent())


def test_the_lagrangian_reaches_the_constrained_optimum():
    best = best_policy(DENTED, {1: 0.3})
    np.testing.assert_allclose(best, [0.7, 0.3, 0], atol=1e-9)
    combination = constrained({1: 0.3})
    policy = trained(combination, DENTED)[-1]
    np.testing.assert_allclose(policy, best, atol=0.003)
    # What a unit of content costs in task along the line between the two clips.
    assert combination.multipliers[0] == pytest.approx(1, abs=0.01)


def test_no_fixed_weight_reaches_it_where_clips_lie_below_the_line_between_others():
    weights = np.linspace(0.02, 2, 100)
    assert 1.0 in weights.round(12)
    reached = []
    for weight in weights:
        combination = Weighted(NAMES, {"task": 1.0, "content": round(weight, 12)}, UNIT)
        # The natural gradient ends where the plain one does, and sooner: its logits grow by the
        # rewards themselves.
        policy = softmax(1000 * combination(DENTED))
        reached.append(policy @ DENTED)
    task, content, _ = np.array(reached).T
    assert not ((content > 0.3 - 0.003) & (task > 0.7 * 0.8)).any()


@pytest.mark.parametrize("seed", range(3))
def test_it_reaches_the_optimum_under_two_constraints_in_worlds_drawn_at_random(seed):
    rng = np.random.default_rng(seed)
    rewards = rng.uniform(0, 1, (6, 3))
    # Half way from the mean of all clips to the one that has the most of both.
    most = rewards[rewards[:, 1:].sum(1).argmax()]
    bounds = dict(enumerate(((rewards.mean(0) + most) / 2).tolist()[1:], start=1))
    best = best_policy(rewards, bounds) @ rewards
    found = trained(constrained(bounds), rewards, n_updates=6000, step=3.0)[-1] @ rewards
    assert found[0] == pytest.approx(best[0], rel=0.01)
    assert (found[1:] > np.array(list(bounds.values())) * 0.99).all()


def test_a_constraint_that_does_not_bind_ends_with_a_multiplier_of_zero():
    rewards = np.array([[1, 0.5, 0], [0.2, 1, 0]])
    combination = constrained({1: 0.4})
    policy = trained(combination, rewards)[-1]
    assert policy[0] > 0.99
    assert combination.multipliers[0] == 0


def test_damping_ends_the_circles_of_plain_dual_ascent():
    def swing(damping: float) -> float:
        combination = constrained({1: 0.3}, ProjectedAscent(damping=damping))
        return float(np.ptp((trained(combination, DENTED) @ DENTED)[-600:, 1]))

    assert swing(0.0) > 0.5
    assert swing(1.0) < 0.001


def test_bounded_multipliers_reach_the_constrained_optimum_under_a_kl():
    beta, bound = 0.2, 0.3

    def tilted(multiplier: float) -> np.ndarray:
        # The best policy under weights 1 - m and m, in closed form.
        worth = (1 - multiplier) * DENTED[:, 0] + multiplier * DENTED[:, 1]
        return softmax(worth / beta)

    multiplier = brentq(lambda m: tilted(m) @ DENTED[:, 1] - bound, 0, 1)
    combination = constrained({1: bound}, BoundedAscent(learning_rate=0.5))
    policy = trained(combination, DENTED, n_updates=4000, beta=beta)[-1]
    assert combination.multipliers[0] == pytest.approx(multiplier, rel=0.01)
    np.testing.assert_allclose(policy, tilted(multiplier), atol=0.003)


def test_equality_holds_a_reward_at_its_proxy_point():
    proxy_point = Constraint(reward="content", equals=0.4)
    combination = Lagrangian(NAMES, "content", [proxy_point], UNIT)
    rewards = np.array([[0, 0, 0], [0, 0.5, 0], [0, 1, 0]])
    assert (trained(combination, rewards) @ rewards)[-1, 1] == pytest.approx(0.4, rel=0.01)


def test_the_search_finds_the_proxy_point_that_maximising_the_proxy_overshoots():
    proxy = np.linspace(0, 1, 9)
    gold = 1 - ((proxy - 0.6) / 0.4) ** 2
    rewards = np.column_stack([proxy, 0 * proxy, 0 * proxy])

    def score(thresholds: dict[str, float]) -> float:
        stop = Constraint(reward="task", at_most=thresholds["task"])
        combination = Lagrangian(NAMES, "task", [stop], UNIT)
        return float(trained(combination, rewards, n_updates=800, step=3.0, beta=0.1)[-1] @ gold)

    # Policies near the reference, in closed form, from no tilt to the one without a constraint.
    golds = softmax(np.linspace(0, 10, 2001)[:, None] * proxy) @ gold
    found = search_thresholds(score, {"task": (0.5, 0.9)}, n_evaluations=20)
    assert found.score == pytest.approx(golds.max(), rel=0.01)
    assert golds[-1] < golds.max() / 2


def test_max_min_serves_two_opposite_listeners_by_halves():
    opposite = np.array([[1.0, 0, 0], [0, 1, 0]])
    groups = MaxMin(NAMES, ("task", "content"), UNIT)
    policies = trained(groups, opposite, step=0.1, n_updates=1000)
    np.testing.assert_allclose(policies[-100:], 0.5, atol=0.03)
    # The mean of the two rewards is 1/2 whatever the policy does.
    mean = Weighted(NAMES, {"task": 0.5, "content": 0.5}, UNIT)
    np.testing.assert_array_equal(mean(opposite), [0.5, 0.5])


def test_max_min_gives_a_minority_more_than_the_mean_would():
    # Listeners of "task" are many; the third clip is acceptable to both.
    rewards = np.array([[1, 0.1, 0], [0, 1, 0], [0.7, 0.6, 0]])

    def worst(combination: Combination) -> float:
        policies = trained(combination, rewards, step=0.5)
        return float((policies[-200:].mean(0) @ rewards)[:2].min())

    majority = Weighted(NAMES, {"task": 0.8, "content": 0.2}, UNIT)
    # Mixtures of the second and third clip: 0.7 x = (1 - x) + 0.6 x gives x = 1 / 1.1.
    assert worst(MaxMin(NAMES, ("task", "content"), UNIT)) == pytest.approx(0.7 / 1.1, rel=0.01)
    assert worst(majority) < 0.2
