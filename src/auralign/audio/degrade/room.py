"""Reverberation of a model room."""

from __future__ import annotations

import math

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from auralign.errors import ConfigError
from auralign.types import Audio

VOLUME_M3 = 100.0
DISTANCE_M = 1.5
PREDELAY_S = 0.005
MAX_RT60_S = 10.0


def reverberate(audio: Audio, rt60_s: float, rng: np.random.Generator) -> Audio:
    """The clip as heard 1.5 m away in a room of 100 m3, without its delay and at its length.

    rt60_s   seconds in which the reverberation falls by 60 dB; 0 leaves the direct sound alone

    The same generator state gives the same room at any RT60. Raises ConfigError for an RT60
    outside 0 to 10 s.
    """
    response = impulse_response(rt60_s, audio.sample_rate, rng)
    wet = scipy.signal.oaconvolve(audio.samples, response[np.newaxis], axes=1)
    return Audio(wet[:, : audio.n_samples].astype(np.float32), audio.sample_rate)


def impulse_response(
    rt60_s: float, sample_rate: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Direct sound of amplitude 1 at sample 0, and exponentially decaying noise, `[time]`.

    Polack's model (thesis, Le Mans 1988): noise under exp(-3 ln(10) t / RT60) from 5 ms on. Its
    energy over that of the direct sound is (distance / critical distance)^2, with Sabine's
    critical distance 0.057 sqrt(V / RT60): a longer reverberation is a louder one, too.
    """
    if not 0 <= rt60_s <= MAX_RT60_S:
        raise ConfigError(f"reverberation takes an RT60 from 0 to 10 s, not {rt60_s:g} s")
    if rt60_s == 0:
        return np.ones(1)
    begin = round(PREDELAY_S * sample_rate)
    n = math.ceil(rt60_s * sample_rate)
    # Drawn at one length for every RT60, so that each is the same room.
    noise = rng.standard_normal(math.ceil(MAX_RT60_S * sample_rate))[:n]
    tail = noise * np.exp(-3 * math.log(10) * np.arange(n) / (rt60_s * sample_rate))
    energy = (DISTANCE_M / 0.057) ** 2 * rt60_s / VOLUME_M3
    tail *= math.sqrt(energy / np.sum(tail**2))
    return np.concatenate([np.ones(1), np.zeros(begin - 1), tail])
