import json

import pytest

from auralign.data.runs import RunFolder, Stage
from auralign.errors import RunStateError
from auralign.training.guard import Verdict, watched_trainings
from auralign.training.guard.bands import Shift
from auralign.training.guard.records import (
    Inspection,
    append_inspection,
    keep_before,
    read_inspections,
)
from auralign.training.guard.rule import Finding

pytestmark = pytest.mark.slow


def shift(after):
    return Shift(-20.0, after, 0.1, -22.0, -18.0, 0.0, 0.5, 20, 0, 10, 40)


def inspection(step, level=-20.0):
    finding = Finding("loudness", Verdict.ALARM, 3.0, "too loud", "match levels")
    return Inspection(
        step, Verdict.ALARM, "warn", 2, (finding,), {"kl": 1.0}, {"level_dbfs": shift(level)}
    )


def verdicts(look):
    return {f.rule: f.verdict for f in look.findings if f.verdict is not Verdict.CANNOT_TELL}


def lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_what_is_written_is_read_again(tmp_path):
    path = tmp_path / "guard.jsonl"
    append_inspection(path, inspection(1))
    append_inspection(path, inspection(2))
    assert read_inspections(path) == [inspection(1), inspection(2)]
    assert keep_before(path, 2) == read_inspections(path) == [inspection(1)]


def test_a_line_that_was_cut_off_is_left_out_and_one_of_others_is_refused(tmp_path):
    path = tmp_path / "guard.jsonl"
    append_inspection(path, inspection(1))
    with path.open("a") as stream:
        stream.write('{"step": 2, "verd')
    assert [i.step for i in read_inspections(path)] == [1]
    path.write_text(lines({"step": 1, "loss": 0.1}))
    with pytest.raises(RunStateError, match=r"guard.jsonl: expected what the guard writes"):
        read_inspections(path)


def test_the_rules_are_asked_again_about_what_the_guard_saw(tmp_path):
    append_inspection(tmp_path / "guard.jsonl", inspection(1))
    append_inspection(tmp_path / "guard.jsonl", inspection(2, level=-15.0))
    (training,) = watched_trainings(tmp_path)
    assert training.guarded
    first, second = training.looks
    assert verdicts(first)["loudness"] is Verdict.OK
    assert verdicts(second)["loudness"] is Verdict.ALARM


@pytest.fixture
def job(tmp_path):
    """A run of `auralign align` whose folder has the files that rules read."""
    run = RunFolder.create(tmp_path / "dpo", "policy: p\nkl_budget: 10.0\n")
    (run.path / "metrics.jsonl").write_text(
        lines(
            {"step": 1, "loss": 0.7, "chosen_log_ratio_per_code": -0.1},
            {"step": 2, "loss": 0.6, "chosen_log_ratio_per_code": -0.3},
            {"step": 2, "epoch": 1, "held_out_accuracy": 0.8, "kl_exact": 4.0, "kl": 30.0},
            {"step": 3, "loss": 0.6, "chosen_log_ratio_per_code": 0.0},
            {"step": 3, "epoch": 2, "held_out_accuracy": 0.7, "kl_exact": 12.0, "ended": 0.95},
        )
    )
    return run


def test_a_run_without_a_guard_is_judged_by_the_trainers_measures(job):
    (training,) = watched_trainings(job.path)
    assert (training.name, training.guarded) == ("dpo", False)
    first, second = training.looks
    assert first.evidence.figures["chosen_log_ratio_per_code"] == pytest.approx(-0.2)
    assert first.evidence.figures["kl_share_of_budget"] == pytest.approx(0.4)
    assert verdicts(first) == {
        "decline over rounds": Verdict.OK,
        "KL beyond budget": Verdict.OK,
        "likelihood of chosen falling": Verdict.ALARM,
    }
    assert verdicts(second) == {
        "clips that do not end": Verdict.WATCH,
        "decline over rounds": Verdict.WATCH,
        "KL beyond budget": Verdict.ALARM,
        "likelihood of chosen falling": Verdict.OK,
    }


def test_every_training_of_a_stage_is_judged_by_itself(tmp_path):
    run = RunFolder.create(tmp_path / "run", "name: quickstart\n")
    with run.build(Stage(1, "sft", {})) as work:
        work.log_metrics(1, loss=3.0)
        work.log_metrics(2, validation_loss=2.0)
    with run.build(Stage(2, "align", {"kl_budget": 20.0})) as work:
        work.log_metrics(1, run="aligned", kl=5.0, token_entropy=1.5, duration_ratio=1.0)
        work.log_metrics(1, run="hacked", kl=50.0, token_entropy=0.5, duration_ratio=0.5)
        (work.path / "align.json").write_text(json.dumps({"entropy_before": 1.6}))
    aligned, hacked = watched_trainings(run.path)
    assert (aligned.name, hacked.name) == ("02-align aligned", "02-align hacked")
    assert set(verdicts(aligned.looks[0]).values()) == {Verdict.OK}
    assert verdicts(hacked.looks[0]) == dict.fromkeys(
        ("duration drift", "diversity collapse", "KL beyond budget"), Verdict.ALARM
    )


def test_a_run_that_has_trained_nothing_says_so(tmp_path):
    RunFolder.create(tmp_path / "run", "name: x\n")
    with pytest.raises(RunStateError, match="expected a run that has trained a policy"):
        watched_trainings(tmp_path / "run")
