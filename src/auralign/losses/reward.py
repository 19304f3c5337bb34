"""Objectives of reward models."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import logsigmoid


def bradley_terry(margin: Tensor, p_chosen: Tensor) -> Tensor:
    """Cross-entropy of the Bradley-Terry model, soft labels, `[pairs]` (arXiv 2203.02155, eq. 1).

    margin     reward of chosen minus reward of rejected, in logits
    p_chosen   share of votes for chosen, ties counted half; 1 gives the usual hard-label loss
    """
    return -p_chosen * logsigmoid(margin) - (1 - p_chosen) * logsigmoid(-margin)
