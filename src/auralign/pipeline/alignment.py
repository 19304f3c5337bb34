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

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from auralign.data.config import StrictModel
from auralign.data.example_checks import validate_examples
from auralign.data.example_files import read_examples
from auralign.data.examples import Example, TokenPair
from auralign.errors import ConfigError, DataError, did_you_mean
from auralign.losses import OBJECTIVES, Need
from auralign.pipeline.job_parts import Watch, job_folder, listening_guard, reference_of
from auralign.pipeline.reward_gates import reward_verdicts
from auralign.policies.card import read_card
from auralign.policies.devices import device_named
from auralign.policies.layouts import codebook_weights
from auralign.policies.model_policy import ModelPolicy
from auralign.policies.opening import open_policy, save_policy
from auralign.preferences.token_examples import token_examples
from auralign.test_time.opening import open_codec
from auralign.training.batches import batches_in_epoch, require_order
from auralign.training.guard.evidence import FEWEST_PROMPTS
from auralign.training.keeping import TrainResult
from auralign.training.metrics_log import MetricsLog, open_trackers, require_trackers
from auralign.training.processes import Processes, place_on_machine, started_processes
from auralign.training.rehearsal import rehearse
from auralign.training.settings import TrainerSettings
from auralign.training.tasks import task_of
from auralign.training.trainer import train
from auralign.types import Prompt, Split

ANSWERS = {"pairs": ("votes",), "unpaired": ("thumbs",), "lists": ("rankings", "ratings")}
"""Kinds of answers in a study that give examples for an objective's kind of data."""

SHARE_TO_HOLD_OUT, MIN_PROMPTS_TO_HOLD_OUT = 0.1, 10
"""Of the prompts, unless the job says; of fewer prompts none."""


class AlignJob(StrictModel):
    """What is aligned, on what, and how.

    policy           as `policies.card.read_card` takes it
    reference        the same, where it is not the policy as it was; `none` for no reference at all
    examples         a file of examples, or a study folder whose clips have tokens
    dimension        of the judgements in a study folder; None is `overall`
    tokens           an archive of codes for a study folder whose clips have no `tokens_path`
    held_out         a file of examples, or the share of prompts that is held out; None holds out
                     those of validation where examples name splits, else a tenth of ten and more
    codec            as `test_time.opening.open_codec` takes it; with it the guard listens to a
                     fixed probe of held-out prompts at each evaluation
    device           what the models are computed on, of `policies.devices.DEVICES`
    kl_budget        nats a clip beyond which training stops, with the best weights within it
    gates            files of `auralign score gate`, of the rewards that made the examples
    require_gate     refuse examples of a reward that has not passed; else `result.json` labels them
    """

    policy: str
    reference: str | None = None
    examples: str
    dimension: str | None = None
    tokens: str | None = None
    held_out: str | float | None = None
    codec: str | None = None
    device: str = "auto"
    kl_budget: float | None = Field(default=None, gt=0)
    seed: int = Field(default=0, ge=0)
    trackers: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
    require_gate: bool = False
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
    rewards = reward_verdicts(job.examples, job.gates, require=job.require_gate)
    examples, held_out = _data(job)
    card = read_card(job.policy)
    policy = open_policy(card, device=device_named(job.device, place=place_on_machine()))
    reference = reference_of(job.reference, policy, compares=_comparing(job))
    _require_trainable(job, policy, examples, held_out)
    codec = open_codec(job.codec, policy.limits) if job.codec else None
    run = job_folder(job, out, processes, resume=resume, force=force)
    trackers = open_trackers(job.trackers, out / "trackers") if processes.is_first else []
    log = MetricsLog(out / "metrics.jsonl", trackers)
    guard = listening_guard(
        policy,
        reference,
        codec,
        _listened_to(held_out),
        kl_budget=job.kl_budget,
        seed=job.seed,
        folder=out if processes.is_first else None,
        chosen=[example for example in examples if isinstance(example, TokenPair)],
    )
    task = task_of(job.training.objective, examples, job.training.options)
    n_steps = job.training.n_epochs * batches_in_epoch(task, job.training)

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
        guard=guard,
        processes=processes,
    )
    log.close()
    found = _result(job, result, len(examples), len(held_out), time.perf_counter() - began)
    found |= {"device": str(policy.device), "rewards": rewards}
    if processes.is_first:
        kept = open_policy(card) if processes.sharded else policy
        kept.model.load_state_dict(result.weights)
        shutil.rmtree(out / "policy", ignore_errors=True)  # of a run that had finished before
        save_policy(kept, out / "policy", card=card)
        run.write_manifest({"job": job.seed})
        run.write_result(found)
    processes.wait()
    return found


def _listened_to(held_out: Sequence[Example]) -> list[Prompt]:
    """Prompts of the guard's probe."""
    return list(dict.fromkeys(example.prompt for example in held_out))


def _comparing(job: AlignJob) -> str | None:
    """The objective, if it looks at a reference."""
    name = job.training.objective
    return name if name in OBJECTIVES and Need.REFERENCE in OBJECTIVES[name].needs else None


