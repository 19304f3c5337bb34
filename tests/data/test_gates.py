import json
from dataclasses import dataclass

import pytest

from auralign.data.gates import RewardVerdict, read_gate, write_gate
from auralign.errors import DataError, StorageError


@dataclass
class OneTest:
    name: str
    verdict: str


@dataclass
class Report:
    verdict: str = "failed"
    signal: str = "stoi"
    version: str = "2"
    study: str = "votes"
    dimension: str = "overall"
    tests: tuple[OneTest, ...] = (
        OneTest("gain", "fail"),
        OneTest("swap", "pass"),
        OneTest("text", "fail"),
    )


def test_what_is_read_is_the_verdict_and_what_it_is_about(tmp_path):
    write_gate(tmp_path / "gate.json", Report())
    found = read_gate(tmp_path / "gate.json")
    assert found == RewardVerdict("stoi", "2", "votes", "overall", "failed", ("gain", "text"))


def test_the_file_keeps_the_whole_report(tmp_path):
    write_gate(tmp_path / "gate.json", Report())
    document = json.loads((tmp_path / "gate.json").read_text())
    assert document["schema"] == "auralign.gate"
    assert document["tests"][1] == {"name": "swap", "verdict": "pass"}


def test_a_report_that_is_there_is_not_replaced_unless_asked(tmp_path):
    write_gate(tmp_path / "gate.json", Report())
    with pytest.raises(StorageError, match="is there already"):
        write_gate(tmp_path / "gate.json", Report(verdict="passed"))
    write_gate(tmp_path / "gate.json", Report(verdict="passed"), force=True)
    assert read_gate(tmp_path / "gate.json").verdict == "passed"


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"signal": "x", "version": "", "study": "", "dimension": ""}']
)
def test_anything_else_is_no_gate(tmp_path, text):
    (tmp_path / "gate.json").write_text(text)
    with pytest.raises(DataError, match="expected what `auralign score gate --out` writes"):
        read_gate(tmp_path / "gate.json")


@pytest.mark.parametrize("change", [{"verdict": "good"}, {"schema": "other"}])
def test_a_verdict_that_does_not_exist_is_refused(tmp_path, change):
    write_gate(tmp_path / "gate.json", Report())
    document = json.loads((tmp_path / "gate.json").read_text()) | change
    (tmp_path / "gate.json").write_text(json.dumps(document))
    with pytest.raises(DataError, match="expected what `auralign score gate --out` writes"):
        read_gate(tmp_path / "gate.json")


def test_a_report_of_a_newer_auralign_is_refused(tmp_path):
    write_gate(tmp_path / "gate.json", Report())
    document = json.loads((tmp_path / "gate.json").read_text()) | {"schema_version": 99}
    (tmp_path / "gate.json").write_text(json.dumps(document))
    with pytest.raises(DataError, match="schema version 1 or older, got 99"):
        read_gate(tmp_path / "gate.json")
