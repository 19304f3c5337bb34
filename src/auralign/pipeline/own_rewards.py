"""What the rewards of a run say of codes: reward models by dimension, and heard words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from auralign.errors import ConfigError, did_you_mean
from auralign.pipeline.own_answers import ROUGH_ITERATIONS
from auralign.pipeline.stages.codec import TrainedCodec
from auralign.pipeline.stages.model import TrainedReward
from auralign.policies.language_model import CodecLanguageModel
from auralign.rewards.combining import Scale
from auralign.signals.recognisers.words import word_errors
from auralign.types import Audio, Prompt, Tokens

Float = NDArray[np.float64]

WORDS = "word_accuracy"
"""1 less the word error rate of the reward's own recogniser, at least 0."""


@dataclass(frozen=True)
class OwnRewards:
    """Rewards `[clips, rewards]` in the order of `names`."""

    names: Sequence[str]
    codec: TrainedCodec
    reward: TrainedReward

    def __post_init__(self) -> None:
        known = [WORDS, "overall", *self.reward.further]
        for name in self.names:
            if name not in known:
                raise ConfigError(
                    f"rewards: expected some of {', '.join(known)}, got '{name}'"
                    f"{did_you_mean(name, known)}: dimensions need `further` in the stage 'model'"
                )

    def __call__(self, prompts: Sequence[Prompt], clips: Sequence[Tokens]) -> Float:
        """Of codes, whose sound is rebuilt roughly."""
        return self.hear(self.codec.codec.decode(clips, n_iterations=ROUGH_ITERATIONS), prompts)

    def hear(self, audios: Sequence[Audio], prompts: Sequence[Prompt]) -> Float:
        """Of sound."""
        features = self.reward.reward.features(audios, prompts)
        heads = {"overall": self.reward.reward, **self.reward.further}
        columns = [
            self.words(audios, prompts) if name == WORDS else heads[name].score_features(features)
            for name in self.names
        ]
        return np.stack(columns, axis=1)

    def words(self, audios: Sequence[Audio], prompts: Sequence[Prompt]) -> Float:
        """The share of words that the reward's recogniser hears right `[clips]`."""
        texts = [p.text for p in prompts]
        heard = self.reward.reward.features.encoder.transcribe(audios)
        errors = np.array(word_errors(texts, heard), dtype=np.float64)
        found: Float = 1 - np.minimum(errors[:, 0] / errors[:, 1], 1)
        return found

    def scales(
        self, policy: CodecLanguageModel, prompts: Sequence[Prompt], generator: torch.Generator
    ) -> Mapping[str, Scale]:
        """What is usual for each reward, on one clip of each prompt."""
        values = self(prompts, policy.sample(prompts, 1, generator=generator).tokens)
        return {n: Scale.learn(column) for n, column in zip(self.names, values.T, strict=True)}
