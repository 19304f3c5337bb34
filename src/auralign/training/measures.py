"""What is looked at beside the loss: held-out order, and how far the policy has gone for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from auralign.data.examples import TokenPair
from auralign.losses import Pairs, Unpaired
from auralign.losses.diagnostics import (
    entropy,
    exact_kl,
    idealised_ranking_accuracy,
    k1,
    k3,
    reference_error,
    share_above,
)
from auralign.policies.layouts import length_groups
from auralign.policies.model_policy import pick_logps
from auralign.training.gradients import BatchGradient
from auralign.training.scoring import TrainablePolicy
from auralign.training.tasks import Batch, PairTask, Task
from auralign.types import Prompt, Tokens


@torch.no_grad()
def held_out_measures(gradient: BatchGradient) -> dict[str, float]:
    """Of a task that is not trained on: its loss, and whether the order of its clips is learnt.

    held_out_accuracy            share of pairs (of best and worst of lists) whose log-ratio, or
                                 without a reference whose log-probability, is in order; of thumbs
                                 the share of likes and dislikes that are
    held_out_ranking_accuracy    the same for log-probabilities
    held_out_idealised_accuracy  its ceiling for this reference and beta (arXiv 2405.19534), of
                                 objectives that have DPO's minimiser
    held_out_chosen_drift        mean log-ratio of chosen clips, nats a clip; and `rejected`
    held_out_margin/DIMENSION    mean log-ratio of chosen less rejected, by dimension
    """
    task = gradient.task
    totals: dict[str, float] = {}
    counts: dict[str, int] = {}
    for rows in task.groups():
        batch, loss = gradient.shown(rows)
        found = {"held_out_loss": loss, **_of_batch(batch, task)}
        for name, value in found.items():
            totals[name] = totals.get(name, 0.0) + len(rows) * value
            counts[name] = counts.get(name, 0) + len(rows)
    return {name: total / counts[name] for name, total in totals.items()}


def _of_batch(batch: Batch, task: Task) -> dict[str, float]:
    measures = task.measures(batch)
    if isinstance(batch, Unpaired):
        measures |= _of_thumbs(batch)
    found = {
        ours: float(measures[theirs].mean())
        for ours, theirs in _NAMES.items()
        if theirs in measures
    }
    if isinstance(batch, Pairs) and isinstance(task, PairTask):
        found |= _of_pairs(batch, task)
    if "accuracy" not in measures and "ranking_accuracy" in measures:
        found["held_out_accuracy"] = found["held_out_ranking_accuracy"]
    return found


def _of_thumbs(batch: Unpaired) -> dict[str, Tensor]:
    """Every liked clip against every disliked one; nothing where a kind is missing."""
    up, clips = batch.desirable, batch.clips
    if not up.any() or up.all():
        return {}
    found = {"ranking_accuracy": share_above(clips.logp[up][:, None], clips.logp[~up][None])}
    if clips.reference_logp is None:
        return found
    liked, disliked = clips.log_ratio[up], clips.log_ratio[~up]
    return found | {
        "accuracy": share_above(liked[:, None], disliked[None]),
        "chosen_log_ratio": liked,
        "rejected_log_ratio": disliked,
    }


MINIMISED_BY_DPO = ("dpo", "cdpo", "rdpo", "spce")
"""Objectives whose exact minimiser is that of DPO on the shares of votes."""

_NAMES = {
    "held_out_accuracy": "accuracy",
    "held_out_ranking_accuracy": "ranking_accuracy",
    "held_out_chosen_drift": "chosen_log_ratio",
    "held_out_rejected_drift": "rejected_log_ratio",
}


def _of_pairs(batch: Pairs, task: PairTask) -> dict[str, float]:
    if batch.chosen.reference_logp is None:
        return {}
    found = _margins(batch, task.examples)
    if task.name in MINIMISED_BY_DPO:
        beta = task.options.get("beta", task.objective.options["beta"])
        p_chosen = torch.ones_like(batch.margin) if batch.p_chosen is None else batch.p_chosen
        ideal = idealised_ranking_accuracy(reference_error(batch), p_chosen, beta=beta)
        found["held_out_idealised_accuracy"] = float(ideal.mean())
    return found


def _margins(batch: Pairs, pairs: Sequence[TokenPair]) -> dict[str, float]:
    """Mean margin in nats, by dimension."""
    of_dimension: dict[str, list[float]] = {}
    for pair, margin in zip(pairs, batch.margin.tolist(), strict=True):
        of_dimension.setdefault(pair.dimension, []).append(margin)
    return {f"held_out_margin/{d}": sum(m) / len(m) for d, m in sorted(of_dimension.items())}


@torch.no_grad()
def sample_measures(
    policy: TrainablePolicy,
    reference: Any,
    prompts: Sequence[Prompt],
    *,
    generator: torch.Generator,
    frames_per_pass: int | None = None,
) -> dict[str, float]:
    """Of one clip that the policy samples for each prompt: `divergence`, and of their lengths

    frames   the mean
    ended    the share of clips that ended themselves
    """
    rollout = policy.sample(prompts, 1, generator=generator)
    clips = rollout.tokens
    return divergence(policy, reference, prompts, clips, frames_per_pass=frames_per_pass) | {
        "frames": sum(clip.shape[1] for clip in clips) / len(clips),
        "ended": float(rollout.terminated.mean()),
    }


@torch.no_grad()
def divergence(
    policy: TrainablePolicy,
    reference: Any,
    prompts: Sequence[Prompt],
    tokens: Sequence[Tokens],
    *,
    frames_per_pass: int | None = None,
) -> dict[str, float]:
    """KL from the reference and entropy, on clips that `policy` has sampled itself.

    kl, kl_k3       KL(policy || reference), nats a clip, by the estimators k1 (unbiased, may be
                    negative) and k3 (never negative)
    kl_exact        the same with each code's divergence summed over the whole distribution, where
                    the reference is a model: the least noisy of the three
    token_entropy   mean entropy of the distributions of the scored codes, nats

    Without a reference only the entropy is told.
    """
    sums: dict[str, float] = {}
    for rows in length_groups([clip.shape[1] for clip in tokens], frames_per_pass):
        asked = [prompts[i] for i in rows], [tokens[i] for i in rows]
        for name, value in _sums(policy, reference, *asked).items():
            sums[name] = sums.get(name, 0.0) + value
    entropy_of_all, n_codes = sums.pop("entropy"), sums.pop("codes")
    means = {name: value / len(tokens) for name, value in sums.items()}
    return {**means, "token_entropy": entropy_of_all / n_codes}


def _sums(
    policy: TrainablePolicy, reference: Any, prompts: Sequence[Prompt], clips: Sequence[Tokens]
) -> dict[str, float]:
    logits, drawn, scored = policy.logits(prompts, clips)
    found = {
        "entropy": float(entropy(logits[scored].float()).cpu().double().sum()),
        "codes": float(scored.sum()),
    }
    if reference is None:
        return found
    ratios = pick_logps(logits, drawn, scored) - reference.token_logps(prompts, clips)[0]
    found |= {"kl": float(k1(ratios, scored).sum()), "kl_k3": float(k3(ratios, scored).sum())}
    if hasattr(reference, "logits"):
        others = reference.logits(prompts, clips)[0]
        found["kl_exact"] = float(exact_kl(logits[scored].float(), others[scored].float()).sum())
    return found
