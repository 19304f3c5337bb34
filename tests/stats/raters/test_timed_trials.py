"""Comparisons with times: what is taken from judgements, and what is refused."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from auralign.errors import ConfigError, DataError, NotConvergedError
from auralign.stats.raters.timed_trials import timed_comparisons, timed_trials
from auralign.types import Comparisons, Judgement

SECONDS = np.full(60, 3.0)


def comparisons() -> Comparisons:
    """Sixty comparisons around a ring of six items by four raters."""
    k = np.arange(60)
    items = tuple(f"item {i}" for i in range(6))
    return Comparisons(
        k % 6, (k + 1) % 6, (k % 4 > 0) * 1.0, np.ones(60), k % 4, 0 * k, items, tuple("abcd")
    )


def test_only_decisive_timed_answers_become_timed_comparisons(
    pair: Callable[..., Judgement],
) -> None:
    def timed(seconds: float | None, *fields: str) -> Judgement:
        return replace(pair(*fields), time_to_answer_s=seconds)

    judgements = [
        timed(2.0, "a", "b", "A"),
        timed(3.0, "a", "b", "TIE"),
        timed(None, "a", "b", "B"),
        timed(1.5, "c", "a", "B"),
        timed(1.0, "a", "a", "A"),
    ]
    comparisons, seconds = timed_comparisons(judgements, "overall")
    assert seconds.tolist() == [2.0, 1.5]
    assert comparisons.outcome.tolist() == [1.0, 0.0]
    with pytest.raises(DataError, match="has a time_to_answer_s"):
        timed_comparisons(judgements[1:3], "overall")


def test_raters_form_groups_only_when_bounds_are_theirs() -> None:
    shared = timed_trials(comparisons(), SECONDS, "shared", None)
    assert (shared.n_groups, set(shared.group.tolist())) == (1, {0})
    own = timed_trials(comparisons(), SECONDS, "by rater", None)
    assert (own.n_groups, own.group.tolist()) == (4, comparisons().rater.tolist())
    assert set(own.choice.tolist()) == {1.0, -1.0}


def test_comparisons_of_weight_zero_are_left_out_with_their_times() -> None:
    c = replace(comparisons(), weight=(np.arange(60) < 50) * 1.0)
    trials = timed_trials(c, np.r_[SECONDS[:50], np.full(10, np.nan)], "shared", None)
    assert len(trials.seconds) == len(trials.first) == 50


def test_bad_input_is_refused() -> None:
    c = comparisons()
    with pytest.raises(DataError, match="one time for each of 60"):
        timed_trials(c, SECONDS[:-1], "shared", None)
    with pytest.raises(DataError, match="comparison 0 took"):
        timed_trials(c, np.r_[-1.0, SECONDS[1:]], "shared", None)
    with pytest.raises(DataError, match="longer than 9 s"):
        timed_trials(c, SECONDS, "shared", 9.0)
    with pytest.raises(ConfigError, match="non_decision_s must be 0 or more"):
        timed_trials(c, SECONDS, "shared", -1.0)
    with pytest.raises(DataError, match="leave ties out"):
        timed_trials(replace(c, outcome=np.full(60, 0.5)), SECONDS, "shared", None)
    with pytest.raises(ConfigError, match="did you mean 'by rater'"):
        timed_trials(c, SECONDS, "by raters", None)
    with pytest.raises(DataError, match="needs at least 10 timed comparisons of each, 'd'"):
        timed_trials(replace(c, rater=c.rater % 3), SECONDS, "by rater", None)
    apart = replace(c, first=c.first % 2, second=1 - c.first % 2)
    with pytest.raises(NotConvergedError, match="falls into 5 components"):
        timed_trials(apart, SECONDS, "shared", None)
