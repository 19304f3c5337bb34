"""A look at what an objective would do with examples, before anything is computed or written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from auralign.data.examples import named_clips
from auralign.errors import ConfigError
from auralign.losses import Clips, Need
from auralign.training.tasks import Task
from auralign.types import Tokens

_WRONG = (TypeError, ValueError, ArithmeticError, RuntimeError)
"""What Python and torch raise for an option that is no number, or one that does not fit."""


def rehearse(task: Task) -> None:
    """The objective on all examples, as if policy and reference found every clip equally likely.

    Raises ConfigError for options that give no finite value, and what the objective itself raises
    for options out of range and for scores that it cannot take; rows are then those of the task.
    """
    for rows in task.groups():
        clips = dict.fromkeys(_roles(task, rows[0]), _alike(len(rows)))
        try:
            finite = bool(task.loss(task.batch(rows, clips)).values.isfinite().all())
        except _WRONG:
            finite = False
        if not finite:
            raise ConfigError(
                f"options: expected some with which '{task.name}' has a finite value, got "
                f"{dict(task.options)}: see `auralign align --explain {task.name}`"
            )


def _alike(n: int) -> Clips:
    """Clips of one code, all of the same log-probability."""
    ones = torch.ones(n)
    code = ones[:, None, None]
    return Clips(
        -ones,
        ones,
        -ones,
        token_logps=-code,
        reference_tokens=-code,
        scored=code > 0,
        token_weights=code,
        kl_weights=code,
        token_kl=0 * code,
        log_collision=-code,
    )


def _roles(task: Task, row: int) -> Sequence[str]:
    """Of the clips of an example; those that are still to be drawn stand for themselves."""
    clip = named_clips(task.examples[row])[0][1]
    drawn: dict[Need, Sequence[Tokens]] = dict.fromkeys(
        (Need.OWN, Need.FROM_REFERENCE), [clip] * len(task.examples)
    )
    return list(replace(task, drawn=drawn).asked(row))
