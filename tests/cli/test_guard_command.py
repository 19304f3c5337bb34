import json

import pytest

from auralign.cli import app
from auralign.cli.console import run
from auralign.data.runs import RunFolder
from auralign.training.guard import RULES


@pytest.fixture
def folder(tmp_path):
    """A run that rises in its reward and leaves its budget at the sixth evaluation."""
    made = RunFolder.create(tmp_path / "dpo", "kl_budget: 10\n")
    rows = [
        {
            "step": 10 * k,
            "kl_exact": 2.0 * k,
            "reward_change": 0.1 * k,
            "held_out_change": 0.3 * k - 0.04 * k**2,
            "held_out_preference": 0.5 + 0.01 * k,
        }
        for k in range(1, 7)
    ]
    (made.path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return made.path


def test_the_document_has_every_rule_with_its_verdict_and_first_alarm(folder, capsys):
    assert run(app, ["guard", str(folder), "--json"]) == 0
    (training,) = json.loads(capsys.readouterr().out)["trainings"]
    assert (training["name"], training["guarded"], training["verdict"]) == ("dpo", False, "alarm")
    assert training["steps"] == [10, 20, 30, 40, 50, 60]
    findings = {f["rule"]: f for f in training["findings"]}
    assert list(findings) == [rule.name for rule in RULES]
    assert findings["KL beyond budget"]["verdict"] == "alarm"
    assert findings["KL beyond budget"]["value"] == 1.2
    assert findings["KL beyond budget"]["first_alarm"] == 60
    assert findings["loudness"]["verdict"] == "cannot tell"
    assert findings["loudness"]["sentence"] == "'level_dbfs' was not measured"


def test_the_document_has_the_curve_of_the_gold_reward(folder, capsys):
    run(app, ["guard", str(folder), "--json"])
    (training,) = json.loads(capsys.readouterr().out)["trainings"]
    curve = training["curve"]
    assert curve["kl"] == [2.0, 4.0, 6.0, 8.0, 10.0, 12.0]
    assert curve["gold_fit"]["form"] == "rl"
    assert curve["gold_fit"]["n"] == 6


def test_the_text_is_a_table_with_a_sentence_for_what_is_not_well(folder, capsys):
    assert run(app, ["guard", str(folder)]) == 0
    text = capsys.readouterr().out
    assert text.startswith("dpo: alarm at step 60, by the trainer's measures only")
    row = next(line.split() for line in text.splitlines() if line.startswith("KL beyond budget "))
    assert row[3:] == ["alarm", "1.20", "60"]
    assert "KL beyond budget: kl_share_of_budget is 1.2. What to do: stop;" in text
    assert "Gold reward over d = sqrt(KL)" in text
    assert "loudness" not in text
    assert all(len(line) <= 80 for line in text.splitlines())


def test_rules_that_cannot_tell_are_listed_when_asked_for(folder, capsys):
    assert run(app, ["guard", str(folder), "--all"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert any(line.split() == ["loudness", "cannot", "tell", "-", "-"] for line in rows)


def test_a_folder_that_is_no_run_is_a_sentence(tmp_path, capsys):
    assert run(app, ["guard", str(tmp_path)]) == 2
    assert "expected a run folder" in capsys.readouterr().err
