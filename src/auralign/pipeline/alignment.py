"""Alignment from files: a policy, examples, and a folder for what comes of it.

recipe.yaml             the job as it was resolved
manifest.json           versions, platform, seed
metrics.jsonl           measures of every update and evaluation
reference.safetensors   log-probabilities of the reference
checkpoint.pt           where training stands
policy/                 the aligned policy; `policies.opening.open_policy` opens it
result.json             what training found
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import Field

from auralign.data.config import StrictModel
from auralign.data.example_checks import validate_examples
from auralign.data.example_files import read_examples
from auralign.data.examples import Example
from auralign.data.runs import RunFolder
from auralign.errors import ConfigError, DataError, did_you_mean
from auralign.losses import OBJECTIVES, Need
from auralign.policies.card import read_card
from auralign.policies.lora import AdapterOffReference
from auralign.policies.model_policy import ModelPolicy
from auralign.policies.opening import open_policy, save_policy
from auralign.policies.weights import has_adapter
from auralign.preferences.token_examples import token_examples
from auralign.training.metrics_log import MetricsLog, open_trackers
from auralign.training.processes import Processes, started_processes
from auralign.training.settings import TrainerSettings
from auralign.training.trainer import TrainResult, train
from auralign.types import Split

ANSWERS = {"pairs": ("votes",), "unpaired": ("thumbs",), "lists": ("rankings", "ratings")}
"""Kinds of answers in a study that give examples for an objective's kind of data."""

MIN_PROMPTS_TO_HOLD_OUT = 10
"""With fewer prompts than this none is held out by chance."""

Watch = Callable[[int, int, Mapping[str, float]], None]
"""Told the step, the number of steps and the measures."""


class AlignJob(StrictModel):
    """What is aligned, on what, and how.

    policy           as `policies.card.read_card` takes it
    reference        the same, where it is not the policy as it was; `none` for no reference at all
    examples         a file of examples, or a study folder whose clips have tokens
    dimension        of the judgements in a study folder
    tokens           an archive of codes for a study folder whose clips have no `tokens_path`
    held_out         a file of examples, or the share of prompts that is held out; where examples
                     name splits, those of validation are
    kl_budget        nats a clip beyond which training stops, with the best weights within it
    """

    policy: str
    reference: str | None = None
    examples: str
    dimension: str = "overall"
    tokens: str | None = None
    held_out: str | float = 0.1
    kl_budget: float | None = Field(default=None, gt=0)
    seed: int = Field(default=0, ge=0)
    trackers: tuple[str, ...] = ()
    training: TrainerSettings


def run_alignment(
    job: AlignJob,
    out: Path,
    *,
    resume: bool = False,
    force: bool = False,
    watch: Watch = lambda step, n_steps, values: None,
) -> dict[str, Any]:
    """Trains the policy of the job and returns what `result.json` says.

    Raises InputError subclasses for a job that cannot be done, before anything is written;
    NotConvergedError when training diverges. `resume` goes on with a job that was stopped.
    """
    with started_processes() as processes:
        return _run(job, out, processes, resume, force, watch)


