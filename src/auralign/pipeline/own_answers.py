"""Preference pairs of a policy's own answers, labelled by the reward model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from auralign.audio.clips import clip_id, quantise
from auralign.data.examples import TokenPair
from auralign.pipeline.stages.codec import TrainedCodec
from auralign.pipeline.stages.model import TrainedReward
from auralign.pipeline.stages.prefer import Preferences
from auralign.policies.language_model import CodecLanguageModel
from auralign.preferences.pairs import pairs_from_rewards
from auralign.types import PreferencePair, Prompt, Split, Tokens

ROUGH_ITERATIONS = 6
"""Of the phase reconstruction, for clips that only the reward model hears: of the waveform it takes
the crest factor alone."""


class Pairs(NamedTuple):
    """The same pairs as records and as what training needs."""

    records: list[PreferencePair]
    training: list[TokenPair]


@dataclass(frozen=True)
class Answer:
    """A candidate with its reward; the clip is named by the hash of its audio."""

    prompt: Prompt
    clip_id: str
    reward: float
    tokens: Tokens


def judged_answers(preferences: Preferences, reward: TrainedReward) -> list[Answer]:
    """The training candidates that the panel has compared."""
    return [
        Answer(
            preferences.prompts[clip.prompt_id],
            clip.id,
            reward.candidate_rewards[clip.id],
            preferences.tokens[clip.id],
        )
        for clip in preferences.clips
        if preferences.prompts[clip.prompt_id].split is Split.TRAIN
    ]


def fresh_answers(
    policy: CodecLanguageModel,
    prompts: Sequence[Prompt],
    n: int,
    codec: TrainedCodec,
    reward: TrainedReward,
    generator: torch.Generator,
) -> list[Answer]:
    """`n` new candidates for each prompt, whose audio is heard once and not stored."""
    if not prompts:
        return []
    rollout = policy.sample(prompts, n, generator=generator)
    asked = [prompts[i] for i in rollout.prompt_index]
    audios = codec.codec.decode(rollout.tokens, n_iterations=ROUGH_ITERATIONS)
    scores = reward.reward.score(audios, asked)
    ids = [clip_id(quantise(audio)) for audio in audios]
    return [Answer(*row) for row in zip(asked, ids, scores.tolist(), rollout.tokens, strict=True)]


def pair_up(answers: Sequence[Answer], *, min_margin: float, per_prompt: int) -> Pairs:
    """Best-and-worst pairs of each prompt."""
    rewards: dict[str, dict[str, float]] = defaultdict(dict)
    for answer in answers:
        rewards[answer.prompt.id][answer.clip_id] = answer.reward
    records = pairs_from_rewards(
        rewards, dimension="overall", min_margin=min_margin, per_prompt=per_prompt
    )
    of_clip = {answer.clip_id: answer for answer in answers}
    return Pairs(records, [_with_codes(record, of_clip) for record in records])


def _with_codes(record: PreferencePair, of_clip: Mapping[str, Answer]) -> TokenPair:
    chosen, rejected = of_clip[record.chosen], of_clip[record.rejected]
    return TokenPair(
        chosen.prompt,
        chosen.tokens,
        rejected.tokens,
        p_chosen=record.p_chosen,
        chosen_score=chosen.reward,
        rejected_score=rejected.reward,
    )
