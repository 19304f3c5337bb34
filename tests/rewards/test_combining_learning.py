"""Combinations that learn in training: what moves, by how much, and what is kept."""

import json
import math

import numpy as np
import pytest

from auralign.errors import ConfigError, RunStateError
from auralign.rewards.combining import (
    BoundedAscent,
    Constraint,
    Lagrangian,
    MaxMin,
    ProjectedAscent,
    Scale,
)

NAMES = ("task", "content", "noise")
SCALES = {
    "task": Scale(mean=1.0, sd=2.0, reference=0.0, n_clips=9),
    "content": Scale(mean=0.8, sd=0.5, reference=0.0, n_clips=9),
    "noise": Scale(mean=0.0, sd=4.0, reference=0.0, n_clips=9),
}
LEAST = Constraint(reward="content", at_least=0.5)
MOST = Constraint(reward="noise", at_most=2.0)
PLAIN = ProjectedAscent(learning_rate=0.5, damping=0.0)
NAN = math.nan


def lagrangian(*constraints: Constraint, ascent=PLAIN) -> Lagrangian:
    return Lagrangian(NAMES, "task", constraints, SCALES, ascent=ascent)


def clips(*rows: tuple[float, float, float]) -> np.ndarray:
    return np.array(rows)


def test_multipliers_climb_where_a_mean_violates_its_constraint():
    found = lagrangian(LEAST, MOST)
    # Means 0.3 and 6: slacks (0.3 - 0.5) / 0.5 and (2 - 6) / 4.
    found.observe(clips((0, 0.1, 5), (0, 0.5, 7)))
    np.testing.assert_allclose(found.multipliers, [0.5 * 0.4, 0.5 * 1.0])
    shown = found.shown()
    assert shown["slack/content_at_least"] == pytest.approx(-0.2)
    assert shown["slack/noise_at_most"] == pytest.approx(-4.0)
    assert shown["multiplier/noise_at_most"] == pytest.approx(0.5)


def test_the_combination_is_the_lagrangian():
    found = lagrangian(LEAST, MOST)
    found.observe(clips((0, 0.3, 6)))
    task, content, noise = 5.0, 0.9, 1.0
    expected = (task - 1) / 2 + 0.2 * (content - 0.5) / 0.5 - 0.5 * (noise - 2) / 4
    assert found(clips((task, content, noise)))[0] == pytest.approx(expected)


def test_it_starts_with_the_reward_to_maximise_alone():
    found = lagrangian(LEAST, MOST)
    np.testing.assert_allclose(found(clips((5, 0, 0), (1, 9, 9))), [2, 0])


def test_the_multiplier_of_a_constraint_that_is_met_falls_back_to_zero_and_not_below():
    found = lagrangian(LEAST)
    found.observe(clips((0, -0.5, 0)))
    seen = [found.multipliers[0]]
    for _ in range(6):
        found.observe(clips((0, 0.75, 0)))
        seen.append(found.multipliers[0])
    np.testing.assert_allclose(seen, [1, 0.75, 0.5, 0.25, 0, 0, 0])
    # Nothing has to be paid back when it is violated again.
    found.observe(clips((0, 0.25, 0)))
    assert found.multipliers[0] == pytest.approx(0.25)


def test_damping_answers_to_the_slack_at_once_and_forgets_it():
    ascent = ProjectedAscent(learning_rate=0.1, damping=2.0)
    found = lagrangian(LEAST, ascent=ascent)
    found.observe(clips((0, 0.25, 0)))
    assert found.multipliers[0] == pytest.approx(0.1 * 0.5 + 2 * 0.5)
    found.observe(clips((0, 0.5, 0)))
    assert found.multipliers[0] == pytest.approx(0.1 * 0.5)


def test_a_multiplier_has_a_ceiling_from_which_it_comes_down_at_once():
    found = lagrangian(LEAST, ascent=ProjectedAscent(learning_rate=1, damping=0, max_multiplier=2))
    for _ in range(9):
        found.observe(clips((0, -0.5, 0)))
    assert found.multipliers[0] == 2
    found.observe(clips((0, 1.0, 0)))
    assert found.multipliers[0] == 1


