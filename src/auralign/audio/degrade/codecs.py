"""Lossy codecs that libsndfile carries: MP3, Opus and Vorbis."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import soundfile

from auralign.audio.clips import resample
from auralign.errors import AudioError, ConfigError, did_you_mean
from auralign.types import Audio

LAME_DELAY = 1105
"""Samples that an MP3 begins late where its header has no room for the encoder's delay."""
OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
_JUST_BELOW_ONE = 0.9999


@dataclass(frozen=True, slots=True)
class _Codec:
    """A libsndfile format and how its compression level (0 best, 1 worst) follows from ours."""

    format: str
    subtype: str
    level: Callable[[float, Audio], float]
    constant_rate: bool = False


def through_codec(audio: Audio, codec: str, setting: float) -> Audio:
    """The clip encoded and decoded, at its own rate and length and in step with the input.

    codec     `mp3` or `opus`, whose setting is the bit rate [kbit/s, all channels], with infinity
              for the highest; `vorbis`, whose setting is the quality from 0 to 1

    Opus knows 8, 12, 16, 24 and 48 kHz; other clips go through the next of them. Raises
    ConfigError for an unknown codec or setting, AudioError when the codec does not do it at
    the clip's rate and channels or this libsndfile was built without it.
    """
    if codec not in CODECS:
        raise ConfigError(
            f"codec '{codec}' is not one of {', '.join(CODECS)}{did_you_mean(codec, CODECS)}"
        )
    coder = CODECS[codec]
    if coder.subtype not in soundfile.available_subtypes(coder.format):
        raise AudioError(f"this libsndfile cannot write {codec}: install soundfile 0.13 or newer")
    level = coder.level(setting, audio)
    at_rate = resample(audio, _opus_rate(audio.sample_rate)) if codec == "opus" else audio
    decoded = resample(
        _round_trip(at_rate, coder, level, f"{codec} {setting:g}"), audio.sample_rate
    )
    samples = decoded.samples[:, : audio.n_samples]
    missing = audio.n_samples - samples.shape[1]
    return Audio(np.pad(samples, ((0, 0), (0, missing))), audio.sample_rate)


def _round_trip(audio: Audio, coder: _Codec, level: float, what: str) -> Audio:
    buffer = io.BytesIO()
    try:
        soundfile.write(
            buffer,
            np.clip(audio.samples.T, -1, 1),
            audio.sample_rate,
            format=coder.format,
            subtype=coder.subtype,
            compression_level=level,
            bitrate_mode="CONSTANT" if coder.constant_rate else None,
        )
        buffer.seek(0)
        samples, _ = soundfile.read(buffer, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise AudioError(
            f"{what} does not encode {audio.channels} channels at {audio.sample_rate} Hz "
            f"({error.error_string}): choose another setting"
        ) from None
    if coder.constant_rate and len(samples) != audio.n_samples:
        samples = samples[LAME_DELAY:]
    return Audio(np.ascontiguousarray(samples.T), audio.sample_rate)


def _mp3_level(kbps: float, audio: Audio) -> float:
    """libsndfile goes linearly from the highest to the lowest bit rate of the MPEG version."""
    lowest, highest = _mp3_range(audio.sample_rate)
    return _share_of_range(kbps, lowest, highest, "mp3", audio)


def _mp3_range(sample_rate: int) -> tuple[float, float]:
    """Bit rates [kbit/s] of MPEG-1, MPEG-2 and MPEG-2.5 layer III (ISO 11172-3, 13818-3)."""
    return (32, 320) if sample_rate >= 32_000 else (8, 160) if sample_rate >= 16_000 else (8, 64)


def _opus_level(kbps: float, audio: Audio) -> float:
    return _share_of_range(kbps, 6 * audio.channels, 256 * audio.channels, "opus", audio)


def _share_of_range(kbps: float, low: float, high: float, codec: str, audio: Audio) -> float:
    if math.isinf(kbps):
        return 0.0
    if not low <= kbps <= high:
        raise AudioError(
            f"{codec} codes {audio.channels} channels at {audio.sample_rate} Hz with {low:g} to "
            f"{high:g} kbit/s, not {kbps:g}: choose another bit rate"
        )
    return min((high - kbps) / (high - low), _JUST_BELOW_ONE)


def _vorbis_level(quality: float, audio: Audio) -> float:
    if not 0 <= quality <= 1:
        raise ConfigError(f"vorbis takes a quality from 0 to 1, not {quality:g}")
    return 1 - quality


def _opus_rate(sample_rate: int) -> int:
    return next((rate for rate in OPUS_RATES if rate >= sample_rate), OPUS_RATES[-1])


CODECS = {
    "mp3": _Codec("MP3", "MPEG_LAYER_III", _mp3_level, constant_rate=True),
    "opus": _Codec("OGG", "OPUS", _opus_level),
    "vorbis": _Codec("OGG", "VORBIS", _vorbis_level),
}
