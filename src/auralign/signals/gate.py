"""The one gate in front of every signal: a clip is fit to be measured, or the reason is said.

Peers crash on such clips, or answer with a number that looks right: `-inf` for NaN, a whole row for
silence, a word for nothing (docs/signals.md). A reason is the same phrase for all clips that have
it, so that a summary can count them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from auralign.audio.clips import FULL_SCALE
from auralign.signals.running.recording import Entry, Recording
from auralign.signals.signal import Item, Missing, Requirement, Signal
from auralign.types import Audio

MOST_CHANNELS = 64
SILENT_BELOW = 0.5 / FULL_SCALE
"""Samples that are all smaller than this are zero in 16 bits: digital silence."""

_HAS: Mapping[Requirement, Callable[[Entry], bool]] = {
    Requirement.ALIGNED_REFERENCE: lambda entry: entry.reference is not None,
    Requirement.REFERENCE: lambda entry: entry.reference is not None,
    Requirement.TEXT: lambda entry: entry.text is not None,
    Requirement.LABEL: lambda entry: entry.label is not None,
    # No single clip comes with a set; `signals.set_level` compares two of them.
    Requirement.SET: lambda entry: False,
}


def admit(signal: Signal, entry: Entry) -> Item | Missing:
    """The item as the signal wants it (mono, at its rate), or why it is not asked about it.

    A reference that has to be aligned has the clip's length; where both had different rates it
    may differ by the rounding of one sample, and the longer is cut.
    """
    reason = _refusal(signal, entry)
    return Missing(reason) if reason else _fit(signal, entry)


def _refusal(signal: Signal, entry: Entry) -> str | None:
    missing = next((r for r in Requirement if r in signal.requires and not _HAS[r](entry)), None)
    reason = unusable(entry.recording.audio) or (missing and f"needs {missing}")
    reason = reason or _unfit(signal, entry.recording)
    if reason or entry.reference is None or not _compares(signal):
        return reason
    reason = unusable(entry.reference.audio) or _unfit(signal, entry.reference)
    return f"the reference: {reason}" if reason else _unlike(signal, entry)


def unusable(audio: Audio) -> str | None:
    """Why no signal at all can measure this audio, or None."""
    samples = audio.samples
    if samples.dtype.kind != "f":
        return f"samples are {samples.dtype}, not floating-point"
    if samples.ndim != 2 or samples.shape[0] > MOST_CHANNELS:
        return f"samples are not [channels, time] with at most {MOST_CHANNELS} channels"
    if audio.sample_rate <= 0:
        return "no sample rate"
    if samples.size == 0:
        return "no samples"
    return None if np.isfinite(samples).all() else "NaN or infinite samples"


def _unfit(signal: Signal, recording: Recording) -> str | None:
    """Why this signal cannot measure a recording that is usable, or None."""
    duration_s = recording.audio.duration_s
    if duration_s < signal.shortest_s:
        return f"shorter than {signal.shortest_s:g} s"
    if signal.longest_s is not None and duration_s > signal.longest_s:
        return f"longer than {signal.longest_s:g} s"
    # As it is heard: the mean of two channels in opposite phase is silence.
    if signal.rejects_silence and is_silent(recording.version(None, signal.channels)):
        return "digital silence"
    return None


def is_silent(audio: Audio) -> bool:
    """Every sample is zero in 16 bits."""
    return bool(np.abs(audio.samples).max() < SILENT_BELOW)


def _compares(signal: Signal) -> bool:
    return not signal.requires.isdisjoint({Requirement.ALIGNED_REFERENCE, Requirement.REFERENCE})


def _unlike(signal: Signal, entry: Entry) -> str | None:
    """Why clip and reference cannot be compared by this signal, or None."""
    assert entry.reference is not None
    clip, reference = entry.recording.audio, entry.reference.audio
    if signal.sample_rate is None and clip.sample_rate != reference.sample_rate:
        return "the reference has another sample rate"
    if Requirement.ALIGNED_REFERENCE not in signal.requires:
        return None
    if signal.channels == "any" and clip.channels != reference.channels:
        return "the reference has another number of channels"
    tolerance_s = _rounding_s(clip, reference)
    if abs(clip.duration_s - reference.duration_s) > tolerance_s:
        return "the reference has another length"
    return None


def _rounding_s(clip: Audio, reference: Audio) -> float:
    """What resampling may have added: nothing, or one sample of the lower rate [s]."""
    if clip.sample_rate == reference.sample_rate:
        return 0.0
    return 1 / min(clip.sample_rate, reference.sample_rate)


def _fit(signal: Signal, entry: Entry) -> Item:
    audio = entry.recording.version(signal.sample_rate, signal.channels)
    reference = None
    if entry.reference is not None and _compares(signal):
        reference = entry.reference.version(signal.sample_rate, signal.channels)
    if reference is not None and Requirement.ALIGNED_REFERENCE in signal.requires:
        n = min(audio.n_samples, reference.n_samples)
        audio, reference = _first(audio, n), _first(reference, n)
    return Item(entry.clip_id, audio, reference, entry.text, entry.label)


def _first(audio: Audio, n: int) -> Audio:
    return audio if audio.n_samples == n else Audio(audio.samples[:, :n], audio.sample_rate)
