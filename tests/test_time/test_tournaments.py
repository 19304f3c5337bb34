import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auralign.errors import ConfigError, DataError
from auralign.test_time import Candidates, both_orders, knock_out, swiss
from auralign.types import Prompt


def pool(*sizes):
    """Candidates whose one code is their strength; every prompt has `size` of them."""
    rng = np.random.default_rng(sum(sizes))
    index = np.repeat(np.arange(len(sizes)), sizes)
    strengths = np.concatenate([rng.permutation(n) for n in sizes])
    return Candidates(index, [np.array([[s]]) for s in strengths], np.ones(len(index), bool))


def prompts_of(candidates):
    return [Prompt(f"p{i}", "") for i in range(candidates.prompt_index[-1] + 1)]


class Referee:
    """Prefers the higher code with probability p; counts what it was asked."""

    def __init__(self, p=1.0):
        self.p, self.calls, self.games = p, 0, []

    def __call__(self, prompts, first, second):
        self.calls += 1
        pairs = [(int(a[0, 0]), int(b[0, 0])) for a, b in zip(first, second, strict=True)]
        self.games += [
            (prompt.id, *sorted(pair)) for prompt, pair in zip(prompts, pairs, strict=True)
        ]
        return np.array([self.p if a > b else 1 - self.p if a < b else 0.5 for a, b in pairs])


sizes = st.lists(st.integers(1, 9), min_size=1, max_size=4)


@given(sizes)
def test_under_a_sure_judge_the_strongest_wins_a_knock_out_in_n_minus_1_games(sizes):
    candidates, judge = pool(*sizes), Referee()
    selection = knock_out(judge, prompts_of(candidates), candidates)
    assert [clip.item() for clip in selection.clips] == [n - 1 for n in sizes]
    assert len(judge.games) == sum(n - 1 for n in sizes)
    # All prompts play a round in one call.
    assert judge.calls == max((n - 1).bit_length() for n in sizes)


@given(sizes)
def test_the_winner_of_a_knock_out_is_the_only_one_who_came_through_every_round(sizes):
    candidates = pool(*sizes)
    selection = knock_out(Referee(0.6), prompts_of(candidates), candidates)
    for i, best in enumerate(selection.chosen):
        scores = selection.scores[candidates.of_prompt(i)]
        assert (scores == scores.max()).sum() == 1
        assert selection.scores[best] == scores.max()


@given(sizes)
def test_after_all_rounds_of_a_swiss_tournament_the_strongest_has_won(sizes):
    candidates = pool(*sizes)
    selection = swiss(Referee(), prompts_of(candidates), candidates, n_rounds=12)
    assert [clip.item() for clip in selection.clips] == [n - 1 for n in sizes]


@given(sizes, st.integers(1, 6))
def test_nobody_meets_the_same_opponent_twice(sizes, n_rounds):
    candidates, judge = pool(*sizes), Referee(0.7)
    swiss(judge, prompts_of(candidates), candidates, n_rounds=n_rounds)
    assert len(set(judge.games)) == len(judge.games)
    assert judge.calls <= n_rounds


def test_the_points_of_a_swiss_tournament_are_probabilities_a_game():
    candidates = Candidates(np.zeros(4, int), [np.array([[s]]) for s in (3, 2, 1, 0)], np.ones(4))
    selection = swiss(Referee(0.8), prompts_of(candidates), candidates, n_rounds=2)
    # 3 beats 2 and 1 beats 0; then 3 meets 1, who has won too, and 2 meets 0.
    np.testing.assert_allclose(selection.scores, [0.8, 0.5, 0.5, 0.2])


def test_a_swiss_tournament_forgives_a_wrong_answer_that_ends_a_knock_out():
    """The judge errs a little in one game, that of the strongest against the weakest."""

    def errs_once(prompts, first, second):
        p = Referee(0.9)(prompts, first, second)
        pairs = [{a.item(), b.item()} for a, b in zip(first, second, strict=True)]
        return np.where([pair == {0, 3} for pair in pairs], 0.5 + 0.1 * np.sign(0.5 - p), p)

    clips = [np.array([[s]]) for s in (3, 0, 2, 1)]
    candidates = Candidates(np.zeros(4, int), clips, np.ones(4, bool))
    prompts = prompts_of(candidates)
    assert knock_out(errs_once, prompts, candidates).clips[0].item() != 3
    assert swiss(errs_once, prompts, candidates, n_rounds=3).clips[0].item() == 3


def test_when_the_judge_cannot_tell_the_first_drawn_wins():
    candidates = pool(5, 4)
    selection = knock_out(lambda p, a, b: np.full(len(a), 0.5), prompts_of(candidates), candidates)
    assert selection.chosen[1] == 5
    assert selection.scores[selection.chosen].min() > 0


def test_a_judge_who_favours_what_comes_first_is_set_right_by_asking_twice():
    def biased(prompts, first, second):
        return np.clip(Referee(0.6)(prompts, first, second) + 0.3, 0, 1)

    candidates = pool(8)
    fair = both_orders(biased)
    prompts, clips = prompts_of(candidates), candidates.tokens
    p, q = fair(prompts, clips[:1], clips[1:2]), fair(prompts, clips[1:2], clips[:1])
    assert p + q == pytest.approx(1)
    assert knock_out(fair, prompts, candidates).clips[0].item() == 7
    assert knock_out(biased, prompts, candidates).chosen[0] == 0


def test_what_is_no_probability_is_refused():
    candidates = pool(4)
    prompts = prompts_of(candidates)
    for wrong in (np.nan, 1.5):
        with pytest.raises(DataError, match=r"a probability from 0 to 1 for each of 2 pairs"):
            knock_out(lambda p, a, b, x=wrong: np.full(len(a), x), prompts, candidates)
    with pytest.raises(DataError, match=r"got shape \(1,\)"):
        swiss(lambda p, a, b: np.array([0.5]), prompts, candidates, n_rounds=1)


def test_a_swiss_tournament_has_a_round():
    candidates = pool(4)
    with pytest.raises(ConfigError, match="n_rounds: expected at least 1, got 0"):
        swiss(Referee(), prompts_of(candidates), candidates, n_rounds=0)
