"""What the guard knows before a training: the SFT policy's clips, and what rewards say of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from auralign.signals.recognisers.ctc import CtcRecogniser
from auralign.signals.recognisers.words import word_errors
from auralign.training import divergence
from auralign.training.guard import Guard, Probe
from auralign.training.guard.bands import learn_bands
from auralign.training.guard.measures import spread_of_values
from auralign.training.guard.probe import Heard, listen
from auralign.training.guard.proxy_checks import Reward, proxy_figures
from auralign.training.guard.rules import RULES
from auralign.types import Audio, Prompt
from benchmarks.hacks.world import World

N_BEFORE, N_JUDGED = 8, 2
"""Clips of each prompt of the probe: for the bands, and at each look."""
WORD_ERRORS = ("word_error", "held_out_word_error")
"""Of recogniser A, which a reward may use, and of B."""
N_CHECKED = 32
"""Clips on which the reward is tried before training."""


@dataclass(frozen=True, eq=False)
class Before:
    """Clips of the SFT policy on the prompts of the probe, and what every reward says of them."""

    probe: Probe
    heard: Heard
    entropy: float

    @classmethod
    def of(cls, world: World, rewards: Mapping[str, Reward], prompts: Sequence[Prompt]) -> Before:
        recognisers = world.recogniser_a, world.recogniser_b
        errors = dict(zip(WORD_ERRORS, map(_word_error, recognisers), strict=True))
        probe = Probe(
            prompts,
            world.decode,
            rewards={**rewards, **errors},
            n_before=N_BEFORE,
            n_clips=N_JUDGED,
            voice_prompts=list(world.policy.voices.values()),
        )
        heard = listen(world.policy, probe, N_BEFORE, seed=1)
        asked = probe.asked(heard.prompt)
        measured = divergence(world.policy, None, asked, heard.tokens, frames_per_pass=4096)
        return cls(replace(probe, listeners=world.prefer), heard, measured["token_entropy"])

    def guard(self, world: World, name: str, folder: Path | None) -> Guard:
        """Over a copy of the SFT policy, with one of the rewards as its proxy.

        As `Guard.learn` makes it, but what is the same for all rewards is heard once. It warns and
        never rolls back, so that the whole way down is seen.
        """
        columns, clips = self._columns(name), self.heard.audios
        rewards = {"proxy": self.probe.rewards[name]}
        rewards |= {kept: self.probe.rewards[kept] for kept in WORD_ERRORS}
        some = slice(None, None, len(clips) // N_CHECKED)
        asked = self.probe.asked(self.heard.prompt)[some]
        rng = np.random.default_rng(0)
        return Guard(
            policy=world.policy.trainable_copy(),
            reference=world.policy.frozen_copy(),
            probe=replace(self.probe, rewards=rewards),
            before=replace(self.heard, columns=columns),
            bands=learn_bands(columns, self.heard.prompt),
            known=proxy_figures(rewards["proxy"], clips[some], asked, rng),
            entropy_before=self.entropy,
            kl_budget=None,
            folder=folder,
            on_alarm="warn",
            seed=0,
            rules=RULES,
        )

    def _columns(self, name: str) -> dict[str, NDArray[np.float64]]:
        """As if there were no other reward."""
        values = self.heard.columns[name]
        others = set(self.probe.rewards) - set(WORD_ERRORS)
        columns = {k: column for k, column in self.heard.columns.items() if k not in others}
        columns["proxy"] = values
        columns["unscored"] = np.isnan(values).astype(np.float64)
        columns["proxy_spread"] = spread_of_values(values, self.heard.prompt)
        return columns


def _word_error(recogniser: CtcRecogniser) -> Reward:
    def reward(audios: Sequence[Audio], prompts: Sequence[Prompt]) -> NDArray[np.float64]:
        texts = [prompt.text for prompt in prompts]
        errors = word_errors(texts, recogniser.transcribe(audios))
        return np.array([wrong / n_words for wrong, n_words in errors])

    return reward
