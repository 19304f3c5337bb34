"""Degradations of known kind and strength, for corpora with flaws and for quality ladders."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from auralign.errors import AudioError, ConfigError, did_you_mean
from auralign.types import Audio

MAINS_HZ = 50.0
WINDOW_S = 0.04
"""Length of a WSOLA window: two periods of the lowest voice."""
TOLERANCE_S = 0.01
"""How far WSOLA may move a window to line its waveform up."""

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
    power = _power(audio.samples)
    if power == 0:
        raise AudioError(
            f"noise at {snr_db:g} dB SNR needs a clip with a signal, and this one is silent: "
            "leave silent clips out"
        )
    noise = np.stack(
        [NOISES[colour](audio.n_samples, audio.sample_rate, rng) for _ in range(audio.channels)]
    )
    gain = np.sqrt(power / _power(noise) / 10 ** (snr_db / 10))
    return Audio((audio.samples + gain * noise).astype(np.float32), audio.sample_rate)


def _power(samples: NDArray[np.floating]) -> float:
    return float(np.mean(np.square(samples, dtype=np.float64)))


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


def clip_hard(audio: Audio, drive_db: float) -> Audio:
    """What an input driven `drive_db` dB over its range leaves: the clip with flat tops.

    Everything above the clip's own peak less `drive_db` is cut there; the rest stays as it was,
    so the loudness hardly changes and 0 dB changes nothing.
    """
    ceiling = np.abs(audio.samples).max(initial=0.0) / 10 ** (drive_db / 20)
    return Audio(np.clip(audio.samples, -ceiling, ceiling).astype(np.float32), audio.sample_rate)


def stretch(audio: Audio, factor: float) -> Audio:
    """The clip at `factor` times its duration and at its own pitch.

    Waveform-similarity overlap-add (Verhelst and Roelands, ICASSP 1993): windows are taken from
    the input at `1 / factor` times the output's pace, each moved by up to 10 ms to where it
    best continues the one before. Raises ConfigError unless 0.25 <= factor <= 4, AudioError for
    a clip shorter than 60 ms.
    """
    if not 0.25 <= factor <= 4:
        raise ConfigError(f"stretch takes a factor from 0.25 to 4, not {factor:g}")
    hop, tolerance = (round(s * audio.sample_rate) for s in (WINDOW_S / 2, TOLERANCE_S))
    if audio.n_samples < 2 * hop + 2 * tolerance:
        raise AudioError(
            f"stretch needs a clip of at least {WINDOW_S + 2 * TOLERANCE_S:g} s, "
            f"this one has {audio.duration_s:.3f} s: leave it out"
        )
    n_out = round(audio.n_samples * factor)
    starts = _aligned_starts(audio.mono(), n_out // hop + 1, hop, tolerance, factor)
    window = 0.5 - 0.5 * np.cos(np.pi * np.arange(2 * hop) / hop)
    output = np.zeros((audio.channels, (starts.size + 1) * hop))
    for k, start in enumerate(starts):
        output[:, k * hop : (k + 2) * hop] += window * audio.samples[:, start : start + 2 * hop]
    output[:, :hop] += (1 - window[:hop]) * audio.samples[:, :hop]
    return Audio(output[:, :n_out].astype(np.float32), audio.sample_rate)


def _aligned_starts(
    mono: NDArray[np.float32], n_windows: int, hop: int, tolerance: int, factor: float
) -> NDArray[np.int64]:
    """First input sample of each window, `[n_windows]`."""
    last = mono.size - 2 * hop
    windows = sliding_window_view(mono, 2 * hop)
    energy = np.cumsum(np.concatenate([[0.0], np.square(mono, dtype=np.float64)]))
    loudness = np.sqrt(energy[2 * hop :] - energy[: -2 * hop] + 1e-9)
    starts = np.zeros(n_windows, dtype=np.int64)
    for k in range(1, n_windows):
        wanted = min(round(k * hop / factor), last)
        low, high = max(wanted - tolerance, 0), min(wanted + tolerance, last) + 1
        continuation = windows[min(starts[k - 1] + hop, last)]
        similarity = windows[low:high] @ continuation / loudness[low:high]
        starts[k] = low + int(np.argmax(similarity))
    return starts
