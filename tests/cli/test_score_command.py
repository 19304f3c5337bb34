import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from auralign.audio import as_audio, write_wav
from auralign.cli import app
from auralign.cli.console import run
from auralign.data import StudyFolder
from auralign.signals.registry import signals
from auralign.signals.running.results import read_results
from auralign.types import Prompt
from real_data import FSDD

pytestmark = pytest.mark.slow

SOME = "loudness,clipping,sdr,duration_ratio,speaking_rate"


def noise(seed, seconds=0.6):
    samples = 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * 16_000))
    return as_audio(samples.astype(np.float32), 16_000)


@pytest.fixture
def clips(tmp_path):
    for k in range(3):
        write_wav(noise(k), tmp_path / "clips" / f"{k}.wav")
    return tmp_path / "clips"


@pytest.fixture
def output(capsys):
    def of(*words):
        code = run(app, ["score", *map(str, words)])
        return code, *capsys.readouterr()

    return of


def test_the_list_names_every_signal(output):
    code, out, _ = output("--list", "--json")
    assert code == 0
    assert [s["name"] for s in json.loads(out)] == list(signals())
    _, text, _ = output("--list")
    assert text.startswith("offline\n")
    assert "\n\nspeech\n" in text


def test_an_explanation_is_text_and_a_record(output):
    _, text, _ = output("--explain", "stoi")
    assert "Known failures:" in text
    _, out, _ = output("--explain", "stoi", "--json")
    record = json.loads(out)
    assert record["text"] + "\n" == text
    assert record["requires"] == ["a reference that is aligned in time"]


def test_an_unknown_signal_is_a_sentence_that_suggests_the_near_one(output, clips, tmp_path):
    code, _, err = output("--explain", "stio")
    assert (code, "did you mean 'stoi'?" in err) == (2, True)
    code, _, err = output(clips, "--signals", "loudnes", "--out", tmp_path / "s.jsonl")
    assert (code, "did you mean 'loudness'?" in err) == (2, True)
    assert not (tmp_path / "s.jsonl").exists()


def test_a_run_writes_rows_and_states_its_coverage(output, clips, tmp_path):
    out = tmp_path / "s.jsonl"
    code, text, _ = output(clips, "--signals", SOME, "--out", out)
    assert code == 0
    assert "  lufs" in text
    assert "3/3" in text
    assert "sdr: 3 skipped, needs a reference that is aligned in time" in text
    assert f"Written to {out}: 15 answers about 3 clips" in text
    assert len(list(read_results(out))) == 15


def test_the_document_has_a_summary_of_every_measure(output, clips, tmp_path):
    words = (clips, "--signals", SOME, "--out", tmp_path / "s.jsonl", "--json")
    document = json.loads(output(*words)[1])
    assert (document["clips"], document["answers_new"], document["answers_reused"]) == (3, 15, 0)
    by_name = {m["name"]: m for m in document["measures"]}
    assert by_name["loudness.lufs"]["n_ok"] == 3
    snr = by_name["sdr.snr"]
    assert (snr["mean"], snr["n_clips"]) == (None, 3)
    assert snr["missing"] == {"skipped:needs a reference that is aligned in time": 3}
    again = json.loads(output(*words)[1])
    assert (again["answers_new"], again["answers_reused"]) == (0, 15)
    assert again["measures"] == document["measures"]


def test_references_and_texts_come_along(output, clips, tmp_path):
    table = tmp_path / "texts.csv"
    table.write_text("clip,text\n" + "".join(f"{k},one two three\n" for k in range(3)))
    words = ("--signals", SOME, "--reference", clips, "--text", table, "--json")
    document = json.loads(output(clips, *words, "--out", tmp_path / "s.jsonl")[1])
    by_name = {m["name"]: m for m in document["measures"]}
    assert by_name["sdr.snr"]["mean"] == 100.0
    assert by_name["duration_ratio"]["mean"] == 1.0
    assert by_name["speaking_rate.words_per_s"]["mean"] == pytest.approx(3 / 0.6, rel=0.1)


