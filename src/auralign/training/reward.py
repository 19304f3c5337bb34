"""Training a reward model on preference pairs: Bradley-Terry loss, best validation loss kept."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from auralign.errors import DataError, NotConvergedError
from auralign.losses import bradley_terry
from auralign.rewards.bradley_terry import BradleyTerryReward, Float, SpeechFeatures, new_head
from auralign.types import PreferencePair

Log = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True, slots=True)
class RewardSettings:
    """Epochs over the pairs; feature dropout and weight decay keep the small head honest.

    by_weight   a pair counts as its `weight` says (of votes: their number, so that every vote
                counts the same); otherwise every pair counts the same
    """

    n_epochs: int
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.1
    feature_dropout: float = 0.4
    by_weight: bool = False


def train_reward(
    features: SpeechFeatures,
    clip_features: Mapping[str, Float],
    train: Sequence[PreferencePair],
    validation: Sequence[PreferencePair],
    settings: RewardSettings,
    *,
    generator: torch.Generator,
    log: Log,
) -> BradleyTerryReward:
    """A head on frozen features, `clip_features` by clip id, each float32 `[features]`.

    `p_chosen` is the label, so that a reward's margin is the log odds of the votes; `weight` counts
    where the settings say so, in training and validation alike.

    Raises DataError without pairs to train or to validate on and for weights that are negative, not
    finite or all zero, NotConvergedError when no epoch has a finite validation loss.
    """
    if not train or not validation:
        raise DataError(
            "a reward model needs preference pairs for training and for validation, got "
            f"{len(train)} and {len(validation)}: collect votes on more prompts"
        )
    rows = {clip: i for i, clip in enumerate(clip_features)}
    table = torch.from_numpy(np.stack(list(clip_features.values())))
    centre, spread = table.mean(0), table.std(0) + 1e-3
    table = (table - centre) / spread
    chosen, rejected, p_chosen = _indices(train, rows)
    weights, held_out_weights = (_weights(p, settings) for p in (train, validation))
    head = new_head(table.shape[1], generator)
    optimiser = torch.optim.AdamW(
        head.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    best, best_weights = float("inf"), head.state_dict()
    for epoch in range(1, settings.n_epochs + 1):
        losses = []
        for batch in torch.randperm(len(train), generator=generator).split(settings.batch_size):
            kept = torch.rand(2, len(batch), table.shape[1], generator=generator)
            kept = (kept > settings.feature_dropout) / (1 - settings.feature_dropout)
            margin = head(table[chosen[batch]] * kept[0]) - head(table[rejected[batch]] * kept[1])
            loss = (weights[batch] * bradley_terry(margin[:, 0], p_chosen[batch])).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        held_out = _validation_loss(head, table, _indices(validation, rows), held_out_weights)
        if held_out < best:
            best, best_weights = held_out, copy.deepcopy(head.state_dict())
        log(epoch, {"loss": float(np.mean(losses)), "validation_loss": held_out})
    if not math.isfinite(best):
        raise NotConvergedError(
            f"no epoch of the reward model has a finite validation loss at learning rate "
            f"{settings.learning_rate:g}: lower it, or look for NaN among the features"
        )
    head.load_state_dict(best_weights)
    card = {"n_pairs": len(train), "validation_loss": best, "loss": "Bradley-Terry, soft labels"}
    return BradleyTerryReward(features, head.eval(), centre, spread, card)


def _indices(
    pairs: Sequence[PreferencePair], rows: Mapping[str, int]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    chosen = torch.tensor([rows[p.chosen] for p in pairs])
    rejected = torch.tensor([rows[p.rejected] for p in pairs])
    return chosen, rejected, torch.tensor([p.p_chosen for p in pairs])


def _weights(pairs: Sequence[PreferencePair], settings: RewardSettings) -> torch.Tensor:
    """What each pair counts, float32 `[pairs]`, 1 on average."""
    if not settings.by_weight:
        return torch.ones(len(pairs))
    weights = torch.tensor([p.weight for p in pairs])
    if not (weights.isfinite() & (weights >= 0)).all() or not weights.any():
        raise DataError("expected weights of pairs that are finite, 0 or above, not all 0")
    return weights / weights.mean()


@torch.no_grad()
def _validation_loss(
    head: torch.nn.Module,
    table: torch.Tensor,
    pairs: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    weights: torch.Tensor,
) -> float:
    chosen, rejected, p_chosen = pairs
    margin = (head(table[chosen]) - head(table[rejected]))[:, 0]
    return (weights * bradley_terry(margin, p_chosen)).mean().item()


def vote_accuracy(reward_margin: NDArray[np.float64], first_won: NDArray[np.bool_]) -> float:
    """Share of decisive votes whose winner has the higher reward; equal rewards count half."""
    right = np.where(first_won, reward_margin > 0, reward_margin < 0)
    return float(np.where(reward_margin == 0, 0.5, right).mean())
