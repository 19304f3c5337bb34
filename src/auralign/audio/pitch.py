"""Fundamental frequency by autocorrelation and a best path (Boersma, Proc. IFA 17, 1993)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from auralign.audio.remember import remembered
from auralign.types import Audio

Float = NDArray[np.float64]
Int = NDArray[np.int64]

FLOOR_HZ = 75.0
CEILING_HZ = 500.0
HOP_S = 0.01
VOICING_THRESHOLD = 0.45
SILENCE_THRESHOLD = 0.03
OCTAVE_COST = 0.01
"""For each octave that a candidate lies below the ceiling: keeps to the shorter period."""
OCTAVE_JUMP_COST = 0.35
VOICING_COST = 0.14
N_CANDIDATES = 6
REACH = 15
"""Samples to each side that interpolate the autocorrelation."""
BLOCK = 1024
"""Frames that are analysed at a time."""

_OFFSETS = np.arange(1 - REACH, REACH + 1)
_SIGNS = 1.0 - 2.0 * (_OFFSETS % 2)


@dataclass(frozen=True, eq=False)
class Pitch:
    """Frames every 10 ms, the first centred at half a window.

    f0         Hz, `[frames]`, NaN where unvoiced
    strength   autocorrelation at the period, `[frames]`, NaN where unvoiced
    """

    f0: Float
    strength: Float

    @property
    def voiced(self) -> NDArray[np.bool_]:
        return ~np.isnan(self.f0)


@remembered
def pitch(audio: Audio, *, periods: float = 3.0) -> Pitch:
    """The pitch of the mono mix, between 75 and 500 Hz.

    periods   length of the Hann window in periods of 75 Hz

    No frames for a clip shorter than one window.
    """
    frames = _frames(audio, periods)
    if len(frames) == 0:
        return Pitch(np.zeros(0), np.zeros(0))
    lags = _lags(audio.sample_rate)
    correlation = np.concatenate(
        [_autocorrelation(frames[i : i + BLOCK], lags) for i in range(0, len(frames), BLOCK)]
    )
    period, strength = _candidates(correlation, audio.sample_rate)
    path = _best_path(
        _preference(strength, period, audio.sample_rate), np.log2(period), _unvoiced(frames)
    )
    rows = np.flatnonzero(path < N_CANDIDATES)
    track = Pitch(np.full(len(frames), np.nan), np.full(len(frames), np.nan))
    if rows.size:
        exact, peak = _refine(correlation, rows, period[rows, path[rows]])
        track.f0[rows], track.strength[rows] = audio.sample_rate / exact, peak
    return track


def frame_centres(audio: Audio, n_frames: int, *, periods: float = 3.0) -> Float:
    """The samples that the frames of `pitch` are centred at, `[n_frames]`."""
    first = _window(audio, periods) / 2
    return np.asarray(first + np.arange(n_frames) * float(round(HOP_S * audio.sample_rate)))


def _window(audio: Audio, periods: float) -> int:
    return round(periods * audio.sample_rate / FLOOR_HZ)


def _frames(audio: Audio, periods: float) -> NDArray[np.float32]:
    n = _window(audio, periods)
    if audio.n_samples < n:
        return np.zeros((0, n), dtype=np.float32)
    frames = sliding_window_view(audio.mono(), n)[:: round(HOP_S * audio.sample_rate)]
    return np.asarray(frames - frames.mean(axis=1, keepdims=True))


def _lags(sample_rate: int) -> int:
    return int(sample_rate / FLOOR_HZ) + REACH + 3


def _autocorrelation(frames: NDArray[np.float32], lags: int) -> Float:
    """Normalised, with the window's own taken out (Boersma's eq. 9): `[frames, lags]`."""
    n = frames.shape[1]
    n_fft = scipy.fft.next_fast_len(n + lags, real=True)
    spectra = scipy.fft.rfft(frames * np.hanning(n + 2)[1:-1].astype(np.float32), n=n_fft, axis=1)
    r = scipy.fft.irfft(spectra.real**2 + spectra.imag**2, n=n_fft, axis=1)[:, :lags]
    power = np.where(r[:, :1] > 0, r[:, :1], 1).astype(np.float64)
    return np.asarray(r / (power * _window_autocorrelation(n, lags)))


@lru_cache(maxsize=8)
def _window_autocorrelation(n: int, lags: int) -> Float:
    window = np.hanning(n + 2)[1:-1]
    r = scipy.fft.irfft(np.abs(scipy.fft.rfft(window, n=2 * n)) ** 2, n=2 * n)[:lags]
    return np.asarray(r / r[0])


def _candidates(correlation: Float, sample_rate: int) -> tuple[Float, Float]:
    """Periods [samples] and heights of the highest maxima, both `[frames, N_CANDIDATES]`.

    Places by parabolas, and heights there by sinc interpolation: a parabola is too low between
    samples, which would favour octaves that meet them. A candidate that there is not has the
    height minus infinity.
    """
    shortest, longest = int(sample_rate / CEILING_HZ), int(sample_rate / FLOOR_HZ) + 1
    left, middle, right = (correlation[:, shortest + k : longest + k] for k in (-1, 0, 1))
    curvature = left - 2 * middle + right
    is_peak = (middle > left) & (middle >= right) & (middle > VOICING_THRESHOLD / 2)
    shift = np.where(is_peak, 0.5 * (left - right) / np.minimum(curvature, -1e-12), 0.0)
    height = np.where(is_peak, middle - 0.25 * (left - right) * shift, -np.inf)
    best = np.argpartition(-height, N_CANDIDATES - 1, axis=1)[:, :N_CANDIDATES]
    period = shortest + best + np.take_along_axis(shift, best, axis=1)
    frame, place = np.nonzero(np.isfinite(np.take_along_axis(height, best, axis=1)))
    strength = np.full(period.shape, -np.inf)
    strength[frame, place] = _interpolated(correlation, frame, period[frame, place])
    return period, strength


def _preference(strength: Float, period: Float, sample_rate: int) -> Float:
    """Boersma's eq. 24; a maximum above one, an artefact of short lags, counts by its inverse."""
    height = np.where(strength > 1, 1 / np.maximum(strength, 1), strength)
    return np.asarray(height - OCTAVE_COST * np.log2(period * FLOOR_HZ / sample_rate))


