"""Random batches of clips of similar length, so that little padding is computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

POOL = 8
"""Batches that are drawn together and sorted by length; more of them pad less and mix less."""


def similar_length_batches(
    lengths: Sequence[int], batch_size: int, generator: torch.Generator
) -> Iterator[list[int]]:
    """Every index once: shuffled, sorted by length within pools, the pool's batches shuffled."""
    for pool in torch.randperm(len(lengths), generator=generator).split(POOL * batch_size):
        rows = sorted(pool.tolist(), key=lambda i: lengths[i])
        batches = [rows[i : i + batch_size] for i in range(0, len(rows), batch_size)]
        for b in torch.randperm(len(batches), generator=generator).tolist():
            yield batches[b]
