"""`recipes/staged_rl-tiny.yaml`: rewards in stages, under the guard, to the page."""

import json
from pathlib import Path

import pytest

from auralign.cli import app
from auralign.cli.console import run
from auralign.pipeline import packaged_recipe
from auralign.pipeline.stages.online import OnlineOptions

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def staged(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "staged"
    recipe = out.parent / "recipe.yaml"
    recipe.write_text(packaged_recipe("staged_rl-tiny").to_yaml())
    assert run(app, ["run", str(recipe), "--out", str(out), "--quiet"]) == 0
    return out


def rows_of(folder, run_name):
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["run"] == run_name and "loss" in row]


def test_each_stage_goes_on_where_the_last_one_stopped(staged):
    folder = next(staged.glob("stages/*-online"))
    rows = rows_of(folder, "aligned")
    recipe = packaged_recipe("staged_rl-tiny")
    options = next(s for s in recipe.stages if isinstance(s, OnlineOptions))
    n_rounds = sum(stage.n_updates for stage in options.reward_stages)
    assert [row["step"] for row in rows] == list(range(1, len(rows) + 1))
    assert len(rows) <= n_rounds
    assert {f"reward/{name}" for name in options.rewards} <= rows[0].keys()


def test_the_policy_without_a_leash_is_trained_on_one_reward(staged):
    rows = rows_of(next(staged.glob("stages/*-online")), "hacked")
    assert [name for name in rows[0] if name.startswith("reward/")] == ["reward/overall"]
    assert "kl_weight" not in rows[0]


def test_the_guard_has_heard_both(staged, capsys):
    assert run(app, ["guard", str(staged), "--json"]) in (0, 1)
    found = json.loads(capsys.readouterr().out)
    assert "hacked" in json.dumps(found)
    folder = next(staged.glob("stages/*-online"))
    assert (folder / "guard.jsonl").exists()
    assert (folder / "hacked" / "guard.jsonl").exists()


def test_the_result_and_the_page_tell_of_both(staged):
    result = json.loads((staged / "result.json").read_text())
    assert 0 <= result["win_rate"] <= 1
    assert "kl" in result
    page = (staged / "report.html").read_text()
    assert "clips that it sampled itself" in page
