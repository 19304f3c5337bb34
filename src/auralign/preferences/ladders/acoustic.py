"""Ladders of production quality: what transmission, storage and rooms do to a sound."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from auralign.audio import degrade
from auralign.audio.degrade.noise import MAX_TALKERS
from auralign.preferences.ladders.operation import Degrade, Operation
from auralign.preferences.ladders.recording import Recording
from auralign.types import Audio

QUALITY = "production_quality"
Generator = np.random.Generator


def _of_audio(function: Callable[[Audio, float], Audio]) -> Degrade:
    """An operation that looks at nothing but the sound and draws nothing."""
    return lambda recording, severity, others, rng: function(recording.audio, severity)


def _noise(colour: str) -> Degrade:
    return lambda recording, snr_db, others, rng: degrade.add_noise(
        recording.audio, snr_db, colour, rng
    )


def _babble(
    recording: Recording, snr_db: float, others: Sequence[Recording], rng: Generator
) -> Audio:
    speaker = recording.attribute("speaker")
    strangers = [o for o in others if not speaker or o.attribute("speaker") != speaker]
    drawn = rng.permutation(len(strangers))[:MAX_TALKERS]
    return degrade.add_babble(recording.audio, snr_db, [strangers[i].audio for i in drawn], rng)


def _codec(name: str) -> Degrade:
    return _of_audio(lambda audio, setting: degrade.through_codec(audio, name, setting))


def _reverb(
    recording: Recording, rt60_s: float, others: Sequence[Recording], rng: Generator
) -> Audio:
    return degrade.reverberate(recording.audio, rt60_s, rng)


def _packets(concealment: Any) -> Degrade:
    return lambda recording, share, others, rng: degrade.lose_packets(
        recording.audio, share, rng, concealment=concealment
    )


SNRS_DB = (30.0, 20.0, 10.0, 0.0)
NOT_ACROSS_NOISES = "speech-like noise hurts more at the same SNR: compare within one noise only"
NOT_ACROSS_CODECS = "high rates may tie; codecs are not ordered among each other"

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        family="noise",
        name="white",
        summary="white noise under the whole clip",
        knob="SNR [dB]",
        control=math.inf,
        severities=SNRS_DB,
        dimension=QUALITY,
        degrade=_noise("white"),
        caveat=NOT_ACROSS_NOISES,
    ),
    Operation(
        family="noise",
        name="pink",
        summary="noise that falls by 3 dB an octave under the whole clip",
        knob="SNR [dB]",
        control=math.inf,
        severities=SNRS_DB,
        dimension=QUALITY,
        degrade=_noise("pink"),
        caveat=NOT_ACROSS_NOISES,
    ),
    Operation(
        family="noise",
        name="babble",
        summary="other recordings, three to eight at a time, under the whole clip",
        knob="SNR [dB]",
        control=math.inf,
        severities=SNRS_DB,
        dimension=QUALITY,
        degrade=_babble,
        needs="three other recordings, of other speakers where speakers are known",
        caveat=NOT_ACROSS_NOISES,
    ),
    Operation(
        family="clip",
        name="quantile",
        summary="flat tops above a quantile of the magnitudes",
        knob="quantile",
        control=1.0,
        severities=(0.999, 0.98, 0.9, 0.7),
        dimension=QUALITY,
        degrade=_of_audio(degrade.clip_at_quantile),
    ),
    Operation(
        family="band",
        name="low_pass",
        summary="nothing above a cutoff",
        knob="cutoff [Hz]",
        control=math.inf,
        severities=(6_000.0, 4_000.0, 2_000.0, 1_000.0),
        dimension=QUALITY,
        degrade=_of_audio(degrade.low_pass),
        caveat="set for speech at 16 kHz; what lies above 7 kHz may be missed by nobody",
    ),
    Operation(
        family="quantise",
        name="bits",
        summary="fewer bits in equal steps, without dither",
        knob="bits",
        control=16.0,
        severities=(10.0, 8.0, 6.0, 4.0),
        dimension=QUALITY,
        degrade=_of_audio(degrade.reduce_bits),
        caveat="pauses fall silent, which fools measures of the noise in them",
    ),
    Operation(
        family="quantise",
        name="mu_law",
        summary="fewer bits in steps of the logarithm",
        knob="bits",
        control=16.0,
        severities=(8.0, 6.0, 5.0, 4.0),
        dimension=QUALITY,
        degrade=_of_audio(degrade.mu_law),
    ),
    Operation(
        family="codec",
        name="mp3",
        summary="MP3 (LAME through libsndfile) at falling bit rates",
        knob="bit rate [kbit/s]",
        control=math.inf,
        severities=(64.0, 32.0, 24.0, 16.0, 8.0),
        dimension=QUALITY,
        degrade=_codec("mp3"),
        caveat=NOT_ACROSS_CODECS,
    ),
    Operation(
        family="codec",
        name="opus",
        summary="Opus at falling bit rates",
        knob="bit rate [kbit/s]",
        control=math.inf,
        severities=(32.0, 16.0, 12.0, 8.0, 6.0),
        dimension=QUALITY,
        degrade=_codec("opus"),
        caveat=NOT_ACROSS_CODECS,
    ),
    Operation(
        family="codec",
        name="vorbis",
        summary="Vorbis at falling quality",
        knob="quality",
        control=1.0,
        severities=(0.6, 0.4, 0.2, 0.0),
        dimension=QUALITY,
        degrade=_codec("vorbis"),
        caveat=NOT_ACROSS_CODECS,
    ),
    Operation(
        family="reverb",
        name="room",
        summary="one model room with more and more reverberation",
        knob="RT60 [s]",
        control=0.0,
        severities=(0.2, 0.4, 0.8, 1.6),
        dimension=QUALITY,
        degrade=_reverb,
        caveat="the order is about clarity; for music some reverberation may be preferred",
    ),
    Operation(
        family="dropout",
        name="silence",
        summary="lost packets of 40 ms, silent",
        knob="share lost",
        control=0.0,
        severities=(0.02, 0.05, 0.1, 0.2),
        dimension=QUALITY,
        degrade=_packets("zero"),
        caveat="what is lost matters: draw several ladders and look at the spread",
    ),
    Operation(
        family="dropout",
        name="repeat",
        summary="lost packets of 40 ms, the last one that arrived in their place",
        knob="share lost",
        control=0.0,
        severities=(0.02, 0.05, 0.1, 0.2),
        dimension=QUALITY,
        degrade=_packets("repeat"),
        caveat="what is lost matters: draw several ladders and look at the spread",
    ),
)
