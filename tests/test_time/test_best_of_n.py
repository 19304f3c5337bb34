import math
from collections import Counter
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from auralign.errors import ConfigError, DataError
from auralign.test_time import best_of_n, best_of_n_exact_kl, best_of_n_law
from auralign.training.guard import best_of_n_gold, best_of_n_kl
from auralign.types import Prompt


@st.composite
def worlds(draw):
    """Probabilities and rewards, some equal, of a few outcomes."""
    size = draw(st.integers(1, 4))
    weights = np.array(draw(st.lists(st.integers(0, 5), min_size=size, max_size=size)), float)
    weights[0] += 1
    rewards = draw(st.lists(st.integers(0, 2), min_size=size, max_size=size))
    return weights / weights.sum(), np.array(rewards, float)


def listed_law(probabilities, rewards, n):
    """All n-tuples of draws; the first of the best is taken."""
    law = np.zeros(len(rewards))
    for draws in product(range(len(rewards)), repeat=n):
        best = max(draws, key=lambda i: rewards[i])
        law[best] += np.prod([probabilities[i] for i in draws])
    return law


@given(worlds(), st.integers(1, 4))
def test_the_law_of_the_best_of_n_is_that_of_all_tuples(world, n):
    np.testing.assert_allclose(best_of_n_law(*world, n), listed_law(*world, n), atol=1e-12)


@given(worlds(), st.integers(1, 50))
def test_the_exact_kl_is_at_most_the_formula_for_rewards_without_ties(world, n):
    assert -1e-12 <= best_of_n_exact_kl(*world, n) <= best_of_n_kl(n) + 1e-9


def test_two_equal_outcomes_have_the_kl_of_the_hand_calculation():
    # The better one is missed with probability 1/16.
    by_hand = 15 / 16 * math.log(15 / 8) + 1 / 16 * math.log(1 / 8)
    assert best_of_n_exact_kl([0.5, 0.5], [0, 1], 4) == pytest.approx(by_hand)
    assert by_hand == pytest.approx(0.4594, abs=5e-5)
    assert best_of_n_kl(4) == pytest.approx(0.6363, abs=5e-5)


def test_with_many_outcomes_the_kl_comes_up_to_the_formula():
    n_outcomes = 100_000
    uniform = np.full(n_outcomes, 1 / n_outcomes)
    for n, formula in ((2, 0.1931), (4, 0.6363), (16, 1.8351)):
        assert best_of_n_exact_kl(uniform, np.arange(n_outcomes), n) == pytest.approx(
            formula, abs=1e-4
        )


def test_equal_rewards_leave_the_policy_where_it_is():
    assert best_of_n_exact_kl([0.2, 0.8], [3, 3], 16) == pytest.approx(0)


@settings(max_examples=30)
@given(worlds(), st.data())
def test_the_estimated_gold_reward_is_right_on_average(world, data):
    probabilities, rewards = world
    n = data.draw(st.integers(1, 3))
    gold = np.array(data.draw(st.lists(st.floats(-1, 1), min_size=4, max_size=4)))[: len(rewards)]
    expected = sum(
        np.prod(probabilities[list(draws)])
        * best_of_n_gold(rewards[list(draws)], gold[list(draws)], n)
        for draws in product(range(len(rewards)), repeat=3)
    )
    assert expected == pytest.approx(best_of_n_law(*world, n) @ gold, abs=1e-9)


def test_clips_are_handed_out_as_often_as_the_law_says(urn, by_sum, seeded):
    policy = urn((0.6, 0.3, 0.1))
    law = policy.law()
    prompts = [Prompt(str(i), "") for i in range(4000)]
    chosen = best_of_n(policy, prompts, by_sum, generator=seeded(), n=3).clips
    counts = Counter(tuple(clip[0].tolist()) for clip in chosen)
    expected = 4000 * best_of_n_law(list(law.values()), [sum(clip) for clip in law], 3)
    assert chisquare([counts[clip] for clip in law], expected).pvalue > 1e-3


def test_no_candidate_scores_more_than_the_chosen_one(urn, by_sum, prompts, seeded):
    selection = best_of_n(urn((0.3, 0.3, 0.4), 4), prompts, by_sum, generator=seeded(), n=6)
    assert selection.n_drawn.tolist() == [6, 6, 6]
    for i, best in enumerate(selection.chosen):
        assert selection.candidates.prompt_index[best] == i
        rows = selection.candidates.of_prompt(i)
        assert selection.scores[best] == selection.scores[rows].max()


def test_a_clip_without_a_score_is_never_chosen(urn, prompts, seeded):
    def best_unscored(prompts, tokens):
        sums = np.array([clip.sum() for clip in tokens], float)
        return np.where(sums == 2, np.nan, sums)

    clips = best_of_n(urn(), prompts, best_unscored, generator=seeded(), n=32).clips
    assert [clip.sum() for clip in clips] == [1, 1, 1]


def test_prompts_of_which_nothing_could_be_scored_are_an_error(urn, prompts, seeded):
    def second_unscored(prompts, tokens):
        return np.array([np.nan if p.id == "p1" else 1.0 for p in prompts])

    with pytest.raises(DataError, match=r"prompt 'p1': expected a score for one of its 4"):
        best_of_n(urn(), prompts, second_unscored, generator=seeded(), n=4)


def test_the_generator_decides_everything(urn, by_sum, prompts, seeded):
    policy = urn((0.25,) * 4, 6)
    one, same, other = (
        np.concatenate(best_of_n(policy, prompts, by_sum, generator=seeded(s)).clips)
        for s in (0, 0, 1)
    )
    assert (one == same).all()
    assert (one != other).any()


def test_a_reward_with_another_number_of_scores_is_refused(urn, prompts, seeded):
    with pytest.raises(DataError, match=r"one finite score or NaN for each of 24 clips"):
        best_of_n(urn(), prompts, lambda p, t: np.zeros(1), generator=seeded())
    with pytest.raises(DataError, match=r"with 24 infinite ones"):
        best_of_n(urn(), prompts, lambda p, t: np.full(24, np.inf), generator=seeded())


def test_the_best_of_none_is_refused(urn, by_sum, prompts, seeded):
    with pytest.raises(ConfigError, match="n: expected at least 1, got 0"):
        best_of_n(urn(), prompts, by_sum, generator=seeded(), n=0)
    with pytest.raises(ConfigError, match="n: expected at least 1"):
        best_of_n_law([1.0], [0.0], 0)


def test_probabilities_that_do_not_sum_to_one_are_refused():
    with pytest.raises(DataError, match=r"1 in all, got 2 for 2 with the sum 0.7"):
        best_of_n_law([0.5, 0.2], [0, 1], 2)
