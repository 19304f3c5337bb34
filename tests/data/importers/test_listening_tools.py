"""Answers collected with other tools become studies that validate, without who gave them."""

import json

import pytest

from auralign.data import StudyFolder, validate_study
from auralign.data.importers import (
    import_golisten,
    import_label_studio,
    import_p808,
    import_webmushra,
)
from auralign.errors import DataError
from auralign.types import Outcome

HEAD = "session_test_id,email,trial_id,rating_stimulus,rating_score,rating_time,rating_comment\n"


def said(study):
    assert validate_study(study.path) == []
    folder = StudyFolder.open(study.path)
    systems = {clip.id: clip.system for clip in folder.clips()}
    return [
        (j.rater, j.prompt_id, *(systems[c.clip_id] for c in j.candidates), j.rating or j.outcome)
        for j in folder.judgements()
    ]


def test_webmushra_listeners_begin_where_a_stimulus_comes_again(tmp_path):
    file = tmp_path / "mushra.csv"
    file.write_text(
        HEAD
        + "t,ann@x.org,s1,reference,100,5000,\n"
        + "t,ann@x.org,s1,C1,40,6000,fine\n"
        + "t,bob@x.org,s1,reference,95,5000,\n"
        + "t,bob@x.org,s1,C1,55,7000,\n"
    )
    study = import_webmushra(file, tmp_path / "out")
    assert said(study) == [
        ("listener-0001", "s1", "reference", 100.0),
        ("listener-0001", "s1", "C1", 40.0),
        ("listener-0002", "s1", "reference", 95.0),
        ("listener-0002", "s1", "C1", 55.0),
    ]
    judgement = StudyFolder.open(study.path).judgements()[1]
    assert (judgement.scale, judgement.time_to_answer_s) == ((0.0, 100.0), 6.0)
    everything = b"".join(path.read_bytes() for path in study.path.iterdir())
    assert b"x.org" not in everything


def test_webmushra_sessions_are_listeners_where_the_file_has_them(tmp_path):
    file = tmp_path / "mushra.csv"
    file.write_text(
        "session_test_id,session_uuid,trial_id,rating_stimulus,rating_score\n"
        "t,u1,s1,C1,10\nt,u2,s1,C1,20\nt,u1,s1,C2,30\n"
    )
    raters = [row[0] for row in said(import_webmushra(file, tmp_path / "out"))]
    assert raters == ["listener-0001", "listener-0002", "listener-0001"]


@pytest.mark.parametrize("score", ["101", "", "nan", "loud"])
def test_webmushra_names_the_line_of_a_score_off_the_scale(tmp_path, score):
    file = tmp_path / "mushra.csv"
    file.write_text(HEAD + f"t,a,s1,C1,{score},1,\n")
    with pytest.raises(DataError, match="line 2: expected a rating_score from 0 to 100"):
        import_webmushra(file, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_p808_votes_have_their_condition_as_system_and_question_as_dimension(tmp_path):
    file = tmp_path / "x_votes_per_worker.csv"
    file.write_text(
        "HITId,workerid,file,short_file_name,vote,question_type,model\n"
        "h1,W9,https://c/a/s1.wav,s1.wav,4,MOS_SIG,m1\n"
        "h1,W9,https://c/a/s1.wav,s1.wav,2,MOS_BAK,m1\n"
        "h2,W9,https://c/a/s1.wav,s1.wav,5,MOS_SIG,m1\n"
        "h2,W7,https://c/b/s1.wav,s1.wav,3,MOS_OVRL,m2\n"
    )
    study = import_p808(file, tmp_path / "out")
    assert [row[-2:] for row in said(study)] == [("m1", 4.0), ("m1", 2.0), ("m1", 5.0), ("m2", 3.0)]
    dimensions = [j.dimension for j in StudyFolder.open(study.path).judgements()]
    assert dimensions == ["signal", "background", "signal", "overall"]


def test_p808_votes_of_comparisons_are_refused(tmp_path):
    file = tmp_path / "v.csv"
    file.write_text("workerid,file,vote\nW9,a/s1.wav,-2\n")
    with pytest.raises(DataError, match="line 2: expected a vote from 1 to 5, got '-2'"):
        import_p808(file, tmp_path / "out")


def label_studio_task(result, **annotation):
    data = {"one": "/data/sft/s1.wav?token=3", "two": "/data/base/s1.wav"}
    annotations = [{"completed_by": 7, "lead_time": 4.5, "result": [result], **annotation}]
    return {"id": 3, "data": data, "annotations": annotations}


@pytest.mark.parametrize(
    ("selected", "outcome"), [("left", Outcome.A), ("right", Outcome.B), (None, Outcome.SKIP)]
)
def test_label_studio_pairs_keep_their_sides(tmp_path, selected, outcome):
    result = {"type": "pairwise", "from_name": "overall", "value": {"selected": selected}}
    cancelled = label_studio_task(result, was_cancelled=True)
    file = tmp_path / "export.json"
    file.write_text(json.dumps([label_studio_task(result), {**cancelled, "id": 4}]))
    study = import_label_studio(file, tmp_path / "out", fields=("one", "two"))
    assert said(study) == [("annotator-7", "s1", "sft", "base", outcome)]


def test_label_studio_ratings_lie_on_their_scale(tmp_path):
    result = {"type": "rating", "from_name": "quality", "value": {"rating": 4}}
    file = tmp_path / "export.json"
    file.write_text(json.dumps([label_studio_task(result)]))
    study = import_label_studio(file, tmp_path / "out", fields=("one",))
    assert said(study) == [("annotator-7", "s1", "sft", 4.0)]
    with pytest.raises(DataError, match="task 3: expected a rating from 1 to 3"):
        import_label_studio(file, tmp_path / "other", fields=("one",), max_rating=3)


def test_label_studio_names_the_fields_that_are_there(tmp_path):
    file = tmp_path / "export.json"
    file.write_text(json.dumps([label_studio_task({})]))
    with pytest.raises(DataError, match="expected recordings in audio; it has one, two"):
        import_label_studio(file, tmp_path / "out", fields=("audio",))


def test_golisten_responses_are_listeners(tmp_path):
    example = {"audios": [{"filename": "x.wav", "value": "70"}, {"filename": "y.wav", "value": 30}]}
    items = [
        {"type": 0, "title": "Welcome"},
        {"type": 2, "title": "Sentence 1", "example": example, "time": 12},
    ]
    file = tmp_path / "responses.json"
    file.write_text(json.dumps([{"name": "Ann", "items": items}, {"name": "Bob", "items": items}]))
    study = import_golisten(file, tmp_path / "out", scale=(0, 100))
    assert said(study) == [
        ("listener-0001", "Sentence 1", "x", 70.0),
        ("listener-0001", "Sentence 1", "y", 30.0),
        ("listener-0002", "Sentence 1", "x", 70.0),
        ("listener-0002", "Sentence 1", "y", 30.0),
    ]
    with pytest.raises(DataError, match=r"response 1: expected 'Sentence 1' / 'x' .* 1 to 5"):
        import_golisten(file, tmp_path / "other", scale=(1, 5))
