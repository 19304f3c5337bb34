"""Matching of loudness and length, so that neither tells the rungs of a ladder apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from auralign.audio.degrade.splice import to_length
from auralign.audio.levels import loudness_lufs, rms_dbfs
from auralign.types import Audio

HEADROOM = 0.99
"""The highest sample, where a ladder has to be lowered to avoid clipping."""

MEASURES: dict[Literal["LUFS", "dBFS RMS"], Callable[[Audio], float | None]] = {
    "LUFS": loudness_lufs,
    "dBFS RMS": rms_dbfs,
}


@dataclass(frozen=True, eq=False)
class Matched:
    """A clip after matching, the gain it was given, and by which measure of loudness."""

    audio: Audio
    gain_db: float
    measure: str


def match_loudness(audios: Sequence[Audio]) -> list[Matched]:
    """All clips as loud as the first, in LUFS where every one has a value, else by RMS.

    Where a peak would exceed 0.99, all are lowered by the same further gain. The clips must not be
    silent.
    """
    measure, levels = _levels(audios)
    gains = np.array([levels[0] - level for level in levels])
    peaks = np.array([np.abs(audio.samples).max() for audio in audios]) * 10 ** (gains / 20)
    gains -= max(20 * np.log10(peaks.max() / HEADROOM), 0.0)
    return [
        Matched(_amplified(audio, gain), float(gain), measure)
        for audio, gain in zip(audios, gains, strict=True)
    ]


def _levels(audios: Sequence[Audio]) -> tuple[str, list[float]]:
    for name, measure in MEASURES.items():
        levels = [level for audio in audios if (level := measure(audio)) is not None]
        if len(levels) == len(audios):
            return name, levels
    raise AssertionError("silent clips are refused before they are matched")


def _amplified(audio: Audio, gain_db: float) -> Audio:
    samples = audio.samples * np.float32(10 ** (gain_db / 20)) if gain_db else audio.samples
    return Audio(samples, audio.sample_rate)


def match_length(audios: Sequence[Audio]) -> list[Audio]:
    """All clips as long as the longest, continued with their own room tone."""
    longest = max(audio.n_samples for audio in audios)
    return [to_length(audio, longest) for audio in audios]
