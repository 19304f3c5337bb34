"""One trainer for every objective over codes: pairs, single clips and ranked lists.

    for each epoch, for each batch:
        gradient of the objective (`gradients`), summed over processes
        clip it, step, move the learning rate (and the reference, if it follows)
    now and then: evaluate, keep the best weights, write a checkpoint, stop if that is due

Everything random stems from `seed` and the number of the epoch or step, so that a run that goes on
from a checkpoint takes the very steps that it would have taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

from auralign.data.examples import Example
from auralign.errors import ConfigError
from auralign.losses import Need
from auralign.policies.layouts import codebook_weights
from auralign.policies.reference import PrecomputedReference, require_evaluation_mode
from auralign.training.batches import batches_in_epoch, batches_of, require_order
from auralign.training.checkpoints import (
    TrainingState,
    examples_hash,
    load_checkpoint,
    save_checkpoint,
)
from auralign.training.gradients import BatchGradient
from auralign.training.keeping import (
    Guard,
    Keeper,
    TrainResult,
    means_by_name,
    require_finite,
)
from auralign.training.measures import held_out_measures, sample_measures
from auralign.training.optimisation import (
    learning_rate,
    new_optimiser,
    random_numbers,
    set_learning_rate,
)
from auralign.training.processes import ALONE, Processes
from auralign.training.reference_updates import updated_reference
from auralign.training.scoring import (
    DTYPES,
    Reference,
    Scorer,
    TrainablePolicy,
    stored_reference,
)
from auralign.training.settings import REFERENCE_ALPHA, TrainerSettings
from auralign.training.tasks import Task, task_of
from auralign.types import Tokens

Log = Callable[[int, Mapping[str, float]], None]
Evaluate = Callable[[int], Mapping[str, float]]

N_SAMPLED_PROMPTS = 16
"""Prompts that an evaluation samples a clip of, to measure divergence, entropy and length."""


def train(
    policy: TrainablePolicy,
    reference: Reference | None,
    examples: Sequence[Example],
    settings: TrainerSettings,
    *,
    seed: int = 0,
    held_out: Sequence[Example] = (),
    folder: Path | None = None,
    log: Log = lambda step, values: None,
    evaluate: Evaluate | None = None,
    guard: Guard = lambda measures: None,
    keep: Literal["best", "last"] = "best",
    select_by: str = "held_out_accuracy",
    processes: Processes = ALONE,
) -> TrainResult:
    """Trains `policy` in place with the objective of the settings.

    reference   as in `policies.reference` and `policies.lora`; an objective that needs none may be
                given one, to see the drift from it, or None
    held_out    examples of the same kind, for the measures of `measures.held_out_measures`
    folder      where the reference's log-probabilities and checkpoints are kept; a run that finds
                its own checkpoint there goes on from it. None keeps nothing
    log         called after each update and each evaluation with the step and the measures
    evaluate    called instead of the built-in evaluation, with the step
    guard       told the measures of each evaluation; a text ends training, and says why
    keep        the weights of the best evaluation by `select_by`, where it is measured, or the last

    Raises ConfigError and DataError for what cannot be trained (`tasks.task_of`), for a reference
    in training mode or a missing one; NotConvergedError when the loss is not finite; RunStateError
    for a checkpoint of another run; StorageError when the disk refuses.
    """
    run = _Run(
        policy, reference, examples, settings, seed, held_out, folder, log, evaluate, guard, keep,
        select_by, processes,
    )  # fmt: skip
    step = 0
    for epoch in range(1, settings.n_epochs + 1):
        batches = batches_of(run.task, settings, run.generator("batches", epoch))
        for rows in batches:
            step += 1
            if step <= run.state.step or run.state.stopped:
                continue  # done before the checkpoint that this run goes on from
            run.update(step, rows)
            at_end = rows is batches[-1]
            every = settings.evaluate_every
            if at_end if every is None else (step % every == 0 or step == run.n_steps):
                run.evaluate_and_keep(step, epoch)
    return run.finish()


@dataclass(eq=False)
class _Run:
    """A training in progress; fields as the arguments of `train`."""

    policy: TrainablePolicy
    reference: Any
    examples: Sequence[Example]
    settings: TrainerSettings
    seed: int
    held_out: Sequence[Example]
    folder: Path | None
    log: Log
    evaluate: Evaluate | None
    guard: Guard
    keep: Literal["best", "last"]
    select_by: str
    processes: Processes
    state: TrainingState = field(default_factory=TrainingState)

    def __post_init__(self) -> None:
        settings = self.settings
        self.task = task_of(settings.objective, self.examples, settings.options)
        require_order(self.task, settings)
        tasks = [self.task]
        if self.held_out:
            tasks.append(task_of(settings.objective, self.held_out, settings.options))
        self._take_reference()
        self.key = self._key()
        for task in tasks:
            self._draw_once(task)
        known = self._known_reference(tasks)
        self.processes.shard(self.policy.model)
        self.parameters = [p for p in self.policy.model.parameters() if p.requires_grad]
        if not self.parameters:
            raise ConfigError("expected a policy with weights to train, and all of it is frozen")
        self.optimiser = new_optimiser(self.parameters, settings)
        score = self._scorer(known)
        self.gradient, *measured = [
            BatchGradient(task, score, self.processes, settings.anchor_weight) for task in tasks
        ]
        self.measured = measured[0] if measured else None
        self.n_steps = settings.n_epochs * batches_in_epoch(self.task, settings)
        self.since_evaluation: list[dict[str, float]] = []
        self.state.kept_weights = self.processes.state_dict(self.policy.model)
        self.keeper = Keeper(
            self.policy.model, self.state, self.processes, self.guard, self.keep, self.select_by,
            self.settings.patience,
        )  # fmt: skip
        self._resume()

    @property
    def frames_per_pass(self) -> int:
        return self.settings.frames_per_pass_on(next(self.policy.model.parameters()).device.type)

    def generator(self, purpose: str, number: int) -> torch.Generator:
        return random_numbers(self.seed, purpose, number)

    def update(self, step: int, rows: Sequence[int]) -> None:
        """One step of the optimiser on these rows."""
        if self.reference is not None:
            require_evaluation_mode(self.reference)
        self.policy.model.train()
        set_learning_rate(self.optimiser, learning_rate(step, self.n_steps, self.settings))
        self._draw_own(step, rows)
        self.optimiser.zero_grad()
        shown = self.gradient.backward(rows)
        of_prompts = [self.task.prompts[i] for i in rows]
        require_finite(shown["loss"], "loss", step, of_prompts)
        self.processes.sum_gradients(self.parameters)
        norm = self.processes.clip_gradients(self.parameters, self.settings.max_grad_norm)
        require_finite(norm, "gradient", step, of_prompts)
        self.optimiser.step()
        self._move_reference(step)
        self.state.step = step
        self.since_evaluation.append(shown)
        rate = self.optimiser.param_groups[0]["lr"]
        self.log(step, {**shown, "gradient_norm": norm, "learning_rate": rate})

    def evaluate_and_keep(self, step: int, epoch: int) -> None:
        """Measures, keeps the weights where they are the best so far, and says when to stop."""
        self.policy.model.eval()
        found = {k: float(v) for k, v in (self.evaluate or self._evaluate)(step).items()}
        means = means_by_name(self.since_evaluation)
        self.since_evaluation = []
        self.keeper.take({"step": step, "epoch": epoch, **means, **found})
        self.log(step, {"epoch": epoch, **found})
        self._save()

    def finish(self) -> TrainResult:
        """The policy gets the kept weights; the reference must be what it was."""
        result = self.keeper.finish()
        fixed = self.reference is not None and self.settings.reference_every is None
        if fixed and self.reference.weights_hash() != self.key["reference"]:
            raise ConfigError(
                "expected a reference that training leaves alone, but its weights have changed: "
                "give a frozen copy, which shares nothing with the policy"
            )
        return result

    def _take_reference(self) -> None:
        """The reference: none, the one given, or a copy of it that moves."""
        if self.reference is None:
            if Need.REFERENCE in self.task.needs or self.settings.reference_every is not None:
                raise ConfigError(
                    f"objective '{self.task.name}' compares with a reference and got none: give a "
                    "frozen copy of the policy"
                )
            return
        require_evaluation_mode(self.reference)
        if self.settings.reference_every is None:
            return
        if not hasattr(self.reference, "frozen_copy"):
            raise ConfigError(
                "expected a reference with weights of its own where it follows the policy "
                "(`reference_every`), got stored numbers or an adapter: use a frozen copy"
            )
        self.reference = self.reference.frozen_copy()

    def _key(self) -> dict[str, str]:
        """What this training is of, in the words of the error when a checkpoint is of another."""
        return {
            "policy": self.policy.weights_hash(),
            "layout": getattr(self.policy, "layout", "none"),
            "reference": self.reference.weights_hash() if self.reference is not None else "none",
            "settings": self.settings.model_dump_json(),
            "seed": str(self.seed),
            "examples": examples_hash(self.examples),
            "held-out examples": examples_hash(self.held_out),
        }

    def _draw_once(self, task: Task) -> None:
        """One clip of the reference, and of the policy, for each example, where they are needed."""
        if Need.FROM_REFERENCE in task.needs:
            generator = self.generator("from reference", len(task.examples))
            rollout = self.reference.sample(task.prompts, 1, generator=generator)
            task.drawn[Need.FROM_REFERENCE] = rollout.tokens
        if Need.OWN in task.needs:
            generator = self.generator("own", 0)
            task.drawn[Need.OWN] = self.policy.sample(task.prompts, 1, generator=generator).tokens

    def _draw_own(self, step: int, rows: Sequence[int]) -> None:
        """A fresh clip of the policy for each of these rows, where the objective asks for them."""
        if Need.OWN not in self.task.needs:
            return
        prompts = [self.task.prompts[i] for i in rows]
        with self.processes.whole(self.policy.model):
            rollout = self.policy.sample(prompts, 1, generator=self.generator("own", step))
        own: list[Tokens] = list(self.task.drawn[Need.OWN])
        for row, clip in zip(rows, rollout.tokens, strict=True):
            own[row] = clip
        self.task.drawn[Need.OWN] = own

    def _known_reference(self, tasks: Sequence[Task]) -> Reference | None:
        """Stored log-probabilities, unless what is asked of the reference changes."""
        changes = {Need.OWN, Need.TOKEN_KL} & self.task.needs or self.settings.reference_every
        if changes or self.reference is None or isinstance(self.reference, PrecomputedReference):
            known: Reference | None = self.reference
            return known
        return stored_reference(
            self.reference,
            [a for t in tasks for i in range(len(t.examples)) for a in t.asked(i).values()],
            self.folder / "reference.safetensors" if self.folder else None,
            self.processes,
            precision=self.settings.precision,
            frames_per_pass=self.frames_per_pass,
        )

    def _scorer(self, reference: Reference | None) -> Scorer:
        weights = None
        if self.settings.codebook_weights != "sum":
            shape = self.task.asked(0).popitem()[1].clip.shape
            weights = codebook_weights(self.settings.codebook_weights, shape[0])
        return Scorer(
            self.policy,
            reference,
            self.task.needs,
            weights,
            None if self.processes.sharded else self.frames_per_pass,
            DTYPES[self.settings.precision],
        )

    def _move_reference(self, step: int) -> None:
        every = self.settings.reference_every
        if every is None or step % every:
            return
        moved = updated_reference(
            self.reference.model.state_dict(),
            self.processes.state_dict(self.policy.model),
            step=step,
            every=every,
            alpha=self.settings.reference_alpha or REFERENCE_ALPHA,
        )
        self.reference.model.load_state_dict(moved)

    def _evaluate(self, step: int) -> dict[str, float]:
        """Held-out measures, and those of clips that the policy samples now."""
        found = held_out_measures(self.measured) if self.measured else {}
        examples = self.held_out or self.examples
        prompts = list(dict.fromkeys(e.prompt for e in examples))[:N_SAMPLED_PROMPTS]
        stored = isinstance(self.reference, PrecomputedReference)
        with self.processes.whole(self.policy.model):
            return found | sample_measures(
                self.policy,
                None if stored else self.reference,
                prompts,
                generator=self.generator("samples", 0),
                frames_per_pass=self.frames_per_pass,
            )

    def _save(self) -> None:
        if self.folder is None:
            return
        weights = self.processes.state_dict(self.policy.model)
        optimiser = self.processes.optimiser_state(self.policy.model, self.optimiser)
        moving = self.settings.reference_every is not None
        if self.processes.is_first:
            save_checkpoint(
                self.folder / "checkpoint.pt",
                self.key,
                self.state,
                weights=weights,
                optimiser=optimiser,
                task=self.task.state(),
                reference=self.reference.model.state_dict() if moving else None,
            )

    def _resume(self) -> None:
        stored = self.folder and load_checkpoint(self.folder / "checkpoint.pt", self.key)
        if not stored:
            return
        self.state = self.keeper.state = stored["state"]
        self.processes.load_state_dict(self.policy.model, stored["weights"])
        self.processes.load_optimiser(self.policy.model, self.optimiser, stored["optimiser"])
        self.task.restore(stored["task"])
        if stored["reference"] is not None:
            self.reference.model.load_state_dict(stored["reference"])