def test_options_reach_their_signal_and_others_are_refused(output, clips, tmp_path):
    words = (clips, "--signals", "transcript", "--out", tmp_path / "s.jsonl")
    assert output(*words, "--option", "transcript.normaliser=plain")[0] == 0
    assert next(read_results(tmp_path / "s.jsonl")).options == {"normaliser": "plain"}
    code, _, err = output(*words, "--option", "transcript.normalizer=plain", "--force")
    assert (code, "did you mean 'normaliser'?" in err) == (2, True)
    for option in ("stoi.x=1", "normaliser=plain", "transcript.normaliser"):
        assert output(*words, "--option", option)[0] == 2


def test_other_options_do_not_mix_with_what_is_there(output, clips, tmp_path):
    words = (clips, "--signals", "transcript", "--out", tmp_path / "s.jsonl")
    assert output(*words)[0] == 0
    code, _, err = output(*words, "--option", "transcript.normaliser=plain")
    assert (code, "--force to replace" in err) == (2, True)
    assert output(*words, "--option", "transcript.normaliser=plain", "--force")[0] == 0


def test_a_table_is_written_beside_and_refused_before_the_work(output, clips, tmp_path):
    words = (clips, "--signals", "clipping", "--out", tmp_path / "s.jsonl")
    code, text, _ = output(*words, "--table", tmp_path / "t.csv")
    assert code == 0
    assert "6 rows" in text
    (tmp_path / "s.jsonl").unlink()
    assert output(*words, "--table", tmp_path / "t.csv")[0] == 2
    assert not (tmp_path / "s.jsonl").exists()


def test_a_study_gets_judgements_of_the_measures(output, tmp_path):
    study = StudyFolder.create(tmp_path / "study", name="s", simulated=False)
    study.write_clips([study.add_audio(noise(k), prompt_id="p", system="s") for k in range(2)])
    study.write_prompts([Prompt("p", "one two")])
    words = ("--study", study.path, "--signals", "loudness,clipping", "--out", tmp_path / "s.jsonl")
    code, text, _ = output(*words)
    assert code == 0
    raters = {j.rater for j in study.judgements()}
    assert "clipping.clip_ratio@1" in raters
    assert "describe and do not judge" in text
    code, _, err = output(*words, tmp_path)
    assert (code, "either PATHS or a --study" in err) == (2, True)


def test_a_licence_that_is_not_permissive_is_told_once(output, clips, tmp_path, monkeypatch):
    from dataclasses import replace

    from auralign.signals import registry

    licensed = {**signals(), "clipping": replace(signals()["clipping"], code_licence="GPL-3.0")}
    monkeypatch.setattr(registry, "signals", lambda: licensed)
    _, _, err = output(clips, "--signals", "clipping", "--out", tmp_path / "s.jsonl")
    assert err.count("clipping is not under a permissive licence (code: GPL-3.0)") == 1
    assert {row.licence for row in read_results(tmp_path / "s.jsonl")} == {"code: GPL-3.0"}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--list", "--explain", "stoi"], "say either --list or --explain NAME"),
        (["somewhere"], "say with --out FILE where the results go"),
        (["--out", "s.jsonl"], "name either PATHS or a --study"),
        (["nowhere", "--out", "s.jsonl"], "found nothing of that name"),
    ],
)
def test_what_is_missing_is_said(output, words, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = output(*words)
    assert code == 2
    assert sentence in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.realdata("fsdd")
@pytest.mark.slow
def test_a_run_over_real_recordings_is_killed_and_goes_on(tmp_path):
    files = sorted((FSDD / "recordings").glob("*_0.wav"))
    words = ["score", *files, "--signals", "offline", "--workers", "2", "--json"]
    command = [sys.executable, "-m", "auralign", *map(str, words)]
    out = tmp_path / "killed.jsonl"
    first = subprocess.Popen([*command, "--out", str(out)], stdout=subprocess.DEVNULL)
    while not out.exists() or out.stat().st_size < 50_000:
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.wait()
    kept = out.read_bytes()
    whole = kept[: kept.rfind(b"\n") + 1]
    done = subprocess.run([*command, "--out", str(out)], capture_output=True, text=True)
    document = json.loads(done.stdout)
    assert out.read_bytes().startswith(whole)
    assert document["answers_reused"] == whole.count(b"\n") - 1 > 0
    assert document["answers_new"] > 0
    rows = list(read_results(out))
    asked = document["answers_reused"] + document["answers_new"]
    assert len(rows) == len({(r.clip, r.signal) for r in rows}) == asked
    assert {r.clip for r in rows} == set(map(str, files))
