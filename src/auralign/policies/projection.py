"""From hidden states to log-probabilities of what was drawn, in chunks where a table is too large.

A language model over codes spends much of its memory on logits `[places, vocabulary]`, of which one
entry a place is wanted.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

CHUNK = 2**24
"""Logits that are held at once (64 MiB of float32)."""


def projected_logps(hidden: Tensor, weight: Tensor, drawn: Tensor, *, chunk: int = CHUNK) -> Tensor:
    """log softmax(hidden weight^T) at what was drawn, `[places]`, in float32 or better.

    hidden   `[places, width]`, float
    weight   `[vocabulary, width]`, of the output layer
    drawn    int64 `[places]`
    chunk    logits that are held at once; more are computed in parts, and again for the gradient
    """

    def logps_of(hidden: Tensor, drawn: Tensor) -> Tensor:
        logits = hidden @ weight.T
        wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
        return -cross_entropy(wide, drawn, reduction="none")

    rows = max(1, chunk // len(weight))
    if len(hidden) <= rows:
        return logps_of(hidden, drawn)
    parts = zip(hidden.split(rows), drawn.split(rows), strict=True)
    return torch.cat([checkpoint(logps_of, *part, use_reentrant=False) for part in parts])
