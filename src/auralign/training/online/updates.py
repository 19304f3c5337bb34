"""The gradient of one update: of some groups of a round, in parts that fit into a pass.

Log-probabilities are computed part by part. An objective whose values belong to single clips sends
its gradient through the model at once; one that compares clips sees those of all parts first, and
the slopes at them are then sent through the model part by part, as in `training.gradients`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from auralign.errors import DataError
from auralign.losses.batch import Loss
from auralign.losses.online import OnlineObjective, Rollouts, take
from auralign.losses.online.diagnostics import rollout_measures
from auralign.losses.online.kl import in_loss
from auralign.losses.online.ratios import require_replayable
from auralign.losses.online.reductions import clip_sum
from auralign.policies.layouts import length_groups
from auralign.training.online.critic import Critic
from auralign.training.online.experience import Experience, values_of
from auralign.training.online.settings import KLSettings
from auralign.training.processes import Processes
from auralign.training.scoring import Asked, Scorer


@dataclass(frozen=True, eq=False)
class RolloutGradient:
    """Of an objective over rollouts.

    score    of the policy alone: what the reference said is in the rollouts
    kl       in the loss, or None
    """

    objective: OnlineObjective
    options: Mapping[str, Any]
    score: Scorer
    critic: Critic | None
    kl: KLSettings | None
    processes: Processes

    def backward(
        self, experience: Experience, rows: Sequence[int], *, fresh: bool = False
    ) -> dict[str, float]:
        """Adds the gradient of the mean loss over these clips; that loss, and what it showed.

        Rows are those of the whole update, in every process. Clips that are `fresh` must be as
        likely as when they were sampled (`ratios.require_replayable`).
        """
        own = self.processes.share(rows) if self.objective.scope == "row" else list(rows)
        lengths = [experience.samples.clips[i].shape[1] for i in own]
        parts = list(length_groups(lengths, self.score.frames_per_pass)) if own else []
        parts = [[own[i] for i in part] for part in parts]
        by = self._by_clip if self.objective.scope == "row" else self._by_group
        return self.processes.sums(by(experience, parts, len(rows), fresh))

    def _by_clip(
        self, experience: Experience, parts: Sequence[list[int]], n: int, fresh: bool
    ) -> dict[str, float]:
        sums: dict[str, float] = {"loss": 0.0}
        for rows in parts:
            part = self._part(experience, rows)
            if fresh:
                require_replayable(part)
            values, shown = self._loss(part)
            loss = values.sum() / n
            loss.backward()
            shown |= {k: v.sum().item() / n for k, v in rollout_measures(part).items()}
            for name, value in {"loss": loss.item(), **shown}.items():
                sums[name] = sums.get(name, 0.0) + value
        return sums

    def _by_group(
        self, experience: Experience, parts: Sequence[list[int]], n: int, fresh: bool
    ) -> dict[str, float]:
        """Every process computes all of it, and counts for its share."""
        rows = [row for part in parts for row in part]
        share = 1 / self.processes.count
        with torch.no_grad():
            found = [self._part(experience, part).token_logps for part in parts]
        leaf = torch.cat(found).requires_grad_()
        whole = replace(take(experience.rollouts, torch.tensor(rows)), token_logps=leaf)
        if fresh:
            require_replayable(whole)
        try:
            values, shown = self._loss(whole, mean=True)
        except DataError:  # no group of this update has two clips that differ
            return {"loss": 0.0, "empty_updates": share}
        shown |= {name: v.mean().item() for name, v in rollout_measures(whole).items()}
        loss = values.mean() * share
        loss.backward()
        assert leaf.grad is not None
        for part, slope in zip(parts, leaf.grad.split([len(p) for p in parts]), strict=True):
            self._part(experience, part).token_logps.backward(slope)
        return {"loss": loss.item(), **{name: share * value for name, value in shown.items()}}

    def _part(self, experience: Experience, rows: Sequence[int]) -> Rollouts:
        """These clips under the policy and the critic of this moment, with a gradient."""
        samples, whole = experience.samples.take(rows), experience.rollouts
        asked = [Asked(*pair) for pair in zip(samples.prompts, samples.clips, strict=True)]
        kept = take(whole, torch.tensor(rows, device=whole.scored.device))
        n_frames = whole.scored.shape[-1]
        token_logps = self.score(asked).token_logps
        assert token_logps is not None
        values = values_of(self.critic, asked, n_frames) if self.critic else None
        return replace(
            kept,
            token_logps=pad(token_logps, (0, n_frames - token_logps.shape[-1])),
            values=values,
        )

    def _loss(self, part: Rollouts, *, mean: bool = False) -> tuple[Tensor, dict[str, float]]:
        """Values of the objective and of the KL, and sums (or means) of what it showed."""
        found: Loss = self.objective.bind(self.options)(part)
        values, n = found.values, 1 if mean else len(part.scored)
        shown = {k: v.float().mean().item() * n for k, v in found.diagnostics.items()}
        if self.kl is not None and self.kl.place != "reward" and self.kl.weight:
            held = in_loss(
                part,
                estimator=self.kl.estimator,
                place=self.kl.place,
                level=self.kl.level,
                reduction=self.objective.reduction or clip_sum,
            )
            values = values + self.kl.weight * held
        return values, shown
