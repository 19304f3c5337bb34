import numpy as np
import pytest
from scipy import stats

from auralign.errors import ConfigError, DataError, NotConvergedError
from auralign.stats.planning.confidence_sequence import log_evidence, win_rate_sequence


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.83])
@pytest.mark.parametrize("n", [1, 7, 60])
def test_evidence_against_the_truth_is_one_on_average(rate, n):
    won = np.arange(n + 1.0)
    evidence = np.exp(log_evidence(np.full(n + 1, rate), won, n, (1.0, 1.0)))
    assert stats.binom.pmf(won, n, rate) @ evidence == pytest.approx(1)


def test_ties_as_half_votes_make_it_a_supermartingale():
    share = np.array([0.3, 0.5, 0.2])  # of losses, ties, wins
    votes = np.array([0, 0.5, 1])
    rate = share @ votes
    evidence = np.exp(log_evidence(np.full(3, rate), votes, 1, (1.0, 1.0)))
    assert share @ evidence <= 1


@pytest.mark.parametrize("rate", [0.5, 0.65])
def test_the_truth_is_ever_excluded_with_at_most_the_error_allowed(rate):
    # Exact, over all paths of 400 votes: the chance of each count among paths not yet excluded.
    level, n_max = 0.9, 400
    alive, excluded = np.array([1.0]), 0.0
    for n in range(1, n_max + 1):
        alive = np.append(alive * (1 - rate), 0) + np.append(0, alive * rate)
        won = np.arange(n + 1.0)
        out = log_evidence(np.full(n + 1, rate), won, n, (1.0, 1.0)) >= -np.log(1 - level)
        excluded += alive[out].sum()
        alive[out] = 0
    assert 0.02 < excluded <= 1 - level
    assert excluded + alive.sum() == pytest.approx(1)


def test_an_end_that_moves_is_where_the_evidence_reaches_its_threshold():
    votes = np.array([1, 0, 1, 1, 0, 1, 1, 1])
    sequence = win_rate_sequence(votes)
    for ends in (sequence.low, sequence.high):
        moved = np.flatnonzero(np.diff(ends)) + 1
        won = np.cumsum(votes)[moved].astype(float)
        value = log_evidence(ends[moved], won, moved + 1, (1.0, 1.0))
        np.testing.assert_allclose(value, np.log(20), atol=1e-6)
    assert (np.diff(sequence.low) > 0).sum() >= 3


def test_all_wins_have_a_closed_form():
    # e = B(n + 1, 1) / p^n = 1 / ((n + 1) p^n) = 20  <=>  p = (20 (n + 1))^(-1/n)
    n = 10
    last = win_rate_sequence(np.ones(n)).last
    assert last.low == pytest.approx((20 * (n + 1)) ** (-1 / n))
    assert (last.value, last.high) == (1, 1)


def test_the_interval_only_shrinks_and_mirrors_with_the_sides():
    votes = np.random.default_rng(0).choice([0, 0.5, 1], 200, p=[0.2, 0.3, 0.5])
    here, there = win_rate_sequence(votes), win_rate_sequence(1 - votes)
    assert (np.diff(here.low) >= 0).all()
    assert (np.diff(here.high) <= 0).all()
    np.testing.assert_allclose(here.low, 1 - there.high, atol=1e-9)


def test_it_says_when_the_better_system_was_known():
    assert win_rate_sequence([1, 0, 1, 0]).decided_at is None
    decided = win_rate_sequence(np.ones(30)).decided_at
    # 1 / ((n + 1) 2^-n) >= 20 first at n = 8
    assert decided == 8


def test_a_drifting_rate_leaves_nothing():
    sequence = win_rate_sequence(np.r_[np.ones(60), np.zeros(60)])
    with pytest.raises(NotConvergedError, match="drifted"):
        _ = sequence.last


def test_bad_input_is_named():
    for votes in ([], [1.2], [np.nan], [[1, 0]]):
        with pytest.raises(DataError, match="votes between 0 and 1"):
            win_rate_sequence(votes)
    with pytest.raises(ConfigError, match="prior"):
        win_rate_sequence([1], prior=(0, 1))
    with pytest.raises(ConfigError, match="level"):
        win_rate_sequence([1], level=1)
