"""What leaves the server: sound, the same twice, and silent about who people are."""

import csv
import hashlib
import io
import json
import threading

import pytest
from sqlalchemy import select

from auralign.data import StudyFolder, validate_study
from auralign.errors import StorageError
from auralign.listen.outcome.csv_text import to_csv
from auralign.listen.outcome.export import export_study
from auralign.listen.store.tables import SessionRow, TrialRow
from auralign.stats.raters.checks import check_pass_rates
from auralign.types import Outcome

pytestmark = pytest.mark.slow

TEXT = "=1+1 & 100 % \N{GRINNING FACE} \N{ARABIC LETTER BEH} a\x00b \"quoted\", 'x'\r\n-end"
ASKS = {
    "type": "ab",
    "dimensions": [
        {"id": "overall", "question": "Which?", "tags": ["=noise", "voice"], "free_text": True}
    ],
}


def bytes_of(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def answer_all(client, listen, reply):
    while (trial := client.trial()) is not None:
        client.answer(trial, {"overall": reply}, **listen(trial))


@pytest.fixture
def study(make_study, connect, listen):
    study = make_study(ASKS)
    for name in ("p-17", "p-18"):
        client = connect(study)
        client.begin("1", {"PROLIFIC_PID": name})
        answer_all(client, listen, {"value": "A", "tags": ["=noise"], "text": TEXT})
    return study


def test_an_answer_says_which_clip_was_on_which_side_and_what_was_heard(study, tmp_path):
    export_study(study, tmp_path / "out")
    assert validate_study(tmp_path / "out") == []
    trials = study.database.read(
        lambda db: {row.id: row.presented for row in db.execute(select(TrialRow)).scalars()}
    )
    for judgement in StudyFolder.open(tmp_path / "out").judgements():
        assert [c.clip_id for c in judgement.candidates] == trials[judgement.trial]
        assert (judgement.outcome, judgement.reasons) == (Outcome.A, ("=noise",))
        assert [(heard.plays, heard.seconds) for heard in judgement.heard] == [(1, 0.5), (1, 0.5)]
        assert json.loads(judgement.context["heard_spans_s"]) == [[[0.0, 0.5]], [[0.0, 0.5]]]
        assert judgement.context["clip_s"] == "0.500 0.500"
        assert judgement.time_to_answer_s == pytest.approx(1.002)


def test_two_exports_of_one_state_have_the_same_bytes(study, tmp_path):
    export_study(study, tmp_path / "first")
    export_study(study, tmp_path / "second")
    assert bytes_of(tmp_path / "first") == bytes_of(tmp_path / "second")


def test_an_export_while_answers_come_has_one_state(study, connect, listen, tmp_path):
    """Whatever comes meanwhile is in all of its tables, or in none."""
    stop = threading.Event()

    def go_on():
        while not stop.is_set():
            client = connect(study)
            client.begin("1")
            answer_all(client, listen, {"value": "B"})

    writer = threading.Thread(target=go_on)
    writer.start()
    exported = [export_study(study, tmp_path / str(number)) for number in range(3)]
    stop.set()
    writer.join()
    final = {judgement.trial for judgement in _judgements(study, tmp_path / "final")}
    for done in exported:
        assert validate_study(done.out) == []
        said = list(StudyFolder.open(done.out).judgements())
        lines = (done.out / "judgements.jsonl").read_text().splitlines()
        assert [json.loads(line)["trial"] for line in lines] == [j.trial for j in said]
        assert len(said) == done.judgements
        assert {judgement.trial for judgement in said} <= final


def _judgements(study, out):
    export_study(study, out)
    return StudyFolder.open(out).judgements()


def test_the_public_form_has_no_text_no_ids_and_no_session(study, tmp_path):
    export_study(study, tmp_path / "out")
    sessions = study.database.read(lambda db: list(db.execute(select(SessionRow.id)).scalars()))
    everything = b"".join(p.read_bytes() for p in (tmp_path / "out").rglob("*.[cjp]*"))
    for secret in ("p-17", "quoted", *sessions):
        assert secret.encode() not in everything
    assert not (tmp_path / "out" / "private").exists()


def test_the_private_form_has_every_character_that_was_written(study, tmp_path):
    export_study(study, tmp_path / "out", private=True)
    said = StudyFolder.open(tmp_path / "out").judgements()
    assert {judgement.context["text"] for judgement in said} == {TEXT}
    lines = (tmp_path / "out" / "judgements.jsonl").read_text().splitlines()
    assert {json.loads(json.loads(line)["context"])["text"] for line in lines} == {TEXT}
    table = (tmp_path / "out/private/platform_ids.csv").read_text()
    ids = list(csv.DictReader(io.StringIO(table, newline="")))
    assert {json.loads(row["ids"])["PROLIFIC_PID"] for row in ids} == {"p-17", "p-18"}


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_cell_is_no_formula_and_numbers_stay_numbers(start):
    text = to_csv([{"said": f"{start}cmd()", "rating": -1.5, "n": 3}])
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert row == {"said": f"'{start}cmd()", "rating": "-1.5", "n": "3"}


def test_who_withdrew_is_not_exported(study, connect, listen, tmp_path):
    client = connect(study)
    client.begin("1")
    answer_all(client, listen, {"value": "B"})
    client.http.post(client.withdrawal_url)
    assert export_study(study, tmp_path / "out").listeners == 2


def test_training_is_not_exported(make_study, connect, finish, tmp_path):
    study = make_study(design={"training": 1, "trials": 2})
    client = connect(study)
    client.begin("1")
    assert len(finish(client)) == 3
    assert export_study(study, tmp_path / "out").judgements == 2


def test_gold_is_passed_by_its_clip_on_either_side(make_study, connect, listen, tmp_path):
    gold = {"prompt": "p1", "systems": ["tuned", "base"], "expected": "tuned"}
    study = make_study(design={"trials": 1, "gold": 1}, checks={"gold": [gold]})
    good = next(clip.id for clip in study.stimuli.clips() if clip.system == "tuned")
    for _ in range(4):
        client = connect(study)
        client.begin("1")
        while (trial := client.trial()) is not None:
            row = study.database.read(lambda db, name=trial["trial"]: db.get_one(TrialRow, name))
            side = "A" if row.presented[0] == good else "B"
            client.answer(trial, {"overall": {"value": side}}, **listen(trial))
    export_study(study, tmp_path / "out")
    said = StudyFolder.open(tmp_path / "out").judgements()
    rates = check_pass_rates(said, "overall")
    assert [own["gold"].value for own in rates.values()] == [1.0] * 4


def test_a_trap_expects_the_clip_on_the_side_that_it_names(make_study, connect, listen, tmp_path):
    trap = {"prompt": "p1", "systems": ["tuned", "base"], "expected": "B"}
    study = make_study(design={"trials": 1, "traps": 1}, checks={"traps": [trap]})
    client = connect(study)
    client.begin("1")
    answer_all(client, listen, {"value": "B"})
    export_study(study, tmp_path / "out")
    said = StudyFolder.open(tmp_path / "out").judgements()
    (own,) = check_pass_rates(said, "overall").values()
    assert own["trap"].value == 1.0


def test_abx_says_what_x_was_and_whether_it_was_found(make_study, connect, listen, tmp_path):
    study = make_study({"type": "abx"})
    client = connect(study)
    client.begin("1")
    while (trial := client.trial()) is not None:
        client.answer(trial, {"same_as_x": {"value": "A"}}, **listen(trial))
    export_study(study, tmp_path / "out")
    folder = StudyFolder.open(tmp_path / "out")
    assert folder.header.descriptive_dimensions == ("same_as_x",)
    for judgement in folder.judgements():
        is_a = judgement.context["x"] == judgement.candidates[0].clip_id
        assert judgement.context["correct"] == str(is_a).lower()


def test_a_folder_that_is_no_study_is_not_replaced(study, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(StorageError, match="is not a study folder"):
        export_study(study, tmp_path, force=True)
    assert (tmp_path / "notes.txt").read_text() == "mine"
