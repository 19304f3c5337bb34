"""Sampling from files: a policy, prompts, a reward, and a folder for the clips that are chosen.

job.yaml          the job as it was resolved
candidates.csv    every candidate with its score, and whether it was chosen
clips/NNNN.npy    the codes [codebook, time] that prompt NNNN got, counted from 0 in their order
clips/NNNN.wav    the same as audio, where there is a codec
result.json       what came of it
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
import yaml
from pydantic import Field

from auralign.data.config import StrictModel, parse
from auralign.errors import ConfigError, StorageError
from auralign.files import atomic_dir, is_empty_dir, write_json, write_text
from auralign.policies.devices import device_named
from auralign.policies.model_policy import ModelPolicy
from auralign.policies.opening import open_policy
from auralign.test_time.best_of_mini_n import best_of_mini_n
from auralign.test_time.best_of_n import best_of_n
from auralign.test_time.folder import summary, write_selection
from auralign.test_time.opening import open_codec, open_reward, read_prompts
from auralign.test_time.planning import plan
from auralign.test_time.selection import Selection, draw
from auralign.types import Codec, Prompt

JOB_NAME = "job.yaml"
MethodName = Literal["best-of-n", "best-of-mini-n", "plan"]


class BestOfNOptions(StrictModel):
    """Of `best_of_n`."""

    n: int = Field(default=8, ge=1)


class BestOfMiniNOptions(StrictModel):
    """Of `best_of_mini_n`."""

    m: int = Field(default=4, ge=1)
    max_loops: int = Field(default=4, ge=1)
    threshold: float = 0.0
    abstain: bool = False


class PlanOptions(StrictModel):
    """Of `plan`."""

    segment: int = Field(default=8, ge=1)
    look_aheads: int = Field(default=4, ge=1)
    keep: int = Field(default=2, ge=1)
    n_expansions: int = Field(default=4, ge=0)


class Method(NamedTuple):
    select: Callable[..., Selection]
    options: type[StrictModel]


METHODS: Mapping[str, Method] = {
    "best-of-n": Method(best_of_n, BestOfNOptions),
    "best-of-mini-n": Method(best_of_mini_n, BestOfMiniNOptions),
    "plan": Method(plan, PlanOptions),
}
"""Those that need nothing but a reward."""


class SampleJob(StrictModel):
    """What is sampled, and what is handed out of it.

    policy           as `policies.card.read_card` takes it
    prompts          as `opening.read_prompts` takes them
    reward           as `opening.open_reward` takes it, and `reward_options` of a signal; without
                     one, each prompt gets the first clip that is drawn for it
    codec            as `opening.open_codec` takes it; without one there is no audio
    method, options  how the reward chooses
    device           what the policy is computed on, of `policies.devices.DEVICES`
    """

    policy: str
    prompts: str
    reward: str | None = None
    reward_options: dict[str, Any] = Field(default_factory=dict)
    codec: str | None = None
    method: MethodName | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    temperature: float = Field(default=1.0, gt=0)
    seed: int = Field(default=0, ge=0)
    device: str = "auto"


def run_sampling(job: SampleJob, out: Path, *, force: bool = False) -> dict[str, Any]:
    """Samples, chooses, writes the folder and returns what `result.json` says.

    Raises InputError subclasses for a job that cannot be done; then nothing is written.
    """
    job, prompts = _resolved(job), read_prompts(Path(job.prompts))
    if force:
        _require_replaceable(out)
    with atomic_dir(out, replace=force) as aside:
        policy = open_policy(job.policy, device=device_named(job.device))
        codec = open_codec(job.codec, policy.limits) if job.codec else None
        selection = _select(job, policy, prompts, codec)
        document = job.model_dump(mode="json")
        result = {key: document[key] for key in ("method", "options", "reward")}
        result |= summary(selection)
        write_selection(aside, prompts, selection, codec)
        write_text(aside / JOB_NAME, yaml.safe_dump(document, sort_keys=False))
        write_json(aside / "result.json", result)
    return result


def _resolved(job: SampleJob) -> SampleJob:
    """The job with its method's options filled in; ConfigError for what does not go together."""
    if job.reward is not None:
        method = job.method or "best-of-n"
        options = parse(METHODS[method].options, job.options, f"options of {method}")
        return job.model_copy(update={"method": method, "options": options.model_dump()})
    given = [*(["method"] if job.method else []), *job.options, *job.reward_options]
    if given:
        raise ConfigError(
            f"reward: expected one to choose by with {', '.join(given)}, got none: name a reward, "
            "or leave them out for one clip of each prompt"
        )
    return job


def _select(
    job: SampleJob, policy: ModelPolicy, prompts: Sequence[Prompt], codec: Codec | None
) -> Selection:
    generator = torch.Generator().manual_seed(job.seed)
    if job.reward is None or job.method is None:
        drawn = draw(policy, prompts, 1, generator=generator, temperature=job.temperature)
        n = len(prompts)
        return Selection(drawn, np.full(n, np.nan), np.arange(n), np.zeros(n, dtype=np.bool_))
    if job.method == "plan" and not hasattr(policy, "continue_from"):
        raise ConfigError(
            f"method: expected a policy that goes on with a prefix for 'plan', got "
            f"{type(policy).__name__}: write its `continue_from`, or take best-of-n"
        )
    return METHODS[job.method].select(
        policy,
        prompts,
        open_reward(job.reward, codec, job.reward_options),
        generator=generator,
        temperature=job.temperature,
        **job.options,
    )


def _require_replaceable(out: Path) -> None:
    if out.exists() and not is_empty_dir(out) and not (out / JOB_NAME).is_file():
        raise StorageError(
            f"{out}: expected a folder of `auralign sample` to replace, got something else without "
            f"{JOB_NAME}: choose another name"
        )
