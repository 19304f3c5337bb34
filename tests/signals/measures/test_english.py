import pytest
from hypothesis import given
from hypothesis import strategies as st

from auralign.signals.measures.english import cardinal, normalise_english


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("Mr. Smith\u2019s dog", "mister smith's dog"),
        ("Dr. and Mrs. Jones", "doctor and missus jones"),
        ("3,200 miles", "three thousand two hundred miles"),
        ("the 2nd, 12th, 20th and 31st", "the second twelfth twentieth and thirty first"),
        ("3.5 % of 100", "three point five percent of one hundred"),
        ("agent 007", "agent zero zero seven"),
        ("fish & chips", "fish and chips"),
        ("well-known", "well known"),
        ("don't, WON'T!", "don't won't"),
        ("1,234,567", "one million two hundred thirty four thousand five hundred sixty seven"),
        ("2001, 2002", "two thousand one two thousand two"),
        ("\ufb01ne \uff13", "fine three"),
        ("uh, yes", "uh yes"),
        ("1234567890123", "one two three four five six seven eight nine zero one two three"),
        ("", ""),
    ],
)
def test_texts_are_written_as_they_are_spoken(written, spoken):
    assert normalise_english(written) == spoken


@given(text=st.text(max_size=40))
def test_normalising_twice_changes_nothing(text):
    once = normalise_english(text)
    assert normalise_english(once) == once


WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
)
TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
SMALL = {word: k for k, word in enumerate(WORDS.split())}
SMALL |= {word: 10 * k for k, word in enumerate(TENS.split(), start=2)}
SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9}


def number(words: str) -> int:
    """What the words mean, read from left to right."""
    total, group = 0, 0
    for word in words.split():
        if word in SCALES:
            total, group = total + group * SCALES[word], 0
        elif word == "hundred":
            group *= 100
        else:
            group += SMALL[word]
    return total + group


@given(n=st.integers(0, 10**12 - 1))
def test_the_words_of_a_number_mean_it(n):
    assert number(cardinal(n)) == n
