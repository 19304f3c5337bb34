"""Sounds that tell headphones from loudspeakers: three intervals, one of which is to be found.

antiphase   three tones of 200 Hz, one 6 dB quieter, another with its channels in opposite phase.
            Loudspeakers cancel the latter, so that it seems the quietest (Woods et al. 2017,
            Atten. Percept. Psychophys. 79:2064).
huggins     three noises, in one of which a band around 600 Hz has its channels in opposite phase:
            a faint pitch that only two ears hear (Milne et al. 2021, Behav. Res. Methods 53:1551)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from auralign.types import Audio

N_INTERVALS = 3
TONE_HZ, TONE_S, RAMP_S, GAP_S = 200.0, 1.0, 0.1, 0.5
QUIETER_DB = -6.0
PITCH_HZ, PITCH_WIDTH = 600.0, 0.06
AMPLITUDE = 0.1

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class HeadphoneTrial:
    """A clip of three intervals and the right one, 1 to 3."""

    audio: Audio
    target: int


def headphone_trial(
    kind: Literal["antiphase", "huggins"], sample_rate: int, *, rng: np.random.Generator
) -> HeadphoneTrial:
    """One trial with its target at a drawn place; stereo at `sample_rate` Hz."""
    order = rng.permutation(N_INTERVALS)
    intervals = _tones(sample_rate) if kind == "antiphase" else _noises(sample_rate, rng)
    gap = np.zeros((2, round(GAP_S * sample_rate)))
    parts = [part for place in order for part in (gap, _ramped(intervals[place], sample_rate))]
    samples = np.concatenate(parts, axis=1).astype(np.float32)
    return HeadphoneTrial(Audio(samples, sample_rate), int(np.argmin(order)) + 1)


def _tones(sample_rate: int) -> list[FloatArray]:
    """The quieter tone, the one in opposite phase, and a plain one, each `[2, time]`."""
    time = np.arange(round(TONE_S * sample_rate)) / sample_rate
    tone = AMPLITUDE * np.sin(2 * np.pi * TONE_HZ * time)
    quieter = tone * 10 ** (QUIETER_DB / 20)
    return [np.stack([quieter, quieter]), np.stack([tone, -tone]), np.stack([tone, tone])]


def _noises(sample_rate: int, rng: np.random.Generator) -> list[FloatArray]:
    """The noise with the pitch and two without, each `[2, time]`."""
    n = round(TONE_S * sample_rate)
    noises = [AMPLITUDE / 2 * rng.standard_normal(n) for _ in range(N_INTERVALS)]
    return [_with_pitch(noises[0], sample_rate), *(np.stack([n, n]) for n in noises[1:])]


def _with_pitch(noise: FloatArray, sample_rate: int) -> FloatArray:
    """A shift from 0 to 360 degrees across the band, 180 at its centre, in one channel alone."""
    spectrum = np.fft.rfft(noise)
    frequency = np.fft.rfftfreq(noise.size, 1 / sample_rate)
    low, high = PITCH_HZ * (1 - PITCH_WIDTH), PITCH_HZ * (1 + PITCH_WIDTH)
    phase = 2 * np.pi * np.clip((frequency - low) / (high - low), 0, 1)
    return np.stack([noise, np.fft.irfft(spectrum * np.exp(1j * phase), noise.size)])


def _ramped(samples: FloatArray, sample_rate: int) -> FloatArray:
    n = round(RAMP_S * sample_rate)
    ramp = np.sin(np.linspace(0, np.pi / 2, n)) ** 2
    envelope = np.ones(samples.shape[1])
    envelope[:n], envelope[-n:] = ramp, ramp[::-1]
    return samples * envelope
