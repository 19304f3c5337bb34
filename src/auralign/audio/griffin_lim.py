"""From mel magnitudes back to sound: non-negative mel inversion and a fast Griffin-Lim."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from auralign.audio.features import Float, MelSettings, istft, mel_filterbank, stft

_INITIAL_PHASE_SEED = 20130902
"""Decoding is a function of its input alone: the random initial phase is always the same."""


@lru_cache(maxsize=8)
def _inverse_filterbank(settings: MelSettings) -> Float:
    return np.linalg.pinv(mel_filterbank(settings)).astype(np.float32)


def mel_to_magnitude(mel: Float, settings: MelSettings, *, n_iterations: int = 8) -> Float:
    """Non-negative spectra `[..., n_fft // 2 + 1]` whose mel magnitudes are near `mel`.

    Starts from the pseudo-inverse and multiplies by the ratio of wanted to reached mel magnitudes
    (multiplicative updates, Lee & Seung 2001, here for a fixed filterbank).
    """
    bank = mel_filterbank(settings)
    back = bank / np.maximum(bank.sum(axis=1, keepdims=True), 1e-8)
    magnitude = np.maximum(mel @ _inverse_filterbank(settings), 1e-6)
    for _ in range(n_iterations):
        ratio = mel / np.maximum(magnitude @ bank, 1e-8)
        magnitude *= ratio @ back.T
    return np.asarray(magnitude)


def griffin_lim(
    magnitude: Float, settings: MelSettings, n_samples: int, *, n_iterations: int, momentum: float
) -> Float:
    """Signals `[batch, n_samples]` with the given magnitudes `[batch, frames, bins]`.

    The fast Griffin-Lim algorithm (Perraudin, Balazs & Sondergaard 2013, algorithm 2).
    """
    rng = np.random.default_rng(_INITIAL_PHASE_SEED)
    phase = np.exp(2j * np.pi * rng.random(magnitude.shape[1:])).astype(np.complex64)
    spectra = magnitude * phase
    previous = np.zeros_like(spectra)
    for _ in range(n_iterations):
        signals = istft(spectra, settings.n_fft, settings.hop, n_samples)
        consistent = stft(signals, settings.n_fft, settings.hop)[:, : magnitude.shape[1]]
        # In place, because this loop is most of the time of decoding and bound by memory:
        # the accelerated spectrum is consistent + momentum * (consistent - previous).
        previous *= -momentum
        previous += np.float32(1 + momentum) * consistent
        power = previous.real**2 + previous.imag**2
        spectra = previous
        spectra *= magnitude / np.sqrt(power + np.float32(1e-20))
        previous = consistent
    return istft(spectra, settings.n_fft, settings.hop, n_samples)


def mel_to_audio(
    log_mel: Float, settings: MelSettings, *, n_iterations: int, momentum: float = 0.99
) -> Float:
    """Samples `[batch, (frames - 1) * hop]` of natural-log mels `[batch, frames, mels]`."""
    magnitude = mel_to_magnitude(np.exp(log_mel), settings) * (settings.n_fft / 4)
    n_samples = (log_mel.shape[1] - 1) * settings.hop
    return griffin_lim(magnitude, settings, n_samples, n_iterations=n_iterations, momentum=momentum)
