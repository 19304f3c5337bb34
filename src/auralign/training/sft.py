"""Supervised fine-tuning of a token policy: maximum likelihood, best validation loss kept."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch.nn.utils import clip_grad_norm_

from auralign.errors import NotConvergedError
from auralign.policies.language_model import CodecLanguageModel
from auralign.policies.layouts import length_batches
from auralign.training.batches import similar_length_batches
from auralign.types import Prompt, Tokens

Log = Callable[[int, dict[str, float]], None]
"""Called with the step and what was measured at it."""


@dataclass(frozen=True, slots=True)
class SftSettings:
    """Steps of `batch_size` clips; the learning rate warms up and falls as a cosine to a tenth.

    `history_noise` is the share of past frames that are replaced by random codes in training: the
    policy will later continue its own imperfect frames, not recorded ones.
    """

    n_steps: int
    batch_size: int
    learning_rate: float
    history_noise: float = 0.1
    warmup_steps: int = 20
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    validate_every: int = 50


@dataclass(frozen=True, slots=True)
class SftResult:
    best_step: int
    best_validation_loss: float


def train_sft(
    policy: CodecLanguageModel,
    train: tuple[Sequence[Prompt], Sequence[Tokens]],
    validation: tuple[Sequence[Prompt], Sequence[Tokens]],
    settings: SftSettings,
    *,
    generator: torch.Generator,
    log: Log,
) -> SftResult:
    """Trains `policy` in place and leaves it with the weights of the best validation loss.

    Both losses are mean negative log-likelihoods in nats a scored code. Raises NotConvergedError
    when the validation loss was never finite.
    """
    model = policy.model.train()
    optimiser = torch.optim.AdamW(
        model.parameters(),
        lr=settings.learning_rate,
        betas=(0.9, 0.95),
        weight_decay=settings.weight_decay,
        fused=True,
    )
    corrupt = _history_noise(settings.history_noise, model.config.codebook_size, generator)
    best = SftResult(best_step=0, best_validation_loss=float("inf"))
    best_weights = model.state_dict()
    batches = _endless_batches([t.shape[1] for t in train[1]], settings.batch_size, generator)
    for step, rows in zip(range(1, settings.n_steps + 1), batches, strict=False):
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * warmup_cosine(
                step, settings.warmup_steps, settings.n_steps
            )
        logps, scored = policy.token_logps(
            [train[0][i] for i in rows], [train[1][i] for i in rows], corrupt=corrupt
        )
        loss = -logps.sum() / scored.sum()
        optimiser.zero_grad()
        loss.backward()
        clip_grad_norm_(model.parameters(), settings.max_grad_norm)
        optimiser.step()
        measured = {"loss": loss.item()}
        if step % settings.validate_every == 0 or step == settings.n_steps:
            measured["validation_loss"] = validation_loss(policy, *validation)
            if measured["validation_loss"] < best.best_validation_loss:
                best = SftResult(step, measured["validation_loss"])
                best_weights = copy.deepcopy(model.state_dict())
        log(step, measured)
    if not best.best_step:
        raise NotConvergedError(
            f"training diverged: no validation loss in {settings.n_steps} steps is finite at "
            f"learning rate {settings.learning_rate:g}: lower it"
        )
    model.load_state_dict(best_weights)
    model.eval()
    return best


def _endless_batches(
    lengths: Sequence[int], batch_size: int, generator: torch.Generator
) -> Iterator[list[int]]:
    while True:
        yield from similar_length_batches(lengths, batch_size, generator)


def warmup_cosine(step: int, warmup_steps: int, n_steps: int, floor: float = 0.1) -> float:
    """Share of the learning rate at `step`: linear up, then half a cosine down to `floor`."""
    if step <= warmup_steps:
        return step / warmup_steps
    progress = (step - warmup_steps) / max(1, n_steps - warmup_steps)
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))


def _history_noise(
    share: float, n_codes: int, generator: torch.Generator
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Replaces a share of the frames of `[batch, codebook, time]` by random codes."""

    def corrupt(codes: torch.Tensor) -> torch.Tensor:
        hit = torch.rand(codes.shape[0], 1, codes.shape[2], generator=generator) < share
        other = torch.randint(n_codes, codes.shape, generator=generator)
        return torch.where(hit.to(codes.device), other.to(codes.device), codes)

    return corrupt


@torch.no_grad()
def validation_loss(
    policy: CodecLanguageModel, prompts: Sequence[Prompt], tokens: Sequence[Tokens]
) -> float:
    """Mean negative log-likelihood a scored code over the whole set, in nats."""
    total, count = 0.0, 0
    for rows in length_batches(tokens, 64):
        logps, scored = policy.token_logps([prompts[i] for i in rows], [tokens[i] for i in rows])
        total -= logps.cpu().double().sum().item()
        count += int(scored.sum())
    return total / count
