"""What alignment from files and alignment on own clips have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from auralign.data.examples import TokenPair
from auralign.data.runs import RunFolder
from auralign.errors import ConfigError
from auralign.policies.lora import AdapterOffReference
from auralign.policies.model_policy import ModelPolicy
from auralign.policies.opening import open_policy
from auralign.policies.weights import has_adapter
from auralign.training import guard as listening
from auralign.training.guard import Probe
from auralign.training.guard.evidence import FEWEST_PROMPTS
from auralign.training.keeping import Guard
from auralign.training.processes import Processes
from auralign.types import Codec, Prompt

N_PROBE = 24
"""Held-out prompts that the guard listens to, at the most."""

Watch = Callable[[int, int, Mapping[str, float]], None]
"""Told the step, the number of steps and the measures."""


def reference_of(where: str | None, policy: ModelPolicy, *, compares: str | None) -> Any:
    """The policy as it was (its weights, or its adapter off), unless `where` names another.

    where      as `policies.card.read_card` takes it; `none` for no reference at all
    compares   the objective that cannot do without one
    """
    if where == "none":
        if compares is not None:
            raise ConfigError(f"objective '{compares}' needs a reference, got 'none'")
        return None
    if where is not None:
        reference = open_policy(where, device=policy.device)
        if reference.limits != policy.limits:
            raise ConfigError(
                f"reference: expected one of the policy's codes ({policy.limits}), got "
                f"{reference.limits}: choose a policy over the same codec"
            )
        return reference.frozen_copy()
    return AdapterOffReference(policy) if has_adapter(policy) else policy.frozen_copy()


def job_folder(
    job: BaseModel, out: Path, processes: Processes, *, resume: bool, force: bool
) -> RunFolder:
    """The folder of a job, which the first process makes."""
    text = yaml.safe_dump(job.model_dump(mode="json"), sort_keys=False)
    if processes.is_first:
        if resume and out.exists():
            RunFolder.resume(out, text)
        else:
            RunFolder.create(out, text, force=force)
    processes.wait()
    return RunFolder(out)


def kl_guard(budget: float | None) -> Guard:
    """Ends training beyond so many nats a clip."""

    def guard(measures: Mapping[str, float]) -> str | None:
        kl = measures.get("kl_exact", measures.get("kl", 0.0))
        if budget is None or kl <= budget:
            return None
        return f"the divergence of {kl:.1f} nats a clip is above the budget of {budget:g}"

    return guard


def listening_guard(
    policy: ModelPolicy,
    reference: Any,
    codec: Codec | None,
    prompts: Sequence[Prompt],
    *,
    kl_budget: float | None,
    seed: int,
    folder: Path | None,
    chosen: Sequence[TokenPair] = (),
) -> Guard:
    """Listens to a fixed probe; without a codec, or with too few prompts, it sees the KL alone.

    policy    still as it was before training
    prompts   held-out ones
    chosen    pairs that will be trained on
    """
    if codec is None or len(prompts) < FEWEST_PROMPTS:
        return kl_guard(kl_budget)
    probe = Probe(list(prompts[:N_PROBE]), codec.decode)
    return listening.Guard.learn(
        policy,
        probe,
        reference=reference,
        chosen=chosen,
        kl_budget=kl_budget,
        folder=folder,
        seed=seed,
    )