def _require_trainable(
    job: AlignJob, policy: ModelPolicy, examples: Sequence[Example], held_out: Sequence[Example]
) -> None:
    """Raise ConfigError or DataError for a job that training would stop at, or do wrongly."""
    settings, limits = job.training, policy.limits
    if limits is not None:
        validate_examples([*examples, *held_out], **limits._asdict())
    for part in filter(None, (examples, held_out)):
        task = task_of(settings.objective, part, settings.options)
        rehearse(task)
        _require_readable(policy, task.prompts)
    require_order(task_of(settings.objective, examples, settings.options), settings)
    _require_apart(examples, held_out)
    _require_measured(job, held_out)
    require_trackers(job.trackers)
    if job.codec is not None and len(_listened_to(held_out)) < FEWEST_PROMPTS:
        raise ConfigError(
            f"codec: the guard listens to at least {FEWEST_PROMPTS} held-out prompts, got "
            f"{len(_listened_to(held_out))}: hold out more, or leave the codec out"
        )
    if settings.codebook_weights != "sum" and limits is not None:
        codebook_weights(settings.codebook_weights, limits.n_codebooks)


def _require_readable(policy: ModelPolicy, prompts: Sequence[Prompt]) -> None:
    """Raise DataError for a prompt that the policy cannot read, by scoring the shortest clip."""
    limits = policy.limits
    if limits is not None:
        clip = np.zeros((limits.n_codebooks, 1), dtype=np.int64)
        unique = list(dict.fromkeys(prompts))
        policy.sequence_logps(unique, [clip] * len(unique))


def _require_apart(examples: Sequence[Example], held_out: Sequence[Example]) -> None:
    """Raise DataError for a held-out prompt that is trained on."""
    both = sorted({e.prompt.id for e in examples} & {e.prompt.id for e in held_out})
    if both:
        raise DataError(
            f"held_out: expected prompts that are not trained on, got {len(both)} that are, the "
            f"first '{both[0]}': leave them out of one file"
        )


def _require_measured(job: AlignJob, held_out: Sequence[Example]) -> None:
    """Raise ConfigError for a rule of stopping that looks at what nothing measures."""
    if job.training.patience is not None and not held_out:
        raise ConfigError(
            "patience: expected held-out examples, whose accuracy it watches, got none: give "
            "--held-out, or leave patience out"
        )
    if job.kl_budget is not None and job.reference == "none":
        raise ConfigError("kl_budget: expected a reference to diverge from, got 'none'")


def _data(job: AlignJob) -> tuple[list[Example], list[Example]]:
    """Examples to train on and held-out ones, which share no prompt."""
    _require_study(job)
    examples = _read(job, job.examples)
    if isinstance(job.held_out, str):
        return examples, _read(job, job.held_out)
    if job.held_out is not None and not 0 <= job.held_out < 1:
        raise ConfigError(f"held_out: expected a file or a share from 0 to 1, got {job.held_out:g}")
    if job.held_out is None and {e.prompt.split for e in examples} != {Split.TRAIN}:
        parts = [
            [e for e in examples if e.prompt.split is split]
            for split in (Split.TRAIN, Split.VALIDATION)
        ]
        if not parts[0]:
            raise DataError(f"{job.examples}: expected examples of the split 'train', got none")
        return parts[0], parts[1]
    ids = sorted({e.prompt.id for e in examples})
    share = job.held_out
    if share is None:
        share = SHARE_TO_HOLD_OUT if len(ids) >= MIN_PROMPTS_TO_HOLD_OUT else 0.0
    drawn = np.random.default_rng(job.seed).permutation(len(ids))
    # Two at least, because some objectives look at a clip below the prompt of another one.
    n = max(2, round(share * len(ids))) if share else 0
    kept_back = {ids[i] for i in drawn[:n]}
    return (
        [e for e in examples if e.prompt.id not in kept_back],
        [e for e in examples if e.prompt.id in kept_back],
    )


def _require_study(job: AlignJob) -> None:
    """Raise ConfigError for what belongs to a study where there are only files of examples."""
    if any(_is_study(where) for where in (job.examples, job.held_out) if isinstance(where, str)):
        return
    if job.tokens is not None:
        raise ConfigError(
            f"tokens: '{job.tokens}' has the codes of a study's clips, and {job.examples} is a "
            "file of examples, which holds its own: leave it out"
        )
    if job.dimension is not None:
        raise ConfigError(
            f"dimension: '{job.dimension}' chooses judgements of a study, and {job.examples} is a "
            "file of examples, all of which are used: leave it out, or give a file of that "
            "dimension"
        )


def _is_study(where: str) -> bool:
    return (Path(where) / "study.yaml").is_file()


def _read(job: AlignJob, where: str) -> list[Example]:
    if not _is_study(where):
        return read_examples(where)
    name = job.training.objective
    if name not in OBJECTIVES:
        raise ConfigError(f"no objective '{name}'{did_you_mean(name, OBJECTIVES)}")
    kinds = ANSWERS[OBJECTIVES[name].data]
    dimension = job.dimension or "overall"
    for kind in kinds[:-1]:
        try:
            return token_examples(where, kind=kind, dimension=dimension, tokens=job.tokens)
        except DataError:
            continue
    return token_examples(where, kind=kinds[-1], dimension=dimension, tokens=job.tokens)


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