def _unvoiced(frames: NDArray[np.float32]) -> Float:
    """The strength of having no pitch, `[frames]` (Boersma's eq. 23)."""
    # Only the middle of a window says how loud its frame is: its ends reach into other sounds.
    end = frames.shape[1] // 3
    local = np.abs(frames[:, end : frames.shape[1] - end]).max(axis=1)
    loudest = float(local.max()) or 1.0
    quietness = 2 - local / loudest * (1 + VOICING_THRESHOLD) / SILENCE_THRESHOLD
    return np.asarray(VOICING_THRESHOLD + np.maximum(quietness, 0))


def _best_path(strength: Float, octave: Float, unvoiced: Float) -> NDArray[np.int64]:
    """The candidate of each frame on the best path, `[frames]`; `N_CANDIDATES` is unvoiced."""
    n = len(strength)
    gain = np.concatenate([strength, unvoiced[:, None]], axis=1)
    cost = np.full((n - 1, N_CANDIDATES + 1, N_CANDIDATES + 1), VOICING_COST)
    cost[:, :-1, :-1] = OCTAVE_JUMP_COST * np.abs(octave[:-1, :, None] - octave[1:, None, :])
    cost[:, -1, -1] = 0
    came_from = np.zeros(gain.shape, dtype=np.int64)
    score = gain[0]
    columns = np.arange(N_CANDIDATES + 1)
    for t in range(1, n):
        arriving = score[:, None] - cost[t - 1]
        came_from[t] = arriving.argmax(axis=0)
        score = arriving[came_from[t], columns] + gain[t]
    path = np.zeros(n, dtype=np.int64)
    place = int(score.argmax())
    for t in range(n - 1, -1, -1):
        path[t] = place
        place = int(came_from[t, place])
    return path


def _refine(correlation: Float, frame: Int, period: Float) -> tuple[Float, Float]:
    """Periods and heights of the maxima near `period`, all `[n]`, one in each `frame`."""
    step = 0.25
    for _ in range(2):
        left, middle, right = (
            _interpolated(correlation, frame, period + k * step) for k in (-1, 0, 1)
        )
        curvature = np.minimum(left - 2 * middle + right, -1e-12)
        period = period + step * np.clip(0.5 * (left - right) / curvature, -1, 1)
        step /= 4
    return period, _interpolated(correlation, frame, period)


def _interpolated(correlation: Float, frame: Int, lag: Float) -> Float:
    """The autocorrelation of frames at fractional lags, all `[n]`; a sinc under a Hann window."""
    whole = np.floor(lag)
    rest = (lag - whole)[:, None]
    distance = rest - _OFFSETS
    # sin(pi (rest - k)) = (-1)^k sin(pi rest): one sine for all offsets.
    sinc = np.sin(np.pi * rest) * _SIGNS / np.where(distance == 0, 1, np.pi * distance)
    weight = np.where(distance == 0, 1, sinc) * (0.5 + 0.5 * np.cos(np.pi / REACH * distance))
    places = np.clip(whole.astype(np.int64)[:, None] + _OFFSETS, 0, correlation.shape[1] - 1)
    return np.asarray(np.einsum("nk,nk->n", correlation[frame[:, None], places], weight))
