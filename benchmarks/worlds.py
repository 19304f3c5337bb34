"""A policy that speaks, judged clips, and listeners who take no part in training."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from auralign.audio.clips import quantise
from auralign.data.runs import RunFolder
from auralign.pipeline import packaged_recipe, run_recipe
from auralign.pipeline.stages.codec import TrainedCodec
from auralign.pipeline.stages.corpus import Corpus
from auralign.pipeline.stages.model import TrainedReward
from auralign.pipeline.stages.prefer import Preferences
from auralign.pipeline.stages.sft import TrainedPolicy
from auralign.policies import CodecLanguageModel
from auralign.preferences.ears import Ears
from auralign.preferences.panel import Panel
from auralign.signals.recognisers.words import word_errors
from auralign.types import Audio, Prompt, Split, Tokens

CLIPS_PER_PROMPT = 2


@dataclass(frozen=True)
class World:
    """One seed: a policy, judged clips, and listeners who take no part in training."""

    seed: int
    codec: TrainedCodec
    policy: CodecLanguageModel
    test_prompts: list[Prompt]
    ears: Ears
    panel: Panel
    answers: dict[str, list[tuple[Tokens, float]]]
    """By prompt id: clips, best first, with the share of the others that each one wins against."""
    prompts: dict[str, Prompt]
    corpus: Corpus
    preferences: Preferences
    reward: TrainedReward | None

    def win_rate(self, policy: CodecLanguageModel) -> float:
        """Mean choice probability over the SFT policy's clips, on test prompts."""
        return float(self.preference(policy, "overall").mean())

    def preference(self, policy: CodecLanguageModel, dimension: str) -> NDArray[np.float64]:
        """The choice probability by listener and clip."""
        after, before = self._hear(policy), self._before
        rows = np.arange(len(after))
        pairs = np.stack([rows, len(after) + rows], axis=1)
        both = np.concatenate([after, before])
        prefers, rejects = self.panel.choice_probabilities(both, pairs, dimension)
        found: NDArray[np.float64] = (1 + prefers - rejects) / 2
        return found

    def word_error(self, policy: CodecLanguageModel) -> float:
        """Words that the evaluation's ears hear wrong, as a share, on test prompts."""
        texts = [p.text for p in self.test_prompts for _ in range(CLIPS_PER_PROMPT)]
        errors = word_errors(texts, self.ears.recogniser.transcribe(self._audios(policy)))
        return sum(wrong for wrong, _ in errors) / sum(n for _, n in errors)

    @cached_property
    def _before(self) -> NDArray[np.float64]:
        return self._hear(self.policy)

    def _hear(self, policy: CodecLanguageModel) -> NDArray[np.float64]:
        """Percepts of some clips of each test prompt."""
        asked = [prompt for prompt in self.test_prompts for _ in range(CLIPS_PER_PROMPT)]
        return self.ears.hear(self._audios(policy), asked)

    def _audios(self, policy: CodecLanguageModel) -> list[Audio]:
        """The clips, from the same random numbers always."""
        generator = torch.Generator().manual_seed(self.seed)
        tokens = policy.sample(self.test_prompts, CLIPS_PER_PROMPT, generator=generator).tokens
        return [quantise(audio) for audio in self.codec.codec.decode(tokens)]


def world_of(
    seed: int, base: Path, *, quick: bool = False, recipe_name: str = "quickstart-small"
) -> World:
    """A recipe up to the panel's votes, or to its reward models, read from `base` if it is there.

    The quickstart's stops at the votes.
    """
    n_stages = 4 if recipe_name == "quickstart-small" else 5
    recipe = packaged_recipe(TINY[recipe_name] if quick else recipe_name)
    recipe = recipe.model_copy(update={"seed": seed, "stages": recipe.stages[:n_stages]})
    out = base / f"world-{recipe.name}-{seed}"
    run_recipe(recipe, out, observer=_Silent(), resume=True)
    kinds = (Corpus, TrainedCodec, TrainedPolicy, Preferences, TrainedReward)[:n_stages]
    stages = RunFolder.open(out).path / "stages"
    corpus, codec, sft, preferences, *reward = (
        kind.load(stages / name) for kind, name in zip(kinds, _STAGES, strict=False)
    )
    rng = np.random.default_rng(1000 + seed)
    clean, ordinary = corpus.clean[1::2], corpus.mixed[: len(corpus.clean)]
    ears = Ears.fit(
        corpus.audios(clean),
        corpus.prompts_of(clean),
        corpus.audios(ordinary),
        corpus.prompts_of(ordinary),
        rng=rng,
    )
    panel = Panel.draw(24, name="evaluation", taste_spread=TASTE_SPREAD, rng=rng)
    return World(
        seed,
        codec,
        sft.policy.frozen_copy(),
        preferences.test_prompts,
        ears,
        panel.with_noise(preferences.panel.noise),
        dict(_ranked(preferences)),
        preferences.prompts,
        corpus,
        preferences,
        reward[0] if reward else None,
    )


_STAGES = ("01-corpus", "02-codec", "03-sft", "04-prefer", "05-model")
TINY = {"quickstart-small": "quickstart-tiny", "staged_rl": "staged_rl-tiny"}
TASTE_SPREAD = 0.5
"""As the quickstart's panels have it."""


def _ranked(preferences: Preferences) -> Iterator[tuple[str, list[tuple[Tokens, float]]]]:
    """Clips of each training prompt, best first, with the mean share that each one wins."""
    of_prompt: dict[str, list[int]] = {}
    clips = preferences.clips
    for i, clip in enumerate(clips):
        if preferences.prompts[clip.prompt_id].split is Split.TRAIN:
            of_prompt.setdefault(clip.prompt_id, []).append(i)
    rows = [i for indices in of_prompt.values() for i in indices]
    asked = [preferences.prompts[clips[i].prompt_id] for i in rows]
    percepts = preferences.ears.hear(preferences.audios([clips[i] for i in rows]), asked)
    heard = dict(zip(rows, percepts, strict=True))
    for name, indices in of_prompt.items():
        both = np.stack([heard[i] for i in indices])
        pairs = np.array([(i, j) for i in range(len(both)) for j in range(len(both))])
        prefers, rejects = preferences.panel.choice_probabilities(both, pairs, "overall")
        wins = ((1 + prefers - rejects) / 2).mean(0).reshape(len(both), -1)
        share = (wins.sum(1) - 0.5) / (len(both) - 1)
        order = np.argsort(-share, kind="stable")
        yield name, [(preferences.tokens[clips[indices[k]].id], float(share[k])) for k in order]


class _Silent:
    def started(self, stage: str) -> None: ...

    def progress(self, share: float, note: str) -> None: ...

    def done(self, stage: str, summary: str, seconds: float, reused: bool) -> None:
        print(f"{stage}: {summary}", file=sys.stderr)
