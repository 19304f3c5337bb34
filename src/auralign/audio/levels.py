"""Level measurements of a clip: loudness, peaks, clipping, noise floor and activity.

Levels are in dB relative to full scale, where a full-scale square wave has 0 dBFS RMS and a
full-scale sine -3.01. A value that does not exist (a level of silence, the loudness of a clip
shorter than its measuring block) is None.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pyloudnorm
import scipy.signal
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from auralign.errors import AudioError
from auralign.types import Audio

LOUDNESS_BLOCK_S = 0.4
SHORT_TERM_S = 3.0
SHORT_TERM_STEP_S = 0.1
ABSOLUTE_GATE_LUFS = -70.0
RANGE_GATE_LU = -20.0
FULL_SCALE = 0.999
CLIPPED_RUN = 3
FLAT_TOLERANCE = 0.03
FLAT_SHARE = 1 / 3
CEILING_SHARE = 0.8
FRAME_S = 0.02
ACTIVITY_MARGIN_DB = 30.0
HANGOVER_S = 0.2
NOISE_PERCENTILE = 10
NOISE_BAND_HZ = 250.0
NOISE_BIAS_DB = 3.7
"""How far the 10th percentile of a band's power lies below its mean in Gaussian noise."""


def loudness_lufs(audio: Audio) -> float | None:
    """Integrated loudness [LUFS] (ITU-R BS.1770-4, with gating).

    None for a clip shorter than one block of 0.4 s, or with no block above -70 LUFS.
    """
    if audio.duration_s < LOUDNESS_BLOCK_S:
        return None
    meter = pyloudnorm.Meter(audio.sample_rate, block_size=LOUDNESS_BLOCK_S)
    with np.errstate(divide="ignore"):
        loudness = float(meter.integrated_loudness(audio.samples.T.astype(np.float64)))
    return loudness if math.isfinite(loudness) else None


def loudness_range_lu(audio: Audio) -> float | None:
    """Loudness range [LU]: 10th to 95th percentile of the short-term loudness, after gating.

    EBU Tech 3342: blocks of 3 s every 0.1 s, those below -70 LUFS and those 20 LU below the mean
    power of the rest left out. Only whole blocks are taken, no silence is appended, so a steady
    tone has 0. None for a clip shorter than one block, or with no block above -70 LUFS.
    """
    if audio.duration_s < SHORT_TERM_S:
        return None
    overlap = 1 - SHORT_TERM_STEP_S / SHORT_TERM_S
    meter = pyloudnorm.Meter(audio.sample_rate, block_size=SHORT_TERM_S, overlap=overlap)
    with np.errstate(divide="ignore"):
        meter.integrated_loudness(audio.samples.T.astype(np.float64))
    blocks = np.array(meter.blockwise_loudness)
    blocks = blocks[blocks >= ABSOLUTE_GATE_LUFS]
    if blocks.size == 0:
        return None
    mean = 10 * math.log10(float(np.mean(10 ** (blocks / 10))))
    low, high = np.percentile(blocks[blocks >= mean + RANGE_GATE_LU], [10, 95])
    return float(high - low)


def dc_offset(audio: Audio) -> float | None:
    """The largest mean of a channel, as a share of full scale; None without samples."""
    if audio.n_samples == 0:
        return None
    return float(np.abs(audio.samples.mean(axis=1, dtype=np.float64)).max())


def peak_dbfs(audio: Audio) -> float | None:
    """The largest sample [dBFS]; None for silence."""
    return _amplitude_db(audio.samples)


def log_crest_factor(audio: Audio) -> float:
    """Natural logarithm of peak over RMS of the mean over channels; clipping lowers it.

    Small floors keep it finite for silence, where it means nothing.
    """
    samples = audio.mono().astype(np.float64)
    return float(np.log(np.abs(samples).max() + 1e-8) - 0.5 * np.log(np.mean(samples**2) + 1e-12))


def true_peak_dbtp(audio: Audio) -> float | None:
    """The peak of the waveform between samples [dBTP], by 4x oversampling; None for silence.

    ITU-R BS.1770-4 Annex 2.
    """
    if audio.n_samples == 0:
        return None
    oversampled = scipy.signal.resample_poly(audio.samples.astype(np.float64), 4, 1, axis=1)
    return _amplitude_db(oversampled)


def _amplitude_db(samples: NDArray[np.floating]) -> float | None:
    peak = float(np.abs(samples).max(initial=0.0))
    return 20 * math.log10(peak) if peak > 0 else None


def rms_dbfs(audio: Audio) -> float | None:
    """Root mean square over all samples and channels [dBFS]; None for silence."""
    power = float(np.square(audio.samples, dtype=np.float64).mean()) if audio.n_samples else 0.0
    return 10 * math.log10(power) if power > 0 else None


def at_rms(audio: Audio, level_dbfs: float) -> Audio:
    """The clip with the gain that gives it this RMS level; it may then exceed full scale.

    Raises AudioError for a silent clip.
    """
    level = rms_dbfs(audio)
    if level is None:
        raise AudioError(
            f"a silent clip cannot be brought to {level_dbfs:g} dBFS RMS: leave silent clips out"
        )
    gain = 10 ** ((level_dbfs - level) / 20)
    return Audio((audio.samples * gain).astype(np.float32), audio.sample_rate)


