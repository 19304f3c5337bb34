import errno
import json
import os
from importlib.metadata import version

import pytest

from auralign.data import RunFolder, Stage, read_metrics
from auralign.errors import RunStateError, StorageError

SFT = Stage(1, "sft", {"learning_rate": 1e-4})
ALIGN = Stage(2, "align", {"beta": 0.1}, inputs=(SFT,))


@pytest.fixture
def run(tmp_path):
    return RunFolder.create(tmp_path / "run", "name: demo\n")


def build(run, stage, **files):
    with run.build(stage) as work:
        for name, text in files.items():
            (work.path / name).write_text(text)
        work.summary = f"{stage.name} is done"


class TestCreate:
    def test_a_new_run_holds_its_recipe_and_a_manifest(self, run):
        assert sorted(os.listdir(run.path)) == ["manifest.json", "recipe.yaml"]
        assert RunFolder.open(run.path).recipe_text() == "name: demo\n"

    def test_an_empty_folder_is_taken(self, tmp_path):
        (tmp_path / "run").mkdir()
        RunFolder.create(tmp_path / "run", "name: demo\n")

    def test_a_run_that_is_there_is_refused_with_the_three_ways_out(self, run):
        build(run, SFT)
        with pytest.raises(RunStateError, match=r"--resume, replace it with --force, .* --out"):
            RunFolder.create(run.path, "name: other\n")
        assert run.is_complete(SFT)

    def test_force_replaces_a_run(self, run):
        build(run, SFT)
        RunFolder.create(run.path, "name: other\n", force=True)
        assert run.recipe_text() == "name: other\n"
        assert not run.is_complete(SFT)
        assert os.listdir(run.path.parent) == ["run"]

    def test_force_never_removes_what_is_no_run(self, tmp_path):
        (tmp_path / "thesis.txt").write_text("ten years")
        with pytest.raises(RunStateError, match="is no run folder, so --force will not remove it"):
            RunFolder.create(tmp_path, "name: demo\n", force=True)
        assert (tmp_path / "thesis.txt").read_text() == "ten years"

    def test_a_full_disk_leaves_no_half_run(self, tmp_path, monkeypatch):
        def refuse(*args):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", refuse)
        with pytest.raises(StorageError, match="disk is full"):
            RunFolder.create(tmp_path / "run", "name: demo\n")
        assert os.listdir(tmp_path) == []


class TestOpen:
    def test_a_folder_without_a_run_is_refused(self, tmp_path):
        with pytest.raises(RunStateError, match="expected a run folder"):
            RunFolder.open(tmp_path)

    def test_a_run_of_another_schema_is_refused(self, run):
        (run.path / "manifest.json").write_text('{"schema_version": 2}')
        with pytest.raises(RunStateError, match="schema version 1, got 2"):
            RunFolder.open(run.path)

    def test_a_broken_manifest_is_refused(self, run):
        (run.path / "manifest.json").write_text('{"schema')
        with pytest.raises(RunStateError, match=r"manifest\.json: expected JSON"):
            RunFolder.open(run.path)

    def test_resuming_with_another_recipe_is_refused(self, run):
        assert RunFolder.resume(run.path, "name: demo\n") == run
        with pytest.raises(RunStateError, match="the recipe this run was started with"):
            RunFolder.resume(run.path, "name: other\n")

    def test_resuming_removes_what_a_killed_stage_left(self, run):
        left_over = run.path / "stages" / ".01-sft.0123.tmp"
        left_over.mkdir(parents=True)
        RunFolder.resume(run.path, "name: demo\n")
        assert not left_over.exists()


