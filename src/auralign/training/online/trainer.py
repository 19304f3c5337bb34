"""One trainer for every online objective: sample, judge, learn, again.

    for each round:
        sample clips of some prompts (`samples`), ask for their rewards, combine them
        penalties and advantages over all of the round (`experience`)
        for each pass, for each minibatch: gradient (`updates`), clip it, step
        move the weight of the KL towards its target
    now and then: evaluate, keep the best weights, write a checkpoint, stop if that is due

Everything random stems from `seed` and the number of the round, so that a run that goes on from a
checkpoint takes the very steps that it would have taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from auralign.errors import ConfigError
from auralign.losses.online.kl import adapted_weight
from auralign.policies.reference import PrecomputedReference, require_evaluation_mode
from auralign.rewards.combining.combination import Combination
from auralign.training.checkpoints import (
    TrainingState,
    examples_hash,
    load_checkpoint,
    save_checkpoint,
)
from auralign.training.keeping import Guard, Keeper, TrainResult, means_by_name, require_finite
from auralign.training.measures import sample_measures
from auralign.training.online.critic import Critic
from auralign.training.online.experience import Experience, measures_of
from auralign.training.online.methods import Method, method_of
from auralign.training.online.samples import Assess, Samples, Values, assessed, joined
from auralign.training.online.settings import OnlineSettings
from auralign.training.optimisation import (
    learning_rate,
    new_optimiser,
    random_numbers,
    set_learning_rate,
)
from auralign.training.processes import ALONE, Processes
from auralign.training.scoring import Reference, TrainablePolicy
from auralign.types import Prompt

Log = Callable[[int, Mapping[str, float]], None]
Evaluate = Callable[[int], Mapping[str, float]]


def train_online(
    policy: TrainablePolicy,
    reference: Reference | None,
    prompts: Sequence[Prompt],
    assess: Assess,
    settings: OnlineSettings,
    *,
    combination: Combination | None = None,
    reward_names: Sequence[str] = (),
    critic: Critic | None = None,
    held_out: Sequence[Prompt] = (),
    seed: int = 0,
    folder: Path | None = None,
    log: Log = lambda step, values: None,
    evaluate: Evaluate | None = None,
    guard: Guard = lambda measures: None,
    keep: Literal["best", "last"] = "best",
    select_by: str = "held_out_reward",
    processes: Processes = ALONE,
) -> TrainResult:
    """Trains `policy` in place on clips that it samples itself.

    reference     as for `train`: what KL is measured to, and what objectives over pairs compare
                  with; None for a method without either
    assess        who says how good clips are: `samples.by_reward`, `by_win_rate` and others
    combination   of several rewards, as one; without it they stay apart (`gdpo`) or are added up
    reward_names  of the columns that `assess` gives, for the log
    critic        the value head of PPO; None makes one (`critic.StatesCritic`) where it is needed
    held_out      prompts of the built-in evaluation; without any, those that are trained on
    folder        where checkpoints are kept; a run that finds its own there goes on from it. Its
                  key says nothing of the rewards: do not change them between
    log, evaluate, guard, keep, select_by, processes   as for `train`, with a round for a step

    The result's `n_steps` counts rounds. Raises ConfigError for settings that do not go together
    and a reference that changes, DataError for rewards of another shape than the clips and for a
    policy that gives fresh clips another probability than it sampled them with, NotConvergedError
    when the loss is not finite, RunStateError for a checkpoint of another run.
    """
    run = _Run(
        policy, reference, prompts, assess, settings, combination, reward_names, critic, held_out,
        seed, folder, log, evaluate, guard, keep, select_by, processes,
    )  # fmt: skip
    for step in range(run.state.step + 1, settings.n_rounds + 1):
        if run.state.stopped:
            break
        run.round(step)
        if step % (settings.evaluate_every or settings.n_rounds) == 0 or step == settings.n_rounds:
            run.evaluate_and_keep(step)
    return run.finish()


@dataclass(eq=False)
class _Run:
    """A training in progress; fields as the arguments of `train_online`."""

    policy: TrainablePolicy
    reference: Any
    prompts: Sequence[Prompt]
    assess: Assess
    settings: OnlineSettings
    combination: Combination | None
    reward_names: Sequence[str]
    critic: Critic | None
    held_out: Sequence[Prompt]
    seed: int
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
        self._check()
        self.key = self._key()
        self.method: Method = method_of(
            self.policy, self.reference, self.critic, settings, self.processes
        )
        self.critic = self.method.critic
        self.parameters = [p for p in self.policy.model.parameters() if p.requires_grad]
        if not self.parameters:
            raise ConfigError("expected a policy with weights to train, and all of it is frozen")
        self.optimiser = new_optimiser(self.parameters, settings)
        if self.critic is not None:
            self._add_critic(self.critic)
        self.state.kept_weights = self.processes.state_dict(self.policy.model)
        self.keeper = Keeper(
            self.policy.model, self.state, self.processes, self.guard, self.keep, self.select_by,
            settings.patience,
        )  # fmt: skip
        self.since_evaluation: list[dict[str, float]] = []
        self._resume()

    def _check(self) -> None:
        n, smallest = self.processes.count, min(len(self.prompts), self.settings.prompts_per_round)
        if smallest < n:
            raise ConfigError(
                f"expected a prompt for each of {n} processes in every round, got {smallest}: add "
                "prompts, or raise `prompts_per_round`"
            )
        if self.processes.sharded:
            raise ConfigError(
                "training on own clips samples from whole models, and FSDP splits them: start the "
                "processes without it"
            )
        if self.reference is not None:
            require_evaluation_mode(self.reference)
        if isinstance(self.reference, PrecomputedReference):
            raise ConfigError(
                "expected a reference that can be asked about fresh clips, got stored numbers: "
                "give a frozen copy"
            )

    def _add_critic(self, critic: Critic) -> None:
        own = [p for p in critic.model.parameters() if p.requires_grad]
        self.optimiser.add_param_group({"params": own})
        self.parameters += own

    def round(self, step: int) -> None:
        """Samples, and learns from it."""
        self.policy.model.eval()
        experience = self.experience(step)
        shown = measures_of(experience, self._names(experience.values))
        self._set_rates(step)
        shown |= means_by_name(self._learn(step, experience))
        shown |= self._adapt_kl(shown, len(experience.samples))
        shown |= self.combination.shown() if self.combination else {}
        self.state.step = step
        self.since_evaluation.append(shown)
        self.log(step, {**shown, "learning_rate": self.optimiser.param_groups[0]["lr"]})

    def experience(self, step: int) -> Experience:
        """The clips of a round: every process samples a share, and all learn from all of them."""
        generator = random_numbers(self.seed, f"clips {self.processes.rank}", step)
        order = random_numbers(self.seed, "prompts", 1 + (step - 1) // self._rounds_per_epoch)
        shuffled = torch.randperm(len(self.prompts), generator=order).tolist()
        first = (step - 1) % self._rounds_per_epoch * self.settings.prompts_per_round
        # Prompts that take the place of flat ones come from behind, going round.
        places = [shuffled[(first + i) % len(shuffled)] for i in range(len(shuffled))]
        queue = [self.prompts[i] for i in self.processes.share(places)]
        own, values = self._draw(queue, generator)
        gathered = self.processes.gather((own, values))
        samples = joined([part for part, _ in gathered])
        values = np.concatenate([part for _, part in gathered])
        if self.combination is not None:
            self.combination.observe(values)
        rewards = self.combination(values) if self.combination else values
        return Experience(samples, values, self.method.rollouts(samples, rewards))

    @property
    def _rounds_per_epoch(self) -> int:
        return max(1, len(self.prompts) // self.settings.prompts_per_round)

    def _draw(self, queue: Sequence[Prompt], generator: torch.Generator) -> tuple[Samples, Values]:
        """Clips and rewards of this process's share; flat groups are replaced, if they may be."""
        n = len(self.processes.share(range(self.settings.prompts_per_round)))
        found: list[tuple[Samples, Values]] = []
        missing = n
        for draw in range(self.settings.max_draws):
            asked = [queue[(draw * n + i) % len(queue)] for i in range(missing)]
            samples = self.method.sample(asked, generator)
            values = assessed(self.assess, samples, generator)
            last = draw + 1 == self.settings.max_draws
            kept = range(len(samples)) if last else self._differing(samples, values)
            if len(kept):
                found.append((samples.take(list(kept)), values[list(kept)]))
            missing = n - sum(len(np.unique(part.group)) for part, _ in found)
            if not missing:
                break
        return joined([part for part, _ in found]), np.concatenate([part for _, part in found])

    def _differing(self, samples: Samples, values: Values) -> list[int]:
        """Rows of groups whose rewards differ by more than `min_gap`."""
        rewards = self.combination(values) if self.combination else values
        rewards = rewards.reshape(len(samples), -1).sum(-1)
        kept = []
        for group in np.unique(samples.group):
            rows = np.flatnonzero(samples.group == group)
            known = rewards[rows][np.isfinite(rewards[rows])]
            if len(known) > 1 and np.ptp(known) > self.settings.min_gap:
                kept += rows.tolist()
        return kept

    def _learn(self, step: int, experience: Experience) -> list[dict[str, float]]:
        """The updates of a round."""
        settings = self.settings
        shown: list[dict[str, float]] = []
        groups = np.unique(experience.samples.group)
        self.policy.model.train()
        for number in range(settings.passes):
            generator = random_numbers(self.seed, f"pass {number}", step)
            shuffled = groups[torch.randperm(len(groups), generator=generator).numpy()]
            for part in np.array_split(shuffled, min(settings.minibatches, len(groups))):
                rows = np.flatnonzero(np.isin(experience.samples.group, part)).tolist()
                shown.append(self._update(step, experience, rows, generator, fresh=not shown))
                drift = shown[-1].get("behaviour_k1", 0.0)
                if settings.most_drift is not None and drift > settings.most_drift:
                    return shown
        return shown

    def _update(
        self,
        step: int,
        experience: Experience,
        rows: list[int],
        generator: torch.Generator,
        *,
        fresh: bool,
    ) -> dict[str, float]:
        prompts = [experience.samples.prompts[i] for i in rows]
        self.optimiser.zero_grad()
        shown = self.method.backward(experience, rows, generator, fresh=fresh)
        if "empty_updates" in shown:
            return shown  # momentum of earlier updates is no reason for a step
        require_finite(shown["loss"], "loss", step, prompts)
        self.processes.sum_gradients(self.parameters)
        norm = self.processes.clip_gradients(self.parameters, self.settings.max_grad_norm)
        require_finite(norm, "gradient", step, prompts)
        self.optimiser.step()
        return {**shown, "gradient_norm": norm}

    def _set_rates(self, step: int) -> None:
        settings = self.settings
        rate = learning_rate(step, settings.n_rounds, settings)
        set_learning_rate(self.optimiser, rate)
        if self.critic is not None and settings.critic_rate is not None:
            share = rate / settings.learning_rate
            self.optimiser.param_groups[1]["lr"] = settings.critic_rate * share

    def _adapt_kl(self, shown: Mapping[str, float], n: int) -> dict[str, float]:
        kl = self.method.kl
        if kl is None:
            return {}
        if kl.target is not None and "kl" in shown:
            weight = adapted_weight(
                kl.weight, shown["kl"], target=kl.target, n=n, horizon=kl.horizon
            )
            self.method.kl = kl.model_copy(update={"weight": weight})
        return {"kl_weight": kl.weight}

    def _names(self, values: Values) -> Sequence[str]:
        n = 1 if values.ndim == 1 else values.shape[1]
        return self.reward_names if len(self.reward_names) == n else [str(i) for i in range(n)]

    def evaluate_and_keep(self, step: int) -> None:
        """Measures, keeps the weights where they are the best so far, and says when to stop."""
        self.policy.model.eval()
        found = {k: float(v) for k, v in (self.evaluate or self._evaluate)(step).items()}
        found = self.processes.gather(found)[0]  # all keep the weights of the same round
        means = means_by_name(self.since_evaluation)
        self.since_evaluation = []
        self.keeper.take({"step": step, **means, **found})
        self.log(step, found)
        self._save()

    def _evaluate(self, step: int) -> dict[str, float]:
        """Rewards of two clips of each held-out prompt, and how far the policy has gone."""
        prompts = list(self.held_out or self.prompts[: self.settings.prompts_per_round])
        generator = random_numbers(self.seed, "held out", 0)
        samples = self.method.sample_own(prompts, 2, generator)
        values = assessed(self.assess, samples, generator)
        rewards = self.combination(values) if self.combination else values
        rewards = rewards.reshape(len(samples), -1)
        found = sample_measures(
            self.policy, self.reference, prompts, generator=generator,
            frames_per_pass=self.method.frames_per_pass,
        )  # fmt: skip
        if np.isfinite(rewards).any():
            # Shares of won comparisons add up to one half: rounding must not choose the weights.
            found["held_out_reward"] = round(float(np.nanmean(rewards.sum(-1))), 12)
        return found

    def finish(self) -> TrainResult:
        """The policy gets the kept weights; the reference must be what it was."""
        result = self.keeper.finish()
        if self.reference is not None and self.reference.weights_hash() != self.key["reference"]:
            raise ConfigError(
                "expected a reference that training leaves alone, but its weights have changed: "
                "give a frozen copy, which shares nothing with the policy"
            )
        return result

    def _key(self) -> dict[str, str]:
        return {
            "policy": self.policy.weights_hash(),
            "layout": getattr(self.policy, "layout", "none"),
            "reference": self.reference.weights_hash() if self.reference is not None else "none",
            "settings": self.settings.model_dump_json(),
            "seed": str(self.seed),
            "prompts": examples_hash(self.prompts),  # type: ignore[arg-type]
        }

    def _save(self) -> None:
        if self.folder is None or not self.processes.is_first:
            return
        kl = self.method.kl
        kept = {
            "combination": self.combination.state() if self.combination else {},
            "critic": dict(self.critic.model.state_dict()) if self.critic else {},
            "kl_weight": kl.weight if kl else None,
        }
        save_checkpoint(
            self.folder / "checkpoint.pt",
            self.key,
            self.state,
            weights=self.processes.state_dict(self.policy.model),
            optimiser=self.optimiser.state_dict(),
            task=kept,
            reference=None,
        )

    def _resume(self) -> None:
        stored = self.folder and load_checkpoint(self.folder / "checkpoint.pt", self.key)
        if not stored:
            return
        self.state = self.keeper.state = stored["state"]
        self.policy.model.load_state_dict(stored["weights"])
        self.optimiser.load_state_dict(stored["optimiser"])
        kept = stored["task"]
        if self.combination is not None:
            self.combination.restore(kept["combination"])
        if self.critic is not None:
            self.critic.model.load_state_dict(kept["critic"])
        if self.method.kl is not None:
            self.method.kl = self.method.kl.model_copy(update={"weight": kept["kl_weight"]})
