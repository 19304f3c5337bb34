"""What is kept of a training: the best weights so far, and the reason why it ends early."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from torch import Tensor

from auralign.errors import NotConvergedError
from auralign.training.checkpoints import TrainingState
from auralign.training.processes import Processes
from auralign.types import Prompt

Guard = Callable[[Mapping[str, float]], str | None]
"""Told the measures of each evaluation; a text ends training, and says why."""


@dataclass(frozen=True, eq=False)
class TrainResult:
    """What training has done; the policy holds the kept weights.

    n_steps       updates that were made
    kept_step     the update after which the kept weights stood
    stopped       why it ended early, or None
    evaluations   measures of each evaluation: means over the updates since the last one, and what
                  the evaluation found
    weights       the kept ones, on the CPU
    """

    n_steps: int
    kept_step: int
    stopped: str | None
    evaluations: tuple[dict[str, float], ...]
    weights: dict[str, Tensor]


@dataclass(eq=False)
class Keeper:
    """Takes the measures of each evaluation into `state`, and the weights where they are the best.

    keep        the weights of the best evaluation by `select_by`, where it is measured, or the last
    patience    evaluations without a better one after which training ends; None goes on
    """

    model: Any
    state: TrainingState
    processes: Processes
    guard: Guard
    keep: Literal["best", "last"]
    select_by: str
    patience: int | None

    def take(self, measures: dict[str, float]) -> None:
        """An evaluation; `state.stopped` says afterwards whether training is to end."""
        state, latest = self.state, measures.get(self.select_by, -math.inf)
        best = max((e.get(self.select_by, -math.inf) for e in state.evaluations), default=-math.inf)
        state.evaluations.append(measures)
        state.stopped = self.guard(measures)
        if state.stopped is None and (self.keep == "last" or latest >= best):
            state.kept_step = int(measures["step"])
            state.kept_weights = self.processes.state_dict(self.model)
        state.n_worse = 0 if latest > best else state.n_worse + 1
        if self.patience is not None and state.n_worse >= self.patience and state.stopped is None:
            state.stopped = f"{self.select_by} has not risen for {self.patience} evaluations"

    def finish(self) -> TrainResult:
        """The model gets the kept weights."""
        state = self.state
        self.processes.load_state_dict(self.model, state.kept_weights)
        self.model.eval()
        return TrainResult(
            state.step, state.kept_step, state.stopped, tuple(state.evaluations), state.kept_weights
        )


def means_by_name(measured: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each measure over those that have it."""
    names = dict.fromkeys(name for values in measured for name in values)
    return {n: float(np.mean([m[n] for m in measured if n in m])) for n in names}


def require_finite(value: float, what: str, step: int, prompts: Sequence[Prompt]) -> None:
    """NotConvergedError for a loss or a gradient that is no number."""
    if math.isfinite(value):
        return
    names = ", ".join(sorted({prompt.id for prompt in prompts})[:5])
    raise NotConvergedError(
        f"the {what} of step {step} is {value} (prompts {names}): lower the learning rate, or look "
        "at these examples"
    )
