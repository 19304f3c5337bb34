import os
from dataclasses import replace

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from auralign.data import CLIPS, JUDGEMENTS, PAIRS, PROMPTS, SCORES, read_table, write_table
from auralign.errors import DataError
from auralign.types import (
    Candidate,
    Clip,
    Judgement,
    PreferencePair,
    Prompt,
    Score,
    Source,
    Split,
    TrialProtocol,
)

PROMPT = Prompt("p1", "say it", split=Split.TEST)
CLIP = Clip("c1", "audio/c1/c1.wav", 16_000, 1, 100, "p1", "base", seed=3)


@pytest.fixture
def path(tmp_path):
    write_table(PROMPTS, [PROMPT], tmp_path / "prompts.parquet")
    return tmp_path / "prompts.parquet"


def with_metadata(path, **changes):
    table = pq.read_table(path)
    metadata = {k.decode(): v.decode() for k, v in table.schema.metadata.items()} | changes
    pq.write_table(table.replace_schema_metadata(metadata), path)


def test_a_newer_schema_is_refused_with_what_to_do(path):
    with_metadata(path, **{"auralign.schema_version": "2"})
    with pytest.raises(DataError, match="version 1 or older, got 2: upgrade auralign"):
        read_table(PROMPTS, path)


@pytest.mark.parametrize("version", ["", "one"])
def test_an_unknown_schema_is_refused(path, version):
    with_metadata(path, **{"auralign.schema_version": version})
    with pytest.raises(DataError, match=r"got one without: write it with auralign\.data\."):
        read_table(PROMPTS, path)


def test_a_table_that_another_program_wrote_is_refused(path):
    pd.read_parquet(path).to_parquet(path)
    with pytest.raises(DataError, match="expected a table with auralign's schema version"):
        read_table(PROMPTS, path)


def test_a_table_of_other_records_is_refused(path):
    with pytest.raises(DataError, match="expected a table of clips, got one of prompts"):
        read_table(CLIPS, path)


def test_what_is_no_parquet_is_refused(tmp_path):
    (tmp_path / "a.parquet").write_text("id,text")
    with pytest.raises(DataError, match=r"a\.parquet: expected a Parquet table, got"):
        read_table(PROMPTS, tmp_path / "a.parquet")
    with pytest.raises(DataError, match="expected a table of prompts, but there is none"):
        read_table(PROMPTS, tmp_path / "b.parquet")


def test_a_missing_column_is_named_with_the_near_one(path):
    table = pq.read_table(path)
    renamed = table.rename_columns(["id", "txt", *table.column_names[2:]])
    pq.write_table(renamed.replace_schema_metadata(table.schema.metadata), path)
    with pytest.raises(DataError, match=r"column 'text' is missing \(did you mean 'txt'\?\)"):
        read_table(PROMPTS, path)


def test_a_column_of_another_type_is_named(tmp_path):
    path = tmp_path / "clips.parquet"
    write_table(CLIPS, [CLIP], path)
    table = pq.read_table(path)
    pq.write_table(table.set_column(2, "sample_rate", pa.array(["16 kHz"])), path)
    with pytest.raises(DataError, match="column 'sample_rate' as int64, got string"):
        read_table(CLIPS, path)


def test_whole_numbers_that_pandas_made_floats_are_read_as_integers(tmp_path):
    path = tmp_path / "clips.parquet"
    write_table(CLIPS, [CLIP, Clip("c2", "x", 16_000, 1, 100, "p1", "base")], path)
    table = pq.read_table(path)
    at = table.column_names.index("seed")
    pq.write_table(table.set_column(at, "seed", pa.array([3.0, None])), path)
    assert [clip.seed for clip in read_table(CLIPS, path)] == [3, None]


@pytest.mark.parametrize(
    ("format_", "record", "message"),
    [
        (PROMPTS, Prompt(None, "x"), "prompts row 0: id is missing"),
        (SCORES, Score("c", "stoi", float("nan")), "scores row 0: value is NaN"),
        (
            PAIRS,
            PreferencePair("p", "a", "b", float("nan"), 1.0, "overall", 1, "rule", Split.TRAIN),
            "pairs row 0: p_chosen is NaN",
        ),
        (
            CLIPS,
            Clip("c", "x", 16_000, 1, 1, "p", "s", seed=2**64),
            "clips: seed cannot be stored as int64",
        ),
    ],
)
def test_a_broken_record_is_never_written(tmp_path, format_, record, message):
    with pytest.raises(DataError, match=message):
        write_table(format_, [record], tmp_path / "a.parquet")
    assert os.listdir(tmp_path) == []


def test_only_the_rows_that_hold_a_text_are_read(tmp_path):
    prompts = [Prompt(name, "x", split=split) for name, split in zip("abc", Split, strict=True)]
    write_table(PROMPTS, prompts, tmp_path / "prompts.parquet")
    found = read_table(PROMPTS, tmp_path / "prompts.parquet", where={"split": "validation"})
    assert found == [prompts[1]]


@pytest.mark.parametrize("where", [None, {"prompt_id": "q"}])
def test_a_broken_row_keeps_its_number_in_the_file(tmp_path, where):
    pair = PreferencePair("p", "a", "b", 0.5, 1.0, "overall", 1, "rule", Split.TRAIN)
    path = tmp_path / "pairs.parquet"
    write_table(PAIRS, [pair, pair, replace(pair, prompt_id="q")], path)
    table = pq.read_table(path)
    weights = pa.array([1.0, 1.0, float("nan")])
    pq.write_table(table.set_column(table.column_names.index("weight"), "weight", weights), path)
    with pytest.raises(DataError, match=r"pairs\.parquet row 2: weight is NaN"):
        read_table(PAIRS, path, where=where)


def test_a_nan_within_a_list_is_found(tmp_path):
    path = tmp_path / "judgements.parquet"
    judgement = Judgement(
        trial="t",
        protocol=TrialProtocol.PAIR,
        dimension="overall",
        prompt_id="p",
        candidates=(Candidate("a", (0.0, 1.0)), Candidate("b")),
        rater="r",
        source=Source.HUMAN,
    )
    write_table(JUDGEMENTS, [judgement], path)
    table = pq.read_table(path)
    rows = table.to_pylist()
    rows[0]["candidates"][0]["end_s"] = float("nan")
    pq.write_table(pa.Table.from_pylist(rows, table.schema), path)
    with pytest.raises(DataError, match="row 0: candidates is NaN"):
        read_table(JUDGEMENTS, path)
