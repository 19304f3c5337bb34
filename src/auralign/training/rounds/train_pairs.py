"""The training step of a round: the trainer, on pairs, with or without a guard."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from auralign.data.examples import TokenPair
from auralign.training.guard.probe import Probe
from auralign.training.guard.watch import Guard
from auralign.training.rounds.context import RoundContext, Train
from auralign.training.settings import TrainerSettings
from auralign.training.trainer import train

Watch = Callable[[Mapping[str, float]], str | None]
"""Told the measures of each evaluation; a text ends training, and says why."""


def train_on_pairs(
    settings: TrainerSettings, *, guard: Callable[[RoundContext], Watch] | None = None
) -> Train:
    """Any objective over pairs; the last weights are kept, or those before a guard's alarm.

    guard   makes the guard of a round, such as `guarded_by`

    A training that was stopped goes on from its own checkpoint.
    """

    def step(examples: Sequence[TokenPair], context: RoundContext) -> Mapping[str, float]:
        folder = context.folder / "training"
        result = train(
            context.policy,
            context.reference,
            examples,
            settings,
            seed=context.seed_of("batches"),
            folder=folder,
            guard=guard(context) if guard else lambda measures: None,
            keep="last",
        )
        shutil.rmtree(folder, ignore_errors=True)  # the weights of the round are kept elsewhere
        return result.evaluations[-1] if result.evaluations else {}

    return step


def guarded_by(probe: Probe, **options: Any) -> Callable[[RoundContext], Watch]:
    """A guard for each round that knows how the policy sounded before round 1.

    options   of `Guard.learn`, such as `kl_budget` [nats a clip]

    What it sees stands in the folder of the round. Clips that show an alarm's fault are in
    hacked.jsonl there, and the next round is trained on them as rejected ones.
    """

    def guard(context: RoundContext) -> Watch:
        learnt = Guard.learn(
            context.first, probe, reference=context.first, folder=context.folder, **options
        )
        return dataclasses.replace(learnt, policy=context.policy)

    return guard
