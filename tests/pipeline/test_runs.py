"""Whole runs at the size of seconds: results, reuse, resuming after a kill, bad input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from auralign.data import validate_study
from auralign.data.study import StudyFolder
from auralign.errors import ConfigError, RunStateError
from auralign.pipeline import packaged_recipe, run_recipe
from auralign.types import Source

TINY = packaged_recipe("quickstart-tiny")
STAGES = [s.stage for s in TINY.stages]
RESULT_KEYS = {
    "win_rate",
    "win_rate_ci",
    "wer_before",
    "wer_after",
    "reward_accuracy",
    "reward_ceiling",
    "reward_mos_spearman",
    "agreement",
    "kl",
    "seconds",
    "simulated",
    "report",
}


class Recorder:
    """An observer that keeps what it was told."""

    def __init__(self) -> None:
        self.reused: dict[str, bool] = {}
        self.shares: list[float] = []

    def started(self, stage: str) -> None:
        self.shares.append(0.0)

    def progress(self, share: float, note: str) -> None:
        self.shares.append(share)

    def done(self, stage: str, summary: str, seconds: float, reused: bool) -> None:
        assert summary, f"stage {stage} found nothing to say"
        self.reused[stage] = reused


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], Recorder]:
    out = tmp_path_factory.mktemp("runs") / "tiny"
    recorder = Recorder()
    return out, run_recipe(TINY, out, observer=recorder), recorder


def timeless(result: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in result.items() if key != "seconds"}


def test_a_run_reports_every_promised_key(run: tuple[Path, dict[str, Any], Recorder]) -> None:
    out, result, _ = run
    assert result.keys() >= RESULT_KEYS
    assert result["simulated"] is True
    assert json.loads((out / "result.json").read_text()) == result
    assert 0 <= result["win_rate_ci"][0] <= result["win_rate"] <= result["win_rate_ci"][1] <= 1


def test_progress_stays_between_none_and_all(run: tuple[Path, dict[str, Any], Recorder]) -> None:
    _, _, recorder = run
    assert list(recorder.reused) == STAGES
    assert all(0 <= share <= 1 for share in recorder.shares)


def test_every_study_of_a_run_is_valid(run: tuple[Path, dict[str, Any], Recorder]) -> None:
    studies = sorted(run[0].glob("stages/*/study"))
    assert [s.parent.name for s in studies] == ["01-corpus", "04-prefer", "07-evaluate"]
    assert [p for study in studies for p in validate_study(study)] == []


def test_no_listener_of_a_run_can_be_taken_for_a_person(
    run: tuple[Path, dict[str, Any], Recorder],
) -> None:
    for name in ("04-prefer", "07-evaluate"):
        study = StudyFolder.open(run[0] / "stages" / name / "study")
        assert study.header.simulated
        assert {j.source for j in study.judgements()} == {Source.SIMULATED}
        assert all(j.rater.startswith("simulated-") for j in study.judgements())


def test_training_and_evaluation_share_no_prompt_and_no_listener(
    run: tuple[Path, dict[str, Any], Recorder],
) -> None:
    corpus, trained, evaluated = (
        StudyFolder.open(run[0] / "stages" / name / "study")
        for name in ("01-corpus", "04-prefer", "07-evaluate")
    )
    assert not {j.rater for j in trained.judgements()} & {j.rater for j in evaluated.judgements()}
    assert not {j.prompt_id for j in trained.judgements()} & {p.id for p in evaluated.prompts()}
    spoken = {(p.text, p.condition) for p in corpus.prompts()}
    assert not spoken & {(p.text, p.condition) for p in trained.prompts()}


def test_the_page_says_simulated_and_holds_its_sound(
    run: tuple[Path, dict[str, Any], Recorder],
) -> None:
    page = (run[0] / "report.html").read_text(encoding="utf-8")
    assert "simulated: programs, not people" in page
    assert page.count("<audio") == 3 * TINY.stages[-1].n_prompts  # type: ignore[union-attr]


def test_a_finished_run_is_reused_stage_by_stage(
    run: tuple[Path, dict[str, Any], Recorder],
) -> None:
    recorder = Recorder()
    again = run_recipe(TINY, run[0], observer=recorder, resume=True)
    assert all(recorder.reused.values())
    assert timeless(again) == timeless(run[1])


def test_an_existing_folder_is_not_overwritten(run: tuple[Path, dict[str, Any], Recorder]) -> None:
    with pytest.raises(RunStateError, match=r"--resume.*--force"):
        run_recipe(TINY, run[0], observer=Recorder())


def test_another_recipe_cannot_resume_a_run(run: tuple[Path, dict[str, Any], Recorder]) -> None:
    other = TINY.model_copy(update={"seed": 1})
    with pytest.raises(RunStateError, match="recipe"):
        run_recipe(other, run[0], observer=Recorder(), resume=True)


def test_a_failing_stage_leaves_the_earlier_ones_whole(tmp_path: Path) -> None:
    impossible = TINY.stages[0].model_copy(update={"source": "fsdd", "path": str(tmp_path / "no")})
    with pytest.raises(Exception, match="no"):
        run_recipe(
            TINY.model_copy(update={"stages": (impossible,)}), tmp_path / "run", observer=Recorder()
        )
    assert not list((tmp_path / "run").glob("stages/*"))


def test_a_clip_that_is_gone_between_two_stages_is_named(tmp_path: Path) -> None:
    first = TINY.model_copy(update={"stages": TINY.stages[:1]})
    out = tmp_path / "run"
    run_recipe(first, out, observer=Recorder())
    wav = next(out.glob("stages/01-corpus/study/audio/*/*.wav"))
    wav.unlink()
    (out / "recipe.yaml").write_text(
        TINY.model_copy(update={"stages": TINY.stages[:2]}).to_yaml(), encoding="utf-8"
    )
    with pytest.raises(Exception, match=f"{wav.stem}.*gone"):
        run_recipe(
            TINY.model_copy(update={"stages": TINY.stages[:2]}),
            out,
            observer=Recorder(),
            resume=True,
        )
    assert (out / "stages/01-corpus/stage.json").exists()
    assert not (out / "stages/02-codec").exists()


def _command(out: Path, *more: str) -> list[str]:
    words = ["-m", "auralign", "quickstart", "--size", "tiny", "--out", str(out), "--json", *more]
    return [sys.executable, *words]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_result_in_another_process(
    run: tuple[Path, dict[str, Any], Recorder], tmp_path: Path
) -> None:
    done = subprocess.run(_command(tmp_path / "again"), check=True, capture_output=True, text=True)
    printed = json.loads(done.stdout)
    again = json.loads((tmp_path / "again" / "result.json").read_text())
    assert timeless(again) == timeless(run[1])
    assert printed["win_rate"] == again["win_rate"]


@pytest.mark.slow
def test_a_run_killed_in_every_stage_gives_the_result_of_an_unbroken_one(
    run: tuple[Path, dict[str, Any], Recorder], tmp_path: Path
) -> None:
    out = tmp_path / "killed"
    for stage in STAGES:
        process = subprocess.Popen(
            _command(out, "--resume"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _wait_until_building(out, stage, process)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert not list(out.glob(f"stages/*-{stage}"))
    subprocess.run(_command(out, "--resume"), check=True, capture_output=True)
    assert timeless(json.loads((out / "result.json").read_text())) == timeless(run[1])
    assert not list(out.glob("stages/.*"))


def _wait_until_building(out: Path, stage: str, process: subprocess.Popen[bytes]) -> None:
    """Until the stage's unfinished folder shows up; the stage then runs for a moment more."""
    for _ in range(6000):
        if list(out.glob(f"stages/.*-{stage}*")):
            return
        assert process.poll() is None, f"the run ended before it came to {stage}"
        time.sleep(0.01)
    pytest.fail(f"stage {stage} did not begin within a minute")


@pytest.mark.slow
def test_the_small_quickstart_makes_a_generator_that_is_preferred(tmp_path: Path) -> None:
    recipe = packaged_recipe("quickstart-small")
    result = run_recipe(recipe, tmp_path / "small", observer=Recorder())
    assert result["win_rate"] > 0.5
    assert result["wer_after"] < result["wer_before"]
    assert result["reward_accuracy"] > 0.5


def test_a_stage_that_needs_a_later_one_is_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    backwards = TINY.model_copy(update={"stages": TINY.stages[::-1]})
    with pytest.raises(ConfigError, match="needs what a stage"):
        run_recipe(backwards, tmp_path / "run", observer=Recorder())
    assert not (tmp_path / "run").exists()
