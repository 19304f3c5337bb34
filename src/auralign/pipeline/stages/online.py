"""online: the policy learns from clips that it samples itself, reward by reward, in stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from auralign.data.config import StrictModel
from auralign.files import write_json
from auralign.pipeline.context import StageContext
from auralign.pipeline.held_out import HeldOutTrial
from auralign.pipeline.own_rewards import OwnRewards
from auralign.pipeline.stages.align import AlignedPolicies
from auralign.pipeline.stages.codec import TrainedCodec
from auralign.pipeline.stages.corpus import Corpus
from auralign.pipeline.stages.model import TrainedReward
from auralign.pipeline.stages.prefer import Preferences, draw_prompts
from auralign.pipeline.stages.sft import TrainedPolicy
from auralign.pipeline.watching import watch
from auralign.rewards.combining import Combination, RewardStage, combination_of
from auralign.training.guard import Guard
from auralign.training.guard.watch import OnAlarm
from auralign.training.online import OnlineSettings, by_reward, train_online
from auralign.types import Prompt, Split


class Hack(StrictModel):
    """What happens with one reward alone and nothing that holds the policy."""

    reward: str = "overall"
    n_rounds: int = Field(ge=1)


class OnlineOptions(StrictModel):
    """Each stage trains the policy of the one before, on the same prompts and with the same
    settings (but for `n_rounds`, which is the stage's `n_updates`), held to the SFT policy.

    n_prompts       new prompts that clips are sampled for
    n_scale         of them, those whose clips say what is usual for each reward before training
    rewards         `word_accuracy`, and dimensions that have a reward model
    reward_stages   what is combined in each stage, and how (`rewards.combining.stages`)
    """

    stage: Literal["online"] = "online"
    n_prompts: int = Field(ge=1)
    n_scale: int = Field(default=100, ge=2)
    kl_budget: float = Field(gt=0)
    rewards: tuple[str, ...] = Field(min_length=1)
    reward_stages: tuple[RewardStage, ...] = Field(min_length=1)
    training: OnlineSettings
    hack: Hack


def run_online(
    options: OnlineOptions,
    context: StageContext,
    corpus: Corpus,
    codec: TrainedCodec,
    sft: TrainedPolicy,
    preferences: Preferences,
    reward: TrainedReward,
) -> AlignedPolicies:
    """Trains and saves both policies, as the stage `align` does; the guard rolls back the first."""
    rewards = OwnRewards(options.rewards, codec, reward)
    prompts = draw_prompts(
        {Split.TRAIN: options.n_prompts},
        corpus.prompts.values(),
        context.rng("fresh prompts"),
        taken=(*preferences.prompts.values(), *preferences.test_prompts),
    )
    trial = HeldOutTrial.start(codec, sft.policy.frozen_copy(), preferences, reward, context)
    scales = rewards.scales(sft.policy, prompts[: options.n_scale], context.generator("scales"))
    n_rounds = sum(stage.n_updates for stage in options.reward_stages) + options.hack.n_rounds
    aligned = _Run("aligned", prompts, trial, options, n_rounds, "roll back", context.folder)
    for stage in options.reward_stages:
        combination = combination_of(stage, options.rewards, scales)
        aligned.train(stage.name, rewards, combination, options.training, stage.n_updates)
    aligned.policy.save(context.folder / "aligned.safetensors")
    hacked = _Run(
        "hacked", prompts, trial, options, n_rounds, "warn", context.folder / "hacked", aligned.done
    )
    alone = OwnRewards((options.hack.reward,), codec, reward)
    free = options.training.model_copy(update={"kl": None})
    hacked.train("hack", alone, None, free, options.hack.n_rounds)
    hacked.policy.save(context.folder / "hacked.safetensors")
    about = {
        "stage": options.stage,
        "reference": trial.reference.weights_hash(),
        "entropy_before": trial.entropy_before,
        "aligned": aligned.about,
        "hacked": hacked.about,
    }
    write_json(context.folder / "align.json", about)
    context.work.summary = (
        f"{len(options.reward_stages)} stages of rewards, {aligned.n_steps} rounds: held-out "
        f"preference {aligned.about['held_out_preference']:.2f}, KL {aligned.about['kl']:.1f} "
        "nats a clip"
    )
    return AlignedPolicies.load(context.folder)


@dataclass
class _Run:
    """A policy that is trained stage by stage, under one guard; it begins as the SFT policy.

    n_rounds   of the whole stage of the recipe, of which `done` lie behind
    about      what was measured of the weights that were kept, and what the guard said
    """

    name: str
    prompts: list[Prompt]
    trial: HeldOutTrial
    options: OnlineOptions
    n_rounds: int
    on_alarm: OnAlarm
    folder: Path
    done: int = 0
    n_steps: int = 0
    guard: Guard | None = None
    about: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.policy = self.trial.reference.trainable_copy()
        self.context = self.trial.context

    def train(
        self,
        name: str,
        rewards: OwnRewards,
        combination: Combination | None,
        settings: OnlineSettings,
        n_rounds: int,
    ) -> None:
        """One stage; after an alarm that rolled back there is no further one."""
        if self.about.get("stopped"):
            return
        before = self.n_steps
        guard = self._guard(rewards)

        def log(step: int, values: Mapping[str, float]) -> None:
            self.n_steps = before + step
            self.context.progress((self.done + step) / self.n_rounds, f"{self.name}: {name}")
            self.context.log(self.n_steps, {"run": self.name, **values})

        result = train_online(
            self.policy,
            self.trial.reference,
            self.prompts,
            by_reward(rewards),
            settings.model_copy(update={"n_rounds": n_rounds}),
            combination=combination,
            reward_names=rewards.names,
            seed=self.context.number(f"online {self.name} {before}"),
            log=log,
            evaluate=lambda step: self.trial.judge(self.policy),
            guard=lambda found: guard({**found, "step": before + found["step"]}),
            keep="best" if self.on_alarm == "roll back" else "last",
            select_by="held_out_preference",
        )
        self.done += n_rounds
        self.n_steps = before + result.n_steps
        kept = [e for e in result.evaluations if e["step"] == result.kept_step]
        if kept:
            self.about |= {**kept[0], "step": before + result.kept_step, "round": name}
        self.about["stopped"] = result.stopped

    def _guard(self, rewards: OwnRewards) -> Guard:
        """The one that learnt its bands before the first stage."""
        if self.guard is None:
            self.folder.mkdir(exist_ok=True)
            trial = self.trial
            self.guard = watch(
                self.policy,
                trial.reference,
                trial.codec,
                trial.preferences,
                rewards,
                kl_budget=self.options.kl_budget,
                folder=self.folder,
                on_alarm=self.on_alarm,
                seed=self.context.number(f"guard {self.name}"),
            )
        return self.guard
