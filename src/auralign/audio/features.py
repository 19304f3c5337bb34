"""Short-time spectra and mel spectra, batched over equal-length signals.

Frames are centred: frame `i` is centred on sample `i * hop`, the signal is reflected at its ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.fft
from numpy.typing import NDArray

Float = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class MelSettings:
    """What turns samples into log-mel frames: rate in Hz, window and hop in samples."""

    sample_rate: int = 16_000
    n_fft: int = 512
    hop: int = 128
    n_mels: int = 64
    f_min: float = 50.0
    f_max: float = 7_800.0
    floor: float = 1e-4
    """Magnitudes below this (re full scale 1) are raised to it before the logarithm."""


@lru_cache(maxsize=8)
def hann(n: int) -> Float:
    """Periodic Hann window, float32 `[n]`."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)).astype(np.float32)


def stft(signals: Float, n_fft: int, hop: int) -> NDArray[np.complex64]:
    """Complex spectra `[batch, frames, n_fft // 2 + 1]` of float32 `[batch, time]`."""
    padded = np.pad(signals, ((0, 0), (n_fft // 2, n_fft // 2)), mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft, axis=1)[:, ::hop]
    return np.asarray(scipy.fft.rfft(frames * hann(n_fft), axis=-1))


def istft(spectra: NDArray[np.complex64], n_fft: int, hop: int, n_samples: int) -> Float:
    """Least-squares inverse of `stft` (Griffin & Lim 1984, eq. 6): float32 `[batch, n_samples]`."""
    frames = scipy.fft.irfft(spectra, n=n_fft, axis=-1)
    frames *= hann(n_fft)
    total = _overlap_add(frames, hop)
    total *= _inverse_weight(frames.shape[1], n_fft, hop)
    return total[:, n_fft // 2 : n_fft // 2 + n_samples]


@lru_cache(maxsize=256)
def _inverse_weight(n_frames: int, n_fft: int, hop: int) -> Float:
    """One over the sum of the squared windows at each sample, `[1, samples]`."""
    weight = _overlap_add(np.tile(hann(n_fft) ** 2, (1, n_frames, 1)), hop)
    return np.asarray(1 / np.maximum(weight, 1e-8), dtype=np.float32)


def _overlap_add(frames: Float, hop: int) -> Float:
    """`[batch, frames, n_fft]` added up at steps of `hop`; `hop` divides `n_fft`."""
    batch, n_frames, n_fft = frames.shape
    parts = n_fft // hop
    out = np.zeros((batch, n_frames + parts - 1, hop), dtype=np.float32)
    pieces = frames.reshape(batch, n_frames, parts, hop)
    for part in range(parts):
        out[:, part : part + n_frames] += pieces[:, :, part]
    return out.reshape(batch, -1)


def hz_to_mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """HTK mel scale (O'Shaughnessy 1987)."""
    return np.asarray(2595.0 * np.log10(1.0 + hz / 700.0))


def mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(700.0 * (10.0 ** (mel / 2595.0) - 1.0))


@lru_cache(maxsize=8)
def mel_filterbank(settings: MelSettings) -> Float:
    """Triangular filters, each summing to one: float32 `[n_fft // 2 + 1, n_mels]`."""
    bins = np.linspace(0, settings.sample_rate / 2, settings.n_fft // 2 + 1)
    limits = hz_to_mel(np.array([settings.f_min, settings.f_max]))
    edges = mel_to_hz(np.linspace(limits[0], limits[1], settings.n_mels + 2))
    # Low filters narrower than one bin would be empty: no edge distance below the bin spacing.
    rise = np.maximum(np.diff(edges)[:-1], bins[1])
    fall = np.maximum(np.diff(edges)[1:], bins[1])
    offset = bins[:, None] - edges[1:-1]
    triangles = np.clip(np.minimum(1 + offset / rise, 1 - offset / fall), 0, None)
    return np.asarray(triangles / triangles.sum(axis=0), dtype=np.float32)


def log_mel(signals: Float, settings: MelSettings) -> Float:
    """Natural-log mel magnitudes `[batch, frames, n_mels]` of float32 `[batch, time]`.

    Magnitudes are divided by `n_fft / 4`, the peak that the window gives a full-scale sine, so that
    it reads 0 less the filter's loss: 0.2 in the lowest filters, 0.3 at 1 kHz, 1.6 at 7.5 kHz,
    where a filter spreads over 19 bins and a sine fills three.
    """
    magnitude = np.abs(stft(signals, settings.n_fft, settings.hop)) / (settings.n_fft / 4)
    return np.log(np.maximum(magnitude @ mel_filterbank(settings), settings.floor))
