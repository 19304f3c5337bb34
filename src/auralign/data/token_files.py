"""Codes of the clips of a study on the disk: one clip in a `.npy`, many in a `.npz`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from auralign.errors import DataError
from auralign.files import reading
from auralign.types import Tokens


def read_clip_tokens(path: str | os.PathLike[str]) -> Tokens:
    """The codes `[codebook, time]` of one clip, from a `.npy` file; DataError for anything else."""
    with reading(path, "whole numbers [codebook, time] written by numpy.save"):
        codes = np.load(path, allow_pickle=False)
        if codes.ndim != 2 or codes.dtype.kind not in "iu":
            raise DataError(
                f"{path}: expected whole numbers [codebook, time], got {codes.dtype} of shape "
                f"{codes.shape}: save the codes of one clip"
            )
    return np.asarray(codes, dtype=np.int64)


def read_token_archive(path: str | os.PathLike[str]) -> dict[str, Tokens]:
    """Clip id -> codes `[codebook, time]`, from the `tokens.npz` of a run or one of that layout.

    The archive holds `ids` `[clip]`, `lengths` `[clip]` in frames, and `codes` `[codebook, time]`,
    the clips one after the other. Raises DataError for anything else.
    """
    with reading(path, "an archive with ids, lengths and codes"), np.load(Path(path)) as arrays:
        ids, lengths, codes = arrays["ids"], arrays["lengths"], arrays["codes"]
    if len(ids) != len(lengths) or codes.ndim != 2 or lengths.sum() != codes.shape[1]:
        raise DataError(
            f"{path}: expected an id and a length for each clip and {lengths.sum()} frames in all, "
            f"got {len(ids)} ids, {len(lengths)} lengths and codes of shape {codes.shape}: "
            "write it again"
        )
    parts = np.split(codes.astype(np.int64), np.cumsum(lengths)[:-1], axis=1)
    return {str(name): part for name, part in zip(ids, parts, strict=True)}


def write_token_archive(path: Path, tokens: Mapping[str, Tokens]) -> None:
    """Clip id -> codes `[codebook, time]`, as `read_token_archive` takes them."""
    joined = np.concatenate(list(tokens.values()), axis=1).astype(np.int32)
    lengths = [clip.shape[1] for clip in tokens.values()]
    with path.open("wb") as file:
        np.savez(file, ids=np.array(list(tokens)), lengths=lengths, codes=joined)
