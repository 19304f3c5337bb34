"""Short-time objective intelligibility, plain and extended, both from one analysis.

Same numbers as pystoi at 10 kHz, except that pystoi adds random noise at the level of rounding
before the normalisations of ESTOI, to save constant rows and columns from 0 / 0. Here such a row
has no correlation with anything, which is exact and needs no random numbers.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view

from auralign.signals.measures.measurers import Compared, Float, aligned_pair, all_missing, each
from auralign.signals.signal import (
    Direction,
    Item,
    Measure,
    Measurer,
    Missing,
    Requirement,
    Signal,
    Validity,
    Values,
)

RATE = 10_000
FRAME = 256
HOP = 128
N_FFT = 512
N_BANDS = 15
LOWEST_BAND_HZ = 150.0
SEGMENT = 30
"""Frames of a segment: 384 ms."""
DYNAMIC_RANGE_DB = 40.0
CLIP_DB = 15.0
"""A band of the degraded clip counts as at most this far below the reference's level in error."""
EPSILON = float(np.finfo(np.float64).eps)
CONSTANT = 1e-10
"""A row that varies by less than this share of its own level is constant."""


class Intelligibility(NamedTuple):
    stoi: float
    estoi: float


def intelligibility(reference: Float, degraded: Float) -> Intelligibility | None:
    """STOI and ESTOI of `[time]` at 10 kHz, aligned; None for under 30 frames that are not silent.

    STOI: Taal et al., IEEE TASLP 19:2125, 2011. ESTOI: Jensen and Taal, IEEE/ACM TASLP 24:2009,
    2016.
    Frames of the reference 40 dB below its loudest are left out of both.
    """
    x, y = _without_silence(reference, degraded)
    if _n_frames(x.size) < SEGMENT:
        return None
    x_segments, y_segments = _segments(x), _segments(y)
    return Intelligibility(_stoi(x_segments, y_segments), _estoi(x_segments, y_segments))


def _n_frames(n_samples: int) -> int:
    """Frames that begin before the last whole one, as in the authors' code."""
    return max(-(-(n_samples - FRAME) // HOP), 0)


def _frames(signal: Float) -> Float:
    """Windowed, `[frames, FRAME]`; a signal of at least one frame and a sample."""
    window = np.hanning(FRAME + 2)[1:-1]
    frames = sliding_window_view(signal, FRAME)[::HOP][: _n_frames(signal.size)]
    return np.asarray(frames * window)


def _without_silence(reference: Float, degraded: Float) -> tuple[Float, Float]:
    if _n_frames(reference.size) == 0:
        return reference[:0], degraded[:0]
    x, y = _frames(reference), _frames(degraded)
    level = 20 * np.log10(np.linalg.norm(x, axis=1) + EPSILON)
    heard = level > level.max() - DYNAMIC_RANGE_DB
    return _overlap_add(x[heard]), _overlap_add(y[heard])


def _overlap_add(frames: Float) -> Float:
    total = np.zeros((len(frames) + 1, HOP))
    total[:-1] += frames[:, :HOP]
    total[1:] += frames[:, HOP:]
    return total.reshape(-1)


def _segments(signal: Float) -> Float:
    """Amplitude in third-octave bands, `[N_BANDS, segments, SEGMENT]`, a segment at each frame."""
    spectra = scipy.fft.rfft(_frames(signal), n=N_FFT, axis=1)
    bands = np.sqrt((spectra.real**2 + spectra.imag**2) @ _third_octaves())
    by_band = np.ascontiguousarray(bands.T)
    return np.ascontiguousarray(sliding_window_view(by_band, SEGMENT, axis=1))


@lru_cache(maxsize=1)
def _third_octaves() -> Float:
    """Which bins belong to each band, `[N_FFT // 2 + 1, N_BANDS]`."""
    hz = np.fft.rfftfreq(N_FFT, 1 / RATE)
    edges = LOWEST_BAND_HZ * 2.0 ** ((2 * np.arange(N_BANDS + 1) - 1) / 6)
    nearest = np.abs(hz[:, None] - edges).argmin(axis=0)
    bins = np.arange(hz.size)[:, None]
    return np.asarray((bins >= nearest[:-1]) & (bins < nearest[1:]), dtype=np.float64)


def _stoi(x: Float, y: Float) -> float:
    level = _norm(x, 2) / (_norm(y, 2) + EPSILON)
    clipped = np.minimum(y * level, x * (1 + 10 ** (CLIP_DB / 20)))
    return float(np.einsum("bst,bst->bs", _normalised(x, 2), _normalised(clipped, 2)).mean())


def _estoi(x: Float, y: Float) -> float:
    a, b = (_normalised(_normalised(v, 2), 0) for v in (x, y))
    return float(np.einsum("bst,bst->", a, b) / (x.shape[1] * SEGMENT))


def _normalised(x: Float, axis: int) -> Float:
    """Mean 0 and norm 1 along an axis; 0 where there is no variation."""
    centred: Float = x - x.mean(axis=axis, keepdims=True)
    norm = _norm(centred, axis)
    varies = norm > CONSTANT * _norm(x, axis)
    centred *= varies / np.where(varies, norm, 1.0)
    return centred


def _norm(x: Float, axis: int) -> Float:
    squares = np.einsum("bst,bst->bs" if axis == 2 else "bst,bst->st", x, x)
    return np.asarray(np.sqrt(np.expand_dims(squares, axis)))


def load() -> Measurer:
    return each(_measure)


def _measure(item: Item) -> Values:
    pair = aligned_pair(item)
    if isinstance(pair, Missing):
        return all_missing(Intelligibility._fields, pair.reason)
    return _values(pair)


def _values(pair: Compared) -> Values:
    found = intelligibility(*pair)
    if found is None:
        reason = f"fewer than {SEGMENT} frames of the reference are not silent"
        return all_missing(Intelligibility._fields, reason)
    return found._asdict()


SIGNALS = (
    Signal(
        name="stoi",
        version=1,
        summary="Short-time objective intelligibility against an aligned reference: correlation "
        "of third-octave envelopes, plain (STOI) and extended (ESTOI).",
        measures=(
            Measure(
                "stoi", "", Direction.MAX, ("content_preservation", "production_quality"), -1, 1
            ),
            Measure(
                "estoi", "", Direction.MAX, ("content_preservation", "production_quality"), -1, 1
            ),
        ),
        load=load,
        requires=frozenset({Requirement.ALIGNED_REFERENCE}),
        sample_rate=RATE,
        shortest_s=0.41,
        validity=(
            Validity(
                "noisy and time-frequency weighted noisy speech",
                "closer to intelligibility than five other models in three listening experiments",
                "Taal et al., IEEE TASLP 19:2125, 2011",
            ),
            Validity(
                "speech in strongly modulated noise (ESTOI)",
                "accurate where STOI is not, according to its authors",
                "Jensen and Taal, IEEE/ACM TASLP 24:2009, 2016",
            ),
        ),
        failures=(
            "a delay of 100 ms takes a perfect copy from 1 to about -0.1: no use for synthesis "
            "against a recording of the same text",
            "near its ceiling on audio that is good: it says nothing about small differences",
            "blind above 4.3 kHz",
        ),
        ladders={"noise": True, "clip": True, "band": True, "quantise": True, "dropout": True},
    ),
)
