import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auralign.errors import ConfigError, DataError
from auralign.signals.measures.transcripts import error_rates, load, read_transcripts
from auralign.signals.signal import Item, Missing
from auralign.types import Audio

SILENCE = Audio(np.zeros((1, 100), dtype=np.float32), 16_000)


def distance(a: list[str], b: list[str]) -> int:
    """Levenshtein's, by its recursion."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        last, row = row, [i]
        for j, y in enumerate(b, start=1):
            row.append(min(last[j] + 1, row[-1] + 1, last[j - 1] + (x != y)))
    return row[-1]


WORDS = st.lists(st.sampled_from(["one", "two", "three", "four"]), min_size=1, max_size=7)


@given(text=WORDS, heard=st.one_of(st.just([]), WORDS))
def test_the_rates_are_edit_distances_over_lengths(text, heard):
    asked, said = " ".join(text), " ".join(heard)
    rates = error_rates(asked, said)
    assert rates["wer"] == pytest.approx(distance(text, heard) / len(text))
    assert rates["cer"] == pytest.approx(distance(list(asked), list(said)) / len(asked))
    kinds = rates["substitutions"] + rates["deletions"] + rates["insertions"]
    assert kinds == pytest.approx(rates["wer"])
    assert rates["insertions"] - rates["deletions"] == pytest.approx(len(heard) / len(text) - 1)


def test_spelling_is_no_error_in_english_and_one_in_plain():
    assert error_rates("Mr. Brown has 3 dogs", "mister brown has three dogs")["wer"] == 0
    assert error_rates("Mr. Brown has 3 dogs", "mister brown has three dogs", "plain")[
        "wer"
    ] == pytest.approx(2 / 5)


def test_rates_exceed_one_and_a_text_without_words_has_none():
    assert error_rates("yes", "no no no")["wer"] == 3
    assert error_rates("...", "no") is None


def write(path, *rows: object) -> str:
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    return str(path)


def row(clip_id: str, text: str, recogniser: str = "tiny 1.0") -> dict:
    return {"clip_id": clip_id, "text": text, "recogniser": recogniser}


def test_a_clip_gets_the_errors_of_its_transcript(tmp_path):
    file = write(tmp_path / "t.jsonl", row("a", "one two"), row("b", ""))
    a, b, c, d = load(transcripts=file)(
        [
            Item("a", SILENCE, text="one three"),
            Item("b", SILENCE, text="one"),
            Item("c", SILENCE, text="one"),
            Item("a", SILENCE, text="!"),
        ]
    )
    assert a["wer"] == 0.5
    assert b["deletions"] == b["wer"] == 1
    assert "names no file with this clip" in c["wer"].reason
    assert d["cer"] == Missing("the text has no words")


def test_without_a_file_every_clip_has_a_reason():
    (values,) = load()([Item("a", SILENCE, text="one")])
    assert all(isinstance(value, Missing) for value in values.values())


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["a"]], "line 1: expected an object with texts for clip_id, text, recogniser"),
        ([row("a", "x"), {"clip_id": "b", "text": None}], "line 2: expected an object"),
        ([row("a", "x"), row("a", "y")], "line 2: the clip a is there twice"),
        ([row("a", "x", "")], "line 1: the recogniser has no name"),
        ([row("a", "x"), row("b", "y", "big 2")], "expected one recogniser, got big 2, tiny 1.0"),
    ],
)
def test_a_broken_file_is_refused_where_it_is_broken(tmp_path, rows, message):
    with pytest.raises(DataError, match=message):
        read_transcripts(write(tmp_path / "t.jsonl", *rows))


def test_what_is_no_json_or_not_there_is_refused(tmp_path):
    (tmp_path / "t.jsonl").write_text("{")
    with pytest.raises(DataError, match="expected JSON lines with clip_id, text and recogniser"):
        load(transcripts=str(tmp_path / "t.jsonl"))
    with pytest.raises(DataError, match="no such file"):
        load(transcripts=str(tmp_path / "none.jsonl"))


def test_an_unknown_normaliser_is_refused_with_the_near_one():
    with pytest.raises(ConfigError, match="did you mean 'english'"):
        load(normaliser="englisch")
