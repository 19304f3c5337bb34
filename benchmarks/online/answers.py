"""Who says how good a code is: tables of rewards, judges who may be wrong, and rivals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from auralign.losses.online.preferences import geometric_mixture
from auralign.training.online import Samples, by_reward
from auralign.training.online.samples import Assess, Judge, Rivals, Values
from auralign.types import Prompt
from benchmarks.online.table import TablePolicy, evenly, evenly_drawn


def codes_of(clips: Sequence[Any]) -> NDArray[np.int64]:
    return np.array([clip[0, 0] for clip in clips])


def rewards(table: NDArray[np.float64]) -> Assess:
    """What a table says of each code: `[codes]` or `[codes, rewards]`."""
    return by_reward(lambda prompts, clips: table[codes_of(clips)])


def judge(table: NDArray[np.float64]) -> Judge:
    """P(first is preferred), from `[codes, codes]`."""
    return lambda prompts, first, second: table[codes_of(first), codes_of(second)]


def within(kinds: NDArray[np.int64], generator: torch.Generator) -> NDArray[np.float64]:
    """Numbers of 0 to 1, spread evenly over the rows of each kind: answers add next to no noise."""
    drawn = np.empty(len(kinds))
    for kind in np.unique(kinds):
        rows = np.flatnonzero(kinds == kind)
        drawn[rows] = evenly(len(rows), generator)
    return drawn


def thumbs(chances: NDArray[np.float64]) -> Assess:
    """1 or 0 for each clip, drawn with the chance of its code."""

    def assess(samples: Samples, generator: torch.Generator) -> Values:
        codes = codes_of(samples.clips)
        return (within(codes, generator) < chances[codes]).astype(np.float64)

    return assess


def labels(table: NDArray[np.float64]) -> Assess:
    """1 for the clip of each two that a judge prefers, drawn with its probability; 0 for the other.

    Clips of a group stand beside each other.
    """

    def assess(samples: Samples, generator: torch.Generator) -> Values:
        codes = codes_of(samples.clips).reshape(-1, 2)
        drawn = within(len(table) * codes[:, 0] + codes[:, 1], generator)
        first = drawn < table[codes[:, 0], codes[:, 1]]
        return np.stack([first, ~first], 1).ravel().astype(np.float64)

    return assess


def mixture(policy: TablePolicy, reference: TablePolicy, weight: float) -> Rivals:
    """Codes of the geometric mixture of two tables."""

    def rivals(prompts: Sequence[Prompt], generator: torch.Generator) -> list[Any]:
        mixed = geometric_mixture(policy.model.logits, reference.model.logits, weight)
        probabilities = mixed.detach().double().exp().numpy()
        return evenly_drawn(probabilities, len(prompts), generator)

    return rivals
