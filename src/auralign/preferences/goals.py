"""Pairs under goals: the same two clips, ordered by how well they meet a goal that is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import combinations

from auralign.errors import DataError
from auralign.preferences.conditions import ConditionedPair, goal_tags
from auralign.types import PreferencePair, Split


def reward_augmented_pairs(
    pairs: Iterable[PreferencePair], scores: Mapping[str, float], *, name: str = "reward"
) -> list[ConditionedPair]:
    """Two rows for each pair: asked for the higher score, then for the lower one.

    scores   by clip id, higher is better
    name     what the score is called in the condition

    In the first row the clip of the higher score is chosen, in the second the other one, as under
    the reward -(goal - score)^2, whatever the votes said. Pairs of equal scores are left out: their
    rows would contradict each other. Rule `reward_augmented`. Sample with the best score as goal.

    arXiv 2410.08067. Raises DataError for a clip without a score.
    """
    rows = []
    for pair in pairs:
        low, high = sorted((pair.rejected, pair.chosen), key=lambda c: _of_clip(scores, c))
        if scores[low] == scores[high]:
            continue
        for chosen, rejected in ((high, low), (low, high)):
            row = replace(pair, chosen=chosen, rejected=rejected, rule="reward_augmented")
            rows.append(ConditionedPair(goal_tags({name: scores[chosen]}), row))
    return rows


def controlled_reward(
    ratings: Mapping[str, float],
    goals: Mapping[str, float],
    *,
    weights: Mapping[str, float] | None = None,
    penalty: float = 1.0,
) -> float:
    """Weighted sum over dimensions: the rating, or where a goal is set -penalty |rating - goal|.

    ratings   of one clip by dimension, higher is better
    goals     of the controlled dimensions
    weights   by dimension, 1 where not given
    penalty   1 (the authors' code)

    arXiv 2402.19085. Raises DataError for a goal on a dimension without a rating.
    """
    for dimension in goals:
        if dimension not in ratings:
            raise DataError(
                f"expected a rating on '{dimension}', which has a goal, got {', '.join(ratings)}"
            )
    weights = weights or {}
    return sum(
        weights.get(dimension, 1.0)
        * (-penalty * abs(rating - goals[dimension]) if dimension in goals else rating)
        for dimension, rating in ratings.items()
    )


def controlled_pairs(
    prompt_id: str,
    ratings: Mapping[str, Mapping[str, float]],
    goals: Mapping[str, float],
    *,
    dimension: str,
    split: Split,
    weights: Mapping[str, float] | None = None,
    penalty: float = 1.0,
) -> list[ConditionedPair]:
    """All pairs of a prompt's clips, the clip of the higher `controlled_reward` chosen.

    ratings     by clip id, then by dimension
    dimension   what the pairs are said to be about

    Ties are left out. Rule `controlled_goals`, `p_chosen` 1, no votes.
    """
    rewards = {
        clip: controlled_reward(of_clip, goals, weights=weights, penalty=penalty)
        for clip, of_clip in ratings.items()
    }
    rows = []
    for pair in combinations(ratings, 2):
        rejected, chosen = sorted(pair, key=rewards.__getitem__)
        if rewards[chosen] > rewards[rejected]:
            record = PreferencePair(
                prompt_id, chosen, rejected, 1.0, 1.0, dimension, 0, "controlled_goals", split
            )
            rows.append(ConditionedPair(goal_tags(goals), record))
    return rows


def _of_clip(scores: Mapping[str, float], clip: str) -> float:
    if clip not in scores:
        raise DataError(f"expected a score of every clip, got none of '{clip}': score it first")
    return scores[clip]
