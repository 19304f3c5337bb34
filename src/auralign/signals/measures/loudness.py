"""Level: loudness, loudness range, peaks, clipping and offset, all without a reference."""

from __future__ import annotations

from auralign.audio.levels import (
    clipping_share,
    dc_offset,
    log_crest_factor,
    loudness_lufs,
    loudness_range_lu,
    peak_dbfs,
    rms_dbfs,
    true_peak_dbtp,
)
from auralign.signals.measures.measurers import each, known
from auralign.signals.signal import Direction, Item, Measure, Measurer, Signal, Values

DB_PER_NEPER = 8.685889638065037


def load_loudness() -> Measurer:
    return each(_loudness)


def load_clipping() -> Measurer:
    return each(_clipping)


def load_dc_offset() -> Measurer:
    return each(_dc_offset)


def _loudness(item: Item) -> Values:
    silent = "the clip is silent"
    return {
        "lufs": known(loudness_lufs(item.audio), "no block of 0.4 s is above -70 LUFS"),
        "lra": known(
            loudness_range_lu(item.audio),
            "the loudness range needs a clip of 3 s with a block above -70 LUFS",
        ),
        "true_peak_dbtp": known(true_peak_dbtp(item.audio), silent),
        "peak_dbfs": known(peak_dbfs(item.audio), silent),
        "rms_dbfs": known(rms_dbfs(item.audio), silent),
    }


def _clipping(item: Item) -> Values:
    return {
        "clip_ratio": known(clipping_share(item.audio), "the clip is silent"),
        "crest_factor_db": DB_PER_NEPER * log_crest_factor(item.audio),
    }


def _dc_offset(item: Item) -> Values:
    return {"dc_offset": known(dc_offset(item.audio), "the clip has no samples")}


_QUALITY = ("production_quality",)

SIGNALS = (
    Signal(
        name="loudness",
        version=1,
        summary="Integrated loudness and loudness range (ITU-R BS.1770-4, EBU Tech 3342; "
        "K-weighting as in pyloudnorm, within 0.05 dB of the standard's at 44.1 and 48 kHz and "
        "0.13 dB at 16 kHz), true peak by 4x oversampling, peak and RMS.",
        measures=(
            Measure("lufs", "LUFS", Direction.TARGET, _QUALITY, -70, None, (-23.0, -16.0)),
            Measure("lra", "LU", Direction.DESCRIPTIVE, _QUALITY, 0),
            Measure("true_peak_dbtp", "dBTP", Direction.TARGET, _QUALITY, None, None, (-20, -1)),
            Measure("peak_dbfs", "dBFS", Direction.DESCRIPTIVE, _QUALITY),
            Measure("rms_dbfs", "dBFS", Direction.DESCRIPTIVE, _QUALITY),
        ),
        load=load_loudness,
        shortest_s=0.4,
        channels="any",
        failures=(
            "necessary, not sufficient: any noise can have the right loudness",
            "4x oversampling may read a peak up to 0.7 dB low",
            "the targets are those of broadcasting and podcasts; a style may want others",
            "the loudness range of less than a minute says little (EBU Tech 3342)",
        ),
    ),
    Signal(
        name="clipping",
        version=1,
        summary="Share of the samples on a flat top (runs of three or more at full scale or "
        "within 3 % of their half-wave's peak), and the crest factor of the mono mix.",
        measures=(
            Measure("clip_ratio", "", Direction.MIN, _QUALITY, 0, 1),
            Measure("crest_factor_db", "dB", Direction.DESCRIPTIVE, _QUALITY, 0),
        ),
        load=load_clipping,
        shortest_s=0.01,
        channels="any",
        failures=(
            "resampling, codecs and filters round flat tops off: measure before them",
            "coarse quantisation makes flat tops too",
            "a square wave is meant to be flat",
        ),
        ladders={"noise": False, "clip": True, "band": False, "quantise": False, "dropout": False},
    ),
    Signal(
        name="dc_offset",
        version=1,
        summary="Largest mean of a channel, as a share of full scale.",
        measures=(Measure("dc_offset", "", Direction.MIN, _QUALITY, 0, 1),),
        load=load_dc_offset,
        shortest_s=0.1,
        channels="any",
        failures=("a short clip of a low tone has a mean of its own",),
        ladders={"noise": False, "clip": False, "band": False, "quantise": False, "dropout": False},
    ),
)
