import json

import pytest

from auralign.data import StudyFolder, validate_study
from auralign.data.importers import import_votes
from auralign.errors import ConfigError, DataError
from auralign.types import Outcome, Source

PAIRS = """\
model_a,model_b,winner,listener,prompt,scenario
old,new,new,ann,p1,car
new,old,a,bob,p1,car
old,new,tie,ann,p2,home
old,new,both bad,bob,p2,home
new,old,skip,cy,p2,home
"""


@pytest.fixture
def source(tmp_path):
    def write(text, name="votes.csv"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return write


@pytest.fixture
def imported(source, tmp_path):
    def read(text, name="votes.csv", **options) -> StudyFolder:
        return import_votes(source(text, name), tmp_path / "study", **options)

    return read


def test_votes_are_comparisons_as_presented(imported):
    study = imported(PAIRS)
    assert validate_study(study.path) == []
    judgements = study.judgements()
    assert [j.outcome for j in judgements] == [
        Outcome.B,
        Outcome.A,
        Outcome.TIE,
        Outcome.TIE_BAD,
        Outcome.SKIP,
    ]
    systems = {clip.id: clip.system for clip in study.clips()}
    assert [systems[c.clip_id] for c in judgements[1].candidates] == ["new", "old"]
    assert [c.clip_id for c in judgements[0].candidates] == ["p1/old", "p1/new"]
    assert [j.rater for j in judgements] == ["ann", "bob", "ann", "bob", "cy"]
    assert judgements[0].context == {"scenario": "car"}
    assert not study.header.has_audio


def test_the_winner_may_be_said_in_many_ways(imported):
    said = {
        Outcome.A: ("x", "A", "first", "LEFT", "1"),
        Outcome.B: ("y", "b", "second", "right", "2"),
        Outcome.TIE: ("tie", "Draw", "=", "0"),
        Outcome.TIE_GOOD: ("tie_good", "tie (both good)"),
        Outcome.TIE_BAD: ("tie_bad", "Tie (bothbad)"),
        Outcome.SKIP: ("skip",),
    }
    words = [word for group in said.values() for word in group]
    rows = "".join(f"x,y,{word}\n" for word in words)
    found = [j.outcome for j in imported("first,second,winner\n" + rows).judgements()]
    assert found == [outcome for outcome, group in said.items() for _ in group]


def test_the_name_of_an_item_goes_before_the_name_of_a_side(imported):
    judgement = imported("first,second,winner\nb,a,a\n").judgements()[0]
    assert judgement.outcome is Outcome.B


def test_without_raters_every_answer_has_its_own_and_without_prompts_all_share_one(imported):
    study = imported("first,second,winner\nx,y,x\nx,y,y\n")
    assert len({j.rater for j in study.judgements()}) == 2
    assert [p.id for p in study.prompts()] == ["all"]
    assert [c.id for c in study.clips()] == ["x", "y"]
    assert "Who answered is not known" in study.header.notes
    assert "names no prompts" in study.header.notes


def test_ratings_of_clips_and_systems(imported):
    text = "clip;model;score;judge\na.wav;s1;4;ann\na.wav;s1;3.5;bob\nb.wav;s2;1;ann\n"
    study = imported(text, scale=(1.0, 5.0), dimension="naturalness")
    assert validate_study(study.path) == []
    assert [(j.rating, j.scale, j.dimension) for j in study.judgements()][1] == (
        3.5,
        (1.0, 5.0),
        "naturalness",
    )
    assert {c.id: c.system for c in study.clips()} == {"a.wav": "s1", "b.wav": "s2"}


def test_json_lines_and_tables_of_a_folder_are_read_together(source, tmp_path):
    source(PAIRS, "votes/1.csv")
    lines = [{"first": "new", "second": "old", "winner": 1, "prompt": "p9", "rater": None}]
    source("\n".join(map(json.dumps, lines)), "votes/2.jsonl")
    source("first\tsecond\twinner\nnew\told\told\n", "votes/3.tsv")
    study = import_votes(tmp_path / "votes", tmp_path / "study")
    assert len(study.judgements()) == 7
    assert study.judgements()[5].outcome is Outcome.A
    assert validate_study(study.path) == []


def test_columns_may_be_named(imported):
    text = "x,y,z,clip_a\nnew,old,old,c\n"
    study = imported(text, columns={"first": "x", "second": "y", "winner": "z"})
    assert study.judgements()[0].outcome is Outcome.B


def test_simulated_answers_make_a_simulated_study(imported):
    study = imported(PAIRS, source=Source.SIMULATED)
    assert study.header.simulated
    assert validate_study(study.path) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("first,second,winner\nx,y,z\n", "votes.csv line 2: winner 'z' is neither 'x' nor 'y'"),
        ("first,second,winner\nx,,x\n", "line 2: 'second' is empty: every vote needs a second"),
        ("first,second,winner\nx,y\n", "line 2: expected 3 values as in the first line, got 2"),
        ('first,second,winner\n"x\n1",y,a\nx,y,?\n', r"line 4: winner '\?'"),
        ("first,second,winner\n", "expected votes below the column names, found none"),
        ("", "expected column names in its first line"),
        ("first,first,winner\nx,y,x\n", "expected different column names, got 'first' twice"),
        ("left,right\nx,y\n", "expected the columns first, second and winner"),
        ("model_a,left,right,winner\nx,x,y,x\n", "'model_a' and 'left' could both be the field"),
        ("clip,rating\na,7\n", "line 2: rating 7 is outside the scale from 1 to 5"),
        ("clip,rating\na,high\n", "line 2: expected rating as a number, got 'high'"),
        ("clip,rating\na,\n", "line 2: 'rating' is empty"),
        ("clip,system,rating\na,s,1\na,t,1\n", "line 3: clip 'a' is of system 't'"),
        ("clip,rating,source\na,1,humn\n", r"line 2: source 'humn' .*did you mean 'human'"),
        ("clip,rating,trial,rater\na,1,t,r\na,2,t,r\n", "'r' answers trial 't' on 'overall' twice"),
        ("clip,rating,strength\na,1,1.5\n", "expected strength as a whole number, got 1.5"),
    ],
)
def test_a_broken_table_is_one_sentence_and_nothing_is_written(imported, tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        imported(text, scale=(1.0, 5.0))
    assert not (tmp_path / "study").exists()


def test_wrong_settings_are_named(imported):
    with pytest.raises(ConfigError, match=r"'frst' is not a field .*did you mean 'first'"):
        imported(PAIRS, columns={"frst": "model_a"})
    with pytest.raises(DataError, match="no column 'model_c' for the field 'first'"):
        imported(PAIRS, columns={"first": "model_c"})
    with pytest.raises(ConfigError, match="expected the lowest and highest rating"):
        imported("clip,rating\na,1\n")
    with pytest.raises(ConfigError, match="its low and its high end"):
        imported("clip,rating\na,1\n", scale=(5.0, 1.0))


def test_text_that_is_not_utf8_is_said(tmp_path):
    (tmp_path / "votes.csv").write_bytes(b"first,second,winner\nx,\xff,x\n")
    with pytest.raises(DataError, match="expected text in UTF-8, got byte 0xff at 22"):
        import_votes(tmp_path / "votes.csv", tmp_path / "study")


def test_a_path_with_nothing_is_said(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        import_votes(tmp_path / "none", tmp_path / "study")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"expected \*.csv, \*.tsv, \*.jsonl"):
        import_votes(tmp_path / "empty", tmp_path / "study")