def _run(
    job: AlignJob, out: Path, processes: Processes, resume: bool, force: bool, watch: Watch
) -> dict[str, Any]:
    began = time.perf_counter()
    examples, held_out = _data(job)
    card = read_card(job.policy)
    policy = open_policy(card)
    if policy.limits is not None:
        validate_examples([*examples, *held_out], **policy.limits._asdict())
    reference = _reference(job, policy)
    run = _folder(job, out, processes, resume, force)
    trackers = open_trackers(job.trackers, out / "trackers") if processes.is_first else []
    log = MetricsLog(out / "metrics.jsonl", trackers)
    n_steps = job.training.n_epochs * -(-len(examples) // job.training.batch_size)

    def told(step: int, values: Mapping[str, float]) -> None:
        if processes.is_first:
            log(step, values)
            watch(step, n_steps, values)

    result = train(
        policy,
        reference,
        examples,
        job.training,
        seed=job.seed,
        held_out=held_out,
        folder=out,
        log=told,
        guard=_budget(job),
        processes=processes,
    )
    log.close()
    found = _result(job, result, len(examples), len(held_out), time.perf_counter() - began)
    if processes.is_first:
        kept = open_policy(card) if processes.sharded else policy
        kept.model.load_state_dict(result.weights)
        save_policy(kept, out / "policy", card=card)
        run.write_manifest({"job": job.seed})
        run.write_result(found)
    processes.wait()
    return found


def _data(job: AlignJob) -> tuple[list[Example], list[Example]]:
    """Examples to train on and held-out ones, which share no prompt."""
    examples = _read(job, job.examples)
    if isinstance(job.held_out, str):
        return examples, _read(job, job.held_out)
    if not 0 <= job.held_out < 1:
        raise ConfigError(f"held_out: expected a file or a share from 0 to 1, got {job.held_out:g}")
    if {e.prompt.split for e in examples} != {Split.TRAIN}:
        parts = [
            [e for e in examples if e.prompt.split is split]
            for split in (Split.TRAIN, Split.VALIDATION)
        ]
        if not parts[0]:
            raise DataError(f"{job.examples}: expected examples of the split 'train', got none")
        return parts[0], parts[1]
    ids = sorted({e.prompt.id for e in examples})
    if len(ids) < MIN_PROMPTS_TO_HOLD_OUT:
        return examples, []
    drawn = np.random.default_rng(job.seed).permutation(len(ids))
    kept_back = {ids[i] for i in drawn[: round(job.held_out * len(ids))]}
    return (
        [e for e in examples if e.prompt.id not in kept_back],
        [e for e in examples if e.prompt.id in kept_back],
    )


def _read(job: AlignJob, where: str) -> list[Example]:
    if not (Path(where) / "study.yaml").is_file():
        return read_examples(where)
    name = job.training.objective
    if name not in OBJECTIVES:
        raise ConfigError(f"no objective '{name}'{did_you_mean(name, OBJECTIVES)}")
    kinds = ANSWERS[OBJECTIVES[name].data]
    for kind in kinds[:-1]:
        try:
            return token_examples(where, kind=kind, dimension=job.dimension, tokens=job.tokens)
        except DataError:
            continue
    return token_examples(where, kind=kinds[-1], dimension=job.dimension, tokens=job.tokens)


def _reference(job: AlignJob, policy: ModelPolicy) -> Any:
    """The policy as it was (its weights, or its adapter off), unless the job names another."""
    if job.reference == "none":
        objective = OBJECTIVES.get(job.training.objective)
        if objective is not None and Need.REFERENCE in objective.needs:
            raise ConfigError(f"objective '{job.training.objective}' needs a reference, got 'none'")
        return None
    if job.reference is not None:
        return open_policy(job.reference).frozen_copy()
    return AdapterOffReference(policy) if has_adapter(policy) else policy.frozen_copy()


def _folder(job: AlignJob, out: Path, processes: Processes, resume: bool, force: bool) -> RunFolder:
    text = yaml.safe_dump(job.model_dump(mode="json"), sort_keys=False)
    if processes.is_first:
        if resume and out.exists():
            RunFolder.resume(out, text)
        else:
            RunFolder.create(out, text, force=force)
    processes.wait()
    return RunFolder(out)


def _budget(job: AlignJob) -> Callable[[Mapping[str, float]], str | None]:
    def guard(measures: Mapping[str, float]) -> str | None:
        kl = measures.get("kl_exact", measures.get("kl", 0.0))
        if job.kl_budget is None or kl <= job.kl_budget:
            return None
        return f"the divergence of {kl:.1f} nats a clip is above the budget of {job.kl_budget:g}"

    return guard


def _result(
    job: AlignJob, result: TrainResult, n_examples: int, n_held_out: int, seconds: float
) -> dict[str, Any]:
    kept = next((e for e in result.evaluations if e["step"] == result.kept_step), {})
    return {
        "objective": job.training.objective,
        "options": {**OBJECTIVES[job.training.objective].options, **job.training.options},
        "n_examples": n_examples,
        "n_held_out": n_held_out,
        "n_steps": result.n_steps,
        "kept_step": result.kept_step,
        "stopped": result.stopped,
        "kept": kept,
        "evaluations": list(result.evaluations),
        "seconds": round(seconds, 1),
    }
