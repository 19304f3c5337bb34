from dataclasses import dataclass

import pytest

from auralign.data import StudyFolder
from auralign.data.gates import RewardVerdict, write_gate
from auralign.errors import ConfigError
from auralign.pipeline.reward_gates import reward_verdicts


@dataclass
class OneTest:
    name: str
    verdict: str


@dataclass
class Report:
    signal: str
    verdict: str
    tests: tuple[OneTest, ...] = ()
    version: str = "1"
    study: str = "votes"
    dimension: str = "overall"


@pytest.fixture
def gate(tmp_path):
    def write(signal, verdict, *failed):
        path = tmp_path / f"{signal}.json"
        write_gate(path, Report(signal, verdict, tuple(OneTest(n, "fail") for n in failed)))
        return str(path)

    return write


@pytest.fixture
def examples(tmp_path):
    return str(tmp_path / "pairs.jsonl")


def test_the_label_is_what_the_gates_say(gate, examples):
    gates = [gate("stoi", "passed"), gate("mine", "failed", "gain")]
    assert reward_verdicts(examples, gates) == [
        RewardVerdict("stoi", "1", "votes", "overall", "passed", ()),
        RewardVerdict("mine", "1", "votes", "overall", "failed", ("gain",)),
    ]
    assert reward_verdicts(examples, []) == []


def test_a_reward_that_has_not_passed_is_refused_where_that_is_required(gate, examples):
    passed, failed = gate("stoi", "passed"), gate("mine", "failed", "gain", "noise")
    with pytest.raises(ConfigError, match=r"got mine \(failed: gain, noise\)"):
        reward_verdicts(examples, [passed, failed], require=True)
    with pytest.raises(ConfigError, match=r"got new \(cannot tell\)"):
        reward_verdicts(examples, [gate("new", "cannot tell")], require=True)
    assert len(reward_verdicts(examples, [passed], require=True)) == 1


def test_examples_of_an_unknown_reward_are_refused_where_a_gate_is_required(examples):
    with pytest.raises(ConfigError, match="nothing says which reward made"):
        reward_verdicts(examples, [], require=True)


def test_what_listeners_said_needs_no_gate(tmp_path):
    StudyFolder.create(tmp_path / "study", name="s", simulated=True)
    assert reward_verdicts(str(tmp_path / "study"), [], require=True) == []
