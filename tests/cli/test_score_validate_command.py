"""`auralign score validate` and `auralign score gate` from the words of the command line."""

import json

import numpy as np
import pytest

from auralign.audio import as_audio
from auralign.cli import app
from auralign.cli.console import run
from auralign.data import StudyFolder
from auralign.data.gates import read_gate
from auralign.evaluation.validity import pair_shares, rank_agreement
from auralign.types import Candidate, Judgement, Outcome, Prompt, Source, TrialProtocol

pytestmark = pytest.mark.slow

RATE = 16_000


@pytest.fixture(autouse=True)
def _fewer_resamples(monkeypatch):
    for room in (pair_shares, rank_agreement):
        monkeypatch.setattr(room, "N_RESAMPLES", 100)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Five systems that differ in noise, and listeners who mind it; scored by two signals."""
    rng = np.random.default_rng(0)
    folder = StudyFolder.create(tmp_path_factory.mktemp("s") / "study", name="hiss", simulated=True)
    prompts = [Prompt(f"p{k}", f"text {k}") for k in range(8)]
    clips, votes = [], []
    for prompt in prompts:
        own = []
        for system in range(5):
            t = np.arange(round(rng.uniform(0.6, 0.9) * RATE)) / RATE
            sound = np.sin(2 * np.pi * 220 * t) * (np.sin(2 * np.pi * 3 * t) > 0)
            noise = 10 ** (-1 - system / 4) * rng.standard_normal(t.size)
            audio = as_audio((0.2 * sound + noise).astype(np.float32), RATE)
            own.append(folder.add_audio(audio, prompt_id=prompt.id, system=f"s{system}"))
        clips += own
        for k in range(6):
            a, b = rng.choice(5, 2, replace=False)
            votes.append(
                Judgement(
                    f"{prompt.id}-{k}",
                    TrialProtocol.PAIR,
                    "overall",
                    prompt.id,
                    (Candidate(own[a].id), Candidate(own[b].id)),
                    f"listener-{k}",
                    Source.SIMULATED,
                    outcome=Outcome.A if a - b + 0.3 * rng.logistic() > 0 else Outcome.B,
                )
            )
    folder.write_prompts(prompts)
    folder.write_clips(clips)
    folder.write_judgements(votes)
    out = folder.path.parent / "scores.jsonl"
    words = ["--study", folder.path, "--signals", "noise_floor,clipping", "--out", out, "--quiet"]
    assert run(app, ["score", *map(str, words)]) == 0
    return folder


@pytest.fixture
def output(capsys):
    def of(*words):
        code = run(app, ["score", *map(str, words)])
        return code, *capsys.readouterr()

    return of


def test_validate_prints_signals_next_to_baselines_and_whom_to_trust(output, study):
    code, text, _ = output("validate", "--study", study.path)
    assert code == 0
    assert text.startswith("overall in hiss: which signals to trust there?\n")
    lines = text.splitlines()
    assert all(len(line) <= 80 for line in lines)
    table = lines[lines.index(next(line for line in lines if line.startswith("signal"))) :]
    assert [line.split()[-1] for line in table if line.startswith(("duration", "SNR"))] == [
        "baseline",
        "baseline",
    ]
    assert "To choose between clips, as a reward does:" in text
    assert "To rank systems:" in text
    assert "note: all listeners are simulated: programs, not people" in text


def test_the_document_has_every_number_with_its_interval(output, study):
    code, out, _ = output("validate", "--study", study.path, "--json")
    document = json.loads(out)
    assert code == 0
    by_name = {s["signal"]: s for s in document["signals"]}
    floor = by_name["noise_floor.noise_floor_dbfs"]
    assert floor["accuracy"]["low"] > 0.5
    assert floor["n_scored"] == floor["n_clips"]
    assert set(floor["gains"]) == {"duration", "loudness", "SNR"} - set(document["missing"])
    clipping = by_name["clipping.clip_ratio"]
    assert clipping["trust_in_pairs"]["word"] == "distrust"
    assert clipping["clips"] is None
    assert (
        clipping["missing"]["clips"]
        == "it says the same of all clips: there is no rank correlation"
    )


def test_scores_may_come_from_a_file_and_measures_from_a_table(output, study, tmp_path):
    table = tmp_path / "mine.csv"
    rows = [f"{clip.id},{clip.system[1:]}" for clip in study.clips()]
    table.write_text("\n".join(["clip,mine", *rows]) + "\n")
    scores = study.path.parent / "scores.jsonl"
    words = ("--study", study.path, "--scores", scores, "--attributes", table, "--json")
    document = json.loads(output("validate", *words)[1])
    assert document["signals"][0]["signal"] == "mine"
    left_out = next(w for w in document["warnings"] if w.startswith("left out"))
    assert "clipping.crest_factor_db" in left_out


def test_validate_writes_a_page(output, study, tmp_path):
    out = tmp_path / "page"
    assert output("validate", "--study", study.path, "--out", out)[0] == 0
    page = (out / "index.html").read_text()
    assert "Choosing between clips" in page
    assert "Ranking systems" in page
    assert json.loads((out / "result.json").read_text())["study"] == "hiss"
    assert (out / "pairs.svg").read_text().startswith("<svg")
    code, _, err = output("validate", "--study", study.path, "--out", out)
    assert (code, "is there already" in err) == (2, True)


def test_the_gate_prints_every_test_and_exits_0_when_it_fails(output, study, tmp_path):
    out = tmp_path / "gate.json"
    words = ("clipping.clip_ratio", "--study", study.path, "--pairs", "5", "--ladders", "2")
    code, text, err = output("gate", *words, "--out", out)
    assert code == 0
    assert "Verdict: failed" in text
    assert f"Written to {out}" in err
    names = ("coverage", "pair accuracy", "better than duration")
    assert all(f"\n{name} " in text for name in names)
    assert read_gate(out).verdict == "failed"
    code, _, err = output("gate", *words, "--out", out)
    assert (code, "use --force" in err) == (2, True)
    document = json.loads(output("gate", *words, "--json")[1])
    assert (document["signal"], document["verdict"]) == ("clipping.clip_ratio", "failed")


def test_options_reach_the_signal(output, study):
    words = ("gate", "transcript.wer", "--study", study.path, "--pairs", "2")
    document = json.loads(output(*words, "--option", "normaliser=plain", "--json")[1])
    assert document["options"] == {"normaliser": "plain"}
    code, _, err = output(*words, "--option", "normalizer=plain")
    assert (code, "did you mean 'normaliser'?" in err) == (2, True)
    assert output(*words, "--option", "plain")[0] == 2


def test_what_is_wrong_is_a_sentence(output, study, tmp_path):
    code, _, err = output("gate", "stio", "--study", study.path)
    assert (code, "did you mean 'stoi'?" in err) == (2, True)
    code, _, err = output("validate", "--study", tmp_path)
    assert (code, "expected a study folder" in err) == (2, True)
    assert output("validate")[0] == 2


def test_clips_are_still_scored_without_a_verb(output, study, tmp_path):
    words = ("--study", study.path, "--signals", "loudness", "--out", tmp_path / "s.jsonl")
    assert output(*words)[0] == 0