def test_equality_pulls_from_both_sides():
    found = lagrangian(Constraint(reward="content", equals=0.5))
    found.observe(clips((0, 1.0, 0)))
    assert found.multipliers[0] == pytest.approx(-0.5)
    found.observe(clips((0, -0.5, 0)))
    assert found.multipliers[0] == pytest.approx(0.5)


def test_bounded_multipliers_take_the_step_of_the_source():
    bounded = BoundedAscent(learning_rate=0.1)
    found = lagrangian(LEAST, MOST, ascent=bounded)
    np.testing.assert_array_equal(found.multipliers, [0.5, 0.5])
    # Two constraints at 1/2 leave the weight 2 - 1 to the task.
    assert found(clips((5, 1, 2)))[0] == pytest.approx(2 + 0.5 * 1)
    # Above its threshold by 0.1 sd: sigmoid'(0) = 1/4, so a step of -0.1 * 0.25 * 0.1.
    found.observe(clips((0, 0.55, 1.6)))
    np.testing.assert_allclose(found.position, [-0.0025, -0.0025])
    np.testing.assert_allclose(found.multipliers, 1 / (1 + math.exp(0.0025)))


def test_a_bounded_multiplier_of_equality_starts_at_zero_and_can_turn_negative():
    bounded = BoundedAscent(learning_rate=0.1)
    found = lagrangian(Constraint(reward="content", equals=0.5), ascent=bounded)
    assert found.multipliers[0] == 0
    found.observe(clips((0, 1.0, 0)))
    multiplier = math.tanh(-0.1)
    assert found.multipliers[0] == pytest.approx(multiplier)
    assert found(clips((5, 1, 0)))[0] == pytest.approx((1 - multiplier) * 2 + multiplier * 1)


@pytest.mark.parametrize("ascent", [PLAIN, ProjectedAscent(), BoundedAscent()])
def test_means_are_over_scored_clips_and_none_leaves_the_multiplier_alone(ascent):
    found, without = lagrangian(LEAST, MOST, ascent=ascent), lagrangian(LEAST, MOST, ascent=ascent)
    found.observe(clips((0, 0.1, NAN), (0, NAN, 5), (0, 0.2, math.inf)))
    without.observe(clips((0, 0.1, 5), (0, 0.2, 5)))
    np.testing.assert_array_equal(found.multipliers, without.multipliers)
    before = found.multipliers.copy()
    found.observe(clips((0, NAN, 6), (0, NAN, 7)))
    assert found.multipliers[0] == before[0]
    assert found.multipliers[1] > before[1]
    assert "slack/content_at_least" not in found.shown()
    found.observe(np.zeros((0, 3)))
    assert found.multipliers[0] == before[0]


def test_a_clip_needs_the_rewards_whose_multiplier_is_not_zero():
    found = lagrangian(LEAST)
    values = clips((5, NAN, 0), (NAN, 1, 0), (5, 1, NAN))
    np.testing.assert_array_equal(found(values), [2, NAN, 2])
    found.observe(clips((0, 0.0, 0)))
    np.testing.assert_array_equal(found(values), [NAN, NAN, 2 + 0.5 * 1])


def test_a_reward_may_be_held_between_two_bounds_and_be_the_one_to_maximise():
    band = Constraint(reward="content", at_most=0.9)
    proxy_point = Constraint(reward="task", at_most=3.0)
    found = lagrangian(LEAST, band, proxy_point)
    found.observe(clips((7, 0.7, 0)))
    np.testing.assert_allclose(found.multipliers, [0, 0, 0.5 * 2])
    np.testing.assert_allclose(found(clips((5, 0, 0))), (5 - 1) / 2 - (5 - 3) / 2)


def test_a_constraint_has_one_bound_and_is_there_once():
    for bounds in ({}, {"at_least": 1.0, "at_most": 2.0}):
        with pytest.raises(ValueError, match="exactly one of at_least, at_most, equals"):
            Constraint(reward="task", **bounds)
    with pytest.raises(ConfigError, match="content_at_least is there twice"):
        lagrangian(LEAST, Constraint(reward="content", at_least=0.6))


