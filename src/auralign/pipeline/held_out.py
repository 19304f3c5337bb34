"""How a policy in training does on validation prompts, by everything that may be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auralign.audio.clips import quantise
from auralign.pipeline.context import StageContext
from auralign.pipeline.stages.codec import TrainedCodec
from auralign.pipeline.stages.model import TrainedReward
from auralign.pipeline.stages.prefer import Preferences
from auralign.policies.language_model import CodecLanguageModel
from auralign.training.measures import divergence
from auralign.types import Prompt, Split, Tokens


@dataclass(frozen=True)
class HeldOutTrial:
    """The training panel compares a policy's clips on validation prompts with the reference's."""

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
        reference: CodecLanguageModel,
        preferences: Preferences,
        reward: TrainedReward,
        context: StageContext,
    ) -> HeldOutTrial:
        bare = cls(codec, reference, preferences, reward, context, np.zeros((0, 0)), 1, 0, 1)
        tokens, percepts, rewards = bare._listen(reference)
        return cls(
            codec,
            reference,
            preferences,
            reward,
            context,
            percepts_before=percepts,
            frames_before=_mean_frames(tokens),
            reward_before=float(rewards.mean()),
            entropy_before=reference.token_entropy(bare.prompts, tokens),
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
