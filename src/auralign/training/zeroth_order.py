"""Comparison-oracle steps (ComPO): try directions, keep those where chosen rises, rejected falls.

For noisy pairs, whose two clips are so alike that a gradient step would lower both. arXiv
2505.05465 and the authors' code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from auralign.errors import ConfigError


class ZerothOrderStep(NamedTuple):
    """Weights `[parameters]` after the step, and the share of directions that were better."""

    weights: Tensor
    success_share: float


def noisy_pairs(margin: Tensor, *, band: float = 3.0, signed: bool = False) -> Tensor:
    """Which pairs are too close to call: bool `[pairs]`.

    margin   log p(chosen) - log p(rejected), nats: of the reference in the paper, of the policy in
             the authors' code
    band     3
    signed   only pairs that are ordered right already, 0 < margin < band (the code), instead of
             all within the band on both sides (the paper)
    """
    return (margin > 0) & (margin < band) if signed else margin.abs() <= band


def improves(
    chosen_before: Tensor, rejected_before: Tensor, chosen_after: Tensor, rejected_after: Tensor
) -> bool:
    """The oracle: on some pair chosen has risen and rejected has fallen; `[pairs]` each.

    A margin that grew with both falling, or both rising, is no improvement.
    """
    return bool(((chosen_after > chosen_before) & (rejected_after < rejected_before)).any())


def zeroth_order_step(
    weights: Tensor,
    better: Callable[[Tensor], bool],
    *,
    generator: torch.Generator,
    step_size: float,
    n_directions: int = 1600,
    radius: float = 5e-4,
    threshold: float = 8e-5,
    min_success: float = 0.2,
) -> ZerothOrderStep:
    """One step along the directions that `better` finds better, out of random ones.

    weights        `[parameters]`, such as those of one output layer
    better         told weights `[parameters]`, whether they improve on `weights`
    step_size      of a step when all directions succeed; multiplied by the share that does
    n_directions   1600, normal draws, each tried at distance `radius` (5e-4)
    threshold      entries of the unit direction below it stay put, 8e-5 (constants of the authors'
                   Llama and Gemma runs)
    min_success    no step below this share of better directions, 0.2

    Costs one evaluation for each direction. Raises ConfigError unless n_directions >= 1.
    """
    if n_directions < 1:
        raise ConfigError(f"expected at least 1 direction, got {n_directions}")
    towards = torch.zeros_like(weights)
    n_better = 0
    for _ in range(n_directions):
        z = torch.randn(weights.shape, generator=generator, device=generator.device).to(weights)
        found = better(weights + radius * z)
        n_better += found
        towards = towards + z if found else towards - z
    share = n_better / n_directions
    if share < min_success:
        return ZerothOrderStep(weights, share)
    return ZerothOrderStep(weights + step_size * share * sparse_unit(towards, threshold), share)


def sparse_unit(towards: Tensor, threshold: float) -> Tensor:
    """The direction at length 1, entries smaller than `threshold` set to 0; zero stays zero."""
    unit = towards / towards.norm().clamp(min=torch.finfo(towards.dtype).tiny)
    return torch.where(unit.abs() < threshold, 0.0, unit)
