"""iterate: rounds of DPO on fresh answers that the simulated panel compares; the best is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from auralign.audio.clips import quantise
from auralign.data.config import StrictModel
from auralign.files import write_json
from auralign.pipeline.context import StageContext
from auralign.pipeline.stages.codec import TrainedCodec
from auralign.pipeline.stages.corpus import Corpus
from auralign.pipeline.stages.prefer import Preferences, draw_pairs, draw_prompts, fit_ears
from auralign.pipeline.stages.sft import TrainedPolicy
from auralign.policies.language_model import CodecLanguageModel
from auralign.preferences.ears import Ears
from auralign.preferences.panel import Panel, draw_trials
from auralign.training.measures import divergence
from auralign.training.rounds.candidates import draw_from_policy
from auralign.training.rounds.context import Curate, RoundContext
from auralign.training.rounds.curation import CURATIONS, best_and_worst
from auralign.training.rounds.driver import Methods, RoundSettings, RoundsResult, run_rounds
from auralign.training.rounds.folder import held_out_table
from auralign.training.rounds.records import Annotation, Candidates, HeldOut
from auralign.training.rounds.train_pairs import train_on_pairs
from auralign.training.settings import TrainerSettings
from auralign.types import Audio, Prompt, Split, Tokens

STEPS = ("generate", "annotate", "curate", "train", "evaluate")


class IterateOptions(StrictModel):
    """Each round samples `n_candidates` answers to each of `n_prompts` new prompts; listeners of
    the panel compare `compared_per_prompt` pairs of them, `votes_per_pair` listeners each, and
    `pairs_per_prompt` pairs are trained on (by the rule `best_and_worst`; others take all).
    `n_listeners` others say after each round what they prefer on the validation prompts."""

    stage: Literal["iterate"] = "iterate"
    n_rounds: int = Field(ge=1)
    n_prompts: int = Field(ge=1)
    n_candidates: int = Field(ge=2)
    compared_per_prompt: int = Field(ge=1)
    votes_per_pair: int = Field(ge=1)
    rule: Literal["best_and_worst", "ranked_pairing", "vote_share"] = "best_and_worst"
    pairs_per_prompt: int = Field(default=1, ge=1)
    reference: Literal["first", "round_start"] = "first"
    reuse_pairs: bool = False
    patience: int | None = Field(default=2, ge=1)
    n_listeners: int = Field(ge=2)
    taste_spread: float = Field(default=0.5, ge=0)
    training: TrainerSettings

    @property
    def rounds(self) -> RoundSettings:
        return RoundSettings(
            n_rounds=self.n_rounds,
            reference=self.reference,
            reuse_pairs=self.reuse_pairs,
            patience=self.patience,
        )

    @property
    def votes_per_round(self) -> int:
        """The listeners' budget; answers about clips that are equal are saved."""
        return self.n_prompts * self.compared_per_prompt * self.votes_per_pair


@dataclass(frozen=True)
class IteratedPolicy:
    """The policy of the best round, and a row for each round."""

    policy: CodecLanguageModel
    about: dict[str, Any]

    @classmethod
    def load(cls, folder: Path) -> IteratedPolicy:
        about = json.loads((folder / "iterate.json").read_text(encoding="utf-8"))
        return cls(CodecLanguageModel.load(folder / "policy.safetensors"), about)


@dataclass(frozen=True)
class _Hearing:
    """Simulated listeners with their ears, and the codec that makes codes audible."""

    codec: TrainedCodec
    panel: Panel
    ears: Ears

    def hear(
        self, prompts: Sequence[Prompt], tokens: Sequence[Tokens]
    ) -> tuple[list[Audio], NDArray[np.float64]]:
        """Audio and percepts `[clips, percepts]`."""
        audios = [quantise(audio) for audio in self.codec.codec.decode(tokens)]
        return audios, self.ears.hear(audios, prompts)


def run_iterate(
    options: IterateOptions,
    context: StageContext,
    corpus: Corpus,
    codec: TrainedCodec,
    sft: TrainedPolicy,
    preferences: Preferences,
) -> IteratedPolicy:
    """Runs the rounds from the SFT policy and keeps the best; a row a round in `iterate.json`."""
    policy = sft.policy.trainable_copy()
    held_out = _HeldOut(_held_out_listeners(options, context, corpus, codec, preferences), context)
    n = options.n_prompts
    prompts = draw_prompts(
        {Split.TRAIN: options.n_rounds * n},
        corpus.prompts.values(),
        context.rng("prompts"),
        taken=(*preferences.prompts.values(), *preferences.test_prompts),
    )
    result = run_rounds(
        policy,
        lambda number: prompts[(number - 1) * n : number * n],
        _methods(options, codec, preferences, held_out),
        context.folder / "rounds",
        options.rounds,
        seed=context.number("rounds"),
        watch=lambda number, step: context.progress(
            (number - 1 + STEPS.index(step) / len(STEPS)) / options.n_rounds,
            f"round {number}: {step}",
        ),
    )
    policy.save(context.folder / "policy.safetensors")
    # The round was chosen on the validation prompts, so what it reached is said of others.
    test = held_out.judge(policy, sft.policy, preferences.test_prompts)
    _write(options, context, result, test)
    return IteratedPolicy.load(context.folder)


