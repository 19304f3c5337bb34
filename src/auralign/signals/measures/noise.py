"""Noise and bandwidth without a reference: floor, pauses against speech, bandwidth, mains hum."""

from __future__ import annotations

import math

import numpy as np
import scipy.fft
import scipy.ndimage
import scipy.signal
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from auralign.audio.levels import FRAME_S, frame_levels, noise_floor_dbfs
from auralign.signals.measures.measurers import Float, each, known
from auralign.signals.signal import Direction, Item, Measure, Measurer, Signal, Values
from auralign.types import Audio

SHORTEST_PAUSE_S = 0.1
LEAST_SPREAD_DB = 3.0
HIGHEST_SNR_DB = 100.0

BAND_HZ = 100.0
BANDWIDTH_RANGE_DB = 60.0

MAINS_HZ = (50.0, 60.0)
N_HARMONICS = 8
HIGHEST_HUM_HZ = 500.0
HUM_WINDOW_S = 0.5
HUM_HOP_S = 0.125
HUM_PERCENTILE = 10
LOWEST_HUM_DB = -80.0


def pause_snr_db(audio: Audio) -> float | None:
    """Power of speech over that of its pauses, which are noise alone [dB]; within +-100 dB.

    Pauses are stretches of at least 0.1 s in which every frame of 20 ms lies below the middle, in
    dB, between the 10th and the 95th percentile of the frames' levels. Their mean power is taken
    off that of the other frames. Frames of digital silence were edited in and count for nothing.
    None without a pause, and where the percentiles are less than 3 dB apart, as in steady noise.
    """
    level = frame_levels(audio)
    level = level[level > 0]
    if level.size == 0:
        return None
    level_db = 20 * np.log10(level)
    quiet, loud = np.percentile(level_db, [10, 95])
    resting = _in_long_runs(level_db < (quiet + loud) / 2, round(SHORTEST_PAUSE_S / FRAME_S))
    if loud - quiet < LEAST_SPREAD_DB or not resting.any():
        return None
    power = np.square(level)
    ratio = float(power[~resting].mean() / power[resting].mean()) - 1
    limit = 10 ** (HIGHEST_SNR_DB / 10)
    return 10 * math.log10(min(max(ratio, 1 / limit), limit))


def _in_long_runs(member: NDArray[np.bool_], shortest: int) -> NDArray[np.bool_]:
    """Members in runs of at least `shortest`."""
    return np.asarray(scipy.ndimage.binary_opening(member, np.ones(shortest)))


