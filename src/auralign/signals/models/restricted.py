"""PESQ, eGeMAPS by openSMILE and Praat's voice measures: what licences keep out of the default.

Nothing here is imported before the user names it; the runner prints each licence once and writes
it into the result (`signals.licences`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from auralign.signals.measures.measurers import aligned_pair, all_missing, each, known
from auralign.signals.models.optional import optional
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

PESQ_LICENCE = (
    "the C code of ITU-T P.862 may only be used to understand, evaluate and test PESQ itself, not "
    "commercially and not passed on (pesq.h); anything else needs a PESQ licence"
)
OPENSMILE_LICENCE = (
    "audEERING research licence: not commercial, and features extracted with it must not go into "
    "a product, directly or in a model"
)

_RATE = 16_000
_PESQ = {"pesq_wb": "wb", "pesq_nb": "nb"}


def load_pesq() -> Measurer:
    """Wide-band (ITU-T P.862.2) and narrow-band (P.862.1) MOS-LQO."""
    package = optional("pesq", "restricted")

    def measure(item: Item) -> Values:
        pair = aligned_pair(item)
        if isinstance(pair, Missing):
            return all_missing(tuple(_PESQ), pair.reason)
        try:
            return {
                name: float(package.pesq(_RATE, pair.reference, pair.degraded, mode))
                for name, mode in _PESQ.items()
            }
        except package.NoUtterancesError:
            return all_missing(tuple(_PESQ), "PESQ finds no utterance")

    return each(measure)


def load_egemaps() -> Measurer:
    """The 88 functionals of eGeMAPSv02 (Eyben et al., IEEE T-AFFC 2016)."""
    package = optional("opensmile", "restricted")
    smile = package.Smile(
        feature_set=package.FeatureSet.eGeMAPSv02,
        feature_level=package.FeatureLevel.Functionals,
    )

    def measure(item: Item) -> Values:
        row = smile.process_signal(item.audio.mono(), item.audio.sample_rate)
        found = dict(zip(smile.feature_names, row.to_numpy()[0], strict=True))
        return {name: _number(found[name]) for name in EGEMAPS}

    return each(measure)


def load_praat() -> Measurer:
    """Pitch, jitter, shimmer and harmonicity with the settings of Praat's own voice report."""
    optional("parselmouth", "restricted")
    call = optional("parselmouth.praat", "restricted").call
    sound_of = optional("parselmouth", "restricted").Sound

    def measure(item: Item) -> Values:
        sound = sound_of(item.audio.mono().astype(np.float64), item.audio.sample_rate)
        return {name: _number(value) for name, value in _voice_report(call, sound).items()}

    return each(measure)


def _voice_report(call: Any, sound: Any) -> dict[str, float]:
    """As Boersma, IFA Proceedings 17, 1993, for pitch and harmonicity; NaN where undefined."""
    pitch = call(sound, "To Pitch", 0.0, 75, 600)
    pulses = call([sound, pitch], "To PointProcess (cc)")
    periods = (0, 0, 1e-4, 0.02, 1.3)  # whole clip; shortest, longest period [s]; largest ratio
    return {
        "f0_median": call(pitch, "Get quantile", 0, 0, 0.5, "Hertz"),
        "f0_sd": call(pitch, "Get standard deviation", 0, 0, "semitones"),
        "jitter": call(pulses, "Get jitter (local)", *periods),
        "shimmer": call([sound, pulses], "Get shimmer (local)", *periods, 1.6),
        "hnr": call(call(sound, "To Harmonicity (cc)", 0.01, 75, 0.1, 1.0), "Get mean", 0, 0),
    }


def _number(value: float) -> float | Missing:
    return known(float(value) if math.isfinite(value) else None, "undefined for this clip")


def _names(pattern: str, parts: str) -> tuple[str, ...]:
    return tuple(pattern.format(part) for part in parts.split())


