import pytest
from hypothesis import given
from hypothesis import strategies as st

from auralign.errors import DataError
from auralign.preferences.conditions import goal_tags
from auralign.preferences.goals import (
    controlled_pairs,
    controlled_reward,
    reward_augmented_pairs,
)
from auralign.types import PreferencePair, Split

SCORE = st.floats(1, 10)


def pair(chosen: str = "x", rejected: str = "y") -> PreferencePair:
    return PreferencePair("p", chosen, rejected, 0.8, 2.0, "overall", 5, "vote_share", Split.TRAIN)


def test_a_pair_becomes_one_row_for_each_goal():
    high, low = reward_augmented_pairs([pair()], {"x": 8.0, "y": 3.5})
    assert (high.condition, high.pair.chosen, high.pair.rejected) == ("<reward: 8>", "x", "y")
    assert (low.condition, low.pair.chosen, low.pair.rejected) == ("<reward: 3.5>", "y", "x")
    assert high.pair.rule == low.pair.rule == "reward_augmented"
    assert (low.pair.weight, low.pair.split, low.pair.dimension) == (2.0, Split.TRAIN, "overall")


@given(x=SCORE, y=SCORE)
def test_in_every_row_the_chosen_clip_is_the_one_that_meets_the_goal(x, y):
    scores = {"x": x, "y": y}
    rows = reward_augmented_pairs([pair(), pair("y", "x")], scores)
    goals = [scores[row.pair.chosen] for row in rows]
    for row, goal in zip(rows, goals, strict=True):
        assert row.condition == goal_tags({"reward": goal})
        assert abs(goal - scores[row.pair.chosen]) < abs(goal - scores[row.pair.rejected])
    if x != y:
        # One low-goal row for each pair, and the lower score is chosen in it.
        low = [r for r, goal in zip(rows, goals, strict=True) if goal == min(x, y)]
        assert len(low) == 2
        assert all(scores[r.pair.chosen] < scores[r.pair.rejected] for r in low)


def test_equal_scores_are_left_out_because_their_rows_would_contradict_each_other():
    assert reward_augmented_pairs([pair()], {"x": 4.0, "y": 4.0}) == []


def test_a_clip_without_a_score_is_named():
    with pytest.raises(DataError, match="got none of 'y'"):
        reward_augmented_pairs([pair()], {"x": 4.0})


def test_the_controlled_reward_at_the_published_tie():
    goals = {"help": 5.0}
    first = controlled_reward({"help": 4, "honesty": 3}, goals)
    second = controlled_reward({"help": 5, "honesty": 2}, goals)
    assert (first, second) == (2, 2)
    ratings = {"y1": {"help": 4, "honesty": 3}, "y2": {"help": 5, "honesty": 2}}
    assert controlled_pairs("p", ratings, goals, dimension="overall", split=Split.TRAIN) == []


def test_an_exact_match_of_the_goal_costs_nothing_and_is_not_replaced_by_the_rating():
    # Released code computes `match and -|difference| or rating`, where -0 counts as false.
    assert controlled_reward({"speed": 3.0}, {"speed": 3.0}) == 0
    assert controlled_reward({"speed": 4.5}, {"speed": 3.0}, penalty=2.0) == -3.0


def test_weights_scale_dimensions_whether_controlled_or_not():
    ratings = {"help": 4.0, "honesty": 3.0}
    weights = {"help": 0.5, "honesty": 2.0}
    assert controlled_reward(ratings, {"help": 5.0}, weights=weights) == 0.5 * -1 + 2 * 3


def test_the_clip_nearer_to_the_goal_is_chosen_though_it_is_rated_lower():
    ratings = {"fast": {"speed": 5.0}, "slow": {"speed": 2.0}, "middle": {"speed": 3.0}}
    rows = controlled_pairs("p", ratings, {"speed": 2.0}, dimension="speed", split=Split.TEST)
    assert {(r.pair.chosen, r.pair.rejected) for r in rows} == {
        ("slow", "fast"),
        ("middle", "fast"),
        ("slow", "middle"),
    }
    assert {r.condition for r in rows} == {"<speed: 2>"}
    assert {(r.pair.rule, r.pair.split) for r in rows} == {("controlled_goals", Split.TEST)}


def test_a_goal_on_an_unrated_dimension_is_refused():
    with pytest.raises(DataError, match="expected a rating on 'speed'"):
        controlled_reward({"help": 4.0}, {"speed": 3.0})
