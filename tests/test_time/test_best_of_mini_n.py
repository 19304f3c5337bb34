import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auralign.errors import ConfigError
from auralign.test_time import best_of_mini_n, best_of_n, expected_draws, stop_probability
from auralign.types import Prompt


def test_draws_of_the_worked_example():
    # 1 - 0.7^4, and 4 (1 + r + r^2 + r^3) with r = 0.7^4
    assert stop_probability(0.3, 4) == pytest.approx(0.7599)
    assert expected_draws(0.3, 4, 4) == pytest.approx(5.246, abs=5e-4)


@given(st.floats(0.01, 1), st.integers(1, 6), st.integers(1, 6))
def test_expected_draws_are_those_of_all_numbers_of_loops(p, m, loops):
    q = 1 - (1 - p) ** m
    by_stop = sum((1 - q) ** (k - 1) * q * m * k for k in range(1, loops))
    assert expected_draws(p, m, loops) == pytest.approx(
        by_stop + (1 - q) ** (loops - 1) * m * loops
    )


def test_never_acceptable_means_every_loop_is_drawn():
    assert expected_draws(0, 4, 4) == 16
    assert expected_draws(1, 4, 4) == 4


def test_the_loop_draws_as_many_clips_as_expected(urn, seeded):
    prompts = [Prompt(str(i), "") for i in range(800)]
    selection = best_of_mini_n(
        urn((0.7, 0.3), 1), prompts, acceptable_is_one, generator=seeded(), m=4, max_loops=4
    )
    drawn = selection.n_drawn
    assert set(drawn) <= {4, 8, 12, 16}
    assert (drawn == 4).mean() == pytest.approx(0.7599, abs=4 * (0.76 * 0.24 / 800) ** 0.5)
    assert drawn.mean() == pytest.approx(5.246, abs=4 * drawn.std() / 800**0.5)


def acceptable_is_one(prompts, tokens):
    """Above 0 for the code 1 and below for the code 0."""
    return np.array([clip[0, 0] - 0.5 for clip in tokens])


def test_without_a_threshold_it_is_the_best_of_one_loop(urn, by_sum, prompts, seeded):
    policy = urn((0.3, 0.3, 0.4), 5)
    mini = best_of_mini_n(policy, prompts, by_sum, generator=seeded(), m=6, threshold=-np.inf)
    plain = best_of_n(policy, prompts, by_sum, generator=seeded(), n=6)
    np.testing.assert_array_equal(np.concatenate(mini.clips), np.concatenate(plain.clips))
    assert mini.n_drawn.tolist() == [6, 6, 6]


def test_where_nothing_is_good_enough_the_best_of_all_loops_is_handed_out(
    urn, by_sum, prompts, seeded
):
    selection = best_of_mini_n(
        urn((0.5, 0.5), 8), prompts, by_sum, generator=seeded(), m=2, max_loops=3, threshold=9
    )
    assert selection.n_drawn.tolist() == [6, 6, 6]
    for i, best in enumerate(selection.chosen):
        assert selection.scores[best] == selection.scores[selection.candidates.of_prompt(i)].max()


def test_a_guardrail_hands_out_nothing_instead(urn, by_sum, prompts, seeded):
    def only_first(prompts, tokens):
        return by_sum(prompts, tokens) - np.array([0 if p.id == "p0" else 100 for p in prompts])

    selection = best_of_mini_n(
        urn((0.1, 0.9)), prompts, only_first, generator=seeded(), max_loops=2, abstain=True
    )
    assert selection.chosen.tolist()[1:] == [-1, -1]
    assert selection.clips[0] is not None
    assert selection.clips[1:] == [None, None]
    assert selection.n_drawn.tolist() == [4, 8, 8]


def test_a_guardrail_abstains_where_nothing_can_be_scored(urn, prompts, seeded):
    selection = best_of_mini_n(
        urn(), prompts, lambda p, t: np.full(len(t), np.nan), generator=seeded(), abstain=True
    )
    assert selection.clips == [None, None, None]


def test_numbers_that_make_no_sense_are_refused(urn, by_sum, prompts, seeded):
    with pytest.raises(ConfigError, match="max_loops: expected at least 1, got 0"):
        best_of_mini_n(urn(), prompts, by_sum, generator=seeded(), max_loops=0)
    with pytest.raises(ConfigError, match="m: expected at least 1, got 0"):
        stop_probability(0.3, 0)
    with pytest.raises(ConfigError, match=r"from 0 to 1, got 1.5"):
        stop_probability(1.5, 4)
