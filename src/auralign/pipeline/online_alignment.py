"""Alignment on a policy's own clips: a policy, prompts, rewards, and a folder for what comes of it.

recipe.yaml      the job as it was resolved
manifest.json    versions, platform, seed
metrics.jsonl    measures of every round and evaluation
guard.jsonl      what the guard found in the fixed probe, where there is a codec
checkpoint.pt    where the present stage stands (`stage-N`, where rewards come in stages)
policy/          the aligned policy; `policies.opening.open_policy` opens it
result.json      what training found
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field

from auralign.data.config import StrictModel
from auralign.errors import ConfigError, DataError
from auralign.pipeline.job_parts import Watch, job_folder, listening_guard, reference_of
from auralign.policies.card import read_card
from auralign.policies.devices import device_named
from auralign.policies.model_policy import ModelPolicy
from auralign.policies.opening import open_policy, save_policy
from auralign.rewards.combining import Combination, RewardStage, Scale, combination_of
from auralign.test_time.opening import open_codec, open_reward, read_prompts
from auralign.training.guard.evidence import FEWEST_PROMPTS
from auralign.training.keeping import TrainResult
from auralign.training.metrics_log import MetricsLog, open_trackers, require_trackers
from auralign.training.online.methods import method_of, sampled
from auralign.training.online.samples import Reward, Values, by_reward
from auralign.training.online.settings import OnlineSettings
from auralign.training.online.trainer import train_online
from auralign.training.processes import Processes, place_on_machine, started_processes
from auralign.types import Codec, Prompt, Split

SHARE_TO_HOLD_OUT = 0.1
"""Of the prompts, where none are of the split `validation`."""
N_SCALE = 128
"""Prompts whose clips say what is usual for each reward before training."""


class OnlineJob(StrictModel):
    """What is aligned, with which rewards, and how.

    policy, reference, device, kl_budget   as for `AlignJob`
    prompts         as `test_time.opening.read_prompts` takes them
    rewards         name -> what `test_time.opening.open_reward` takes; several need `stages`, or
                    an objective that takes several
    reward_options  by the name of the reward, of signals
    codec           as `test_time.opening.open_codec` takes it; with one the guard listens
    stages          what is combined in each stage, and how; None is one stage of `n_rounds`
    """

    policy: str
    reference: str | None = None
    prompts: str
    rewards: dict[str, str] = Field(min_length=1)
    reward_options: dict[str, dict[str, Any]] = Field(default_factory=dict)
    codec: str | None = None
    device: str = "auto"
    kl_budget: float | None = Field(default=None, gt=0)
    seed: int = Field(default=0, ge=0)
    trackers: tuple[str, ...] = ()
    stages: tuple[RewardStage, ...] | None = Field(default=None, min_length=1)
    training: OnlineSettings


def run_online_alignment(
    job: OnlineJob,
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
    job: OnlineJob, out: Path, processes: Processes, resume: bool, force: bool, watch: Watch
) -> dict[str, Any]:
    began = time.perf_counter()
    prompts, held_out = _prompts(job)
    card = read_card(job.policy)
    policy = open_policy(card, device=device_named(job.device, place=place_on_machine()))
    reference = reference_of(job.reference, policy, compares=None)
    method_of(policy, reference, None, job.training, processes)  # says what does not go together
    codec = open_codec(job.codec, policy.limits) if job.codec else None
    rewards = _rewards(job, codec)
    combinations = _combinations(job, policy, rewards, prompts)
    require_trackers(job.trackers)
    run = job_folder(job, out, processes, resume=resume, force=force)
    trackers = open_trackers(job.trackers, out / "trackers") if processes.is_first else []
    log = MetricsLog(out / "metrics.jsonl", trackers)
    guard = listening_guard(
        policy, reference, codec, held_out, kl_budget=job.kl_budget, seed=job.seed,
        folder=out if processes.is_first else None,
    )  # fmt: skip
    n_rounds = sum(n for n, _ in combinations)
    before, results = 0, list[TrainResult]()
    for number, (n, combination) in enumerate(combinations):
        usual = _mean_reward(job, policy, rewards, combination, held_out or prompts)

        def told(step: int, values: Mapping[str, float], before: int = before) -> None:
            if processes.is_first:
                log(before + step, values)
                watch(before + step, n_rounds, values)

        results.append(
            train_online(
                policy,
                reference,
                prompts,
                by_reward(rewards),
                job.training.model_copy(update={"n_rounds": n}),
                combination=combination,
                reward_names=tuple(job.rewards),
                held_out=held_out,
                seed=job.seed + number,
                folder=_stage_folder(out, number, len(combinations)),
                log=told,
                guard=_told_more(guard, before, usual),
                processes=processes,
            )
        )
        before += n
        if results[-1].stopped:
            break
    log.close()
    found = _result(job, results, len(prompts), len(held_out), time.perf_counter() - began)
    if processes.is_first:
        shutil.rmtree(out / "policy", ignore_errors=True)  # of a run that had finished before
        save_policy(policy, out / "policy", card=card)
        run.write_manifest({"job": job.seed})
        run.write_result(found)
    processes.wait()
    return found


def _prompts(job: OnlineJob) -> tuple[list[Prompt], list[Prompt]]:
    """Prompts to train on and held-out ones: those of `validation`, else a share."""
    prompts = read_prompts(Path(job.prompts))
    train, held_out = (
        [p for p in prompts if p.split is split] for split in (Split.TRAIN, Split.VALIDATION)
    )
    if not train:
        raise DataError(f"{job.prompts}: expected prompts of the split 'train', got none")
    if held_out or len(train) < 2:
        return train, held_out
    drawn = np.random.default_rng(job.seed).permutation(len(train))
    n = max(1, round(SHARE_TO_HOLD_OUT * len(train)), min(FEWEST_PROMPTS, len(train) // 4))
    kept_back = set(drawn[:n].tolist())
    return (
        [p for i, p in enumerate(train) if i not in kept_back],
        [p for i, p in enumerate(train) if i in kept_back],
    )


def _rewards(job: OnlineJob, codec: Codec | None) -> Reward:
    """All rewards side by side, `[clips, rewards]`."""
    for name in job.reward_options:
        if name not in job.rewards:
            raise ConfigError(f"reward_options: there is no reward '{name}'")
    opened = [
        open_reward(where, codec, job.reward_options.get(name, {}))
        for name, where in job.rewards.items()
    ]

    def reward(prompts: Sequence[Prompt], clips: Sequence[Any]) -> Values:
        return np.stack([np.asarray(one(prompts, clips), float) for one in opened], axis=1)

    return reward


def _combinations(
    job: OnlineJob, policy: ModelPolicy, rewards: Reward, prompts: Sequence[Prompt]
) -> list[tuple[int, Combination | None]]:
    """Rounds of each stage, and what it makes of the rewards."""
    if job.stages is None:
        if len(job.rewards) > 1 and job.training.objective != "gdpo":
            raise ConfigError(
                f"{len(job.rewards)} rewards: say in `stages` how they are combined, or take the "
                "objective 'gdpo', which normalises each by itself"
            )
        return [(job.training.n_rounds, None)]
    generator = torch.Generator().manual_seed(job.seed)
    samples = sampled(policy, prompts[:N_SCALE], 1, generator, job.training.temperature)
    values = rewards(samples.prompts, samples.clips)
    scales = {name: Scale.learn(column) for name, column in zip(job.rewards, values.T, strict=True)}
    names = tuple(job.rewards)
    return [(stage.n_updates, combination_of(stage, names, scales)) for stage in job.stages]


def _mean_reward(
    job: OnlineJob,
    policy: ModelPolicy,
    rewards: Reward,
    combination: Combination | None,
    prompts: Sequence[Prompt],
) -> float:
    """What the policy earns before a stage, on one clip of each prompt."""
    generator = torch.Generator().manual_seed(job.seed)
    samples = sampled(policy, prompts, 1, generator, job.training.temperature)
    values = rewards(samples.prompts, samples.clips)
    earned = combination(values) if combination else values.sum(-1)
    known = earned[np.isfinite(earned)]
    return float(known.mean()) if len(known) else math.nan


def _told_more(guard: Any, before: int, usual: float) -> Any:
    """The guard, told rounds from the first stage on, and by how much the reward has risen."""

    def told(measures: Mapping[str, float]) -> str | None:
        earned = measures.get("held_out_reward", math.nan)
        more = {"step": before + measures["step"], "reward_change": earned - usual}
        said: str | None = guard({**measures, **more})
        return said

    return told


def _stage_folder(out: Path, number: int, n_stages: int) -> Path:
    folder = out if n_stages == 1 else out / f"stage-{number + 1}"
    folder.mkdir(exist_ok=True)
    return folder


def _result(
    job: OnlineJob, results: Sequence[TrainResult], n_prompts: int, n_held_out: int, seconds: float
) -> dict[str, Any]:
    last = results[-1]
    kept = next((e for e in last.evaluations if e["step"] == last.kept_step), {})
    return {
        "objective": job.training.objective,
        "rewards": dict(job.rewards),
        "n_prompts": n_prompts,
        "n_held_out": n_held_out,
        "n_rounds": sum(result.n_steps for result in results),
        "kept_round": sum(r.n_steps for r in results[:-1]) + last.kept_step,
        "stopped": last.stopped,
        "kept": kept,
        "evaluations": [e for result in results for e in result.evaluations],
        "seconds": round(seconds, 1),
    }
