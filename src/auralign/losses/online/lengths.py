"""Rewards for keeping within the length that a run allows."""

from __future__ import annotations

from torch import Tensor

from auralign.errors import ConfigError


def overlong_penalty(n_frames: Tensor, *, longest: int, buffer: int) -> Tensor:
    """DAPO's soft penalty, added to the reward: `[clips]`, from 0 down to -1.

    n_frames   `[clips]`
    longest    frames that the run allows; -1 beyond
    buffer     frames before it in which the penalty grows as a straight line; above 0, at most
               `longest`. 4,096 of 20,480 in the paper

    Source: arXiv 2503.14476, eq. 13
    """
    if not 0 < buffer <= longest:
        raise ConfigError(f"expected a buffer of 1 to {longest} frames, got {buffer}")
    return -((n_frames - (longest - buffer)) / buffer).clamp(0, 1)
