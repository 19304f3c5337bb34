import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auralign.data import CLIPS, JUDGEMENTS, PAIRS, PROMPTS, SCORES, read_table, write_table
from auralign.errors import DataError
from auralign.types import (
    Candidate,
    Clip,
    Heard,
    Judgement,
    Outcome,
    PreferencePair,
    Prompt,
    Score,
    ScoreStatus,
    Source,
    TrialProtocol,
)

INTS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False)
SPANS = st.none() | st.tuples(FLOATS, FLOATS)
TEXTS = st.text(max_size=5)

RECORDS = {
    PROMPTS: st.from_type(Prompt),
    CLIPS: st.builds(Clip, sample_rate=INTS, channels=INTS, n_samples=INTS, seed=st.none() | INTS),
    PAIRS: st.builds(PreferencePair, p_chosen=FLOATS, weight=FLOATS, n_votes=INTS),
    SCORES: st.builds(Score, value=st.none() | FLOATS),
    JUDGEMENTS: st.builds(
        Judgement,
        candidates=st.lists(st.builds(Candidate, segment=SPANS), max_size=3).map(tuple),
        rating=st.none() | FLOATS,
        scale=SPANS,
        ranking=st.none() | st.lists(INTS, max_size=3).map(tuple),
        strength=st.none() | INTS,
        time_to_answer_s=st.none() | FLOATS,
        heard=st.lists(st.builds(Heard, INTS, FLOATS), max_size=3).map(tuple),
        context=st.dictionaries(TEXTS, TEXTS, max_size=2),
    ),
}

PAIR = Judgement(
    trial="t1",
    protocol=TrialProtocol.PAIR,
    dimension="overall",
    prompt_id="p1",
    candidates=(Candidate("c1", (0.0, 1.5)), Candidate("c2")),
    rater="r1",
    source=Source.SIMULATED,
    outcome=Outcome.TIE_GOOD,
    context={"place": "lab"},
)


def rewrite(path, **columns):
    """Change columns of the table at `path`, as any program could."""
    table = pq.read_table(path)
    for name, values in columns.items():
        table = table.set_column(table.column_names.index(name), name, pa.array(values))
    pq.write_table(table, path)


@pytest.mark.parametrize("format_", RECORDS, ids=lambda format_: format_.name)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_records_come_back_from_parquet_as_they_were(tmp_path_factory, format_, data):
    records = data.draw(st.lists(RECORDS[format_], max_size=4))
    path = tmp_path_factory.getbasetemp() / f"{format_.name}.parquet"
    write_table(format_, records, path)
    assert read_table(format_, path) == records


def test_a_judgement_is_readable_with_pandas(tmp_path):
    write_table(JUDGEMENTS, [PAIR], tmp_path / "j.parquet")
    row = pd.read_parquet(tmp_path / "j.parquet").iloc[0]
    assert (row.protocol, row.source, row.outcome) == ("pair", "simulated", "TIE_GOOD")
    assert list(row.candidates) == [
        {"clip_id": "c1", "begin_s": 0.0, "end_s": 1.5},
        {"clip_id": "c2", "begin_s": None, "end_s": None},
    ]
    assert json.loads(row.context) == {"place": "lab"}
    assert row.ranking is None


def test_a_missing_number_is_null_in_the_file_not_nan_or_zero(tmp_path):
    scores = [Score("c1", "stoi", None, ScoreStatus.SKIPPED, "silent"), Score("c2", "stoi", 0.0)]
    write_table(SCORES, scores, tmp_path / "s.parquet")
    assert pq.read_table(tmp_path / "s.parquet")["value"].to_pylist() == [None, 0.0]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"outcome": ["a"]}, r"outcome 'a' is not one of A, B, .* \(did you mean 'A'\?\)"),
        ({"outcome": ["TIE_GOD"]}, r"outcome 'TIE_GOD' .*\(did you mean 'TIE_GOOD'\?\)"),
        ({"protocol": ["pairs"]}, r"protocol 'pairs' is not one of pair, .*\(did you mean 'pair'"),
        ({"source": ["people"]}, r"source 'people' is not one of human, judge"),
        ({"rater": [None]}, "rater is missing"),
        ({"rating": [float("nan")]}, "rating is NaN: leave it empty"),
        ({"scale_low": [1.0]}, "scale has only one of its two ends"),
        ({"context": ["[1]"]}, "context is not a JSON object of text to text"),
        ({"context": ["{"]}, "context is not JSON"),
        ({"heard": [[{"plays": 1, "seconds": None}]]}, "heard holds an entry without"),
        (
            {"candidates": [[{"clip_id": None, "begin_s": None, "end_s": None}]]},
            "candidates holds one without a clip_id",
        ),
    ],
)
def test_a_broken_row_is_named(tmp_path, columns, message):
    path = tmp_path / "judgements.parquet"
    write_table(JUDGEMENTS, [PAIR, PAIR], path)
    good = {name: pq.read_table(path)[name].to_pylist()[0] for name in columns}
    rewrite(path, **{name: [good[name], *values] for name, values in columns.items()})
    with pytest.raises(DataError, match=rf"judgements\.parquet row 1: {message}"):
        read_table(JUDGEMENTS, path)
