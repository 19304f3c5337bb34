"""Sound and pictures inside the page itself, as data URIs."""

from __future__ import annotations

import io
import struct
import wave
import zlib
from base64 import b64encode

import numpy as np
from numpy.typing import NDArray

from auralign.audio import quantise
from auralign.types import Audio


def wav_uri(audio: Audio) -> str:
    """WAV, 16 bit, which every browser plays: decoded again it is `quantise(audio)`."""
    codes = (quantise(audio).samples * 32_768).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(audio.channels)
        wav.setsampwidth(2)
        wav.setframerate(audio.sample_rate)
        wav.writeframes(codes.T.tobytes())
    return _uri("audio/wav", file.getvalue())


def png_uri(pixels: NDArray[np.uint8], palette: NDArray[np.uint8]) -> str:
    """An indexed PNG: pixels uint8 `[height, width]` into palette uint8 `[colours, 3]`.

    W3C PNG specification, third edition, sections 11.2 (chunks) and 9 (filter type 0).
    """
    height, width = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels], axis=1).tobytes()
    body = [
        _chunk(b"IHDR", header),
        _chunk(b"PLTE", palette.tobytes()),
        _chunk(b"IDAT", zlib.compress(rows, 9)),
        _chunk(b"IEND", b""),
    ]
    return _uri("image/png", b"\x89PNG\r\n\x1a\n" + b"".join(body))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _uri(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{b64encode(data).decode('ascii')}"