def _methods(
    options: IterateOptions, codec: TrainedCodec, preferences: Preferences, held_out: _HeldOut
) -> Methods:
    validation = preferences.split(Split.VALIDATION)
    return Methods(
        draw=draw_from_policy(options.n_candidates),
        annotate=partial(_ask_panel, options, _Hearing(codec, preferences.panel, preferences.ears)),
        curate=_rule(options),
        train=train_on_pairs(options.training),
        evaluate=lambda round_: held_out.judge(round_.policy, round_.first, validation),
        names={
            "sampler": f"{options.n_candidates} a prompt, temperature 1",
            "annotator": f"{len(preferences.panel.listeners)} simulated listeners",
            "rule": options.rule,
            "trainer": options.training.objective,
        },
        simulated=True,
    )


def _rule(options: IterateOptions) -> Curate:
    if options.rule == "best_and_worst":
        return partial(best_and_worst, per_prompt=options.pairs_per_prompt)
    return CURATIONS[options.rule]


def _ask_panel(
    options: IterateOptions, hearing: _Hearing, candidates: Candidates, round_: RoundContext
) -> Annotation:
    """The panel compares drawn pairs of each prompt."""
    audios, percepts = hearing.hear(*candidates.asked(candidates.clips))
    clips = [
        replace(clip, sample_rate=a.sample_rate, channels=a.channels, n_samples=a.n_samples)
        for clip, a in zip(candidates.clips, audios, strict=True)
    ]
    pairs = draw_pairs(clips, options.compared_per_prompt, round_.rng("compared pairs"))
    n_listeners = len(hearing.panel.listeners)
    trials = draw_trials(pairs, n_listeners, options.votes_per_pair, round_.rng("trials"))
    answers = hearing.panel.answer_pairs(
        clips,
        percepts,
        list(trials),
        study=f"round-{round_.number}",
        rng=round_.rng("answers"),
    )
    return Annotation([answer for answer in answers if answer.dimension == "overall"])


def _held_out_listeners(
    options: IterateOptions,
    context: StageContext,
    corpus: Corpus,
    codec: TrainedCodec,
    preferences: Preferences,
) -> _Hearing:
    """Other listeners with other ears, as noisy as those whose votes are trained on."""
    panel = Panel.draw(
        options.n_listeners,
        name="held-out",
        taste_spread=options.taste_spread,
        rng=context.rng("held-out panel"),
    ).with_noise(preferences.panel.noise)
    return _Hearing(codec, panel, fit_ears(corpus, half=1, context=context))


@dataclass(frozen=True)
class _HeldOut:
    """What listeners who never train a policy expect to prefer."""

    hearing: _Hearing
    context: StageContext

    def judge(
        self, policy: CodecLanguageModel, first: CodecLanguageModel, prompts: Sequence[Prompt]
    ) -> HeldOut:
        """Two clips of each policy for each prompt, from the same random numbers."""
        asked = [prompt for prompt in prompts for _ in range(2)]
        tokens = self._sample(policy, prompts)
        percepts = [
            self.hearing.hear(asked, codes)[1] for codes in (tokens, self._sample(first, prompts))
        ]
        n = len(asked)
        pairs = np.stack([np.arange(n), n + np.arange(n)], axis=1)
        prefers, rejects = self.hearing.panel.choice_probabilities(
            np.concatenate(percepts), pairs, "overall"
        )
        shares = ((1 + prefers - rejects) / 2).mean(axis=0).reshape(len(prompts), 2).mean(axis=1)
        return HeldOut.of(shares.tolist(), divergence(policy, first, asked, tokens))

    def _sample(self, policy: CodecLanguageModel, prompts: Sequence[Prompt]) -> list[Tokens]:
        generator = self.context.generator("held-out clips")
        return policy.sample(prompts, 2, generator=generator).tokens


def _write(
    options: IterateOptions, context: StageContext, result: RoundsResult, test: HeldOut
) -> None:
    rows = held_out_table(result.rounds)
    for row in rows:
        context.log(int(row["round"]), {"run": "rounds", **row})
    about: Mapping[str, Any] = {
        "rounds": rows,
        "hashes": [r.hash for r in result.rounds],
        "kept_round": result.best,
        "stopped": result.stopped,
        "votes_per_round": options.votes_per_round,
        "test": asdict(test),
    }
    write_json(context.folder / "iterate.json", about)
    by_round = ", ".join(f"{row['held_out_preference']:.2f}" for row in rows)
    context.work.summary = (
        f"held-out preference {by_round} by round, round {result.best} kept; "
        f"{test.preference:.2f} on test prompts, {options.votes_per_round} votes a round"
    )
