"""Raters against the others: hand counts, error rates by simulation, power against guessing."""

from collections.abc import Callable, Iterable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special

from auralign.errors import ConfigError, DataError
from auralign.stats.raters import consensus
from auralign.stats.raters.consensus import collusion, majority_agreement, voter_tests
from auralign.types import Judgement

Make = Callable[..., Judgement]
Votes = NDArray[np.int64]


def judgements_of(pair: Make, votes: Votes, rng: np.random.Generator) -> list[Judgement]:
    """One judgement for each vote, sides at random."""
    made = []
    for (rater, stimulus), vote in np.ndenumerate(votes):
        if vote:
            outcome = "A" if vote == 1 else "B"
            j = pair("a", "b", outcome, rater=f"r{rater:02}", prompt=f"p{stimulus:03}")
            made.append(j.swap() if rng.random() < 0.5 else j)
    return made


def honest(rng: np.random.Generator, n_raters: int, n_stimuli: int) -> Votes:
    """Raters of different care answer stimuli of different difficulty."""
    care = np.exp(rng.normal(0, 0.5, n_raters))
    p = special.expit(np.outer(care, rng.normal(0, 1.5, n_stimuli)))
    return np.where(rng.random(p.shape) < p, 1, -1)


def test_agreement_is_with_the_majority_of_the_others(pair: Make) -> None:
    votes = np.array([[1, 1, 1, -1], [1, -1, -1, -1], [1, 1, -1, 0], [-1, 1, 0, 1]])
    found = majority_agreement(judgements_of(pair, votes, np.random.default_rng(0)), "overall")
    # r00: others 1+1-1, -1+1+1, -1-1, -1+1: majorities 1, 1, -1, none: agrees on 2 of 3.
    assert (found["r00"].agreement.value, found["r00"].agreement.n) == (2 / 3, 3)
    # r01: others 1+1-1, 1+1+1, 1-1, -1+1: agrees on the first of two.
    assert (found["r01"].agreement.value, found["r01"].agreement.n) == (0.5, 2)
    # The others of r01 on her two stimuli: r00 and r02 agree on both; of r03's two, one.
    assert found["r01"].of_others == pytest.approx(5 / 6)
    assert found["r01"].guessing_share == pytest.approx(1.0)
    assert found["r00"].p_guessing == pytest.approx((3 + 1) / 8)


def test_a_guesser_is_told_from_honest_raters(pair: Make) -> None:
    rng = np.random.default_rng(1)
    votes = honest(rng, 10, 150)
    votes[3] = rng.choice([-1, 1], 150)
    found = majority_agreement(judgements_of(pair, votes, rng), "overall")
    guesser = found.pop("r03")
    assert guesser.guessing_share > 0.6
    assert guesser.p_as_others < 1e-4 < 0.01 < guesser.p_guessing
    assert all(other.p_guessing < 1e-3 for other in found.values())


def test_an_e_value_averages_one_for_a_vote_drawn_from_the_pool() -> None:
    for n_up, n_down in [(3, 1), (5, 5), (9, 1)]:
        n = n_up + n_down
        values = [n / (2 * k) for k in (n_up, n_down)]
        assert values @ np.array([n_up, n_down]) / n == pytest.approx(1.0)


def test_the_running_product_is_that_of_the_formula(pair: Make) -> None:
    votes = np.array([[1, -1], [1, 1], [1, 1]])
    tests = voter_tests(judgements_of(pair, votes, np.random.default_rng(0)), "overall")
    # Unanimous: 3 / (2 * 3). Alone against two: 3 / (2 * 1).
    assert tests["r00"].e_value == pytest.approx(0.5 * 1.5)
    assert tests["r01"].e_value == pytest.approx(0.5 * 3 / 4)
    assert (tests["r00"].largest, tests["r00"].p_value) == (1.0, 1.0)


def test_the_sequential_test_keeps_its_level_and_finds_guessers(pair: Make) -> None:
    false_alarms, found = 0, []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        p = special.expit(rng.normal(0, 1.5, 60))
        votes = np.where(rng.random((12, 60)) < p, 1, -1)
        votes[0] = rng.choice([-1, 1], 60)
        tests = voter_tests(judgements_of(pair, votes, rng), "overall")
        false_alarms += sum(t.decided_at is not None for r, t in tests.items() if r != "r00")
        found.append(tests["r00"].decided_at is not None)
    assert false_alarms / (10 * 11) < 0.05
    assert np.mean(found) > 0.6


def test_honest_raters_are_rarely_taken_for_colluders() -> None:
    smallest = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        votes = honest(rng, 12, 100) * (rng.random((12, 100)) < 0.8)
        common, together, expected = consensus._shared_deviations(votes)
        pairs = np.triu_indices(12, 1)
        p = np.where(
            together[pairs] > 0, special.pdtrc(together[pairs] - 1.0, expected[pairs]), 1.0
        )
        smallest.append(66 * p.min())
        assert (together <= common).all()
    assert np.mean(np.array(smallest) < 0.05) < 0.08


def test_shared_deviations_are_counted_and_expected_as_stated(pair: Make) -> None:
    # The minority: none, {0, 1}, {0, 1}, {2}; the last stimulus is split evenly.
    votes = np.array(
        [[1, -1, -1, 1, 1], [1, -1, -1, 1, 1], [1, 1, 1, -1, -1], [1, 1, 1, 1, -1], [1, 1, 1, 1, 0]]
    )
    found = collusion(judgements_of(pair, votes, np.random.default_rng(0)), "overall")
    first = found[0]
    assert (first.first, first.second, first.common, first.together) == ("r00", "r01", 4, 2)
    factor = 2 / (2 / 5 + 2 / 5 + 1 / 5)
    assert first.expected == pytest.approx(factor**2 * 2 * (2 * 1) / (5 * 4))
    assert "all 10 pairs of raters" in first.family


def test_a_copyist_is_found(pair: Make) -> None:
    rng = np.random.default_rng(2)
    votes = honest(rng, 12, 120)
    votes[7] = np.where(rng.random(120) < 0.9, votes[4], votes[7])
    worst, second, *_ = collusion(judgements_of(pair, votes, rng), "overall")
    assert (worst.first, worst.second) == ("r04", "r07")
    assert worst.p_adjusted < 0.01 < second.p_adjusted


def test_ties_skips_and_second_answers_do_not_count(pair: Make) -> None:
    judgements: Iterable[Judgement] = [
        pair("a", "b", "A", rater="ann"),
        pair("b", "a", "A", rater="ann"),
        pair("a", "b", "A", rater="bob"),
        pair("a", "b", "TIE", rater="cat"),
        pair("a", "b", "SKIP", rater="dan"),
    ]
    found = majority_agreement(judgements, "overall")
    assert set(found) == {"ann", "bob"}
    assert found["ann"].agreement.value == 1.0


def test_a_panel_without_a_common_stimulus_is_refused(pair: Make) -> None:
    alone = [pair("a", "b", "A", rater="ann"), pair("a", "c", "A", rater="bob")]
    for look in (majority_agreement, collusion, voter_tests):
        with pytest.raises(DataError, match="answered decisively by two different raters"):
            look(alone, "overall")
    with pytest.raises(ConfigError, match="alpha must be between"):
        voter_tests(alone, "overall", alpha=1)
