"""A vector of speech functionals: 72 statistics of pitch, level, spectrum, voice and rhythm.

What a reward or a classifier on few clips can start from. It is this project's own set: neither
the selection nor the numbers of another feature set.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.ndimage
import scipy.signal
from numpy.typing import NDArray

from auralign.audio.features import stft
from auralign.audio.periods import perturbation
from auralign.audio.pitch import HOP_S, Pitch, pitch
from auralign.signals.measures.fidelity import CEPSTRA, mel_cepstra
from auralign.signals.measures.measurers import SPECTRUM_RATE, Float, each
from auralign.signals.measures.prosody import contour
from auralign.signals.measures.voice import hnr_db
from auralign.signals.signal import Direction, Item, Measure, Measurer, Missing, Signal, Values
from auralign.types import Audio

ACTIVE_RANGE_DB = 30.0
LEVEL_FLOOR_DB = -100.0
N_CEPSTRA = 12
FEWEST_FRAMES = 10
MODULATION_BANDS_HZ = ((0.5, 2.0), (2.0, 4.0), (4.0, 8.0), (8.0, 16.0))
SYLLABLE_SMOOTHING_S = 0.05
SYLLABLE_DIP_DB = 2.0
EPSILON = 1e-12

_FULL_SCALE = CEPSTRA.n_fft**2 * 3 / 16
"""Sum over the half spectrum that a full-scale square wave's power has under a Hann window."""


@dataclass(frozen=True, eq=False)
class Frames:
    """What the statistics are taken of, 100 frames per second.

    level     dB re full scale, `[frames]`
    active    within 30 dB of the 95th percentile of the levels, `[frames]`
    power     spectra of the active frames, `[active, bins]`
    cepstra   c1 to c12 of the active frames, `[active, 12]`
    track     the pitch
    contour   pitch in semitones re 100 Hz, `[frames]`, NaN where unvoiced
    """

    level: Float
    active: NDArray[np.bool_]
    power: Float
    cepstra: Float
    track: Pitch
    contour: Float


def frames_of(audio: Audio) -> Frames:
    """Of a clip at 16 kHz."""
    spectra = stft(audio.mono()[None], CEPSTRA.n_fft, CEPSTRA.hop)[0]
    power = (spectra.real**2 + spectra.imag**2).astype(np.float64)
    level = 10 * np.log10(power.sum(axis=1) / _FULL_SCALE + 10 ** (LEVEL_FLOOR_DB / 10))
    active = level > np.percentile(level, 95) - ACTIVE_RANGE_DB
    cepstra = mel_cepstra(audio)[active, :N_CEPSTRA]
    return Frames(level, active, power[active], cepstra, pitch(audio), contour(audio))


def speech_functionals(audio: Audio) -> dict[str, float | Missing]:
    """Every functional of a clip at 16 kHz, by name; what needs a voice may be missing."""
    frames = frames_of(audio)
    found: dict[str, float] = {}
    for group in _GROUPS:
        found.update(group(audio, frames))
    reason = "less than 0.1 s is voiced or active, or nothing of that kind occurs"
    values = {name: found.get(name, float("nan")) for name in UNITS}
    return {
        name: float(value) if np.isfinite(value) else Missing(reason)
        for name, value in values.items()
    }


def _pitch_statistics(audio: Audio, frames: Frames) -> Iterator[tuple[str, float]]:
    f0 = frames.contour[~np.isnan(frames.contour)]
    if f0.size < FEWEST_FRAMES:
        return
    yield from _distribution("f0", f0)
    yield from _slopes("f0", frames.contour)


def _voicing(audio: Audio, frames: Frames) -> Iterator[tuple[str, float]]:
    voiced, total_s = frames.track.voiced, frames.track.voiced.size * HOP_S
    if not voiced.size:
        return
    yield "voiced_share", float(voiced.mean())
    lengths = HOP_S * _run_lengths(voiced)
    gaps = HOP_S * _run_lengths(~voiced)
    yield "voiced_stretches_per_s", lengths.size / total_s
    yield from _moments("voiced_stretch", lengths)
    yield from _moments("unvoiced_stretch", gaps)


