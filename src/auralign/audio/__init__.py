"""Clips: reading, checking, storing; features, levels, degradation and synthesis beside them."""

from auralign.audio.clips import (
    as_audio,
    clip_id,
    quantise,
    read_audio,
    require_usable,
    resample,
    to_mono,
    write_wav,
)

__all__ = [
    "as_audio",
    "clip_id",
    "quantise",
    "read_audio",
    "require_usable",
    "resample",
    "to_mono",
    "write_wav",
]