_CONTOUR = (
    "amean stddevNorm percentile20.0 percentile50.0 percentile80.0 pctlrange0-2 "
    "meanRisingSlope stddevRisingSlope meanFallingSlope stddevFallingSlope"
)
_MOMENTS = "amean stddevNorm"
_VOICED_ONLY = (
    "jitterLocal shimmerLocaldB HNRdBACF logRelF0-H1-H2 logRelF0-H1-A3 "
    "F1frequency F1bandwidth F1amplitudeLogRelF0 F2frequency F2bandwidth F2amplitudeLogRelF0 "
    "F3frequency F3bandwidth F3amplitudeLogRelF0 alphaRatioV hammarbergIndexV slopeV0-500 "
    "slopeV500-1500 spectralFluxV mfcc1V mfcc2V mfcc3V mfcc4V"
)

EGEMAPS = (
    *_names("F0semitoneFrom27.5Hz_sma3nz_{}", _CONTOUR),
    *_names("loudness_sma3_{}", _CONTOUR),
    *(
        f"{name}_sma3_{moment}"
        for name in ["spectralFlux", "mfcc1", "mfcc2", "mfcc3", "mfcc4"]
        for moment in _MOMENTS.split()
    ),
    *(f"{name}_sma3nz_{moment}" for name in _VOICED_ONLY.split() for moment in _MOMENTS.split()),
    *_names(
        "{}_sma3nz_amean",
        "alphaRatioUV hammarbergIndexUV slopeUV0-500 slopeUV500-1500 spectralFluxUV",
    ),
    "loudnessPeaksPerSec",
    "VoicedSegmentsPerSec",
    "MeanVoicedSegmentLengthSec",
    "StddevVoicedSegmentLengthSec",
    "MeanUnvoicedSegmentLength",
    "StddevUnvoicedSegmentLength",
    "equivalentSoundLevel_dBp",
)
"""openSMILE's names of the functionals, in its order."""

_QUALITY = ("production_quality",)
_STYLE = ("task_achievement",)

SIGNALS = (
    Signal(
        name="pesq",
        version=1,
        summary="Perceptual evaluation of speech quality, wide-band and narrow-band MOS-LQO.",
        measures=(
            Measure("pesq_wb", "MOS", Direction.MAX, _QUALITY, low=1.0, high=4.65),
            Measure("pesq_nb", "MOS", Direction.MAX, _QUALITY, low=1.0, high=4.56),
        ),
        load=load_pesq,
        requires=frozenset({Requirement.ALIGNED_REFERENCE}),
        sample_rate=_RATE,
        shortest_s=0.25,
        extra="restricted",
        code_licence=PESQ_LICENCE,
        validity=(
            Validity(
                "telephone speech through codecs and networks",
                "average correlation 0.935 with listening tests",
                "ITU-T P.862 (2001), summary",
            ),
        ),
        failures=(
            "made for telephony: says little about synthesis that is not aligned, music or sound",
            "at most 50 utterances a clip",
        ),
        ladders={"noise": True, "clip": True, "band": True, "quantise": True},
    ),
    Signal(
        name="egemaps",
        version=1,
        summary="The 88 functionals of eGeMAPSv02 by openSMILE.",
        measures=tuple(
            Measure(name, "", Direction.DESCRIPTIVE, (*_QUALITY, *_STYLE)) for name in EGEMAPS
        ),
        load=load_egemaps,
        shortest_s=0.1,
        extra="restricted",
        code_licence=OPENSMILE_LICENCE,
        failures=("gives a row that looks right for silence and for NaN; the gate keeps both out",),
    ),
    Signal(
        name="praat_voice",
        version=1,
        summary="Pitch, jitter, shimmer and harmonics-to-noise ratio by Praat.",
        measures=(
            Measure("f0_median", "Hz", Direction.DESCRIPTIVE, _STYLE, low=0.0),
            Measure("f0_sd", "st", Direction.DESCRIPTIVE, _STYLE, low=0.0),
            Measure("jitter", "", Direction.MIN, _QUALITY, low=0.0),
            Measure("shimmer", "", Direction.MIN, _QUALITY, low=0.0),
            Measure("hnr", "dB", Direction.MAX, _QUALITY),
        ),
        load=load_praat,
        shortest_s=0.1,
        extra="restricted",
        code_licence="GPL-3.0-or-later",
        failures=("the harmonics-to-noise ratio rises when a clip is low-passed",),
        ladders={"noise": True, "clip": True, "band": False, "quantise": True},
    ),
)