def _level_statistics(audio: Audio, frames: Frames) -> Iterator[tuple[str, float]]:
    level = frames.level[frames.active]
    yield from _distribution("level", level)
    yield from _slopes("level", np.where(frames.active, frames.level, np.nan))
    yield "active_share", float(frames.active.mean())
    yield "syllable_peaks_per_s", _syllable_peaks(frames.level) / audio.duration_s


def _cepstral_statistics(audio: Audio, frames: Frames) -> Iterator[tuple[str, float]]:
    for k, column in enumerate(frames.cepstra.T, start=1):
        yield from _moments(f"mfcc{k}", column)


def _spectral_statistics(audio: Audio, frames: Frames) -> Iterator[tuple[str, float]]:
    for name, values in _shapes(frames.power).items():
        yield from _moments(name, values)


def _voice_statistics(audio: Audio, frames: Frames) -> Iterator[tuple[str, float]]:
    ratios = hnr_db(frames.track)
    if ratios.size >= FEWEST_FRAMES:
        yield from _moments("hnr", ratios)
    found = perturbation(audio)
    if found:
        yield "jitter", 100 * found.jitter
        yield "shimmer", 100 * found.shimmer


def _modulation(audio: Audio, frames: Frames) -> Iterator[tuple[str, float]]:
    """Shares of the level's modulation between 0.5 and 16 Hz."""
    level = np.maximum(frames.level, frames.level.max() - 60)
    window = np.hanning(level.size + 2)[1:-1]
    power = np.square(np.abs(np.fft.rfft((level - level.mean()) * window)))
    hz = np.fft.rfftfreq(level.size, HOP_S)
    bands = [power[(hz >= low) & (hz < high)].sum() for low, high in MODULATION_BANDS_HZ]
    for k, band in enumerate(bands, start=1):
        yield f"modulation{k}_share", float(band / max(sum(bands), EPSILON))


_GROUPS = (
    _pitch_statistics,
    _voicing,
    _level_statistics,
    _cepstral_statistics,
    _spectral_statistics,
    _voice_statistics,
    _modulation,
)


def _moments(name: str, values: Float) -> Iterator[tuple[str, float]]:
    if values.size:
        yield f"{name}_mean", float(values.mean())
        yield f"{name}_sd", float(values.std())


def _distribution(name: str, values: Float) -> Iterator[tuple[str, float]]:
    yield from _moments(name, values)
    low, middle, high = np.percentile(values, [20, 50, 80])
    yield f"{name}_p20", float(low)
    yield f"{name}_p50", float(middle)
    yield f"{name}_p80", float(high)


def _slopes(name: str, track: Float) -> Iterator[tuple[str, float]]:
    """Mean slope per second where a contour rises and where it falls; NaN interrupts it."""
    slope = np.diff(track) / HOP_S
    for direction, part in (("rising", slope[slope > 0]), ("falling", slope[slope < 0])):
        if part.size:
            yield f"{name}_{direction}", float(part.mean())


