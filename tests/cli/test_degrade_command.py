import json

import numpy as np
import pytest

from auralign.audio import write_wav
from auralign.cli import app
from auralign.cli.console import run
from auralign.data import PAIRS, validate_study
from auralign.data.tables import read_table
from auralign.preferences.ladders import OPERATIONS
from auralign.types import Audio

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path):
    for i in range(4):
        samples = np.random.default_rng(i).normal(0, 0.1, (1, 8_000)).astype(np.float32)
        write_wav(Audio(samples, 16_000), tmp_path / "in" / f"{i}.wav")
    return tmp_path / "in"


@pytest.fixture
def degrade(folder, tmp_path, capsys):
    """Runs the command into `out`; returns the exit code and its two outputs."""

    def run_it(*words: str):
        code = run(app, ["degrade", str(folder), "--out", str(tmp_path / "out"), *words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run_it


def test_a_family_becomes_a_study_with_pairs(degrade, tmp_path):
    code, out, _ = degrade("--family", "noise", "--json")
    document = json.loads(out)
    assert code == 0
    assert (document["n_prompts"], document["out"]) == (4, str(tmp_path / "out"))
    assert validate_study(tmp_path / "out") == []
    pairs = read_table(PAIRS, tmp_path / "out" / "pairs.parquet")
    assert len(pairs) == document["n_pairs"] == 4 * 3 * 6
    assert {pair.rule for pair in pairs} == {
        f"ladder:noise/{n}" for n in ("white", "pink", "babble")
    }


def test_all_families_leave_out_what_the_recordings_lack_and_say_so(degrade):
    code, out, err = degrade("--all", "--limit", "1")
    assert code == 0
    assert "dropout/silence" in out
    assert "left out 1 x words/deleted cannot be done here" in err


def test_severities_of_ones_own(degrade, tmp_path):
    code, _, _ = degrade("--family", "noise/white", "--severity", "20", "--severity", "0")
    assert code == 0
    items = json.loads((tmp_path / "out" / "ladders.json").read_text())["items"]
    assert [i["severity"] for i in items[:3]] == [None, 20, 0]


def test_joined_recordings_have_words_to_delete(degrade):
    code, out, _ = degrade("--family", "words/deleted", "--join", "4", "--json")
    assert code == 0
    assert json.loads(out)["n_clips"] == 4  # the original is the control


def test_held_out_recordings_and_weak_pairs(degrade, tmp_path):
    code, _, _ = degrade("--family", "clip", "--hold-out", "0.25", "--weak")
    assert code == 0
    pairs = read_table(PAIRS, tmp_path / "out" / "pairs.parquet")
    assert {pair.split for pair in pairs} == {"train", "validation", "test"}
    assert "ladder:clip/quantile:weak" in {pair.rule for pair in pairs}


def test_the_list_names_every_operation(capsys):
    assert run(app, ["degrade", "--list", "--json"]) == 0
    assert [o["id"] for o in json.loads(capsys.readouterr().out)] == list(OPERATIONS)
    assert run(app, ["degrade", "--list"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "either --family NAME or --all"),
        (("--all", "--family", "noise"), "either --family NAME or --all"),
        (("--family", "noize"), "did you mean 'noise'"),
        (("--family", "noise", "--family", "band", "--severity", "3"), "operations with one knob"),
        (("--family", "words"), "no ladder could be made of 4 recordings"),
        (("--family", "clip", "--severity", "3"), "severities below 1"),
    ],
)
def test_wrong_input_is_a_sentence_and_leaves_nothing(words, message, degrade, tmp_path):
    code, _, err = degrade(*words)
    assert code == 2
    assert message in err
    assert not (tmp_path / "out").exists()


def test_what_to_degrade_and_where_to_write_have_to_be_said(capsys):
    assert run(app, ["degrade", "--all"]) == 2
    assert "IN and --out DIR" in capsys.readouterr().err
