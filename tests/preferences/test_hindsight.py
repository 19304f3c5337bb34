import pytest

from auralign.errors import ConfigError
from auralign.preferences.hindsight import MarkedClip, hindsight_sequences
from auralign.types import PreferencePair, Split


def pair(p_chosen: float = 1.0) -> PreferencePair:
    return PreferencePair("p", "x", "y", p_chosen, 3.0, "overall", 3, "vote_share", Split.TRAIN)


GOOD, BAD = MarkedClip("good", "x"), MarkedClip("bad", "y")


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        ("good", (GOOD,)),
        ("bad", (BAD,)),
        ("bad_then_good", (BAD, GOOD)),
        ("good_then_bad", (GOOD, BAD)),
    ],
)
def test_every_answer_stands_after_the_marker_that_says_how_good_it_is(name, answers):
    (sequence,) = hindsight_sequences([pair()], formats=[name])
    assert sequence.answers == answers
    assert (sequence.prompt_id, sequence.weight, sequence.split) == ("p", 3.0, Split.TRAIN)


def test_by_default_a_pair_gives_two_sequences_of_one_answer():
    assert [s.answers for s in hindsight_sequences([pair()])] == [(GOOD,), (BAD,)]


def test_clips_that_listeners_found_alike_are_neither_good_nor_bad():
    assert hindsight_sequences([pair(0.5)]) == []


def test_an_unknown_format_is_refused_with_the_near_one():
    with pytest.raises(ConfigError, match="did you mean 'good_then_bad'"):
        hindsight_sequences([pair()], formats=["good_than_bad"])
