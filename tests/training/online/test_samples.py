"""Clips of a round, and what rewards and judges say of them."""

import numpy as np
import pytest
import torch
from scipy.special import logit

from auralign.errors import DataError
from auralign.training.online import (
    Samples,
    by_preference_score,
    by_reward,
    by_win_rate,
    by_win_rate_against,
    on_audio,
)
from auralign.training.online.samples import assessed, joined
from auralign.types import Audio, Prompt

ONE, TWO = Prompt("p0", "one"), Prompt("p1", "two")
WINS = np.array([[0.5, 0.9, 0.2], [0.1, 0.5, 0.8], [0.8, 0.2, 0.5]])


def samples(codes: list[int], group: list[int]) -> Samples:
    clips = [np.array([[code]]) for code in codes]
    prompts = [(ONE, TWO)[g % 2] for g in group]
    return Samples(prompts, clips, np.array(group), np.ones(len(codes), dtype=bool))


def judge(prompts, first, second):
    """By the table, and 0.1 more for what is heard first."""
    rows = [clip[0, 0] for clip in first], [clip[0, 0] for clip in second]
    return WINS[rows] + 0.1


def values_of(assess, of: Samples):
    return assessed(assess, of, torch.Generator())


def test_a_win_rate_is_the_mean_over_rivals_of_the_group_whatever_comes_first():
    found = values_of(by_win_rate(judge), samples([0, 1, 2, 1], [0, 0, 0, 1]))
    np.testing.assert_allclose(found[:3], [(0.9 + 0.2) / 2, (0.1 + 0.8) / 2, (0.8 + 0.2) / 2])
    assert np.isnan(found[3])  # alone in its group


def test_a_judge_who_does_not_answer_leaves_the_pair_out_and_is_no_zero():
    def silent_about_two(prompts, first, second):
        either = [2 in (a[0, 0], b[0, 0]) for a, b in zip(first, second, strict=True)]
        return np.where(either, np.nan, judge(prompts, first, second))

    found = values_of(by_win_rate(silent_about_two), samples([0, 1, 2], [0, 0, 0]))
    np.testing.assert_allclose(found, [0.9, 0.1, np.nan])
    scores = values_of(by_preference_score(silent_about_two), samples([0, 1, 2], [0, 0, 0]))
    np.testing.assert_allclose(scores, [logit(0.9) / 2, logit(0.1) / 2, np.nan])


def test_against_rivals_each_pair_is_asked_in_both_orders():
    def rivals(prompts, generator):
        return [np.array([[1]])] * len(prompts)

    found = values_of(by_win_rate_against(judge, rivals), samples([0, 1, 2], [0, 0, 1]))
    np.testing.assert_allclose(found, [0.9, 0.5, 0.2])


def test_a_preference_score_is_a_mean_over_the_group_in_which_the_clip_itself_is_0():
    found = values_of(by_preference_score(judge), samples([0, 1, 2], [0, 0, 0]))
    np.testing.assert_allclose(found, logit(WINS).sum(1) / 3, atol=1e-12)


def test_rewards_of_another_shape_than_the_clips_are_refused():
    of = samples([0, 1], [0, 0])
    for wrong in (np.zeros(3), np.zeros((2, 2, 2)), 0.0):
        with pytest.raises(DataError, match=r"expected a reward of shape \[2\] or \[2, rewards\]"):
            values_of(by_reward(lambda prompts, clips, wrong=wrong: wrong), of)


def test_a_reward_that_hears_gets_decoded_clips_and_their_prompts():
    def decode(clips):
        return [Audio(np.full((1, 4), clip[0, 0], dtype=np.float32), 8000) for clip in clips]

    def hear(audios, prompts):
        return np.array(
            [a.samples.mean() + 10 * (p is TWO) for a, p in zip(audios, prompts, strict=True)]
        )

    found = values_of(by_reward(on_audio(decode, hear)), samples([3, 1, 2], [0, 0, 1]))
    np.testing.assert_allclose(found, [3, 1, 12])


def test_joined_rounds_keep_their_order_and_their_groups_apart():
    # D5: two groups of the same prompt, and a group from which clips were left out.
    first, second = samples([0, 1, 2], [0, 0, 2]), samples([3, 4], [0, 1])
    both = joined([first, second])
    assert [int(clip[0, 0]) for clip in both.clips] == [0, 1, 2, 3, 4]
    assert both.group[0] == both.group[1]
    assert len(set(both.group.tolist())) == 4
    assert [p.id for p in both.take([4, 0]).prompts] == ["p1", "p0"]
