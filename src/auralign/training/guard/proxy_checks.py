"""What a reward pays for, found out on clips of the SFT policy before anything is trained on it.

Each clip is changed in a way whose effect on a sound reward is known: damage lowers it, gain and
silence do nothing, another prompt lowers it. Effects are in standard deviations of the reward over
the clips as they are. They are the figures of the rules about the proxy (`rules.REWARD`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from auralign.audio.degrade import add_noise, clip_hard, low_pass
from auralign.errors import AuralignError
from auralign.types import Audio, Prompt

Reward = Callable[[Sequence[Audio], Sequence[Prompt]], NDArray[np.float64]]
"""Clips and what was asked of each -> value of each `[clips]`, higher is better; NaN for none."""

GAIN_DB = -6.0
"""Downwards, because upwards a clip may leave full scale, which is another fault."""
PADDING_S = 0.5
NOISE_SNR_DB = 5.0
DRIVE_DB = 18.0
CUTOFF_HZ = 1500.0
FEWEST_CLIPS = 8


def proxy_figures(
    reward: Reward, audios: Sequence[Audio], prompts: Sequence[Prompt], rng: np.random.Generator
) -> dict[str, float]:
    """Figures about a reward; only those that exist, and none with fewer than 8 clips that count.

    proxy_ladder_order   share of clips below which the reward puts their damaged copies (noise,
                         clipping, a low-pass filter, time reversed), of the worst kind of damage
    proxy_level_effect   how much 6 dB of gain move it, sd
    proxy_padding_gain   by how much half a second of silence raises it, sd
    proxy_silence_rank   share of clips that digital silence beats; 0 where silence has no value
    proxy_text_order     share of clips that it prefers for their own prompt; ties count half
    """
    before = reward(audios, prompts)
    sounding = [k for k in range(len(audios)) if np.isfinite(before[k]) and audios[k].samples.any()]
    if len(sounding) < FEWEST_CLIPS or before[sounding].std() == 0:
        return {}
    clips = [audios[k] for k in sounding]
    asked = [prompts[k] for k in sounding]
    own = before[sounding]

    def changes(change: Callable[[Audio], Audio]) -> NDArray[np.float64]:
        return np.asarray((reward([change(a) for a in clips], asked) - own) / own.std())

    damages = [changes(damage) for damage in _damages(rng)]
    figures = {
        "proxy_ladder_order": min(_share(-damage) for damage in damages),
        "proxy_level_effect": abs(_mean(changes(_quieter))),
        "proxy_padding_gain": _mean(changes(_padded)),
        "proxy_silence_rank": _silence_rank(reward, clips, asked, own),
        "proxy_text_order": _text_order(reward, clips, asked, own),
    }
    return {name: value for name, value in figures.items() if np.isfinite(value)}


def _damages(rng: np.random.Generator) -> list[Callable[[Audio], Audio]]:
    return [
        lambda audio: add_noise(audio, NOISE_SNR_DB, "white", rng),
        lambda audio: clip_hard(audio, DRIVE_DB),
        lambda audio: low_pass(audio, min(CUTOFF_HZ, audio.sample_rate / 4)),
        lambda audio: Audio(audio.samples[:, ::-1].copy(), audio.sample_rate),
    ]


def _quieter(audio: Audio) -> Audio:
    return Audio(audio.samples * np.float32(10 ** (GAIN_DB / 20)), audio.sample_rate)


def _padded(audio: Audio) -> Audio:
    silence = np.zeros((audio.channels, round(PADDING_S * audio.sample_rate)), np.float32)
    return Audio(np.concatenate([audio.samples, silence], axis=1), audio.sample_rate)


def _silent(audio: Audio) -> Audio:
    return Audio(np.zeros_like(audio.samples), audio.sample_rate)


def _silence_rank(
    reward: Reward, clips: Sequence[Audio], prompts: Sequence[Prompt], own: NDArray[np.float64]
) -> float:
    """A reward that refuses silence pays nothing for it."""
    try:
        silence = reward([_silent(audio) for audio in clips], prompts)
    except AuralignError:
        return 0.0
    return float(np.mean([(value > own).mean() for value in silence]))


def _text_order(
    reward: Reward, clips: Sequence[Audio], prompts: Sequence[Prompt], own: NDArray[np.float64]
) -> float:
    """Every clip also answers the next prompt that has another text; NaN where all have one."""
    others = [_next_other(prompts, k) for k in range(len(prompts))]
    if None in others:
        return float("nan")
    swapped = reward(clips, [other for other in others if other is not None])
    return _share(own - swapped)


def _next_other(prompts: Sequence[Prompt], k: int) -> Prompt | None:
    following = [*prompts[k + 1 :], *prompts[:k]]
    return next((p for p in following if p.text != prompts[k].text), None)


def _mean(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def _share(gaps: NDArray[np.float64]) -> float:
    """Of the gaps that are above 0; those of 0 count half, and NaN not at all."""
    known = gaps[np.isfinite(gaps)]
    return float(((known > 0) + 0.5 * (known == 0)).mean()) if known.size else float("nan")
