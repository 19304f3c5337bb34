"""The fixed probe: what a policy says to the same prompts, and all that is heard in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from auralign.errors import ConfigError, DataError
from auralign.training.guard.bands import Columns, PromptIndex
from auralign.training.guard.evidence import FEWEST_PROMPTS
from auralign.training.guard.measures import (
    SIGNALS,
    better_sides,
    sound_measures,
    spread_of_values,
    token_measures,
)
from auralign.training.guard.proxy_checks import Reward
from auralign.training.scoring import TrainablePolicy
from auralign.types import Audio, Prompt, Rollout, Tokens

Listeners = Callable[[Sequence[Audio], Sequence[Audio], Sequence[Prompt]], NDArray[np.float64]]
"""Clips of the SFT policy, clips of the policy, prompts -> preference for the latter `[clips]`."""

LOWER_IS_BETTER = ("word_error", "held_out_word_error", "refused")


@dataclass(frozen=True, eq=False)
class Probe:
    """What is sampled at each evaluation, and who hears it.

    prompts       the same at each evaluation, 8 or more; not those that are trained on
    decode        codes of clips -> their audio
    rewards       name -> reward. `proxy` is the one that is trained on and `held_out` one that is
                  not; `word_error`, `held_out_word_error`, `naturalness`, `speaker_similarity` and
                  `refused` (1 for a clip that declines) have rules; any other is a metric whose
                  higher values are better
    listeners     people's answers, or a model of them
    signals       of the registry
    n_before      clips of the SFT policy for each prompt, which make the bands
    n_clips       clips of the policy for each prompt, 2 or more where diversity is to be seen
    voice_prompts clips that must not be repeated
    """

    prompts: Sequence[Prompt]
    decode: Callable[[Sequence[Tokens]], Sequence[Audio]]
    rewards: Mapping[str, Reward] = field(default_factory=dict)
    listeners: Listeners | None = None
    signals: Sequence[str] = SIGNALS
    n_before: int = 8
    n_clips: int = 2
    voice_prompts: Sequence[Tokens] = ()

    def __post_init__(self) -> None:
        if len(self.prompts) < FEWEST_PROMPTS:
            raise ConfigError(
                f"expected a probe of at least {FEWEST_PROMPTS} prompts, got {len(self.prompts)}: "
                "a standard error over fewer means little"
            )
        if not 1 <= self.n_clips <= self.n_before:
            raise ConfigError(
                f"expected 1 to n_before = {self.n_before} clips of each prompt, got "
                f"{self.n_clips}: each is compared with one of before"
            )

    @property
    def better_sides(self) -> dict[str, int]:
        """Of the measures that have one: 1 where higher is better, -1 where lower is."""
        rewards = {name: -1 if name in LOWER_IS_BETTER else 1 for name in self.rewards}
        return {**better_sides(self.signals), **rewards}

    def asked(self, prompt: PromptIndex) -> list[Prompt]:
        """The prompt of each clip."""
        return [self.prompts[p] for p in prompt]


@dataclass(frozen=True, eq=False)
class Heard:
    """Clips of a policy on the probe, `[clips]`, prompt-major, and everything measured of them."""

    tokens: Sequence[Tokens]
    audios: Sequence[Audio]
    prompt: PromptIndex
    columns: Columns


def listen(policy: TrainablePolicy, probe: Probe, n: int, seed: int) -> Heard:
    """`n` clips of each prompt, from the same random numbers each time, and their measures."""
    generator = torch.Generator().manual_seed(seed)
    return hear(policy.sample(probe.prompts, n, generator=generator), probe)


def hear(rollout: Rollout, probe: Probe) -> Heard:
    """Measures of clips that have been sampled for the prompts of the probe.

    A clip in which nothing sounds is `empty`; it has no pace, no pitch and no codes to compare.
    """
    audios = list(probe.decode(rollout.tokens))
    prompt = np.asarray(rollout.prompt_index, dtype=np.int64)
    asked = probe.asked(prompt)
    sound = sound_measures(audios, asked, probe.signals)
    sounds = sound["empty"] == 0
    columns = {name: np.where(sounds, values, np.nan) for name, values in sound.items()}
    columns |= _of_codes(rollout.tokens, prompt, np.flatnonzero(sounds), probe.voice_prompts)
    columns |= {
        name: _values(name, reward, audios, asked) for name, reward in probe.rewards.items()
    }
    columns |= {"empty": sound["empty"], "unended": 1.0 - rollout.terminated}
    if "proxy" in columns:
        columns["unscored"] = np.isnan(columns["proxy"]).astype(np.float64)
        columns["proxy_spread"] = spread_of_values(columns["proxy"], prompt)
    return Heard(rollout.tokens, audios, prompt, columns)


def _values(
    name: str, reward: Reward, audios: Sequence[Audio], prompts: Sequence[Prompt]
) -> NDArray[np.float64]:
    values = np.asarray(reward(audios, prompts), dtype=np.float64)
    if values.shape != (len(audios),):
        raise DataError(
            f"the reward '{name}' gave values of shape {list(values.shape)} about "
            f"{len(audios)} clips: expected one for each"
        )
    return values


def _of_codes(
    tokens: Sequence[Tokens],
    prompt: PromptIndex,
    rows: NDArray[np.int64],
    voice_prompts: Sequence[Tokens],
) -> dict[str, NDArray[np.float64]]:
    """Measures of the codes of the clips in `rows`, NaN in all others."""
    found = {name: np.full(len(tokens), np.nan) for name in ("copy_share", "seed_spread")}
    if rows.size:
        measured = token_measures([tokens[row] for row in rows], prompt[rows], voice_prompts)
        for name, values in measured.items():
            found[name][rows] = values
    return found
