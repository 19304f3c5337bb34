"""How far a clip is from a reference: waveform, spectrogram, and cepstra along a warped path."""

from __future__ import annotations

import math

import numpy as np
import scipy.fft
import scipy.linalg
from scipy.spatial.distance import cdist

from auralign.audio.alignment import Warping, warp
from auralign.audio.features import MelSettings, log_mel, mel_filterbank, stft
from auralign.audio.remember import remembered
from auralign.signals.measures.measurers import (
    SPECTRUM_RATE,
    Compared,
    Float,
    aligned_pair,
    all_missing,
    each,
)
from auralign.signals.signal import (
    Direction,
    Item,
    Measure,
    Measurer,
    Missing,
    Requirement,
    Signal,
    Values,
)
from auralign.types import Audio

CEILING_DB = 100.0
"""Ratios are kept within this: float32 samples know no better, and a perfect copy has no ratio."""
SDR_TAPS = 512
LOADING = 1e-10
"""Share of the reference's power on the diagonal; what keeps a band-limited one solvable."""

WINDOW_S = 0.032
HOP_S = 0.008
DYNAMIC_RANGE_DB = 80.0
N_MELS = 64

CEPSTRA = MelSettings(
    sample_rate=SPECTRUM_RATE, n_fft=512, hop=160, n_mels=40, f_min=50.0, f_max=7_800.0, floor=1e-9
)
N_CEPSTRA = 13


def si_sdr_db(reference: Float, degraded: Float) -> float:
    """Scale-invariant signal-to-distortion ratio of `[time]`, means removed.

    Le Roux et al., arXiv 1811.02508, eq. 5; within +-100 dB.
    """
    x, y = reference - reference.mean(), degraded - degraded.mean()
    power = float(x @ x)
    target = (x @ y / power if power else 0.0) * x
    return _ratio_db(float(target @ target), float(np.square(y - target).sum()))


def snr_db(reference: Float, degraded: Float) -> float:
    """Power of the reference over that of the difference; within +-100 dB."""
    return _ratio_db(float(reference @ reference), float(np.square(degraded - reference).sum()))


def sdr_db(reference: Float, degraded: Float) -> float:
    """Signal-to-distortion ratio that forgives a filter of 512 taps; within +-100 dB.

    Vincent et al., IEEE TASLP 2006 (BSS Eval): the degraded clip is projected on the reference
    and its 511 delays. Solved in the autocorrelation domain (Scheibler, arXiv 2110.06440).
    """
    n_fft = scipy.fft.next_fast_len(reference.size + SDR_TAPS, real=True)
    x, y = scipy.fft.rfft(np.stack([reference, degraded]), n=n_fft, axis=1)
    row = scipy.fft.irfft(np.abs(x) ** 2, n=n_fft)[:SDR_TAPS]
    right = scipy.fft.irfft(x.conj() * y, n=n_fft)[:SDR_TAPS]
    row[0] *= 1 + LOADING
    target = float(right @ scipy.linalg.solve_toeplitz(row, right))
    total = float(degraded @ degraded)
    return _ratio_db(max(target, 0.0), max(total - target, 0.0))


def _ratio_db(signal: float, distortion: float) -> float:
    limit = 10 ** (CEILING_DB / 10)
    if signal >= limit * distortion:
        return CEILING_DB if signal > 0 else -CEILING_DB
    return max(10 * math.log10(signal / distortion), -CEILING_DB) if signal > 0 else -CEILING_DB


def spectral_distances(pair: Compared, sample_rate: int) -> dict[str, float]:
    """Distances of the magnitude spectrograms, windows of 32 ms every 8 ms.

    lsd                   log-spectral distance [dB] (Gray and Markel, IEEE TASSP 1976): the root
                          mean square over frequency of the difference of the levels, the mean
                          over frames
    logmel_distance       the same over 64 mel bands [dB]
    spectral_convergence  Frobenius norm of the difference over that of the reference
                          (Arik et al., arXiv 1808.06719)

    Levels stop 80 dB below the reference's largest magnitude.
    """
    n_fft = 2 * round(WINDOW_S * sample_rate / 2)
    hop = round(HOP_S * sample_rate)
    signals = np.stack(pair).astype(np.float32)
    x, y = np.abs(stft(signals, n_fft, hop)).astype(np.float64)
    mels = mel_filterbank(
        MelSettings(sample_rate, n_fft, hop, N_MELS, f_max=min(7_800.0, 0.49 * sample_rate))
    )
    return {
        "lsd": _level_distance(x, y),
        "logmel_distance": _level_distance(x @ mels, y @ mels),
        "spectral_convergence": float(np.linalg.norm(x - y) / np.linalg.norm(x)),
    }


def _level_distance(x: Float, y: Float) -> float:
    floor = x.max() / 10 ** (DYNAMIC_RANGE_DB / 20)
    difference = 20 * np.log10(np.maximum(x, floor) / np.maximum(y, floor))
    return float(np.sqrt(np.square(difference).mean(axis=1)).mean())


