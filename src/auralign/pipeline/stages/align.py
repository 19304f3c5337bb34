"""align: rounds of training on the policy's own answers, and one without an anchor as a hack."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from auralign.data.config import StrictModel
from auralign.data.examples import TokenPair
from auralign.data.formats import PAIRS
from auralign.data.tables import write_table
from auralign.files import write_json
from auralign.pipeline.context import StageContext
from auralign.pipeline.held_out import HeldOutTrial
from auralign.pipeline.own_answers import Pairs, fresh_answers, judged_answers, pair_up
from auralign.pipeline.stages.codec import TrainedCodec
from auralign.pipeline.stages.corpus import Corpus
from auralign.pipeline.stages.model import TrainedReward
from auralign.pipeline.stages.prefer import Preferences, draw_prompts
from auralign.pipeline.stages.sft import TrainedPolicy
from auralign.policies.language_model import CodecLanguageModel
from auralign.training.settings import TrainerSettings
from auralign.training.trainer import train
from auralign.types import Split


class AlignOptions(StrictModel):
    """Each of `n_rounds` trains on the best and worst answers by reward: `n_fresh` new ones to each
    of `n_fresh_prompts` new prompts, by the policy as it is then, and in the first round also those
    that the panel has judged. The hack trains on the pairs of the first round. Both take any
    objective over pairs."""

    stage: Literal["align"] = "align"
    n_rounds: int = Field(ge=1)
    n_fresh_prompts: int = Field(ge=0)
    n_fresh: int = Field(ge=2)
    pairs_per_prompt: int = Field(ge=1)
    min_margin: float = Field(ge=0)
    kl_budget: float = Field(gt=0)
    training: TrainerSettings
    hack: TrainerSettings


@dataclass(frozen=True)
class AlignedPolicies:
    """The aligned policy, the one that was trained to be hacked, and what training showed."""

    aligned: CodecLanguageModel
    hacked: CodecLanguageModel
    about: dict[str, Any]

    @classmethod
    def load(cls, folder: Path) -> AlignedPolicies:
        return cls(
            CodecLanguageModel.load(folder / "aligned.safetensors"),
            CodecLanguageModel.load(folder / "hacked.safetensors"),
            json.loads((folder / "align.json").read_text(encoding="utf-8")),
        )


def run_align(
    options: AlignOptions,
    context: StageContext,
    corpus: Corpus,
    codec: TrainedCodec,
    sft: TrainedPolicy,
    preferences: Preferences,
    reward: TrainedReward,
) -> AlignedPolicies:
    """Trains and saves both policies, always against the SFT policy as the reference.

    The aligned one is that of the round with the best held-out preference; nobody watches the hack.
    """
    trial = HeldOutTrial.start(codec, sft.policy.frozen_copy(), preferences, reward, context)
    aligned = _Run("aligned", sft.policy.trainable_copy(), trial, context)
    rounds: list[Pairs] = []
    kept = {"held_out_preference": -math.inf}
    for pairs in _rounds(options, context, corpus, codec, preferences, reward, aligned.policy):
        rounds.append(pairs)
        context.progress(0.75 * (len(rounds) - 0.5) / options.n_rounds, "training")
        tried = aligned.train(pairs.training, options.training)
        if tried["held_out_preference"] > kept["held_out_preference"]:
            kept = {"round": len(rounds), **tried}
            aligned.policy.save(context.folder / "aligned.safetensors")
    context.progress(0.75, "training without an anchor")
    hacked = _Run("hacked", sft.policy.trainable_copy(), trial, context)
    failed = hacked.train(rounds[0].training, options.hack)
    hacked.policy.save(context.folder / "hacked.safetensors")
    records = [record for pairs in rounds for record in pairs.records]
    write_table(PAIRS, records, context.folder / "pairs.parquet")
    about = {
        "n_pairs": len(records),
        "stage": options.stage,
        "reference": trial.reference.weights_hash(),
        "entropy_before": trial.entropy_before,
        "aligned": kept,
        "hacked": failed,
    }
    write_json(context.folder / "align.json", about)
    context.work.summary = (
        f"{len(records)} pairs, round {kept['round']} of {options.n_rounds} kept: held-out "
        f"preference {kept['held_out_preference']:.2f}, KL {kept['kl']:.1f} nats a clip"
    )
    return AlignedPolicies.load(context.folder)


def _rounds(
    options: AlignOptions,
    context: StageContext,
    corpus: Corpus,
    codec: TrainedCodec,
    preferences: Preferences,
    reward: TrainedReward,
    policy: CodecLanguageModel,
) -> Iterator[Pairs]:
    """Each round's pairs, of what `policy` answers at the time when they are asked for."""
    n = options.n_fresh_prompts
    prompts = draw_prompts(
        {Split.TRAIN: options.n_rounds * n},
        corpus.prompts.values(),
        context.rng("fresh prompts"),
        taken=(*preferences.prompts.values(), *preferences.test_prompts),
    )
    for i in range(options.n_rounds):
        context.progress(0.75 * i / options.n_rounds, "fresh answers")
        generator = context.generator(f"fresh answers {i}")
        asked = prompts[i * n : (i + 1) * n]
        answers = [] if i else judged_answers(preferences, reward)
        answers += fresh_answers(policy, asked, options.n_fresh, codec, reward, generator)
        yield pair_up(answers, min_margin=options.min_margin, per_prompt=options.pairs_per_prompt)


@dataclass
class _Run:
    """A policy in training; each call of `train` goes on where the last one stopped."""

    name: str
    policy: CodecLanguageModel
    trial: HeldOutTrial
    context: StageContext
    n_steps: int = 0

    def train(self, pairs: Sequence[TokenPair], settings: TrainerSettings) -> dict[str, float]:
        """Training on these pairs; what the last epoch measured."""
        before = self.n_steps

        def log(step: int, values: Mapping[str, float]) -> None:
            self.n_steps = before + step
            self.context.log(self.n_steps, {"run": self.name, **values})

        result = train(
            self.policy,
            self.trial.reference,
            pairs,
            settings,
            seed=self.context.number(f"batches {self.name} {before}"),
            log=log,
            evaluate=lambda step: self.trial.judge(self.policy),
            keep="last",
        )
        return {**result.evaluations[-1], "step": self.n_steps}
