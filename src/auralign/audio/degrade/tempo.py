"""Time-scale modification: tempo and timing at the same pitch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from auralign.errors import AudioError, ConfigError
from auralign.types import Audio

WINDOW_S = 0.04
"""Length of a WSOLA window: two periods of the lowest voice."""
TOLERANCE_S = 0.01
"""How far WSOLA may move a window to line its waveform up."""
BEFORE_S, AFTER_S = 0.02, 0.06
"""Around a beat, what belongs to its attack."""


def stretch(audio: Audio, factor: float) -> Audio:
    """The clip at `factor` times its duration and at its own pitch.

    Waveform-similarity overlap-add (Verhelst and Roelands, ICASSP 1993): windows are taken from
    the input at `1 / factor` times the output's pace, each moved by up to 10 ms to where it
    best continues the one before. Raises ConfigError unless 0.25 <= factor <= 4, AudioError for
    a clip shorter than 60 ms.
    """
    if not 0.25 <= factor <= 4:
        raise ConfigError(f"stretch takes a factor from 0.25 to 4, not {factor:g}")
    hop = _hop(audio, "stretch")
    n_out = round(audio.n_samples * factor)
    wanted = np.arange(n_out // hop + 1) * hop / factor
    return _overlap_add(audio, wanted, n_out, hop)


def move_beats(
    audio: Audio, beats_s: Sequence[float], shift_s: float, rng: np.random.Generator
) -> Audio:
    """The clip at its own duration with every beat early or late by `shift_s`, by a coin each.

    Attacks, from 20 ms before to 60 ms after a beat, keep their shape; between them time is
    stretched, as `stretch` does, which places them to 10 ms. The same generator state moves the
    same beats the same way at any shift. Raises AudioError without beats, for a shift that is too
    large for the distance between them, or for a clip shorter than 60 ms.
    """
    hop = _hop(audio, "moving beats")
    beats = np.array(beats_s, dtype=np.float64)
    if beats.size == 0 or np.any(np.diff([0.0, *beats, audio.duration_s]) < 0):
        raise AudioError(
            f"expected beats that rise within the clip's {audio.duration_s:g} s, got "
            + (", ".join(f"{beat:g}" for beat in beats) or "none")
        )
    inner = beats[(beats - BEFORE_S > 0) & (beats + AFTER_S < audio.duration_s)]
    marks = np.sort([0.0, *(inner - BEFORE_S), *(inner + AFTER_S), audio.duration_s])
    signs = rng.choice([-1.0, 1.0], size=inner.size)
    moved = marks.copy()
    moved[1:-1] += shift_s * np.repeat(signs, 2)
    if not shift_s >= 0 or np.any(np.diff(moved) <= 0) or np.any(np.diff(marks) <= 0):
        raise AudioError(f"these beats are too close together to be moved by {shift_s:g} s each")
    times = np.arange(audio.n_samples // hop + 1) * hop / audio.sample_rate
    wanted = np.interp(times, moved, marks) * audio.sample_rate
    return _overlap_add(audio, wanted, audio.n_samples, hop)


def _hop(audio: Audio, what: str) -> int:
    if audio.duration_s < WINDOW_S + 2 * TOLERANCE_S:
        raise AudioError(
            f"{what} needs a clip of at least {WINDOW_S + 2 * TOLERANCE_S:g} s, "
            f"this one has {audio.duration_s:.3f} s: leave it out"
        )
    return round(WINDOW_S / 2 * audio.sample_rate)


def _overlap_add(audio: Audio, wanted: NDArray[np.float64], n_out: int, hop: int) -> Audio:
    """Windows from near the `wanted` samples, put at multiples of `hop`."""
    tolerance = round(TOLERANCE_S * audio.sample_rate)
    starts = _aligned_starts(audio.mono(), wanted, hop, tolerance)
    window = 0.5 - 0.5 * np.cos(np.pi * np.arange(2 * hop) / hop)
    output = np.zeros((audio.channels, (starts.size + 1) * hop))
    for k, start in enumerate(starts):
        output[:, k * hop : (k + 2) * hop] += window * audio.samples[:, start : start + 2 * hop]
    output[:, :hop] += (1 - window[:hop]) * audio.samples[:, :hop]
    return Audio(output[:, :n_out].astype(np.float32), audio.sample_rate)


def _aligned_starts(
    mono: NDArray[np.float32], wanted: NDArray[np.float64], hop: int, tolerance: int
) -> NDArray[np.int64]:
    """First input sample of each window, `[windows]`."""
    last = mono.size - 2 * hop
    nearest = np.minimum(np.round(wanted).astype(np.int64), last)
    windows = sliding_window_view(mono, 2 * hop)
    energy = np.cumsum(np.concatenate([[0.0], np.square(mono, dtype=np.float64)]))
    loudness = np.sqrt(energy[2 * hop :] - energy[: -2 * hop] + 1e-9)
    starts = np.zeros(nearest.size, dtype=np.int64)
    for k in range(1, nearest.size):
        low, high = max(nearest[k] - tolerance, 0), min(nearest[k] + tolerance, last) + 1
        continuation = windows[min(starts[k - 1] + hop, last)]
        similarity = windows[low:high] @ continuation / loudness[low:high]
        starts[k] = low + int(np.argmax(similarity))
    return starts
