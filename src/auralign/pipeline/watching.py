"""The guard of a run: the fixed probe, what the rewards say of it, and what the panel prefers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from auralign.audio.clips import quantise
from auralign.pipeline.own_rewards import OwnRewards
from auralign.pipeline.stages.codec import TrainedCodec
from auralign.pipeline.stages.prefer import Preferences
from auralign.policies.language_model import CodecLanguageModel
from auralign.signals.recognisers.words import word_errors
from auralign.training.guard import Guard, Probe
from auralign.training.guard.watch import OnAlarm
from auralign.types import Audio, Prompt, Split, Tokens

N_PROMPTS = 24
N_BEFORE, N_CLIPS = 4, 2


def watch(
    policy: CodecLanguageModel,
    reference: CodecLanguageModel,
    codec: TrainedCodec,
    preferences: Preferences,
    rewards: OwnRewards,
    *,
    kl_budget: float,
    folder: Path,
    on_alarm: OnAlarm,
    seed: int,
) -> Guard:
    """A guard over `policy`, which must still be the reference.

    The reward that is trained on is the first of `rewards`; its recogniser and that of the panel's
    ears, which trains nothing, count words apart.
    """

    def decode(clips: Sequence[Tokens]) -> list[Audio]:
        return [quantise(audio) for audio in codec.codec.decode(clips)]

    def held_out_errors(audios: Sequence[Audio], prompts: Sequence[Prompt]) -> NDArray[np.float64]:
        heard = preferences.ears.recogniser.transcribe(audios)
        errors = np.array(word_errors([p.text for p in prompts], heard), dtype=np.float64)
        found: NDArray[np.float64] = errors[:, 0] / errors[:, 1]
        return found

    def prefer(
        before: Sequence[Audio], after: Sequence[Audio], prompts: Sequence[Prompt]
    ) -> NDArray[np.float64]:
        n = len(prompts)
        percepts = preferences.ears.hear([*after, *before], [*prompts, *prompts])
        pairs = np.stack([np.arange(n), n + np.arange(n)], axis=1)
        first, second = preferences.panel.choice_probabilities(percepts, pairs, "overall")
        found: NDArray[np.float64] = ((1 + first - second) / 2).mean(0)
        return found

    probe = Probe(
        preferences.split(Split.VALIDATION)[:N_PROMPTS],
        decode,
        rewards={
            "proxy": lambda audios, prompts: rewards.hear(audios, prompts)[:, 0],
            "word_error": lambda audios, prompts: 1 - rewards.words(audios, prompts),
            "held_out_word_error": held_out_errors,
        },
        listeners=prefer,
        n_before=N_BEFORE,
        n_clips=N_CLIPS,
    )
    return Guard.learn(
        policy,
        probe,
        reference=reference,
        kl_budget=kl_budget,
        folder=folder,
        on_alarm=on_alarm,
        seed=seed,
    )
