"""Pitch and intonation of a voice, by pitch-synchronous overlap-add."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from auralign.audio.clips import resample
from auralign.audio.degrade.tempo import stretch
from auralign.audio.periods import period_marks
from auralign.audio.pitch import frame_centres, pitch
from auralign.errors import AudioError, ConfigError
from auralign.types import Audio

MAX_SEMITONES = 24.0
UNVOICED_PERIOD_S = 0.01
"""Distance of the marks where there is no voice."""
MIN_VOICED = 5
"""Frames of 10 ms; with fewer there is no melody to speak of."""

Marks = NDArray[np.int64]
Float = NDArray[np.float64]


def flatten_intonation(audio: Audio, share: float) -> Audio:
    """The clip with its melody scaled to `share` of its extent around its mean, in semitones.

    1 is the resynthesis of the same melody, 0 a monotone. Tempo and formants stay (TD-PSOLA,
    Moulines and Charpentier 1990, Speech Communication 9:453). Raises ConfigError for a share
    outside 0 to 2, AudioError for a clip without a voice.
    """
    if not 0 <= share <= 2:
        raise ConfigError(f"intonation takes a share from 0 to 2, not {share:g}")
    return _resynthesise(audio, lambda log_f0, mean: mean + share * (log_f0 - mean))


def shift_pitch(audio: Audio, semitones: float, *, keep_formants: bool = True) -> Audio:
    """The clip that many semitones higher, at its own tempo.

    Formants are kept by TD-PSOLA, which needs a voice; else they move along, as in a faster
    tape whose time is stretched again, which works for any sound. Raises ConfigError beyond two
    octaves, AudioError for a clip without a voice where formants are kept.
    """
    if not abs(semitones) <= MAX_SEMITONES:
        raise ConfigError(f"pitch is shifted by -24 to 24 semitones, not {semitones:g}")
    if keep_formants:
        return _resynthesise(audio, lambda log_f0, mean: log_f0 + semitones / 12)
    return _at_speed(stretch(audio, 2 ** (semitones / 12)), audio.n_samples)


def _at_speed(audio: Audio, n: int) -> Audio:
    """The clip played in `n` samples: another speed moves pitch, formants and tempo alike."""
    # A second of n_samples Hz, resampled to n Hz, has n samples.
    played = resample(Audio(audio.samples, audio.n_samples), n)
    return Audio(played.samples[:, :n], audio.sample_rate)


def _resynthesise(audio: Audio, target: Callable[[Float, float], Float]) -> Audio:
    """The clip with the log2 F0 that `target` makes of its own and of its mean."""
    track = pitch(audio)
    if np.count_nonzero(track.voiced) < MIN_VOICED:
        raise AudioError(
            "changing the intonation needs a voice, and none was found in this clip: leave it out"
        )
    stretches = [np.round(found).astype(np.int64) for found in period_marks(audio, track)]
    marks = _from_end_to_end(stretches, audio)
    centres = frame_centres(audio, len(track.f0))[track.voiced]
    log_f0 = np.interp(marks, centres, np.log2(track.f0[track.voiced]))
    ratio = 2 ** (target(log_f0, float(np.log2(track.f0[track.voiced]).mean())) - log_f0)
    in_voice = (
        np.isin(marks, np.concatenate(stretches)) if stretches else np.zeros(marks.size, bool)
    )
    return _overlap_add(audio, marks, np.where(in_voice, ratio, 1.0))


def _from_end_to_end(stretches: Sequence[Marks], audio: Audio) -> Marks:
    """The marks of voiced stretches, and marks about 10 ms apart before, between and after them."""
    marks = [0]
    for marked in [*stretches, np.array([audio.n_samples - 1])]:
        begin, end = marks[-1], int(marked[0])
        n = max(round((end - begin) / (UNVOICED_PERIOD_S * audio.sample_rate)), 1)
        marks += np.linspace(begin, end, n + 1)[1:-1].astype(np.int64).tolist()
        marks += marked.tolist()
    return np.unique(np.array(marks, dtype=np.int64))


def _overlap_add(audio: Audio, marks: Marks, ratio: Float) -> Audio:
    """Two-period grains around the marks, set `ratio` times as closely, `[marks]`."""
    gaps = np.diff(marks)
    output = np.zeros((audio.channels, audio.n_samples))
    at = float(marks[0])
    while at < marks[-1] + 0.5:
        nearest = _nearest(marks, at)
        _add_grain(output, audio, marks, nearest, round(at))
        at += gaps[min(nearest, gaps.size - 1)] / ratio[nearest]
    return Audio(output.astype(np.float32), audio.sample_rate)


def _nearest(marks: Marks, at: float) -> int:
    k = int(np.searchsorted(marks, at))
    if k == 0:
        return 0
    return k if k < marks.size and marks[k] - at < at - marks[k - 1] else k - 1


def _add_grain(output: Float, audio: Audio, marks: Marks, k: int, at: int) -> None:
    """What lies between the marks beside mark `k`, under a raised cosine, to sample `at`."""
    here, total = int(marks[k]), audio.n_samples
    before = here - int(marks[k - 1]) if k > 0 else 0
    after = int(marks[k + 1]) - here if k + 1 < marks.size else 1
    rise = 0.5 - 0.5 * np.cos(np.pi * np.arange(before) / max(before, 1))
    fall = 0.5 + 0.5 * np.cos(np.pi * np.arange(after) / after)
    grain = audio.samples[:, here - before : here + after] * np.concatenate([rise, fall])
    begin = at - before
    low, high = max(begin, 0), min(begin + grain.shape[1], total)
    output[:, low:high] += grain[:, low - begin : high - begin]
