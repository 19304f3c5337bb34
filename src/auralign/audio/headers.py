"""What a WAV or AIFF header promises, compared with what the file holds.

libsndfile shortens a truncated file without a word, and reads nothing from a streamed WAV whose
length was left at zero; both are settled here, before it sees the file.
"""

from __future__ import annotations

import contextlib
import io
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from auralign.errors import AudioError

# First four bytes -> byte order and the name of the chunk that holds the samples.
_CONTAINERS = {b"RIFF": ("<I", b"data"), b"RIFX": (">I", b"data"), b"FORM": (">I", b"SSND")}
# Programs that write into a pipe cannot know the length: sox and espeak-ng leave one just below
# 2 GiB, ffmpeg all ones, others zero.
_STREAMED_FROM = 0x7FFF_0000


@dataclass(frozen=True, slots=True)
class _Samples:
    """The chunk of samples: where it begins, what its header and the container's promise."""

    begin: int
    promised: int
    container_end: int
    order: str

    @property
    def streamed(self) -> bool:
        ends_before = self.container_end <= self.begin or self.container_end > _STREAMED_FROM
        return self.promised >= _STREAMED_FROM or (self.promised == 0 and ends_before)


@contextlib.contextmanager
def open_checked(path: Path) -> Iterator[BinaryIO]:
    """The file, open for libsndfile.

    Raises AudioError when it is missing, empty, a folder, unreadable or shorter than promised.
    """
    try:
        stream = path.open("rb")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise AudioError(
            f"{path}: expected an audio file, got '{reason}': check the path"
        ) from None
    with stream:
        size = os.fstat(stream.fileno()).st_size
        if size == 0:
            raise AudioError(f"{path}: expected an audio file, got an empty file")
        yield _with_true_length(stream, size, path)


def _with_true_length(stream: BinaryIO, size: int, path: Path) -> BinaryIO:
    chunk = _find_samples(stream)
    stream.seek(0)
    if chunk is None:
        return stream
    there = size - chunk.begin
    if chunk.streamed:
        data = bytearray(stream.read())
        data[chunk.begin - 4 : chunk.begin] = struct.pack(chunk.order, there)
        return io.BytesIO(data)
    if there < chunk.promised:
        raise AudioError(
            f"{path}: expected {chunk.promised} bytes of samples as its header says, got {there}: "
            "the file is truncated, copy or generate it again"
        )
    return stream


def _find_samples(stream: BinaryIO) -> _Samples | None:
    order, name = _CONTAINERS.get(stream.read(4), ("", b""))
    if not order:
        return None
    container_end = 8 + _length(stream.read(4), order)
    stream.seek(12)
    while len(head := stream.read(8)) == 8:
        promised = _length(head[4:], order)
        if head[:4] == name:
            return _Samples(stream.tell(), promised, container_end, order)
        stream.seek(promised + promised % 2, os.SEEK_CUR)
    return None


def _length(field: bytes, order: str) -> int:
    return int(struct.unpack(order, field)[0]) if len(field) == 4 else 0
