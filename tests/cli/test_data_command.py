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


class TestImportAndExport:
    @pytest.fixture
    def votes(self, tmp_path):
        text = "model_a,model_b,vote,listener\nold,new,new,ann\nnew,old,tie,bob\n"
        (tmp_path / "votes.csv").write_text(text)
        return tmp_path / "votes.csv"

    def test_a_table_of_votes_becomes_a_study_and_a_table_again(self, capsys, votes, tmp_path):
        out = str(tmp_path / "study")
        code, text, err = output_of(capsys, "data", "import", "csv", str(votes), "--out", out)
        assert code == 0
        assert text == f"Written to {out}: 2 judgements by 2 raters on 2 clips of 2 systems\n"
        assert err.startswith("Read from votes.csv: first from 'model_a'")
        code, text, _ = output_of(capsys, "data", "validate", out)
        sound = f"{out}: nothing is broken (the study has no audio, so none was checked)\n"
        assert (code, text) == (0, sound)
        table = str(tmp_path / "again.csv")
        code, text, _ = output_of(capsys, "data", "export", out, "--to", "csv", "--out", table)
        assert (code, text) == (0, f"Written to {table}: 2 rows\n")

    def test_columns_are_named_and_the_result_is_one_document(self, capsys, votes, tmp_path):
        words = ["data", "import", "csv", str(votes), "--out", str(tmp_path / "study"), "--json"]
        code, text, _ = output_of(capsys, *words, "--quiet", "--column", "rater=vote")
        assert code == 2
        assert "found neither" in json.loads(text)["error"]["message"]
        code, text, _ = output_of(capsys, *words, "--column", "rater=model_a", "--column", "x")
        assert code == 2
        assert "expected FIELD=NAME, got 'x'" in json.loads(text)["error"]["message"]
        code, text, err = output_of(capsys, *words, "--quiet", "--source", "simulated")
        assert (code, err) == (0, "")
        assert (json.loads(text)["simulated"], json.loads(text)["has_audio"]) == (True, False)

    def test_what_is_there_is_kept_unless_forced(self, capsys, votes, tmp_path):
        words = ["data", "import", "csv", str(votes), "--out", str(tmp_path / "study")]
        assert [output_of(capsys, *words)[0] for _ in range(2)] == [0, 2]
        assert output_of(capsys, *words, "--force")[0] == 0

    def test_a_broken_line_is_one_sentence(self, capsys, votes, tmp_path):
        votes.write_text(votes.read_text() + "new,old,best,cy\n")
        words = ["data", "import", "csv", str(votes), "--out", str(tmp_path / "study")]
        code, text, err = output_of(capsys, *words)
        assert (code, text) == (2, "")
        assert err.startswith(f"error: {votes} line 4: winner 'best' is neither 'new' nor 'old'")
        assert not (tmp_path / "study").exists()


def test_every_verb_in_the_table_can_be_imported(capsys):
    for verb in VERBS:
        code, out, _ = output_of(capsys, verb, "--help")
        assert (code, out.splitlines()[0][:15]) == (0, "Usage: auralign")
