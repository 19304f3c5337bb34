from __future__ import annotations

import jiwer
from hypothesis import given
from hypothesis import strategies as st

from auralign.report import Word, compare_words

sentences = st.lists(st.sampled_from(["one", "two", "three"]), max_size=6).map(" ".join)


def test_words_are_right_wrong_extra_or_missed() -> None:
    assert compare_words("one two", "one two") == (Word("one"), Word("two"))
    assert compare_words("one two", "one six") == (Word("one"), Word("six", "wrong", "two"))
    assert compare_words("one two", "one") == (Word("one"), Word("two", "missed"))
    assert compare_words("one", "one one") == (Word("one"), Word("one", "extra"))
    assert compare_words("", "") == ()


@given(sentences.filter(bool), sentences)
def test_as_many_words_are_marked_as_jiwer_counts_errors(expected: str, heard: str) -> None:
    counts = jiwer.process_words(expected, heard)
    errors = counts.substitutions + counts.deletions + counts.insertions
    assert sum(word.status != "right" for word in compare_words(expected, heard)) == errors


@given(sentences, sentences)
def test_both_texts_can_be_read_from_the_marks(expected: str, heard: str) -> None:
    words = compare_words(expected, heard)
    assert " ".join(w.text for w in words if w.status != "missed") == heard
    wanted = [w.expected or w.text for w in words if w.status != "extra"]
    assert " ".join(wanted) == expected
