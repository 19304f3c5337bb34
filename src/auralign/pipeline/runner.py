"""Runs the stages of a recipe in order, each from what earlier ones have written.

A stage always reads its inputs from the run folder, whether they were made a second or a week ago.
That is why a run that was killed and resumed gives the result of an unbroken one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from auralign.data.runs import RunFolder, Stage, StageWork
from auralign.errors import ConfigError
from auralign.files import write_text
from auralign.pipeline.context import StageContext
from auralign.pipeline.recipe import Recipe
from auralign.pipeline.result import collect_result
from auralign.pipeline.stages.align import AlignedPolicies, run_align
from auralign.pipeline.stages.codec import TrainedCodec, run_codec
from auralign.pipeline.stages.corpus import Corpus, run_corpus
from auralign.pipeline.stages.evaluate import Evaluation, run_evaluate
from auralign.pipeline.stages.iterate import IteratedPolicy, run_iterate
from auralign.pipeline.stages.model import TrainedReward, run_model
from auralign.pipeline.stages.online import run_online
from auralign.pipeline.stages.prefer import Preferences, run_prefer
from auralign.pipeline.stages.report import run_report
from auralign.pipeline.stages.sft import TrainedPolicy, run_sft


class Observer(Protocol):
    """Is told how a run goes; the command line draws it."""

    def started(self, stage: str) -> None: ...

    def progress(self, share: float, note: str) -> None: ...

    def done(self, stage: str, summary: str, seconds: float, reused: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class StageKind:
    """How a stage is run, `run(options, context, *outputs of needs)`, and its output read.

    makes   the name by which others need its output, where that is not its own
    """

    run: Callable[..., Any]
    load: Callable[[Path], Any] | None
    needs: tuple[str, ...] = ()
    makes: str | None = None


STAGES: dict[str, StageKind] = {
    "corpus": StageKind(run_corpus, Corpus.load),
    "codec": StageKind(run_codec, TrainedCodec.load, ("corpus",)),
    "sft": StageKind(run_sft, TrainedPolicy.load, ("corpus", "codec")),
    "prefer": StageKind(run_prefer, Preferences.load, ("corpus", "codec", "sft")),
    "model": StageKind(run_model, TrainedReward.load, ("corpus", "prefer")),
    "align": StageKind(
        run_align, AlignedPolicies.load, ("corpus", "codec", "sft", "prefer", "model")
    ),
    "online": StageKind(
        run_online, AlignedPolicies.load, ("corpus", "codec", "sft", "prefer", "model"), "align"
    ),
    "iterate": StageKind(run_iterate, IteratedPolicy.load, ("corpus", "codec", "sft", "prefer")),
    "evaluate": StageKind(
        run_evaluate, Evaluation.load, ("corpus", "codec", "sft", "prefer", "model", "align")
    ),
    "report": StageKind(run_report, None, ("prefer", "model", "align", "evaluate")),
}


def run_recipe(
    recipe: Recipe,
    out: str | os.PathLike[str],
    *,
    observer: Observer,
    resume: bool = False,
    force: bool = False,
) -> dict[str, Any]:
    """Runs every stage that is not there yet and returns the result, which `result.json` holds.

    Raises ConfigError for a stage whose needs no earlier stage makes, RunStateError for a folder
    in use (without `resume` or `force`) or one that was started with another recipe.
    """
    stages = _plan(recipe)
    text = recipe.to_yaml()
    if resume and not force and Path(out).exists():
        run = RunFolder.resume(out, text)
    else:
        run = RunFolder.create(out, text, force=force)
    for stage, options in zip(stages, recipe.stages, strict=True):
        observer.started(stage.name)
        reused = run.is_complete(stage)
        if not reused:
            with run.build(stage) as work, _one_torch_thread():
                _run_stage(run, stage, options, recipe.seed, work, observer)
            run.write_manifest({"recipe": recipe.seed})
        record = run.stages()[stage.folder]
        observer.done(stage.name, record.summary, record.seconds, reused)
    return _finish(run, stages, recipe)


@contextmanager
def _one_torch_thread() -> Iterator[None]:
    """Sums are added up in one order whatever the number of cores, so results do not depend on it.

    For models this small a second thread gains a third on an idle machine and loses far more than
    that beside any other busy process.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _plan(recipe: Recipe) -> list[Stage]:
    """Every stage with the stages it reads: the nearest earlier one of each needed name."""
    made: dict[str, Stage] = {}
    plan = []
    for index, options in enumerate(recipe.stages, start=1):
        for need in STAGES[options.stage].needs:
            if need not in made:
                raise ConfigError(
                    f"recipe '{recipe.name}': stage {index} '{options.stage}' needs what a stage "
                    f"'{need}' makes, and no earlier stage does: put '{need}' before it"
                )
        stage = Stage(
            index,
            options.stage,
            {"seed": recipe.seed, **options.model_dump(mode="json")},
            tuple(made[need] for need in STAGES[options.stage].needs),
        )
        made[STAGES[options.stage].makes or options.stage] = stage
        plan.append(stage)
    return plan


def _run_stage(
    run: RunFolder, stage: Stage, options: Any, seed: int, work: StageWork, observer: Observer
) -> None:
    context = StageContext(seed, stage.name, work, observer.progress, run)
    inputs = [_load(run, needed) for needed in stage.inputs]
    STAGES[stage.name].run(options, context, *inputs)


def _load(run: RunFolder, stage: Stage) -> Any:
    load = STAGES[stage.name].load
    assert load is not None, f"nothing can need '{stage.name}'"
    return load(run.stage_dir(stage))


def _finish(run: RunFolder, stages: list[Stage], recipe: Recipe) -> dict[str, Any]:
    """Writes `result.json`, and puts the report where a person looks for it."""
    outputs: Mapping[str, Any] = {
        STAGES[stage.name].makes or stage.name: _load(run, stage)
        for stage in stages
        if STAGES[stage.name].load
    }
    seconds = {folder: record.seconds for folder, record in run.stages().items()}
    result = {"recipe": recipe.name, "seed": recipe.seed, **collect_result(outputs)}
    result["seconds"] = {"total": round(sum(seconds.values()), 3), "stages": seconds}
    for stage in stages:
        if stage.name == "report":
            page = run.stage_dir(stage) / "report.html"
            write_text(run.path / "report.html", page.read_text(encoding="utf-8"))
            result["report"] = "report.html"
    run.write_result(result)
    return result
