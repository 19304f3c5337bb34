"""Mel-frequency cepstral coefficients (Davis and Mermelstein, IEEE TASSP 1980)."""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from auralign.audio.clips import resample
from auralign.audio.features import MelSettings, log_mel
from auralign.types import Audio

SETTINGS = MelSettings(
    sample_rate=16_000, n_fft=400, hop=160, n_mels=26, f_min=64.0, f_max=7_800.0, floor=1e-4
)
"""Windows of 25 ms every 10 ms, 26 mel bands."""

N_CEPSTRA = 13
N_FEATURES = 3 * N_CEPSTRA
FRAME_RATE = SETTINGS.sample_rate / SETTINGS.hop
"""Frames per second."""

DELTA_REACH = 2


def mfcc(audio: Audio) -> NDArray[np.float32]:
    """Cepstra, deltas and delta-deltas of the mono mix, `[frames, 39]`, 100 frames per second.

    The clip is resampled to 16 kHz. The 13 cepstra (with c0) are the orthonormal DCT-II of 26
    log-mel magnitudes, less their mean over the clip, which takes the channel and gain out.
    """
    mono = resample(audio, SETTINGS.sample_rate).mono()
    # The analysis reflects half a window at each end, which needs that many samples.
    mono = np.pad(mono, (0, max(SETTINGS.n_fft - mono.size, 0)))
    bands = log_mel(mono[None], SETTINGS)[0]
    cepstra = scipy.fft.dct(bands, norm="ortho", axis=1)[:, :N_CEPSTRA]
    cepstra -= cepstra.mean(axis=0)
    slopes = delta(cepstra)
    return np.concatenate([cepstra, slopes, delta(slopes)], axis=1)


def delta(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Slope per frame over five frames, by least squares, `[frames, n]` -> `[frames, n]`.

    d[t] = sum_k k (c[t+k] - c[t-k]) / (2 sum_k k^2), k = 1, 2, the ends repeated (HTK book,
    eq. 5.16).
    """
    n = len(features)
    padded = np.pad(features, ((DELTA_REACH, DELTA_REACH), (0, 0)), mode="edge")
    steps = range(1, DELTA_REACH + 1)
    rise = sum(
        k * (padded[DELTA_REACH + k : DELTA_REACH + k + n] - padded[DELTA_REACH - k :][:n])
        for k in steps
    )
    return np.asarray(rise / (2 * sum(k * k for k in steps)), dtype=np.float32)
