import numpy as np
import pytest

from auralign.errors import DataError
from auralign.evaluation.win_rates import listener_win_rates, system_win_rate
from auralign.types import Candidate, Judgement, Outcome, Source, TrialProtocol

SYSTEMS = {f"{system}{i}": system for system in ("old", "new", "other") for i in range(6)}


def vote(
    first: str, second: str, outcome: str, rater: str, dimension: str = "overall"
) -> Judgement:
    return Judgement(
        trial=f"{first}-{second}-{rater}",
        protocol=TrialProtocol.PAIR,
        dimension=dimension,
        prompt_id=f"p{first[-1]}",
        candidates=(Candidate(first), Candidate(second)),
        rater=rater,
        source=Source.HUMAN,
        outcome=Outcome(outcome),
    )


VOTES = [
    vote("old0", "new0", "B", "ann"),
    vote("new1", "old1", "A", "ann"),
    vote("old2", "new2", "TIE_BAD", "ann"),
    vote("new3", "old3", "B", "bob"),
    vote("old4", "new4", "B", "bob"),
    vote("new5", "old5", "SKIP", "bob"),
    vote("old0", "other0", "B", "ann"),
    vote("new0", "old0", "B", "ann", dimension="production_quality"),
]


def rate(votes, *, after="new", before="old", dimension="overall", seed=0):
    return system_win_rate(
        votes,
        SYSTEMS,
        after=after,
        before=before,
        dimension=dimension,
        rng=np.random.default_rng(seed),
    )


def test_wins_count_one_ties_half_skips_and_other_systems_nothing():
    found = rate(VOTES)
    # Ann: two wins and a tie; Bob: a loss and a win.
    assert found.value == pytest.approx((1 + 1 + 0.5 + 0 + 1) / 5)
    assert found.n == 5
    assert found.low <= found.value <= found.high


def test_it_does_not_matter_which_clip_was_presented_first():
    assert rate([v.swap() for v in VOTES]) == rate(VOTES)


def test_exchanging_before_and_after_mirrors_the_rate_and_its_interval():
    forward, backward = rate(VOTES), rate(VOTES, after="old", before="new")
    assert backward.value == pytest.approx(1 - forward.value)
    assert backward.low == pytest.approx(1 - forward.high)
    assert backward.high == pytest.approx(1 - forward.low)


def test_dimensions_are_counted_apart():
    votes = [*VOTES, vote("new1", "old1", "B", "bob", dimension="production_quality")]
    assert rate(votes, dimension="production_quality").value == 0


def test_each_listener_has_a_rate_of_their_own():
    found = listener_win_rates(VOTES, SYSTEMS, after="new", before="old", dimension="overall")
    assert found == {"ann": (pytest.approx(2.5 / 3), 3), "bob": (0.5, 2)}


def test_the_rates_of_listeners_average_to_the_rate_of_the_system():
    of_listener = listener_win_rates(VOTES, SYSTEMS, after="new", before="old", dimension="overall")
    votes = sum(n for _, n in of_listener.values())
    assert sum(r * n for r, n in of_listener.values()) / votes == pytest.approx(rate(VOTES).value)


def test_systems_that_nobody_compared_are_an_error():
    with pytest.raises(DataError, match="no judgement compares 'other' with 'new'"):
        rate(VOTES, after="other", before="new")


def test_a_dimension_that_nobody_judged_is_an_error():
    with pytest.raises(DataError, match=r"on the dimension 'overal', found none.*'overall'"):
        rate(VOTES, dimension="overal")
