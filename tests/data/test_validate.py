import re
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from auralign.audio import as_audio, write_wav
from auralign.data import StudyFolder, validate_study
from auralign.errors import DataError
from auralign.types import (
    Candidate,
    Clip,
    Heard,
    Judgement,
    Outcome,
    Prompt,
    Source,
    TrialProtocol,
)


def noise(seed):
    return as_audio(np.random.default_rng(seed).uniform(-0.5, 0.5, 1_600), 16_000)


@pytest.fixture
def study(tmp_path):
    """A study of 0.1 s clips in which nothing is broken: one judgement of each protocol."""
    study = StudyFolder.create(tmp_path / "study", name="demo", simulated=False)
    clips = [study.add_audio(noise(i), prompt_id="p1", system=f"s{i}") for i in range(3)]
    study.write_clips(clips)
    study.write_prompts([Prompt("p1", "say it", reference_clip=clips[0].id)])
    a, b, c = (Candidate(clip.id) for clip in clips)
    pair = Judgement(
        trial="t0",
        protocol=TrialProtocol.PAIR,
        dimension="overall",
        prompt_id="p1",
        candidates=(a, Candidate(b.clip_id, (0.0, 0.1))),
        rater="r1",
        source=Source.HUMAN,
        outcome=Outcome.A,
        time_to_answer_s=1.5,
        heard=(Heard(1, 0.1), Heard(2, 0.2)),
    )
    other = replace(pair, outcome=None, heard=())
    study.write_judgements(
        [
            pair,
            replace(
                other,
                trial="t1",
                protocol=TrialProtocol.RATING,
                candidates=(a,),
                rating=5.0,
                scale=(1.0, 5.0),
            ),
            replace(
                other,
                trial="t2",
                protocol=TrialProtocol.RANKING,
                candidates=(a, b, c),
                ranking=(2, 0, 1),
            ),
            replace(
                other,
                trial="t3",
                protocol=TrialProtocol.BEST_WORST,
                candidates=(a, b, c),
                ranking=(2, 0),
            ),
            replace(
                other,
                trial="t4",
                protocol=TrialProtocol.THUMBS,
                candidates=(a,),
                rating=0.0,
                scale=(0.0, 1.0),
            ),
        ]
    )
    return study


PAIR, RATING, RANKING, BEST_WORST, THUMBS = range(5)


def set_cell(study, table, row, column, value):
    """Change one cell behind auralign's back."""
    path = study.path / f"{table}.parquet"
    content = pq.read_table(path)
    values = content[column].to_pylist()
    values[row] = value
    at = content.column_names.index(column)
    pq.write_table(content.set_column(at, column, pa.array(values, content[column].type)), path)


def found(study):
    return [(p.file, p.row, p.field) for p in validate_study(study.path)]


def test_a_sound_study_has_no_problems(study):
    assert validate_study(study.path) == []


