"""align: DPO against the frozen SFT policy, and without an anchor as an example of a hack."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from auralign.audio.clips import clip_id, quantise
from auralign.data.config import StrictModel
from auralign.data.formats import PAIRS
from auralign.data.tables import write_table
from auralign.files import write_json
from auralign.pipeline.context import StageContext
from auralign.pipeline.stages.codec import TrainedCodec
from auralign.pipeline.stages.corpus import Corpus
from auralign.pipeline.stages.model import TrainedReward
from auralign.pipeline.stages.prefer import Preferences, draw_prompts
from auralign.pipeline.stages.sft import TrainedPolicy
from auralign.policies.language_model import CodecLanguageModel
from auralign.preferences.pairs import pairs_from_rewards
from auralign.training.dpo import DpoSettings, TokenPair, divergence, train_dpo
from auralign.types import PreferencePair, Prompt, Split, Tokens

ROUGH_ITERATIONS = 8
"""Of the phase reconstruction, for clips that only the reward model hears."""


class DpoOptions(StrictModel):
    """`beta` belongs to log-ratios summed over codes, `anchor_weight` to a mean over codes."""

    beta: float = Field(gt=0)
    learning_rate: float = Field(gt=0)
    n_epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    anchor_weight: float = Field(ge=0)


class AlignOptions(StrictModel):
    """Pairs are the best and worst candidates by reward: those that the panel has judged, and
    `n_fresh` more of each of `n_fresh_prompts` new prompts that only the reward model hears."""

    stage: Literal["align"] = "align"
    n_fresh_prompts: int = Field(ge=0)
    n_fresh: int = Field(ge=2)
    pairs_per_prompt: int = Field(ge=1)
    min_margin: float = Field(ge=0)
    kl_budget: float = Field(gt=0)
    dpo: DpoOptions
    hack: DpoOptions


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
    """Pairs by reward, two DPO runs, each epoch tried on validation prompts by the panel."""
    context.progress(0.02, "fresh candidates")
    candidates = _judged(preferences, reward)
    candidates += _fresh(options, context, corpus, codec, sft, preferences, reward)
    pairs, training = _pairs(options, candidates)
    write_table(PAIRS, pairs, context.folder / "pairs.parquet")
    trial = _Trial.start(codec, sft, preferences, reward, context)
    about: dict[str, Any] = {
        "n_pairs": len(pairs),
        "reference": trial.reference.weights_hash(),
        "entropy_before": trial.entropy_before,
        "aligned": _train("aligned", options.dpo, sft, training, trial, context, begin=0.3),
        "hacked": _train("hacked", options.hack, sft, training, trial, context, begin=0.65),
    }
    write_json(context.folder / "align.json", about)
    kept = about["aligned"]
    context.work.summary = (
        f"{len(pairs)} pairs, epoch {kept['epoch']} of {options.dpo.n_epochs} kept: held-out "
        f"preference {kept['held_out_preference']:.2f}, KL {kept['kl']:.1f} nats a clip"
    )
    return AlignedPolicies.load(context.folder)


def _train(
    name: str,
    options: DpoOptions,
    sft: TrainedPolicy,
    pairs: Sequence[TokenPair],
    trial: _Trial,
    context: StageContext,
    *,
    begin: float,
) -> dict[str, float]:
    """One DPO run from the SFT policy, saved under its name; what its kept epoch measured.

    The aligned run keeps its best epoch; the hacked one its last, as nobody watched it.
    """
    policy = sft.policy.trainable_copy()

    def evaluate(epoch: int) -> dict[str, float]:
        context.progress(begin + 0.35 * epoch / options.n_epochs, f"{name}: epoch {epoch}")
        return trial.judge(policy)

    result = train_dpo(
        policy,
        trial.reference,
        pairs,
        DpoSettings(**options.model_dump()),
        generator=context.generator(f"batches {name}"),
        log=lambda step, values: context.log(step, {"run": name, **values}),
        evaluate=evaluate,
        keep="best" if name == "aligned" else "last",
    )
    policy.save(context.folder / f"{name}.safetensors")
    return {"epoch": result.kept_epoch, **result.evaluations[result.kept_epoch - 1]}


@dataclass(frozen=True)
class _Scored:
    """A candidate, its reward and its tokens."""

    prompt: Prompt
    clip_id: str
    reward: float
    tokens: Tokens


def _judged(preferences: Preferences, reward: TrainedReward) -> list[_Scored]:
    """The training candidates that the panel has compared."""
    return [
        _Scored(
            preferences.prompts[clip.prompt_id],
            clip.id,
            reward.candidate_rewards[clip.id],
            preferences.tokens[clip.id],
        )
        for clip in preferences.clips
        if preferences.prompts[clip.prompt_id].split is Split.TRAIN
    ]


def _fresh(
    options: AlignOptions,
    context: StageContext,
    corpus: Corpus,
    codec: TrainedCodec,
    sft: TrainedPolicy,
    preferences: Preferences,
    reward: TrainedReward,
) -> list[_Scored]:
    """New candidates of new prompts; named by the hash of their audio, which is not stored."""
    if not options.n_fresh_prompts:
        return []
    prompts = draw_prompts(
        {Split.TRAIN: options.n_fresh_prompts},
        corpus.prompts.values(),
        context.rng("fresh prompts"),
        taken=(*preferences.prompts.values(), *preferences.test_prompts),
    )
    rollout = sft.policy.sample(
        prompts, options.n_fresh, generator=context.generator("fresh candidates")
    )
    asked = [prompts[i] for i in rollout.prompt_index]
    # The reward model hears magnitudes only, so that rough phases will do.
    audios = codec.codec.decode(rollout.tokens, n_iterations=ROUGH_ITERATIONS)
    scores = reward.reward.score(audios, asked)
    ids = [clip_id(quantise(audio)) for audio in audios]
    return [_Scored(*row) for row in zip(asked, ids, scores.tolist(), rollout.tokens, strict=True)]


def _pairs(
    options: AlignOptions, candidates: Sequence[_Scored]
) -> tuple[list[PreferencePair], list[TokenPair]]:
    """Best-and-worst pairs of each prompt, as records and as what training needs."""
    rewards: dict[str, dict[str, float]] = defaultdict(dict)
    for c in candidates:
        rewards[c.prompt.id][c.clip_id] = c.reward
    pairs = pairs_from_rewards(
        rewards,
        dimension="overall",
        min_margin=options.min_margin,
        per_prompt=options.pairs_per_prompt,
    )
    of_clip = {c.clip_id: c for c in candidates}
    return pairs, [
        TokenPair(of_clip[p.chosen].prompt, of_clip[p.chosen].tokens, of_clip[p.rejected].tokens)
        for p in pairs
    ]


@dataclass(frozen=True)
class _Trial:
    """A trial on validation prompts: the panel compares a policy's clips with the reference's."""

    codec: TrainedCodec
    reference: CodecLanguageModel
    preferences: Preferences
    reward: TrainedReward
    context: StageContext
    percepts_before: NDArray[np.float64]
    frames_before: float
    reward_before: float
    entropy_before: float

    @classmethod
    def start(
        cls,
        codec: TrainedCodec,
        sft: TrainedPolicy,
        preferences: Preferences,
        reward: TrainedReward,
        context: StageContext,
    ) -> _Trial:
        bare = cls(
            codec, sft.policy.frozen_copy(), preferences, reward, context, np.zeros((0, 0)), 1, 0, 1
        )
        tokens, percepts, rewards = bare._listen(bare.reference)
        return cls(
            codec,
            bare.reference,
            preferences,
            reward,
            context,
            percepts_before=percepts,
            frames_before=_mean_frames(tokens),
            reward_before=float(rewards.mean()),
            entropy_before=bare.reference.token_entropy(bare.prompts, tokens),
        )

    @property
    def prompts(self) -> list[Prompt]:
        """Each validation prompt twice: two clips of each are heard."""
        return [p for p in self.preferences.split(Split.VALIDATION) for _ in range(2)]

    def judge(self, policy: CodecLanguageModel) -> dict[str, float]:
        tokens, percepts, rewards = self._listen(policy)
        n = len(percepts)
        pairs = np.stack([np.arange(n), n + np.arange(n)], axis=1)
        both = np.concatenate([percepts, self.percepts_before])
        prefers, rejects = self.preferences.panel.choice_probabilities(both, pairs, "overall")
        return {
            "held_out_preference": float(((1 + prefers - rejects) / 2).mean()),
            "reward_change": float(rewards.mean()) - self.reward_before,
            "duration_ratio": _mean_frames(tokens) / self.frames_before,
            **divergence(policy, self.reference, self.prompts, tokens),
        }

    def _listen(
        self, policy: CodecLanguageModel
    ) -> tuple[list[Tokens], NDArray[np.float64], NDArray[np.float64]]:
        """Tokens, percepts and rewards of two clips a prompt, from the same random numbers."""
        generator = self.context.generator("validation clips")
        tokens = policy.sample(
            self.preferences.split(Split.VALIDATION), 2, generator=generator
        ).tokens
        audios = [quantise(audio) for audio in self.codec.codec.decode(tokens)]
        percepts = self.preferences.ears.hear(audios, self.prompts)
        return tokens, percepts, self.reward.reward.score(audios, self.prompts)


def _mean_frames(tokens: Sequence[Tokens]) -> float:
    return float(np.mean([t.shape[1] for t in tokens]))