def bandwidth_hz(audio: Audio) -> float | None:
    """The highest frequency with sound [Hz]; None for silence or less than a window of 64 ms.

    The upper end of the highest band of 100 Hz whose mean power is within 60 dB of the strongest
    band's.
    """
    n_fft = 2 * round(0.032 * audio.sample_rate)
    if audio.n_samples < n_fft:
        return None
    # Whole frames only: the reflection of an end would be a kink, whose spectrum is wide.
    frames = sliding_window_view(audio.mono().astype(np.float64), n_fft)[:: n_fft // 2]
    window = scipy.signal.windows.blackmanharris(n_fft, sym=False)
    power = np.square(np.abs(np.fft.rfft(frames * window, axis=1))).mean(axis=0)
    bin_hz = audio.sample_rate / n_fft
    first_bins = np.arange(0, power.size, max(round(BAND_HZ / bin_hz), 1))
    bands = np.maximum.reduceat(power, first_bins)
    if bands.max() <= 0:
        return None
    highest = int(np.flatnonzero(bands >= bands.max() / 10 ** (BANDWIDTH_RANGE_DB / 10))[-1])
    ends = np.append(first_bins[1:], power.size) * bin_hz
    return float(min(ends[highest], audio.sample_rate / 2))


def hum_db(audio: Audio) -> float | None:
    """Power of steady lines at the mains' harmonics over the clip's [dB]; at least -80.

    The larger of 50 and 60 Hz, each with eight harmonics. Windows of 0.5 s; a line's power is the
    10th percentile over time of its peak, so that a voice that passes does not count, less that
    of the bins beside it. None for silence or a clip shorter than two windows.
    """
    n = round(HUM_WINDOW_S * audio.sample_rate)
    if audio.n_samples < 2 * n or not audio.samples.any():
        return None
    signal = audio.mono().astype(np.float64)
    frames = sliding_window_view(signal, n)[:: round(HUM_HOP_S * audio.sample_rate)]
    window = np.hanning(n + 1)[:-1]
    spectra = scipy.fft.rfft(frames * window, axis=1)[:, : round(HIGHEST_HUM_HZ * HUM_WINDOW_S)]
    power = np.square(np.abs(spectra))
    # A sine of amplitude 1 peaks at n / 4 under the window and has the power 1 / 2.
    steady = np.percentile(power, HUM_PERCENTILE, axis=0) * 8 / n**2
    lines = max(_line_power(steady, round(hz * HUM_WINDOW_S)) for hz in MAINS_HZ)
    share = lines / float(np.square(signal).mean())
    return max(10 * math.log10(share), LOWEST_HUM_DB) if share > 0 else LOWEST_HUM_DB


def _line_power(steady: Float, fundamental: int) -> float:
    """Power of the lines at multiples of the bin `fundamental`, over the bins beside them.

    A line fills three bins under the window; its neighbours are the four bins next to those.
    """
    bins = fundamental * np.arange(1, N_HARMONICS + 1)
    bins = bins[bins < steady.size - 4]
    beside = np.mean([steady[bins + k] for k in (-4, -3, 3, 4)], axis=0)
    return float(np.maximum(steady[bins] - beside, 0).sum())


def load_noise_floor() -> Measurer:
    return each(_noise_floor)


def load_pause_snr() -> Measurer:
    return each(_pause_snr)


def load_bandwidth() -> Measurer:
    return each(_bandwidth)


def load_hum() -> Measurer:
    return each(_hum)


def _noise_floor(item: Item) -> Values:
    reason = "no frame of 25 ms has any noise"
    return {"noise_floor_dbfs": known(noise_floor_dbfs(item.audio), reason)}


def _pause_snr(item: Item) -> Values:
    reason = "the clip has no 0.1 s of pauses that were recorded"
    return {"pause_snr_db": known(pause_snr_db(item.audio), reason)}


def _bandwidth(item: Item) -> Values:
    return {"bandwidth_hz": known(bandwidth_hz(item.audio), "the clip is silent or below 64 ms")}


def _hum(item: Item) -> Values:
    return {"hum_db": known(hum_db(item.audio), "the clip is silent or shorter than 1 s")}


_QUALITY = ("production_quality",)

SIGNALS = (
    Signal(
        name="noise_floor",
        version=1,
        summary="Level of the stationary noise under the signal: the 10th percentile over time "
        "of the power in bands of 250 Hz, in frames of 25 ms.",
        measures=(Measure("noise_floor_dbfs", "dBFS", Direction.MIN, _QUALITY),),
        load=load_noise_floor,
        shortest_s=0.5,
        failures=(
            "breaks on gated and low-bit audio, whose floor is digital silence",
            "moves with the level of the clip",
            "a steady hum reads 3.7 dB high; music without a rest has no floor",
        ),
        ladders={"noise": True, "clip": False, "band": False, "dropout": False},
    ),
    Signal(
        name="pause_snr",
        version=1,
        summary="Power of speech over that of its pauses; the pauses' power is taken off.",
        measures=(
            Measure("pause_snr_db", "dB", Direction.MAX, _QUALITY, -HIGHEST_SNR_DB, HIGHEST_SNR_DB),
        ),
        load=load_pause_snr,
        shortest_s=0.5,
        failures=(
            "breaks on gated and low-bit audio, whose pauses are digital silence",
            "breathing and reverberation in the pauses count as noise",
            "soft speech of 0.1 s counts as a pause where there is none softer",
        ),
        ladders={"noise": True, "clip": False, "band": False, "dropout": False},
    ),
    Signal(
        name="bandwidth",
        version=1,
        summary="Highest band of 100 Hz whose mean power is within 60 dB of the strongest band's.",
        measures=(Measure("bandwidth_hz", "Hz", Direction.MAX, _QUALITY, 0),),
        load=load_bandwidth,
        shortest_s=0.25,
        failures=(
            "any white noise has the full bandwidth",
            "a soft speaker's sibilants may lie 60 dB below the vowels",
            "never above half the sample rate: compare clips of one rate only",
        ),
        ladders={"noise": False, "clip": False, "band": True, "quantise": False, "dropout": False},
    ),
    Signal(
        name="hum",
        version=1,
        summary="Power of steady lines at 50 or 60 Hz and their harmonics over the clip's power; "
        f"{LOWEST_HUM_DB:g} dB is none.",
        measures=(Measure("hum_db", "dB", Direction.MIN, _QUALITY, LOWEST_HUM_DB, 0),),
        load=load_hum,
        shortest_s=2 * HUM_WINDOW_S,
        failures=(
            "a steady note at a multiple of 50 or 60 Hz is taken for hum",
            "mains that are off by more than 1 Hz are missed in the higher harmonics",
        ),
        ladders={"noise": False, "clip": False, "quantise": False, "dropout": False},
    ),
)
