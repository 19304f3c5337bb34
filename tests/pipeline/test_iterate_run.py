"""A run of rounds at the size of seconds: its table is that of the rounds in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from auralign.data.runs import read_metrics
from auralign.pipeline import packaged_recipe, run_recipe
from auralign.pipeline.stages.iterate import IteratedPolicy, IterateOptions
from auralign.policies import CodecLanguageModel
from auralign.training.rounds import held_out_table, read_rounds
from auralign.training.rounds.folder import RoundFolder
from auralign.training.rounds.records import Round
from auralign.types import Source

pytestmark = pytest.mark.slow

TINY = packaged_recipe("iterate-dpo-tiny")


class Silent:
    def started(self, stage: str) -> None: ...

    def progress(self, share: float, note: str) -> None:
        assert 0 <= share <= 1

    def done(self, stage: str, summary: str, seconds: float, reused: bool) -> None:
        assert summary


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("runs") / "tiny"
    return out / "stages" / "05-iterate", run_recipe(TINY, out, observer=Silent())


def rounds_of(stage: Path) -> list[Round]:
    return read_rounds(stage / "rounds")


def test_the_result_is_the_table_of_the_rounds(run: tuple[Path, dict[str, Any]]) -> None:
    stage, result = run
    rounds = rounds_of(stage)
    assert result["rounds"] == held_out_table(rounds)
    preferences = [0.5, *(r.held_out.preference for r in rounds)]
    assert preferences[result["kept_round"]] == max(preferences)
    assert result["simulated"] is True


def test_the_policy_is_that_of_the_kept_round(run: tuple[Path, dict[str, Any]]) -> None:
    stage, result = run
    begun_with = CodecLanguageModel.load(stage.parent / "03-sft" / "policy.safetensors")
    hashes = [begun_with.weights_hash(), *(r.policy for r in rounds_of(stage))]
    assert IteratedPolicy.load(stage).policy.weights_hash() == hashes[result["kept_round"]]


def test_votes_keep_within_the_budget_and_are_called_simulated(
    run: tuple[Path, dict[str, Any]],
) -> None:
    stage, result = run
    for number in range(1, len(rounds_of(stage)) + 1):
        folder = RoundFolder(stage / "rounds", number)
        votes = folder.votes().judgements
        assert 0 < len(votes) <= result["votes_per_round"]
        assert {vote.source for vote in votes} == {Source.SIMULATED}
        assert folder.candidates().study.header.simulated


def test_each_round_asks_prompts_of_its_own(run: tuple[Path, dict[str, Any]]) -> None:
    stage, result = run
    asked = [
        set(RoundFolder(stage / "rounds", number).candidates().prompts)
        for number in range(1, len(result["rounds"]) + 1)
    ]
    (options,) = (s for s in TINY.stages if isinstance(s, IterateOptions))
    assert all(len(prompts) == options.n_prompts for prompts in asked)
    assert len(set.union(*asked)) == sum(map(len, asked))


def test_the_log_has_a_line_for_each_round(run: tuple[Path, dict[str, Any]]) -> None:
    stage, result = run
    lines = read_metrics(stage)
    assert [line["step"] for line in lines] == [row["round"] for row in result["rounds"]]
    assert [line["kl"] for line in lines] == [row["kl"] for row in result["rounds"]]
