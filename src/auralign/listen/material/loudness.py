"""Clips brought to one loudness by gain alone (ITU-R BS.1770)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from auralign.audio.levels import loudness_lufs, true_peak_dbtp
from auralign.types import Audio


@dataclass(frozen=True, slots=True)
class Level:
    """What was measured of a clip, and the gain [dB] that it gets."""

    loudness_lufs: float | None
    true_peak_dbtp: float | None
    gain_db: float


def align_levels(
    audios: Sequence[Audio], *, target_lufs: float | None, peak_dbtp: float
) -> list[Level]:
    """Gains that bring the clips of one prompt to one loudness.

    Where some clip would then exceed `peak_dbtp`, the target is lowered for all of them, so that
    they stay equally loud. A clip without a loudness (shorter than 0.4 s, or below the gate) and
    every clip without a target keeps its level; where that exceeds the peak, all are lowered alike.
    """
    measured = [(loudness_lufs(audio), true_peak_dbtp(audio)) for audio in audios]
    gains = [
        0.0 if target_lufs is None or loudness is None else target_lufs - loudness
        for loudness, _ in measured
    ]
    peaks = [
        gain + peak for gain, (_, peak) in zip(gains, measured, strict=True) if peak is not None
    ]
    excess = max(0.0, max(peaks, default=-math.inf) - peak_dbtp)
    return [
        Level(loudness, peak, gain - excess)
        for gain, (loudness, peak) in zip(gains, measured, strict=True)
    ]


def apply_gain(audio: Audio, gain_db: float) -> Audio:
    """The clip with this gain."""
    return Audio((audio.samples * 10 ** (gain_db / 20)).astype("float32"), audio.sample_rate)