class TestStages:
    def test_a_stage_is_complete_once_it_was_built(self, run):
        assert not run.is_complete(SFT)
        build(run, SFT, model="weights")
        assert run.is_complete(SFT)
        assert run.stage_dir(SFT) == run.path / "stages" / "01-sft"
        assert (run.stage_dir(SFT) / "model").read_text() == "weights"

    def test_a_stage_that_fails_is_not_there(self, run):
        def fail():
            with run.build(SFT) as work:
                work.log_metrics(0, loss=1.0)
                raise ValueError

        with pytest.raises(ValueError):  # noqa: PT011 (any error will do)
            fail()
        assert not run.is_complete(SFT)
        assert os.listdir(run.path / "stages") == []

    @pytest.mark.parametrize(
        "changed",
        [
            Stage(2, "align", {"beta": 0.2}, (SFT,)),
            Stage(2, "align", {"beta": 0.1}, (Stage(1, "sft", {"learning_rate": 2e-4}),)),
            Stage(2, "align", {"beta": 0.1}),
        ],
        ids=["own option", "option of an input", "no input"],
    )
    def test_a_stage_that_changed_or_builds_on_a_changed_one_is_not_complete(self, run, changed):
        build(run, ALIGN)
        assert not run.is_complete(changed)

    def test_the_order_of_options_does_not_matter(self):
        assert Stage(1, "a", {"x": 1, "y": 2}).hash == Stage(1, "a", {"y": 2, "x": 1}).hash

    def test_building_again_replaces_what_was_built(self, run):
        build(run, SFT, old="")
        build(run, SFT, new="")
        assert sorted(os.listdir(run.stage_dir(SFT))) == ["new", "stage.json"]

    def test_the_record_says_what_the_stage_was(self, run):
        build(run, SFT)
        build(run, ALIGN)
        records = run.stages()
        assert list(records) == ["01-sft", "02-align"]
        align = records["02-align"]
        assert (align.name, align.options, align.summary) == (
            "align",
            {"beta": 0.1},
            "align is done",
        )
        assert align.inputs == {"01-sft": SFT.hash}
        assert align.hash == ALIGN.hash
        assert align.seconds >= 0

    def test_a_broken_record_is_an_error_that_names_it(self, run):
        build(run, SFT)
        (run.stage_dir(SFT) / "stage.json").write_text('{"name": "sft"}')
        with pytest.raises(RunStateError, match=r"stage\.json: expected a stage's record"):
            run.is_complete(SFT)

    def test_two_runs_differ_only_in_seconds_and_memory(self, tmp_path):
        contents = []
        for name in ("a", "b"):
            run = RunFolder.create(tmp_path / name, "name: demo\n")
            with run.build(SFT) as work:
                work.log_metrics(0, loss=0.5)
            record = json.loads((run.stage_dir(SFT) / "stage.json").read_text())
            del record["seconds"], record["peak_memory_mb"]
            contents.append((record, (run.stage_dir(SFT) / "metrics.jsonl").read_bytes()))
        assert contents[0] == contents[1]


class TestMetrics:
    def test_steps_come_back_with_null_for_what_is_no_number(self, run):
        with run.build(SFT) as work:
            work.log_metrics(0, loss=float("nan"), accuracy=0.5)
            work.log_metrics(1, loss=1.5)
        assert read_metrics(run.stage_dir(SFT)) == [
            {"step": 0, "loss": None, "accuracy": 0.5},
            {"step": 1, "loss": 1.5},
        ]

    def test_a_torn_last_line_is_left_out(self, tmp_path):
        (tmp_path / "metrics.jsonl").write_text('{"step": 0}\n{"step": 1, "lo')
        assert read_metrics(tmp_path) == [{"step": 0}]

    def test_a_broken_line_in_the_middle_is_an_error(self, tmp_path):
        (tmp_path / "metrics.jsonl").write_text('{"step"\n{"step": 1}\n')
        with pytest.raises(RunStateError, match="expected one JSON object per line"):
            read_metrics(tmp_path)

    def test_a_stage_that_logged_nothing_has_no_steps(self, tmp_path):
        assert read_metrics(tmp_path) == []


def test_the_manifest_says_versions_seeds_and_costs(run):
    build(run, SFT)
    run.write_manifest({"seed": 7})
    manifest = json.loads((run.path / "manifest.json").read_text())
    assert manifest["versions"]["numpy"] == version("numpy")
    assert manifest["versions"]["torch"] == version("torch")
    assert manifest["seeds"] == {"seed": 7}
    assert set(manifest["stages"]["01-sft"]) == {"seconds", "peak_memory_mb"}


def test_a_result_is_there_once_it_was_written(run):
    with pytest.raises(RunStateError, match=r"result\.json: expected a file of the run"):
        run.result()
    run.write_result({"win_rate": 0.75})
    assert run.result() == {"win_rate": 0.75}
