import json

import numpy as np
import pytest

from auralign.audio import as_audio
from auralign.cli import VERBS, app, run
from auralign.data import StudyFolder
from auralign.types import Prompt


@pytest.fixture
def study(tmp_path):
    study = StudyFolder.create(tmp_path / "study", name="demo", simulated=True)
    audio = as_audio(np.random.default_rng(0).uniform(-0.5, 0.5, 16_000), 16_000)
    study.write_prompts([Prompt("p1", "say it")])
    study.write_clips([study.add_audio(audio, prompt_id="p1", system="base")])
    return study


def output_of(capsys, *words):
    code = run(app, words)
    return code, *capsys.readouterr()


def test_a_sound_study_validates(capsys, study):
    path = str(study.path)
    assert output_of(capsys, "data", "validate", path) == (0, f"{path}: nothing is broken\n", "")
    code, out, _ = output_of(capsys, "data", "validate", path, "--json")
    assert (code, json.loads(out)) == (0, {"study": path, "ok": True, "problems": []})


def test_a_broken_study_exits_with_2_and_names_each_record(capsys, study):
    study.audio_path(study.clips()[0]).unlink()
    code, out, err = output_of(capsys, "data", "validate", str(study.path))
    assert code == 2
    assert out.startswith("clips.parquet row 0: the file audio/")
    assert err == "1 problem found\n"
    code, out, _ = output_of(capsys, "data", "validate", str(study.path), "--json")
    document = json.loads(out)
    assert (code, document["ok"]) == (2, False)
    assert (document["problems"][0]["row"], document["problems"][0]["field"]) == (0, "path")


def test_info_counts(capsys, study):
    code, out, err = output_of(capsys, "data", "info", str(study.path), "--json")
    assert (code, err) == (0, "")
    assert (json.loads(out)["clips"], json.loads(out)["audio_seconds"]) == (1, 1.0)
    _, out, _ = output_of(capsys, "data", "info", str(study.path))
    lines = dict(line.split(maxsplit=1) for line in out.splitlines() if line.startswith("clips  "))
    assert lines == {"clips": "1"}


def test_a_folder_that_is_no_study_is_one_sentence(capsys, tmp_path):
    code, out, err = output_of(capsys, "data", "info", str(tmp_path))
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {tmp_path}: expected a study folder")
    assert err.count("\n") == 1


def test_every_verb_in_the_table_can_be_imported(capsys):
    for verb in VERBS:
        code, out, _ = output_of(capsys, verb, "--help")
        assert (code, out.splitlines()[0][:15]) == (0, "Usage: auralign")