@remembered
def mel_cepstra(audio: Audio) -> Float:
    """Mel cepstra c1 to c13, `[frames, 13]`, 100 frames per second, of a clip at 16 kHz.

    The log magnitude in 40 mel bands is c0 + sum_k c_k cos(pi k (band + 1/2) / 40); c0, the
    level, is left out. Bands stop 80 dB below the loudest of the clip.
    """
    bands = log_mel(audio.mono()[None], CEPSTRA)[0].astype(np.float64)
    bands = np.maximum(bands, bands.max() - DYNAMIC_RANGE_DB / 20 * math.log(10))
    cosine = scipy.fft.dct(bands, norm="ortho", axis=1)[:, 1 : N_CEPSTRA + 1]
    return np.asarray(cosine * math.sqrt(2 / CEPSTRA.n_mels))


@remembered
def cepstral_path(audio: Audio, reference: Audio) -> Warping:
    """The alignment in time of a clip with its reference, which comes first in the path.

    By the Euclidean distance of their cepstra; both at 16 kHz.
    """
    return warp(cdist(mel_cepstra(reference), mel_cepstra(audio)))


def mel_cepstral_distortion_db(path: Warping) -> float:
    """Mel-cepstral distortion [dB] along a path (Kubichek, PACRIM 1993): its mean over the path.

    10 / ln 10 sqrt(2 sum_k (c_k - c'_k)^2), the root mean square difference of two smoothed mel
    spectra of equal level.
    """
    return 10 / math.log(10) * math.sqrt(2) * path.cost / path.first.size


def load_ratios() -> Measurer:
    return each(_ratios)


def load_spectral_distances() -> Measurer:
    return each(_spectral_distances)


def load_mcd() -> Measurer:
    return each(_mcd)


def _ratios(item: Item) -> Values:
    pair = aligned_pair(item)
    if isinstance(pair, Missing):
        return all_missing(("si_sdr", "snr", "sdr"), pair.reason)
    return {"si_sdr": si_sdr_db(*pair), "snr": snr_db(*pair), "sdr": sdr_db(*pair)}


def _spectral_distances(item: Item) -> Values:
    pair = aligned_pair(item)
    if isinstance(pair, Missing):
        return all_missing(("lsd", "logmel_distance", "spectral_convergence"), pair.reason)
    return spectral_distances(pair, item.audio.sample_rate)


def _mcd(item: Item) -> Values:
    if item.reference is None:
        return {"mcd": Missing("there is no reference recording")}
    return {"mcd": mel_cepstral_distortion_db(cepstral_path(item.audio, item.reference))}


_QUALITY = ("production_quality",)
_BOTH = ("content_preservation", "production_quality")
_ALIGNED = frozenset({Requirement.ALIGNED_REFERENCE})
_LADDERS = {"noise": True, "clip": True, "band": True, "quantise": True, "dropout": True}

SIGNALS = (
    Signal(
        name="sdr",
        version=1,
        summary="Power of the reference over that of the error: as it is (SNR), after the best "
        "gain (SI-SDR), after the best filter of 512 taps (SDR of BSS Eval). "
        "Limited to 100 dB, which is what a perfect copy gets.",
        measures=(
            Measure("si_sdr", "dB", Direction.MAX, _QUALITY, -CEILING_DB, CEILING_DB),
            Measure("snr", "dB", Direction.MAX, _QUALITY, -CEILING_DB, CEILING_DB),
            Measure("sdr", "dB", Direction.MAX, _QUALITY, -CEILING_DB, CEILING_DB),
        ),
        load=load_ratios,
        requires=_ALIGNED,
        shortest_s=0.1,
        failures=(
            "poor for generated audio: a delay or another phase is an error in full",
            "SNR falls with a change of level that nobody minds, SI-SDR does not",
            "blind to where in time or frequency the error is, so hardly related to loudness",
        ),
        ladders=_LADDERS,
    ),
    Signal(
        name="spectral_distance",
        version=1,
        summary="Distance of magnitude spectrograms from an aligned reference: log-spectral "
        "distance, the same in mel bands, and spectral convergence.",
        measures=(
            Measure("lsd", "dB", Direction.MIN, _QUALITY, 0),
            Measure("logmel_distance", "dB", Direction.MIN, _BOTH, 0),
            Measure("spectral_convergence", "", Direction.MIN, _QUALITY, 0),
        ),
        load=load_spectral_distances,
        requires=_ALIGNED,
        shortest_s=0.1,
        failures=(
            "a change of level counts as a distance: match loudness first",
            "weak for synthesis, where no reference is aligned",
            "what is added in pauses counts as much as what is changed in speech",
        ),
        ladders=_LADDERS,
    ),
    Signal(
        name="mcd",
        version=1,
        summary="Mel-cepstral distortion along a warped path: 13 cepstra without c0 of 40 mel "
        "bands at 16 kHz, windows of 32 ms every 10 ms, steps unweighted, pauses included.",
        measures=(Measure("mcd", "dB", Direction.MIN, _BOTH, 0),),
        load=load_mcd,
        requires=frozenset({Requirement.REFERENCE}),
        sample_rate=SPECTRUM_RATE,
        shortest_s=0.1,
        longest_s=60.0,
        failures=(
            "not comparable with values from WORLD's mel-generalised cepstra or from other sets",
            "weak for synthesis: another speaker or another reading moves it more than a fault",
            "warping hides what is wrong with the timing",
            "memory grows with the product of both lengths",
        ),
        ladders=_LADDERS,
    ),
)
