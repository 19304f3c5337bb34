import struct

import numpy as np
import pytest
import soundfile

from auralign.audio import read_audio
from auralign.errors import AudioError

SAMPLES = np.random.default_rng(0).uniform(-0.5, 0.5, (1_000, 2))


def written(path, **options):
    soundfile.write(path, SAMPLES, 16_000, subtype="PCM_16", **options)
    return bytearray(path.read_bytes())


def put_length(content, chunk, length, order="<"):
    at = content.index(chunk) + 4
    content[at : at + 4] = struct.pack(order + "I", length)


@pytest.mark.parametrize("n_lost", [1, 2, 3_999])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.wav", {}),
        ("a.wav", {"format": "WAV", "endian": "BIG"}),
        ("a.aiff", {}),
    ],
    ids=["RIFF", "RIFX", "AIFF"],
)
def test_a_file_shorter_than_its_header_says_is_truncated(tmp_path, name, options, n_lost):
    content = written(tmp_path / name, **options)
    (tmp_path / name).write_bytes(content[:-n_lost])
    with pytest.raises(AudioError, match=r"expected 400[08] bytes of samples .* is truncated"):
        read_audio(tmp_path / name)


@pytest.mark.parametrize("container", [0, 36, 0xFFFF_FFFF])
@pytest.mark.parametrize("length", [0, 0x7FFF_F000, 0xFFFF_FFFF])
def test_a_streamed_wav_is_read_to_its_end(tmp_path, container, length):
    path = tmp_path / "a.wav"
    content = written(path)
    whole = read_audio(path).samples
    put_length(content, b"RIFF", container)
    put_length(content, b"data", length)
    path.write_bytes(content)
    assert np.array_equal(read_audio(path).samples, whole)


def test_a_chunk_after_an_empty_data_chunk_is_not_taken_for_sound(tmp_path):
    path = tmp_path / "a.wav"
    content = written(path)
    put_length(content, b"data", 0)
    content = content[: content.index(b"data") + 8] + b"LIST\x04\x00\x00\x00INFO"
    put_length(content, b"RIFF", len(content) - 8)
    path.write_bytes(content)
    with pytest.raises(AudioError, match="without samples"):
        read_audio(path)


def test_chunks_of_odd_length_before_the_samples_are_stepped_over(tmp_path):
    path = tmp_path / "a.wav"
    content = written(path)
    whole = read_audio(path).samples
    at = content.index(b"data")
    content[at:at] = b"note\x03\x00\x00\x00abc\x00"
    put_length(content, b"RIFF", len(content) - 8)
    path.write_bytes(content)
    assert np.array_equal(read_audio(path).samples, whole)
