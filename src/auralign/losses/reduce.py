"""From log-probabilities of codes to one number for each clip; the reduction is always named."""

from __future__ import annotations

import torch
from torch import Tensor


def sum_scored(token_logps: Tensor, scored: Tensor) -> Tensor:
    """Sum over the scored codes: float and bool `[batch, codebook, time]` -> `[batch]`, nats.

    A NaN or an infinity at a place that is not scored reaches neither the value nor the gradient.
    """
    return torch.where(scored, token_logps, 0.0).sum((-2, -1))


def mean_scored(token_logps: Tensor, scored: Tensor) -> Tensor:
    """Mean over the scored codes of each clip, `[batch]`, nats a code; at least one is scored."""
    return sum_scored(token_logps, scored) / scored.sum((-2, -1))