@pytest.mark.parametrize(
    ("row", "column", "value", "field", "what"),
    [
        (PAIR, "outcome", "a", "outcome", "'a' is not one of A, B, .*did you mean 'A'"),
        (PAIR, "outcome", None, "outcome", "a pair needs an outcome"),
        (PAIR, "prompt_id", "p9", "prompt_id", "'p9' is not in prompts.parquet"),
        (PAIR, "protocol", "pairs", "protocol", "did you mean 'pair'"),
        (PAIR, "source", "simulated", "source", "source is simulated, but study.yaml says"),
        (PAIR, "source", "persons", "source", "is not one of human"),
        (PAIR, "dimension", "overal", "dimension", "did you mean 'overall'"),
        (PAIR, "time_to_answer_s", -1.0, "time_to_answer_s", "is -1"),
        (PAIR, "time_to_answer_s", float("nan"), "time_to_answer_s", "is NaN"),
        (PAIR, "rater", None, "rater", "rater is missing"),
        (PAIR, "context", "[", "context", "context is not JSON"),
        (PAIR, "heard", [{"plays": 1, "seconds": 0.1}], "heard", "1 entries for 2 candidates"),
        (PAIR, "heard", [{"plays": -1, "seconds": 0.1}] * 2, "heard", "heard 0 is"),
        (PAIR, "heard", [{"plays": 1, "seconds": None}] * 2, "heard", "heard 1 is"),
        (RATING, "rating", 5.5, "rating", "5.5 is outside its scale from 1 to 5"),
        (RATING, "rating", float("inf"), "rating", "inf is outside its scale"),
        (RATING, "rating", float("nan"), "rating", "rating is NaN"),
        (RATING, "rating", None, "rating", "a rating needs a rating"),
        (RATING, "scale_low", 9.0, "scale_low", "scale goes from 9.0 to 5.0"),
        (RATING, "scale_high", None, "scale_low", "scale goes from 1.0 to None"),
        (THUMBS, "rating", -1.0, "rating", "-1 is outside its scale from 0 to 1"),
        (RANKING, "ranking", [0, 1], "ranking", r"\[0, 1\] is not an order of the 3 candidates"),
        (RANKING, "ranking", [0, 1, 1], "ranking", "not an order"),
        (RANKING, "ranking", [1, 2, 3], "ranking", "not an order"),
        (RANKING, "ranking", None, "ranking", "not an order"),
        (BEST_WORST, "ranking", [1, 1], "ranking", "does not name two different candidates"),
        (BEST_WORST, "ranking", [0, 1, 2], "ranking", "does not name two different candidates"),
        (BEST_WORST, "ranking", [0, 3], "ranking", "names a candidate outside 0 to 2"),
    ],
)
def test_a_broken_cell_of_a_judgement_is_named(study, row, column, value, field, what):
    set_cell(study, "judgements", row, column, value)
    problems = validate_study(study.path)
    assert {(p.file, p.row) for p in problems} == {("judgements.parquet", row)}
    assert any(p.field == field and re.search(what, str(p)) for p in problems)


@pytest.mark.parametrize(
    ("begin", "end"), [(0.0, 0.2), (-0.1, 0.1), (0.05, 0.05), (None, 0.1), (0.0, None)]
)
def test_a_segment_outside_its_clip_is_named(study, begin, end):
    judgement = study.judgements()[PAIR]
    rows = [{"clip_id": c.clip_id, "begin_s": begin, "end_s": end} for c in judgement.candidates]
    set_cell(study, "judgements", PAIR, "candidates", rows)
    assert found(study) == [("judgements.parquet", PAIR, "candidates")] * 2


def test_a_pair_of_three_is_named(study):
    clip = {"clip_id": study.clips()[0].id, "begin_s": None, "end_s": None}
    set_cell(study, "judgements", PAIR, "candidates", [clip] * 3)
    set_cell(study, "judgements", PAIR, "heard", [])
    assert found(study) == [("judgements.parquet", PAIR, "candidates")]


@pytest.mark.parametrize("name", ["nobody", None])
def test_a_judgement_on_a_clip_that_is_not_there_is_named(study, name):
    clip = {"clip_id": name, "begin_s": None, "end_s": None}
    set_cell(study, "judgements", THUMBS, "candidates", [clip])
    assert found(study) == [("judgements.parquet", THUMBS, "candidates")]


def test_people_in_a_study_of_simulated_listeners_are_named(study):
    header = study.path / "study.yaml"
    header.write_text(header.read_text().replace("simulated: false", "simulated: true"))
    assert found(study) == [("judgements.parquet", row, "source") for row in range(5)]


@pytest.mark.parametrize(
    ("column", "value", "fields"),
    [
        ("sample_rate", 8_000, ["sample_rate"]),
        ("channels", 2, ["channels"]),
        ("n_samples", 1_601, ["n_samples"]),
        ("prompt_id", "p9", ["prompt_id"]),
        ("path", "../x.wav", ["path"]),
        ("path", "audio/x.wav", ["path"]),
        ("tokens_path", "tokens/x.npy", ["tokens_path"]),
        ("system", None, ["system"]),
    ],
)
def test_a_broken_cell_of_a_clip_is_named(study, column, value, fields):
    set_cell(study, "clips", 2, column, value)
    assert found(study) == [("clips.parquet", 2, field) for field in fields]


