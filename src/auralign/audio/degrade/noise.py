"""Noise under a clip, at a ratio of powers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from auralign.audio.clips import resample
from auralign.errors import AudioError, ConfigError, did_you_mean
from auralign.types import Audio

MAINS_HZ = 50.0
MIN_TALKERS = 3
"""Fewer voices than this are a competing talker, whose words can be followed."""
MAX_TALKERS = 8

Signal = NDArray[np.float64]


def add_noise(audio: Audio, snr_db: float, colour: str, rng: np.random.Generator) -> Audio:
    """The clip with stationary noise at `snr_db`, the ratio of mean powers over the whole clip.

    colour   `white`; `pink` (-3 dB per octave); `hum` (50 Hz and its odd harmonics)

    The result may exceed full scale. Raises AudioError for a silent clip, ConfigError for an
    unknown colour.
    """
    if colour not in NOISES:
        known = ", ".join(NOISES)
        raise ConfigError(
            f"noise colour '{colour}' is not one of {known}{did_you_mean(colour, NOISES)}"
        )
    noise = np.stack(
        [NOISES[colour](audio.n_samples, audio.sample_rate, rng) for _ in range(audio.channels)]
    )
    return mix_at_snr(audio, noise, snr_db)


def add_babble(
    audio: Audio, snr_db: float, talkers: Sequence[Audio], rng: np.random.Generator
) -> Audio:
    """The clip among other talkers, at `snr_db` over the whole clip.

    Up to eight of the recordings, drawn and begun at random places, repeat for as long as the
    clip lasts, all at one level. Raises AudioError for a silent clip or fewer than three talkers.
    """
    if len(talkers) < MIN_TALKERS:
        raise AudioError(
            f"babble needs recordings of at least {MIN_TALKERS} other talkers, got {len(talkers)}: "
            "give more recordings"
        )
    drawn = rng.permutation(len(talkers))[:MAX_TALKERS]
    voices = [_voice(talkers[i], audio, rng) for i in drawn]
    babble = np.sum([voice / np.sqrt(_power(voice)) for voice in voices], axis=0)
    return mix_at_snr(audio, np.tile(babble, (audio.channels, 1)), snr_db)


def mix_at_snr(audio: Audio, noise: Signal, snr_db: float) -> Audio:
    """The clip and noise `[channels, time]`, scaled to that ratio of mean powers [dB].

    Infinity leaves the clip as it is. Raises AudioError for a silent clip.
    """
    power = _power(audio.samples)
    if power == 0:
        raise AudioError(
            f"noise at {snr_db:g} dB SNR needs a clip with a signal, and this one is silent: "
            "leave silent clips out"
        )
    gain = np.sqrt(power / _power(noise) / 10 ** (snr_db / 10))
    return Audio((audio.samples + gain * noise).astype(np.float32), audio.sample_rate)


def _power(samples: NDArray[np.floating]) -> float:
    return float(np.mean(np.square(samples, dtype=np.float64)))


def _voice(talker: Audio, audio: Audio, rng: np.random.Generator) -> Signal:
    """The talker, mono, from a random place on and around, for the length of `audio`."""
    mono = resample(talker, audio.sample_rate).mono().astype(np.float64)
    if not mono.any():
        raise AudioError("babble needs talkers that speak, and one of them is silent: leave it out")
    return np.resize(np.roll(mono, -int(rng.integers(mono.size))), audio.n_samples)


def _white(n: int, sample_rate: int, rng: np.random.Generator) -> Signal:
    return rng.standard_normal(n)


def _pink(n: int, sample_rate: int, rng: np.random.Generator) -> Signal:
    spectrum = np.fft.rfft(rng.standard_normal(n))
    frequency = np.fft.rfftfreq(n, 1 / sample_rate)
    # Flat below 20 Hz, or a long clip would spend its noise power on what nobody hears.
    return np.fft.irfft(spectrum / np.sqrt(np.maximum(frequency, 20.0)), n)


def _hum(n: int, sample_rate: int, rng: np.random.Generator) -> Signal:
    harmonic = np.array([[1], [3], [5], [7]])
    phase = rng.uniform(0, 2 * np.pi, size=(4, 1))
    angle = 2 * np.pi * MAINS_HZ * harmonic * np.arange(n) / sample_rate + phase
    return np.asarray((np.sin(angle) / harmonic).sum(axis=0))


NOISES = {"white": _white, "pink": _pink, "hum": _hum}
