"""Prosody: statistics of the pitch, pauses, speaking rate, and the match with a reference."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from auralign.audio.levels import FRAME_S, HANGOVER_S, active_duration_s, active_frames
from auralign.audio.pitch import FLOOR_HZ, HOP_S, pitch
from auralign.signals.measures.fidelity import cepstral_path
from auralign.signals.measures.measurers import SPECTRUM_RATE, Float, all_missing, each, known
from auralign.signals.recognisers.words import normalise_words, words_per_second
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

FEWEST_VOICED = 10
"""Frames (0.1 s) that statistics of the pitch need."""
LEVEL_WINDOW = 400
LEVEL_RANGE_DB = 60.0


def semitones(f0: Float) -> Float:
    """12 log2(f0 / 100 Hz); NaN stays NaN."""
    return np.asarray(12 * np.log2(f0 / 100.0))


def pitch_statistics(audio: Audio) -> dict[str, float] | None:
    """Of the voiced frames, Hz and semitones; None for less than 0.1 s of voice."""
    track = pitch(audio)
    if track.voiced.sum() < FEWEST_VOICED:
        return None
    f0 = track.f0[track.voiced]
    low, high = np.percentile(semitones(f0), [5, 95])
    return {
        "f0_median_hz": float(np.median(f0)),
        "f0_sd_st": float(semitones(f0).std()),
        "f0_range_st": float(high - low),
        "voiced_share": float(track.voiced.mean()),
    }


def pause_lengths_s(audio: Audio) -> Float | None:
    """Length of each pause between the first and the last sound [s]; None for silence.

    A pause is 0.2 s or more without an active frame, as `active_frames` has them.
    """
    active = active_frames(audio)
    places = np.flatnonzero(active)
    if places.size == 0:
        return None
    gaps = np.diff(places) - 1
    return gaps[gaps >= round(HANGOVER_S / FRAME_S)] * _frame_s(audio)


def _frame_s(audio: Audio) -> float:
    return round(FRAME_S * audio.sample_rate) / audio.sample_rate


def prosody_match(reference: Audio, audio: Audio) -> dict[str, float | Missing]:
    """Contours of pitch and level of two clips at 16 kHz along the path of their cepstra."""
    path = cepstral_path(audio, reference)
    x, y = contour(reference)[path.first], contour(audio)[path.second]
    both = ~np.isnan(x) & ~np.isnan(y)
    level_x, level_y = _levels_db(reference)[path.first], _levels_db(audio)[path.second]
    return {
        **_contour_match(x[both], y[both]),
        "voicing_error": float(np.mean(np.isnan(x) != np.isnan(y))),
        "energy_corr": _correlation(level_x, level_y),
    }


def _contour_match(x: Float, y: Float) -> dict[str, float | Missing]:
    if x.size < FEWEST_VOICED:
        return all_missing(("f0_rmse_st", "f0_corr"), "less than 0.1 s is voiced in both")
    rmse = float(np.sqrt(np.square(x - y).mean()))
    return {"f0_rmse_st": rmse, "f0_corr": _correlation(x, y)}


def contour(audio: Audio) -> Float:
    """Semitones at the frames of `mel_cepstra`, `[frames]`, NaN where unvoiced."""
    n_frames = 1 + audio.n_samples // round(HOP_S * audio.sample_rate)
    f0 = pitch(audio).f0
    # Frames of the pitch are centred from half a window of three periods of the floor on.
    first = round(1.5 / FLOOR_HZ / HOP_S)
    contour = np.full(n_frames, np.nan)
    contour[first : first + f0.size] = semitones(f0)[: n_frames - first]
    return contour


def _levels_db(audio: Audio) -> Float:
    """Level of 25 ms around the frames of `mel_cepstra`, at least 60 dB below the loudest."""
    padded = np.pad(audio.mono().astype(np.float64), LEVEL_WINDOW // 2)
    frames = sliding_window_view(padded, LEVEL_WINDOW)[:: round(HOP_S * audio.sample_rate)]
    power = np.square(frames).mean(axis=1)
    floor = power.max() / 10 ** (LEVEL_RANGE_DB / 10)
    return np.asarray(10 * np.log10(np.maximum(power, floor) + 1e-30))


def _correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> float | Missing:
    if x.std() < 1e-9 or y.std() < 1e-9:
        return Missing("a contour does not vary")
    return float(np.corrcoef(x, y)[0, 1])


def load_f0() -> Measurer:
    return each(_f0)


def load_pauses() -> Measurer:
    return each(_pauses)


def load_speaking_rate() -> Measurer:
    return each(_speaking_rate)


def load_duration_ratio() -> Measurer:
    return each(_duration_ratio)


def load_prosody_match() -> Measurer:
    return each(_prosody_match)


_F0 = ("f0_median_hz", "f0_sd_st", "f0_range_st", "voiced_share")
_MATCH = ("f0_rmse_st", "f0_corr", "voicing_error", "energy_corr")


def _f0(item: Item) -> Values:
    found = pitch_statistics(item.audio)
    return found or all_missing(_F0, "less than 0.1 s is voiced")


def _pauses(item: Item) -> Values:
    pauses = pause_lengths_s(item.audio)
    if pauses is None:
        return all_missing(("pause_share", "pauses_per_s", "mean_pause_s"), "the clip is silent")
    places = np.flatnonzero(active_frames(item.audio))
    spoken = (places[-1] - places[0] + 1) * _frame_s(item.audio)
    return {
        "pause_share": float(pauses.sum() / spoken),
        "pauses_per_s": float(pauses.size / spoken),
        "mean_pause_s": float(pauses.mean()) if pauses.size else Missing("there is no pause"),
    }


def _speaking_rate(item: Item) -> Values:
    if item.text is None:
        return all_missing(("words_per_s", "characters_per_s"), "there is no text")
    text, active = normalise_words(item.text), active_duration_s(item.audio)
    n_characters = len(text.replace(" ", ""))
    silent = "the clip is silent or shorter than 20 ms"
    return {
        "words_per_s": known(words_per_second(len(text.split()), active), silent),
        "characters_per_s": known(words_per_second(n_characters, active), silent),
    }


def _duration_ratio(item: Item) -> Values:
    if item.reference is None:
        return all_missing(("duration_ratio", "active_ratio"), "there is no reference recording")
    active = active_duration_s(item.audio)
    of_reference = active_duration_s(item.reference)
    ratio = active / of_reference if active and of_reference else None
    return {
        "duration_ratio": item.audio.duration_s / item.reference.duration_s,
        "active_ratio": known(ratio, "the clip or its reference is silent or shorter than 20 ms"),
    }


def _prosody_match(item: Item) -> Values:
    if item.reference is None:
        return all_missing(_MATCH, "there is no reference recording")
    return prosody_match(item.reference, item.audio)


_STYLE = ("task_achievement",)
_REFERENCE = frozenset({Requirement.REFERENCE})

SIGNALS = (
    Signal(
        name="f0",
        version=1,
        summary="Statistics of the pitch, 75 to 500 Hz, by autocorrelation and a best path "
        "(Boersma 1993): median, standard deviation and 5-95 % range in semitones, share voiced.",
        measures=(
            Measure("f0_median_hz", "Hz", Direction.DESCRIPTIVE, _STYLE, 75, 500),
            Measure("f0_sd_st", "semitones", Direction.DESCRIPTIVE, _STYLE, 0),
            Measure("f0_range_st", "semitones", Direction.DESCRIPTIVE, _STYLE, 0),
            Measure("voiced_share", "", Direction.DESCRIPTIVE, _STYLE, 0, 1),
        ),
        load=load_f0,
        sample_rate=SPECTRUM_RATE,
        shortest_s=0.2,
        failures=(
            "never to be maximised: warbling raises the deviation that lively speech has",
            "octave errors widen deviation and range",
            "voices above 500 Hz, several voices at once and music have no such pitch",
        ),
    ),
    Signal(
        name="pauses",
        version=1,
        summary="Pauses of 0.2 s or more between the first and the last sound: their share of "
        "the time, their number per second, their mean length.",
        measures=(
            Measure("pause_share", "", Direction.DESCRIPTIVE, _STYLE, 0, 1),
            Measure("pauses_per_s", "1/s", Direction.DESCRIPTIVE, _STYLE, 0),
            Measure("mean_pause_s", "s", Direction.DESCRIPTIVE, _STYLE, 0),
        ),
        load=load_pauses,
        shortest_s=0.5,
        failures=("noise within 30 dB of the speech fills the pauses",),
    ),
    Signal(
        name="speaking_rate",
        version=1,
        summary="Words and characters of the asked text over the time that is not pause.",
        measures=(
            Measure("words_per_s", "1/s", Direction.DESCRIPTIVE, _STYLE, 0),
            Measure("characters_per_s", "1/s", Direction.DESCRIPTIVE, _STYLE, 0),
        ),
        load=load_speaking_rate,
        requires=frozenset({Requirement.TEXT}),
        shortest_s=0.2,
        failures=(
            "takes the asked text for what was said: left out words look like fast speech",
            "noise within 30 dB of the speech fills the pauses and lowers the rate",
        ),
    ),
    Signal(
        name="duration_ratio",
        version=1,
        summary="Duration over the reference's, of the whole clip and without pauses.",
        measures=(
            Measure("duration_ratio", "", Direction.TARGET, _STYLE, 0, None, (0.95, 1.05)),
            Measure("active_ratio", "", Direction.TARGET, _STYLE, 0, None, (0.95, 1.05)),
        ),
        load=load_duration_ratio,
        requires=_REFERENCE,
        shortest_s=0.1,
        failures=("another reading of the same text may well be slower and as good",),
    ),
    Signal(
        name="prosody_match",
        version=1,
        summary="Pitch and level against a reference of the same text, along the warped path of "
        "the cepstra: root mean square and correlation of the pitch in semitones, share of frames "
        "that differ in voicing, correlation of the levels.",
        measures=(
            Measure("f0_rmse_st", "semitones", Direction.MIN, _STYLE, 0),
            Measure("f0_corr", "", Direction.MAX, _STYLE, -1, 1),
            Measure("voicing_error", "", Direction.MIN, _STYLE, 0, 1),
            Measure("energy_corr", "", Direction.MAX, _STYLE, -1, 1),
        ),
        load=load_prosody_match,
        requires=_REFERENCE,
        sample_rate=SPECTRUM_RATE,
        shortest_s=0.2,
        longest_s=60.0,
        failures=(
            "acoustic prosody distances agree poorly with listeners (arXiv 2509.19928)",
            "another speaker's pitch is an error in full: compare clips of one speaker",
            "one octave error outweighs a flat reading",
            "memory grows with the product of both lengths",
        ),
        ladders={"noise": True, "clip": True, "band": True, "quantise": True, "dropout": True},
    ),
)
