"""The gradient of one update: the same whether a batch is computed at once, in parts, or shared.

An objective whose values belong to single rows is computed part by part, and gradients add up. One
that compares the rows of a batch sees all of them: their log-probabilities are computed first, and
its slopes at them are then sent through the model part by part (the gradient of the whole batch at
the memory of a part; arXiv 2101.06983 does so for contrastive losses).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from auralign.errors import ConfigError
from auralign.losses import Clips
from auralign.policies.layouts import length_groups
from auralign.training.processes import ALONE, Processes
from auralign.training.scoring import Asked, Scorer, concatenate, take
from auralign.training.tasks import Batch, Task


@dataclass(frozen=True, slots=True)
class Part:
    """Rows that go through the model together; they may be there only to keep others company."""

    rows: list[int]
    counts: bool = True


@dataclass(frozen=True, eq=False)
class BatchGradient:
    """Computes the gradient of batches of a task.

    anchor_weight   of nats a code of what was preferred, added to the objective
    """

    task: Task
    score: Scorer
    processes: Processes = ALONE
    anchor_weight: float = 0.0

    def __post_init__(self) -> None:
        scope, name = self.task.objective.scope, self.task.name
        if scope == "mixed" and len(set(self.task.weights.tolist())) > 1:
            raise ConfigError(
                f"objective '{name}' compares the examples of a batch with one another and takes "
                "no weights, but those of the examples differ: leave them out, or choose another"
            )
        if scope == "mixed" and self.anchor_weight:
            raise ConfigError(
                f"objective '{name}' has no values of single examples that an anchor could be "
                "added to: leave out the anchor, or choose another objective"
            )

    def backward(self, rows: Sequence[int]) -> dict[str, float]:
        """Adds the gradient of the batch's mean loss; that loss, and means of what it showed.

        Rows are those of the whole batch, in every process.
        """
        parts = self._parts(rows)
        by = self._by_row if self.task.objective.scope == "row" else self._by_batch
        totals = self.processes.sums(by(rows, parts))
        loss = totals.pop("loss")
        return {"loss": loss, **{name: value / len(rows) for name, value in totals.items()}}

    @torch.no_grad()
    def shown(self, rows: Sequence[int]) -> tuple[Batch, float]:
        """The batch of these rows, which share a group, and its mean loss; no gradient."""
        frames = [sum(a.n_frames for a in self.task.asked(row).values()) for row in rows]
        groups = length_groups(frames, self.score.frames_per_pass)
        parts = [[rows[i] for i in group] for group in groups]
        clips = _in_order([(part, self._scored(part)) for part in parts], rows)
        batch = self.task.batch(rows, clips)
        weight = self._whole_weight(rows) if self.task.objective.scope == "row" else 1.0
        return batch, self._loss(batch, rows)[0].item() / weight

    def _whole_weight(self, rows: Sequence[int]) -> float:
        """What a batch is divided by: its size at the mean weight of all examples.

        Divided by its own weight, a batch of one would be pulled alike by any weight.
        """
        return len(rows) * float(self.task.weights.mean())

    def _parts(self, rows: Sequence[int]) -> list[Part]:
        """This process's rows in parts that go through the model together."""
        own = self.processes.share(rows)
        frames = [sum(a.n_frames for a in self.task.asked(row).values()) for row in own]
        groups = length_groups(frames, self.score.frames_per_pass) if own else ()
        parts = [Part([own[i] for i in group]) for group in groups]
        if self.processes.sharded:
            # Every process has to call the model as often as the others do.
            most = max(self.processes.gather(len(parts)))
            parts += [Part([rows[0]], counts=False)] * (most - len(parts))
        return parts

    def _by_row(self, rows: Sequence[int], parts: Sequence[Part]) -> dict[str, float]:
        total_weight = self._whole_weight(rows)
        sums = {"loss": 0.0}
        for part in parts:
            batch = self.task.batch(part.rows, self._scored(part.rows))
            loss, found = self._loss(batch, part.rows)
            loss = loss * (part.counts / total_weight)
            loss.backward()
            for name, value in {"loss": loss.item(), **found}.items() if part.counts else ():
                sums[name] = sums.get(name, 0.0) + value
        return sums

    def _by_batch(self, rows: Sequence[int], parts: Sequence[Part]) -> dict[str, float]:
        if len(parts) == 1 and self.processes.count == 1:
            clips = _in_order([(parts[0].rows, self._scored(parts[0].rows))], rows)
            loss, found = self._loss(self.task.observed(self.task.batch(rows, clips)), rows)
            loss.backward()
            return {"loss": loss.item(), **found}
        with torch.no_grad():
            own = [(part.rows, _sums(self._scored(part.rows))) for part in parts]
        everybodys = [part for of_process in self.processes.gather(own) for part in of_process]
        leaves = _in_order(everybodys, rows)
        for leaf in leaves.values():
            leaf.logp.requires_grad_()
        loss, found = self._loss(self.task.observed(self.task.batch(rows, leaves)), rows)
        loss.backward()
        for part in parts:
            self._send_back(part, leaves, rows)
        return {"loss": loss.item(), **found} if self.processes.is_first else {"loss": 0.0}

    def _send_back(self, part: Part, leaves: Mapping[str, Clips], rows: Sequence[int]) -> None:
        """Sends the slopes at the log-probabilities of a part through the model."""
        at = torch.tensor([rows.index(row) for row in part.rows])
        slopes = {role: c.logp.grad for role, c in leaves.items() if c.logp.grad is not None}
        scored = self._scored(part.rows)
        logps = [scored[role].logp for role in slopes]
        there = [part.counts * slope[at].to(logps[0]) for slope in slopes.values()]
        torch.autograd.backward(logps, there)

    def _scored(self, rows: Sequence[int]) -> dict[str, Clips]:
        """Clips by role, from one call of the scorer."""
        asked = [self.task.asked(row) for row in rows]
        roles = list(asked[0])
        flat: list[Asked] = [of_row[role] for role in roles for of_row in asked]
        scored, n = self.score(flat), len(rows)
        return {role: take(scored, slice(i * n, (i + 1) * n)) for i, role in enumerate(roles)}

    def _loss(self, batch: Batch, rows: Sequence[int]) -> tuple[Tensor, dict[str, float]]:
        """The loss, weighted and summed (for `row`) or its mean, and sums of what it showed."""
        scope = self.task.objective.scope
        values, diagnostics = self.task.loss(batch)
        if self.anchor_weight:
            values = values + self.anchor_weight * self.task.anchor(batch)
        if scope == "mixed":
            loss = values.mean()
        else:
            weights = torch.from_numpy(self.task.weights[list(rows)]).to(values)
            loss = (weights * values).sum() / (self._whole_weight(rows) if scope == "batch" else 1)
        shown = {**_margin(diagnostics), **diagnostics, **self.task.measures(batch)}
        share = len(rows)  # means times rows, as an objective may show fewer values than rows
        return loss, {name: share * value.float().mean().item() for name, value in shown.items()}


def _margin(diagnostics: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The margin of the rewards that the objective itself compares."""
    names = ("chosen_reward", "rejected_reward")
    if not all(name in diagnostics for name in names):
        return {}
    return {"margin": diagnostics[names[0]] - diagnostics[names[1]]}


def _sums(scored: Mapping[str, Clips]) -> dict[str, Clips]:
    """What an objective over batches sees of clips, on the CPU."""
    return {
        role: Clips(
            clips.logp.cpu(),
            clips.n_codes.cpu(),
            None if clips.reference_logp is None else clips.reference_logp.cpu(),
        )
        for role, clips in scored.items()
    }


def _in_order(
    parts: Sequence[tuple[Sequence[int], Mapping[str, Clips]]], rows: Sequence[int]
) -> dict[str, Clips]:
    """Clips by role in the order of `rows`, each row from the first part that has it."""
    place: dict[int, int] = {}
    for i, row in enumerate(row for part, _ in parts for row in part):
        place.setdefault(row, i)
    order = torch.tensor([place[row] for row in rows])
    roles = parts[0][1]
    return {role: take(concatenate([found[role] for _, found in parts]), order) for role in roles}
