"""The voice: harmonics against noise, and how much its periods differ."""

from __future__ import annotations

import numpy as np

from auralign.audio.periods import FEWEST_PERIODS, perturbation
from auralign.audio.pitch import Pitch, pitch
from auralign.signals.measures.measurers import SPECTRUM_RATE, Float, all_missing, each, known
from auralign.signals.signal import Direction, Item, Measure, Measurer, Signal, Values
from auralign.types import Audio

PERIODS = 4.5
"""Length of the analysis window in periods of 75 Hz (Boersma 1993)."""
HIGHEST_HNR_DB = 40.0


def hnr_db(track: Pitch) -> Float:
    """Harmonics-to-noise ratio of the voiced frames [dB], `[voiced]`, within +-40 dB.

    10 log10(r / (1 - r)) of the autocorrelation at the period (Boersma 1993, eq. 4).
    """
    limit = 10 ** (-HIGHEST_HNR_DB / 10)
    r = np.clip(track.strength[track.voiced], limit, 1 - limit)
    return np.asarray(10 * np.log10(r / (1 - r)))


def mean_hnr_db(audio: Audio) -> float | None:
    """Mean over the voiced frames; None without any."""
    ratios = hnr_db(pitch(audio, periods=PERIODS))
    return float(ratios.mean()) if ratios.size else None


def load_hnr() -> Measurer:
    return each(_hnr)


def load_perturbation() -> Measurer:
    return each(_perturbation)


def _hnr(item: Item) -> Values:
    return {"hnr_db": known(mean_hnr_db(item.audio), "nothing is voiced")}


def _perturbation(item: Item) -> Values:
    found = perturbation(item.audio)
    if found is None:
        return all_missing(("jitter", "shimmer"), f"fewer than {FEWEST_PERIODS} pairs of periods")
    return {"jitter": 100 * found.jitter, "shimmer": 100 * found.shimmer}


_QUALITY = ("production_quality",)

SIGNALS = (
    Signal(
        name="hnr",
        version=1,
        summary="Harmonics-to-noise ratio of the voiced frames (Boersma 1993), windows of 60 ms.",
        measures=(
            Measure("hnr_db", "dB", Direction.MAX, _QUALITY, -HIGHEST_HNR_DB, HIGHEST_HNR_DB),
        ),
        load=load_hnr,
        sample_rate=SPECTRUM_RATE,
        shortest_s=0.2,
        failures=(
            "rises under a low-pass, which takes more noise than harmonics",
            "a breathy or creaky voice is a style, not a fault",
            "heavy noise leaves only the best frames voiced, so the mean stays up",
        ),
        ladders={"noise": True, "clip": True, "band": False, "quantise": True, "dropout": True},
    ),
    Signal(
        name="perturbation",
        version=1,
        summary="Jitter and shimmer (local): mean change from one period to the next, of its "
        "length and of its amplitude, over the mean.",
        measures=(
            Measure("jitter", "%", Direction.MIN, _QUALITY, 0, 200),
            Measure("shimmer", "%", Direction.MIN, _QUALITY, 0, 200),
        ),
        load=load_perturbation,
        sample_rate=SPECTRUM_RATE,
        shortest_s=0.2,
        failures=(
            "made for sustained vowels: in running speech intonation and transitions count too",
            "compression of the level hides shimmer",
            "a monotone robot has little of both",
        ),
        ladders={"noise": False, "band": False, "quantise": False, "dropout": False},
    ),
)