def test_missing_truncated_and_exchanged_audio_are_named(study):
    gone, short, other = (study.audio_path(clip) for clip in study.clips())
    gone.unlink()
    short.write_bytes(short.read_bytes()[:-10])
    write_wav(noise(99), other)
    problems = validate_study(study.path)
    assert [(p.row, p.field) for p in problems] == [(0, "path"), (1, "path"), (2, "id")]
    assert "is missing" in problems[0].what
    assert "truncated" in problems[1].what
    assert "not those that id" in problems[2].what


def test_duplicates_are_named_in_every_row_they_stand_in(study):
    study.write_prompts(study.prompts() * 2)
    study.write_clips([*study.clips(), study.clips()[1]])
    study.write_judgements([*study.judgements(), study.judgements()[RATING]])
    assert found(study) == [
        ("prompts.parquet", 0, "id"),
        ("prompts.parquet", 1, "id"),
        ("clips.parquet", 1, "id"),
        ("clips.parquet", 3, "id"),
        ("judgements.parquet", 1, "trial"),
        ("judgements.parquet", 5, "trial"),
    ]


def test_a_reference_clip_that_is_not_there_is_named(study):
    set_cell(study, "prompts", 0, "reference_clip", "nothing")
    set_cell(study, "prompts", 0, "split", "tests")
    problems = validate_study(study.path)
    assert [(p.file, p.row, p.field) for p in problems] == [
        ("prompts.parquet", 0, "split"),
        ("prompts.parquet", 0, "reference_clip"),
    ]
    assert "(did you mean 'test'?)" in problems[0].what


def test_a_skipped_trial_needs_no_rating_and_no_ranking(study):
    for row, column in ((RATING, "rating"), (RANKING, "ranking"), (BEST_WORST, "ranking")):
        set_cell(study, "judgements", row, column, None)
        set_cell(study, "judgements", row, "outcome", "SKIP")
    assert validate_study(study.path) == []


def test_a_table_that_cannot_be_read_is_one_problem(study):
    (study.path / "clips.parquet").write_text("nothing")
    problems = validate_study(study.path)
    assert [(p.file, p.row) for p in problems] == [("clips.parquet", None)]


def test_a_broken_header_is_a_problem_and_the_tables_are_still_checked(study):
    (study.path / "study.yaml").write_text("nam: x")
    set_cell(study, "judgements", PAIR, "outcome", "a")
    assert found(study) == [
        ("study.yaml", None, ""),
        ("judgements.parquet", PAIR, "outcome"),
    ]


def test_a_problem_reads_as_one_line_with_place_and_advice(study):
    set_cell(study, "judgements", PAIR, "outcome", "a")
    (problem,) = validate_study(study.path)
    assert str(problem) == (
        "judgements.parquet row 0: outcome 'a' is not one of A, B, TIE_GOOD, TIE_BAD, TIE, SKIP "
        "(did you mean 'A'?): correct it or drop the row"
    )


def test_a_folder_without_a_study_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"no study\.yaml"):
        validate_study(tmp_path)


class TestWithoutAudio:
    @pytest.fixture
    def mute(self, tmp_path, study):
        rating = replace(study.judgements()[RATING], candidates=(Candidate("a", (0.5, 2.0)),))
        return StudyFolder.create_without_audio(
            tmp_path / "mute",
            name="only ratings",
            simulated=False,
            dimensions=("overall",),
            notes="",
            prompts=[Prompt("p1", "")],
            clips=[Clip("a", "a.wav", 0, 0, 0, prompt_id="p1", system="s")],
            judgements=[rating],
        )

    def test_clips_are_not_asked_for_files(self, mute):
        assert validate_study(mute.path) == []

    def test_a_segment_still_has_to_begin_before_it_ends(self, mute):
        broken = replace(mute.judgements()[0], candidates=(Candidate("a", (2.0, 0.5)),))
        mute.write_judgements([broken])
        assert "within its clip of unknown length" in validate_study(mute.path)[0].what

    def test_a_study_with_audio_needs_rate_channels_and_length(self, study):
        clips = study.clips()
        study.write_clips([replace(clips[0], n_samples=0), *clips[1:]])
        assert [(p.field, p.what) for p in validate_study(study.path)] == [
            ("n_samples", "n_samples is missing")
        ]
