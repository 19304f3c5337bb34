"""Reading, checking, storing and naming clips. A clip's name is the hash of its samples."""

from __future__ import annotations

import hashlib
import io
import os
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr
from numpy.typing import ArrayLike, NDArray

from auralign.audio.headers import open_checked
from auralign.errors import AudioError
from auralign.files import write_bytes
from auralign.types import Audio

FULL_SCALE = 32_768
"""One 16-bit step is 1 / FULL_SCALE; full scale itself is one step above the highest code."""

_MAX_CHANNELS = 64


def as_audio(samples: ArrayLike, sample_rate: int) -> Audio:
    """Checked `Audio` of floating-point samples, `[time]` (mono) or `[channels, time]`.

    Raises AudioError for integers (whose scale cannot be known), other types and other shapes.
    """
    array = np.asarray(samples)
    if array.dtype.kind in "iu":
        raise AudioError(
            f"expected floating-point samples in [-1, 1], got {array.dtype}: "
            "divide by the type's full scale first (int16: samples / 32768)"
        )
    if array.dtype.kind != "f":
        raise AudioError(f"expected floating-point samples in [-1, 1], got {array.dtype}")
    if array.ndim not in (1, 2):
        raise AudioError(f"expected samples [time] or [channels, time], got shape {array.shape}")
    if array.ndim == 2 and array.shape[0] > _MAX_CHANNELS:
        raise AudioError(
            f"expected samples [channels, time] with at most {_MAX_CHANNELS} channels, got shape "
            f"{array.shape}: if that is [time, channels], transpose it"
        )
    if sample_rate <= 0 or sample_rate != int(sample_rate):
        raise AudioError(f"expected a sample rate in whole Hz above 0, got {sample_rate}")
    return Audio(np.atleast_2d(array).astype(np.float32, copy=False), int(sample_rate))


def read_audio(path: str | os.PathLike[str]) -> Audio:
    """Decode any file that libsndfile knows; float32 `[channels, time]` at its own rate.

    Raises AudioError for a file that is missing, empty, not audio, without samples or cut short.
    WAV and AIFF headers are compared with the file's length, because libsndfile shortens them
    silently; a WAV that was streamed into a pipe (length 0 or near 2 or 4 GiB) is read to its end.
    """
    path = Path(path)
    with open_checked(path) as source:
        promised, samples, sample_rate = _decode(source, path)
    if len(samples) < promised:
        raise AudioError(
            f"{path}: expected {promised} frames as its header says, got {len(samples)}: "
            "the file is truncated, copy or generate it again"
        )
    if len(samples) == 0:
        raise AudioError(f"{path}: expected audio, got a header without samples")
    return Audio(np.ascontiguousarray(samples.T), sample_rate)


def write_wav(audio: Audio, path: str | os.PathLike[str]) -> None:
    """Write 16-bit PCM, aside and renamed; `read_audio` then returns exactly `quantise(audio)`.

    Samples outside [-1, 1) are clipped. Raises AudioError for a clip that is empty or not finite,
    StorageError when the disk refuses.
    """
    if audio.n_samples == 0:
        raise AudioError(f"{path}: expected audio to write, got a clip without samples")
    buffer = io.BytesIO()
    # libsndfile's own scaling of floats is not the inverse of its reading, so it gets integers.
    soundfile.write(buffer, _codes(audio).T, audio.sample_rate, format="WAV", subtype="PCM_16")
    write_bytes(path, buffer.getvalue())


def quantise(audio: Audio) -> Audio:
    """The audio as 16-bit PCM keeps it; applying it twice changes nothing."""
    return Audio(_codes(audio).astype(np.float32) / np.float32(FULL_SCALE), audio.sample_rate)


def clip_id(audio: Audio) -> str:
    """SHA-256 (hex) over rate, channels, length and the little-endian float32 samples."""
    audio = as_audio(audio.samples, audio.sample_rate)
    digest = hashlib.sha256(struct.pack("<3Q", audio.sample_rate, audio.channels, audio.n_samples))
    digest.update(np.ascontiguousarray(audio.samples, dtype="<f4").data)
    return digest.hexdigest()


def resample(audio: Audio, sample_rate: int) -> Audio:
    """The audio at `sample_rate` Hz (soxr, high quality); itself when it has that rate already."""
    if sample_rate == audio.sample_rate:
        return audio
    samples = soxr.resample(audio.samples.T, audio.sample_rate, sample_rate, quality="HQ")
    return as_audio(np.ascontiguousarray(samples.T), sample_rate)


def to_mono(audio: Audio) -> Audio:
    """The mean over the channels, `[1, time]`."""
    return Audio(audio.mono()[np.newaxis], audio.sample_rate)


def require_usable(audio: Audio, where: str, *, min_duration_s: float) -> None:
    """Raise AudioError, naming `where`, unless the clip has something to judge.

    Refused are samples that are not floats, clips that are empty, shorter than `min_duration_s`
    seconds, not finite, or digitally silent (every sample is zero in 16 bits).
    """
    try:
        audio = as_audio(audio.samples, audio.sample_rate)
    except AudioError as error:
        raise AudioError(f"{where}: {error}") from None
    if audio.samples.size == 0:
        raise AudioError(f"{where}: expected audio, got a clip without samples")
    if audio.duration_s < min_duration_s:
        raise AudioError(
            f"{where}: expected at least {min_duration_s:g} s of audio, got {audio.duration_s:g} s"
        )
    _require_finite(audio, f"{where}: ")
    if np.abs(audio.samples).max() < 0.5 / FULL_SCALE:
        raise AudioError(f"{where}: expected sound, got digital silence (every sample is zero)")


def _decode(source: BinaryIO, path: Path) -> tuple[int, NDArray[np.float32], int]:
    """Frames promised by the header, the decoded samples `[time, channels]`, and the rate."""
    try:
        with soundfile.SoundFile(source) as stream:
            samples = stream.read(dtype="float32", always_2d=True)
            return stream.frames, samples, stream.samplerate
    except soundfile.LibsndfileError as error:
        reason = str(error.error_string).strip().rstrip(".")
        raise AudioError(
            f"{path}: expected audio that libsndfile can decode, got '{reason}': "
            "the file is damaged, cut short or no audio at all"
        ) from None


def _codes(audio: Audio) -> NDArray[np.int16]:
    audio = as_audio(audio.samples, audio.sample_rate)
    _require_finite(audio)
    codes = np.round(audio.samples * np.float32(FULL_SCALE))
    return np.clip(codes, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


def _require_finite(audio: Audio, where: str = "") -> None:
    n_bad = audio.samples.size - int(np.isfinite(audio.samples).sum())
    if n_bad:
        raise AudioError(
            f"{where}expected finite samples, got NaN or infinity in {n_bad} of "
            f"{audio.samples.size}: what made this clip diverged"
        )