def _run_lengths(member: NDArray[np.bool_]) -> Float:
    """Frames of each run of members."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], member, [False]]).astype(np.int8)))
    return (edges[1::2] - edges[::2]).astype(np.float64)


def _syllable_peaks(level: Float) -> int:
    """Peaks of the smoothed level that rise 2 dB from the dips beside them (Mermelstein 1975)."""
    smooth = scipy.ndimage.uniform_filter1d(level, round(SYLLABLE_SMOOTHING_S / HOP_S))
    loud = np.percentile(smooth, 95) - ACTIVE_RANGE_DB
    peaks, _ = scipy.signal.find_peaks(smooth, height=loud, prominence=SYLLABLE_DIP_DB)
    return int(peaks.size)


def _shapes(power: Float) -> dict[str, Float]:
    """Shape of each spectrum, `[active]` each; levels in dB, frequencies in Hz."""
    hz = np.linspace(0, SPECTRUM_RATE / 2, power.shape[1])
    share = power / np.maximum(power.sum(axis=1, keepdims=True), EPSILON)
    log_power = 10 * np.log10(power + EPSILON)
    low, high = _band(power, hz, 50, 1_000), _band(power, hz, 1_000, 5_000)
    centroid = share @ hz
    return {
        "slope_low": _slope(log_power, hz, 50, 500),
        "slope_high": _slope(log_power, hz, 500, 1_500),
        "alpha_ratio": 10 * np.log10((low + EPSILON) / (high + EPSILON)),
        "hammarberg": _peak(log_power, hz, 0, 2_000) - _peak(log_power, hz, 2_000, 5_000),
        "centroid": centroid,
        "spread": np.sqrt(np.maximum(share @ hz**2 - centroid**2, 0)),
        "rolloff": hz[(np.cumsum(share, axis=1) < 0.85).sum(axis=1).clip(0, hz.size - 1)],
        "flatness": log_power.mean(axis=1) - 10 * np.log10(power.mean(axis=1) + EPSILON),
        "flux": np.abs(np.diff(share, axis=0)).sum(axis=1) / 2,
    }


def _band(power: Float, hz: Float, low: float, high: float) -> Float:
    return np.asarray(power[:, (hz >= low) & (hz < high)].sum(axis=1))


def _peak(log_power: Float, hz: Float, low: float, high: float) -> Float:
    return np.asarray(log_power[:, (hz >= low) & (hz < high)].max(axis=1))


def _slope(log_power: Float, hz: Float, low: float, high: float) -> Float:
    """Least-squares slope of the spectrum's level [dB/kHz]."""
    inside = (hz >= low) & (hz <= high)
    x = (hz[inside] - hz[inside].mean()) / 1_000
    return np.asarray(log_power[:, inside] @ x / (x @ x))


def load() -> Measurer:
    return each(_measure)


def _measure(item: Item) -> Values:
    return speech_functionals(item.audio)


_DISTRIBUTION = ("mean", "sd", "p20", "p50", "p80")
_SHAPE_UNITS = {
    "slope_low": "dB/kHz",
    "slope_high": "dB/kHz",
    "alpha_ratio": "dB",
    "hammarberg": "dB",
    "centroid": "Hz",
    "spread": "Hz",
    "rolloff": "Hz",
    "flatness": "dB",
    "flux": "",
}
UNITS: dict[str, str] = {
    **{f"f0_{s}": "semitones" for s in _DISTRIBUTION},
    **{f"f0_{s}": "semitones/s" for s in ("rising", "falling")},
    "voiced_share": "",
    "voiced_stretches_per_s": "1/s",
    **{f"{v}_stretch_{s}": "s" for v in ("voiced", "unvoiced") for s in ("mean", "sd")},
    **{f"level_{s}": "dBFS" if s != "sd" else "dB" for s in _DISTRIBUTION},
    **{f"level_{s}": "dB/s" for s in ("rising", "falling")},
    "active_share": "",
    "syllable_peaks_per_s": "1/s",
    **{f"mfcc{k}_{s}": "" for k in range(1, N_CEPSTRA + 1) for s in ("mean", "sd")},
    **{f"{name}_{s}": unit for name, unit in _SHAPE_UNITS.items() for s in ("mean", "sd")},
    "hnr_mean": "dB",
    "hnr_sd": "dB",
    "jitter": "%",
    "shimmer": "%",
    **{f"modulation{k}_share": "" for k in range(1, len(MODULATION_BANDS_HZ) + 1)},
}
"""The functionals, in their order, with units; pitch is in semitones re 100 Hz."""

SIGNALS = (
    Signal(
        name="speech_functionals",
        version=1,
        summary=f"A vector of {len(UNITS)} statistics of pitch, voicing, level, cepstra, spectral "
        "shape, voice and modulation: this project's own set, for rewards on few clips.",
        measures=tuple(
            Measure(name, unit, Direction.DESCRIPTIVE, ("task_achievement", "production_quality"))
            for name, unit in UNITS.items()
        ),
        load=load,
        sample_rate=SPECTRUM_RATE,
        shortest_s=0.5,
        failures=(
            "no number of it is better when higher: train on judgements before use",
            "level and channel are in it: match loudness first",
            "speech of one speaker only; what needs a voice is missing without one",
        ),
    ),
)