def test_the_group_with_the_lowest_mean_is_in_charge():
    found = MaxMin(NAMES, ("task", "content"), SCALES)
    # Standardised means 0 and -0.6; then 0.5 and 0.4; then 0 and 1.
    for task, content, reward in [(1, 0.5, "content"), (2, 1.0, "content"), (1, 1.3, "task")]:
        found.observe(clips((task, content, NAN)))
        values = clips((3, 0.8, NAN), (1, 1.8, NAN))
        column, scale = NAMES.index(reward), SCALES[reward]
        np.testing.assert_allclose(found(values), (values[:, column] - scale.mean) / scale.sd)
        assert [found.shown()[f"in_charge/{g}"] for g in ("task", "content")] == [
            reward == "task",
            reward == "content",
        ]
    assert found.shown()["mean/content"] == pytest.approx(1)


def test_the_minimum_is_over_means_of_groups_not_over_rewards_of_a_clip():
    scales = {n: Scale(0.0, 1.0, 0.0, 9) for n in NAMES}
    found = MaxMin(NAMES, ("task", "content"), scales)
    values = clips((0, 2, NAN), (2, 0, NAN))
    found.observe(values)
    np.testing.assert_array_equal(found(values), [0, 2])
    assert found(values).mean() > values[:, :2].min(1).mean()


def test_one_group_is_the_plain_reward_on_its_scale():
    found = MaxMin(NAMES, ("task",), SCALES)
    values = clips((5, 0, 0), (1, 9, 9), (NAN, 1, 1))
    found.observe(values)
    np.testing.assert_array_equal(found(values), [2, 0, NAN])


def test_who_could_not_be_scored_is_not_in_charge_and_with_nobody_in_charge_no_clip_counts():
    found = MaxMin(NAMES, ("task", "content"), SCALES)
    values = clips((9, NAN, 0), (9, NAN, 0))
    assert np.isnan(found(values)).all()
    found.observe(values)
    np.testing.assert_array_equal(found(values), [4, 4])
    assert "mean/content" not in found.shown()
    found.observe(np.full((2, 3), NAN))
    assert np.isnan(found(values)).all()
    assert found.in_charge is None


def test_groups_that_are_not_there_are_errors():
    with pytest.raises(ConfigError, match="at least 1 group"):
        MaxMin(NAMES, (), SCALES)
    with pytest.raises(ConfigError, match="did you mean 'task'"):
        MaxMin(NAMES, ("tsk",), SCALES)


LEARNERS = {
    "projected": lambda: lagrangian(LEAST, MOST, ascent=ProjectedAscent()),
    "bounded": lambda: lagrangian(LEAST, MOST, ascent=BoundedAscent()),
    "max_min": lambda: MaxMin(NAMES, ("task", "content"), SCALES),
}


@pytest.mark.parametrize("new", LEARNERS.values(), ids=LEARNERS)
@pytest.mark.parametrize("unscored", [False, True])
def test_restored_it_goes_on_to_the_bit(new, unscored):
    rng = np.random.default_rng(0)
    updates = rng.standard_normal((6, 5, 3)) / 3
    if unscored:
        updates[2, :, 1] = NAN
    kept, restored = new(), new()
    for values in updates[:3]:
        kept.observe(values)
    restored.restore(json.loads(json.dumps(kept.state(), allow_nan=False)))
    for values in updates[3:]:
        assert restored.shown() == kept.shown()
        np.testing.assert_array_equal(restored(values), kept(values))
        kept.observe(values)
        restored.observe(values)
    assert restored.state() == kept.state()


def test_the_state_of_another_stage_is_an_error():
    with pytest.raises(RunStateError, match="content_at_least, got those of noise_at_most"):
        lagrangian(LEAST).restore(lagrangian(MOST).state())
    with pytest.raises(RunStateError, match="means of task, got those of no group"):
        MaxMin(NAMES, ("task",), SCALES).restore({})
