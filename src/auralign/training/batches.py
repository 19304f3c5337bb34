"""Orders of training: which examples make a batch, and when."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch

from auralign.errors import ConfigError
from auralign.training.settings import TrainerSettings
from auralign.training.tasks import Task

POOL = 8
"""Batches that are drawn together and sorted by length; more of them pad less and mix less."""


def batches_of(
    task: Task, settings: TrainerSettings, generator: torch.Generator
) -> list[list[int]]:
    """The batches of an epoch: every row once, rows of one group together, in a random order."""
    groups = task.groups()
    batches = [
        [rows[i] for i in batch]
        for rows in groups
        for batch in _ordered(task, rows, settings, generator)
    ]
    if len(groups) == 1:
        return batches
    return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]


def require_order(task: Task, settings: TrainerSettings) -> None:
    """Raise ConfigError for `easiest_first` where the examples do not say which are easier."""
    if settings.order != "easiest_first":
        return
    gaps = [task.gap(row) for row in range(len(task.examples))]
    if None in gaps:
        row = gaps.index(None)
        problem = f"example {row} (prompt '{task.prompts[row].id}') has neither"
    elif len(set(gaps)) == 1:
        problem = f"all {len(gaps)} have the gap {gaps[0]:g}"
    else:
        return
    raise ConfigError(
        "order: 'easiest_first' expects scores or votes that tell the examples apart, but "
        f"{problem}: add them, or choose 'random' or 'similar_length'"
    )


def batches_in_epoch(task: Task, settings: TrainerSettings) -> int:
    """How many batches `batches_of` makes."""
    return sum(math.ceil(len(rows) / settings.batch_size) for rows in task.groups())


def _ordered(
    task: Task, rows: Sequence[int], settings: TrainerSettings, generator: torch.Generator
) -> Iterator[list[int]]:
    """Batches of places in `rows`."""
    size = settings.batch_size
    if settings.order == "similar_length":
        longest = [max(a.n_frames for a in task.asked(row).values()) for row in rows]
        yield from similar_length_batches(longest, size, generator)
        return
    order = torch.randperm(len(rows), generator=generator).tolist()
    if settings.order == "easiest_first":
        order.sort(key=lambda i: -(task.gap(rows[i]) or 0.0))
    for start in range(0, len(order), size):
        yield order[start : start + size]


def similar_length_batches(
    lengths: Sequence[int], batch_size: int, generator: torch.Generator
) -> Iterator[list[int]]:
    """Every index once: shuffled, sorted by length within pools, the pool's batches shuffled."""
    for pool in torch.randperm(len(lengths), generator=generator).split(POOL * batch_size):
        rows = sorted(pool.tolist(), key=lambda i: lengths[i])
        batches = [rows[i : i + batch_size] for i in range(0, len(rows), batch_size)]
        for b in torch.randperm(len(batches), generator=generator).tolist():
            yield batches[b]
