from __future__ import annotations

import io
import zlib
from base64 import b64decode

import numpy as np
import pytest
import soundfile

from auralign.audio import quantise
from auralign.errors import AudioError
from auralign.report.data_uri import png_uri, wav_uri
from auralign.types import Audio


def payload(uri: str, media_type: str) -> bytes:
    head, _, body = uri.partition(",")
    assert head == f"data:{media_type};base64"
    return b64decode(body, validate=True)


@pytest.mark.parametrize("channels", [1, 2])
def test_the_wav_decodes_to_the_same_samples(channels: int) -> None:
    samples = np.random.default_rng(0).uniform(-1.2, 1.2, (channels, 300)).astype(np.float32)
    audio = Audio(samples, 16_000)
    decoded, rate = soundfile.read(
        io.BytesIO(payload(wav_uri(audio), "audio/wav")), dtype="float32", always_2d=True
    )
    assert rate == 16_000
    np.testing.assert_array_equal(decoded.T, quantise(audio).samples)
    inside = np.abs(samples) < 1
    assert np.abs(decoded.T - samples)[inside].max() <= 1 / 32_768


def test_samples_that_are_not_finite_are_refused() -> None:
    with pytest.raises(AudioError, match="finite"):
        wav_uri(Audio(np.array([[0.0, np.nan]], dtype=np.float32), 16_000))


def read_png(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Pixels and palette of an indexed, unfiltered PNG, with every checksum verified."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        checksum = int.from_bytes(data[at + 8 + size : at + 12 + size], "big")
        assert checksum == zlib.crc32(kind + body)
        chunks[kind] = body
        at += 12 + size
    width, height = np.frombuffer(chunks[b"IHDR"][:8], ">u4")
    assert tuple(chunks[b"IHDR"][8:]) == (8, 3, 0, 0, 0)
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, width + 1)
    assert not rows[:, 0].any()
    return rows[:, 1:], np.frombuffer(chunks[b"PLTE"], np.uint8).reshape(-1, 3)


def test_the_png_decodes_to_the_same_pixels_and_palette() -> None:
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 4, (5, 9), dtype=np.uint8)
    palette = rng.integers(0, 256, (4, 3), dtype=np.uint8)
    decoded, colours = read_png(payload(png_uri(pixels, palette), "image/png"))
    np.testing.assert_array_equal(decoded, pixels)
    np.testing.assert_array_equal(colours, palette)
