import pytest
from hypothesis import given
from hypothesis import strategies as st

from auralign.errors import DataError
from auralign.signals.recognisers.words import (
    normalise_words,
    word_error_rate,
    word_errors,
    words_per_second,
)

texts = st.lists(st.sampled_from(["one", "two", "three"]), max_size=6).map(" ".join)


def levenshtein(a: list[str], b: list[str]) -> int:
    """The textbook table, row by row."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (x != y)))
    return row[-1]


@given(reference=texts, hypothesis=texts)
def test_errors_are_the_levenshtein_distance_over_words(reference, hypothesis):
    expected = levenshtein(reference.split(), hypothesis.split())
    assert word_errors([reference], [hypothesis]) == [(expected, len(reference.split()))]


def test_one_substitution_one_deletion_one_insertion():
    heard = ["four two one", "four one", "four seven one one"]
    assert word_errors(["four seven one"] * 3, heard) == [(1, 3), (1, 3), (1, 3)]


def test_empty_texts_have_defined_errors():
    assert word_errors(["one two", "", ""], ["", "one two", ""]) == [(2, 2), (2, 0), (0, 0)]
    assert word_error_rate([], []) == (0, 0)


def test_the_rate_adds_errors_and_words_over_utterances():
    assert word_error_rate(["one two three", "one"], ["one two", "two"]) == (2, 4)


def test_case_punctuation_and_spaces_do_not_count():
    assert normalise_words("  Four, SEVEN-one!\n") == "four seven one"
    assert normalise_words("Don't") == "don't"
    assert word_error_rate(["Four, seven."], ["four seven"]) == (0, 2)


def test_lists_of_unequal_length_are_an_error():
    with pytest.raises(DataError, match="got 2 references and 1 hypotheses"):
        word_error_rate(["one", "two"], ["one"])


def test_speaking_rate_is_words_over_active_seconds():
    assert words_per_second(6, 2.0) == 3.0
    assert words_per_second(6, 0.0) is None
    assert words_per_second(6, None) is None