def clipping_share(audio: Audio) -> float | None:
    """Share of the samples in clipped runs, 0 to 1; None for silence.

    A run is three or more consecutive samples of one sign that sit at full scale (0.999 or
    more), or that form a flat top at any level: they stay within 3 % of the peak of their
    half-wave, such samples make up at least a third of it, and the peak reaches 80 % of the
    clip's. (A sine spends a sixth of its half-wave that near its peak, whatever its frequency.)
    """
    if not audio.samples.any():
        return None
    return float(np.mean([_clipped(channel) for channel in audio.samples]))


def _clipped(signal: NDArray[np.float32]) -> NDArray[np.bool_]:
    magnitude = np.abs(signal)
    starts = np.concatenate([[0], 1 + np.flatnonzero(np.diff(np.sign(signal)))])
    lengths = np.diff(starts, append=signal.size)
    half_wave = np.repeat(np.arange(starts.size), lengths)
    peak = np.maximum.reduceat(magnitude, starts)
    near = _in_runs(magnitude >= (1 - FLAT_TOLERANCE) * peak[half_wave], signal)
    flat = np.add.reduceat(near, starts, dtype=np.int64) >= FLAT_SHARE * lengths
    tall = peak >= CEILING_SHARE * magnitude.max()
    at_full_scale = _in_runs(magnitude >= FULL_SCALE, signal)
    return np.asarray((near & (flat & tall)[half_wave]) | at_full_scale)


def _in_runs(member: NDArray[np.bool_], signal: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Members in runs of three or more of one sign."""
    return _opened(member & (signal > 0)) | _opened(member & (signal < 0))


def _opened(member: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Members in runs of `CLIPPED_RUN` or more: a binary opening."""
    n_starts = max(member.size - CLIPPED_RUN + 1, 0)
    places = [slice(k, k + n_starts) for k in range(CLIPPED_RUN)]
    starts = np.logical_and.reduce([member[place] for place in places])
    opened = np.zeros_like(member)
    for place in places:
        opened[place] |= starts
    return opened


def noise_floor_dbfs(audio: Audio) -> float | None:
    """Level of the stationary noise under the signal [dBFS RMS]; None without a 25 ms frame of it.

    The spectrum of 25 ms frames is taken in bands of 250 Hz; the noise of a band is the 10th
    percentile of its power over time, so a band needs only moments without speech and the clip
    no pause (after Martin, IEEE TSAP 2001). Calibrated on Gaussian noise; a steady hum reads
    about 3.7 dB high. Frames of digital silence are left out: they were edited in, not recorded.
    """
    mono, n = audio.mono().astype(np.float64), round(0.025 * audio.sample_rate)
    if mono.size < n:
        return None
    frames = sliding_window_view(mono, n)[:: max(n // 2, 1)]
    frames = frames[np.abs(frames).max(axis=1) > 0]
    if len(frames) == 0:
        return None
    power = _band_power(frames, audio.sample_rate)
    floor = float(np.percentile(power, NOISE_PERCENTILE, axis=0).sum())
    return 10 * math.log10(floor) + NOISE_BIAS_DB if floor > 0 else None


def _band_power(frames: NDArray[np.float64], sample_rate: int) -> NDArray[np.float64]:
    """Mean power in each band, `[frames, time]` -> `[frames, bands]`; sums to the frame's."""
    n = frames.shape[1]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)
    spectrum = np.square(np.abs(np.fft.rfft(frames * window)))
    spectrum[:, 1 : (n + 1) // 2] *= 2
    first_bins = np.arange(0, spectrum.shape[1], max(round(NOISE_BAND_HZ * n / sample_rate), 1))
    total: NDArray[np.float64] = np.add.reduceat(spectrum, first_bins, axis=1)
    return np.asarray(total / (n * np.square(window).sum()))


def active_duration_s(audio: Audio) -> float | None:
    """Seconds with a signal: 20 ms frames within 30 dB of the loud ones, gaps below 0.2 s filled.

    Loud is the 95th percentile of the frames' RMS. The filled gaps are the hangover of ITU-T
    P.56: the closures inside words are part of speaking. 0 for silence, None for less than a frame.
    """
    n = _frame_length(audio)
    if audio.n_samples < n:
        return None
    return float(active_frames(audio).sum() * n / audio.sample_rate)


def active_frames(audio: Audio) -> NDArray[np.bool_]:
    """Which frames of 20 ms `active_duration_s` counts, `[frames]`; a part of a frame is none."""
    level = frame_levels(audio)
    if level.size == 0:
        return np.zeros(0, dtype=np.bool_)
    threshold = float(np.percentile(level, 95)) / 10 ** (ACTIVITY_MARGIN_DB / 20)
    return _fill_gaps(level > threshold, round(HANGOVER_S / FRAME_S))


def frame_levels(audio: Audio) -> NDArray[np.float64]:
    """RMS over all channels of each whole frame of 20 ms, `[frames]`."""
    n = _frame_length(audio)
    whole = audio.samples[:, : audio.n_samples // n * n].astype(np.float64)
    return np.asarray(np.sqrt(np.square(whole.reshape(audio.channels, -1, n)).mean(axis=(0, 2))))


def _frame_length(audio: Audio) -> int:
    return max(round(FRAME_S * audio.sample_rate), 1)


def _fill_gaps(active: NDArray[np.bool_], shorter_than: int) -> NDArray[np.bool_]:
    places = np.flatnonzero(active)
    filled = active.copy()
    for before, after in pairwise(places):
        if after - before - 1 < shorter_than:
            filled[before:after] = True
    return filled


def silence_share(audio: Audio) -> float | None:
    """Share of the duration that is not active, as `active_duration_s` has it, or None."""
    active = active_duration_s(audio)
    return None if active is None else max(1 - active / audio.duration_s, 0.0)
