"""Direct preference optimisation of a token policy against a frozen reference.

The loss of a pair is an objective over pairs (`losses.OBJECTIVES`) on log-probabilities summed over
scored codes, plus, with an anchor, the chosen clip's negative log-likelihood a code. The anchor
keeps the likelihood of chosen clips from falling together with the rejected ones, which an
objective that sees only their difference allows.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from auralign.errors import ConfigError, DataError, did_you_mean
from auralign.losses import OBJECTIVES, Clips, Loss, Need, Pairs, mean_scored, sum_scored
from auralign.policies.language_model import CodecLanguageModel
from auralign.training.batches import similar_length_batches
from auralign.types import Prompt, Tokens

Log = Callable[[int, dict[str, float]], None]
Evaluate = Callable[[int], dict[str, float]]
"""Called with the epoch after each one; `held_out_preference` in its answer selects the epoch."""

PAIRWISE = {
    name: objective
    for name, objective in OBJECTIVES.items()
    if objective.data == "pairs" and objective.needs <= {Need.REFERENCE}
}
"""Objectives whose needs this loop meets."""


@dataclass(frozen=True, eq=False)
class TokenPair:
    """A preference pair with its codes, and its weight in the loss."""

    prompt: Prompt
    chosen: Tokens
    rejected: Tokens
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class DpoSettings:
    """`options` are those of the objective; `anchor_weight` belongs to a mean over codes."""

    learning_rate: float
    n_epochs: int
    batch_size: int
    anchor_weight: float = 0.0
    objective: str = "dpo"
    options: Mapping[str, Any] = field(default_factory=dict)
    warmup_steps: int = 10
    max_grad_norm: float = 1.0


@dataclass(frozen=True, slots=True)
class DpoResult:
    """For each epoch the means of the training diagnostics and what `evaluate` found after it."""

    kept_epoch: int
    evaluations: tuple[dict[str, float], ...]


def train_dpo(
    policy: CodecLanguageModel,
    reference: CodecLanguageModel,
    pairs: Sequence[TokenPair],
    settings: DpoSettings,
    *,
    generator: torch.Generator,
    log: Log,
    evaluate: Evaluate,
    keep: Literal["best", "last"] = "best",
) -> DpoResult:
    """Trains `policy` in place and leaves it with the weights of the best (or the last) epoch.

    The best epoch is the one with the highest `held_out_preference`. Raises DataError without
    pairs, ConfigError for an objective that is not in `PAIRWISE` or an option that it does not
    take; asserts that the reference is frozen and has not changed.
    """
    if not pairs:
        raise DataError("alignment needs at least one preference pair and got none: collect votes")
    objective = _objective(settings)
    frozen = reference.weights_hash()
    reference_logps = _reference_logps(reference, pairs)
    lengths = [max(p.chosen.shape[1], p.rejected.shape[1]) for p in pairs]
    optimiser = torch.optim.AdamW(
        policy.model.parameters(),
        lr=settings.learning_rate,
        betas=(0.9, 0.95),
        weight_decay=0.0,
        fused=True,
    )
    evaluations: list[dict[str, float]] = []
    kept_epoch, kept_weights = 0, copy.deepcopy(policy.model.state_dict())
    step = 0
    for epoch in range(1, settings.n_epochs + 1):
        policy.model.train()
        measured: list[dict[str, float]] = []
        for rows in similar_length_batches(lengths, settings.batch_size, generator):
            step += 1
            for group in optimiser.param_groups:
                group["lr"] = settings.learning_rate * min(
                    1.0, step / max(1, settings.warmup_steps)
                )
            assert not reference.model.training, "the reference must stay in evaluation mode"
            batch = [pairs[i] for i in rows]
            loss, diagnostics = _loss(
                policy, batch, reference_logps[rows], objective, settings.anchor_weight
            )
            optimiser.zero_grad()
            loss.backward()
            clip_grad_norm_(policy.model.parameters(), settings.max_grad_norm)
            optimiser.step()
            measured.append({"loss": loss.item(), **diagnostics})
            log(step, {"epoch": epoch, **measured[-1]})
        policy.model.eval()
        means = {key: float(np.mean([m[key] for m in measured])) for key in measured[0]}
        evaluated = evaluate(epoch)
        evaluations.append({**means, **evaluated})
        log(step, {"epoch": epoch, **evaluated})
        preferences = [e["held_out_preference"] for e in evaluations]
        if keep == "last" or preferences[-1] == max(preferences):
            kept_epoch, kept_weights = epoch, copy.deepcopy(policy.model.state_dict())
    policy.model.load_state_dict(kept_weights)
    assert reference.weights_hash() == frozen, "the reference has changed during training"
    return DpoResult(kept_epoch, tuple(evaluations))


def _reference_logps(reference: CodecLanguageModel, pairs: Sequence[TokenPair]) -> Tensor:
    """Summed log-probabilities of chosen and rejected under the reference, `[pairs, 2]`."""
    prompts = [p.prompt for p in pairs]
    sides = ([p.chosen for p in pairs], [p.rejected for p in pairs])
    columns = [reference.sequence_logps(prompts, side) for side in sides]
    return torch.from_numpy(np.stack(columns, axis=1)).float()


def _objective(settings: DpoSettings) -> Callable[[Pairs], Loss]:
    """The objective with its options; ConfigError for a name or an option that is not known."""
    if settings.objective not in PAIRWISE:
        raise ConfigError(
            f"expected an objective out of {', '.join(PAIRWISE)}, got '{settings.objective}'"
            f"{did_you_mean(settings.objective, PAIRWISE)}"
        )
    return PAIRWISE[settings.objective].bind(settings.options)


def _loss(
    policy: CodecLanguageModel,
    pairs: Sequence[TokenPair],
    reference: Tensor,
    objective: Callable[[Pairs], Loss],
    anchor_weight: float,
) -> tuple[Tensor, dict[str, float]]:
    """Mean loss of a batch and its diagnostics; one forward pass for both sides."""
    n = len(pairs)
    clips = [p.chosen for p in pairs] + [p.rejected for p in pairs]
    token_logps, scored = policy.token_logps([p.prompt for p in pairs] * 2, clips)
    logps, n_codes = sum_scored(token_logps, scored), scored.sum((-2, -1))
    chosen = Clips(logps[:n], n_codes[:n], reference[:, 0])
    rejected = Clips(logps[n:], n_codes[n:], reference[:, 1])
    anchor = -mean_scored(token_logps[:n], scored[:n])
    per_pair, found = objective(Pairs(chosen, rejected))
    weights = torch.tensor([p.weight for p in pairs])
    loss = (weights * (per_pair + anchor_weight * anchor)).sum() / weights.sum()
    chosen_ratio, rejected_ratio = chosen.log_ratio.detach(), rejected.log_ratio.detach()
    return loss, {
        "margin": (found["chosen_reward"] - found["rejected_reward"]).mean().item(),
        "accuracy": (1 + (chosen_ratio - rejected_ratio).sign()).mean().item() / 2,
        "chosen_logp": chosen.logp.mean().item(),
        "rejected_logp": rejected.logp.mean().item(),
        "chosen_log_ratio": chosen_ratio.mean().item(),
        "rejected_log_ratio": rejected_ratio.mean().item(),
        "chosen_log_ratio_per_code": (chosen_ratio / chosen.n_codes).mean().item(),
    }


@torch.no_grad()
def divergence(
    policy: CodecLanguageModel,
    reference: CodecLanguageModel,
    prompts: Sequence[Prompt],
    tokens: Sequence[Tokens],
) -> dict[str, float]:
    """KL from the reference and entropy on clips that `policy` has sampled itself.

    `kl` is the mean of log p_policy - log p_reference, nats a clip (estimator k1: unbiased, may be
    negative); `token_entropy` the mean entropy of the distributions of the scored codes, nats.
    """
    log_ratio = policy.sequence_logps(prompts, tokens) - reference.sequence_logps(prompts, tokens)
    return {"kl": float(log_ratio.mean()), "token_entropy": policy.token_entropy(prompts, tokens)}
