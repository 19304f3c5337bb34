"""Correlations of items that can be compared within blocks only, such as clips of a prompt.

With one block they are the usual ones. All take values `[n]` and blocks `[n]`, and are NaN where a
side does not vary within blocks.
"""

from __future__ import annotations

import numpy as np

from auralign.stats.arrays import FloatArray, IntArray, sum_by


def pearson(x: FloatArray, y: FloatArray, block: IntArray) -> float:
    """Of deviations from block means, all blocks together."""
    return _cosine(within_blocks(x, block), within_blocks(y, block))


def spearman(x: FloatArray, y: FloatArray, block: IntArray) -> float:
    """Pearson's of mid-ranks within blocks."""
    return pearson(_ranks(x, block), _ranks(y, block), block)


def kendall(x: FloatArray, y: FloatArray, block: IntArray) -> float:
    """Tau-b (Kendall 1945) of the pairs within blocks: concordant less discordant, by ties."""
    i, j = _pairs(block)
    a, b = np.sign(x[i] - x[j]), np.sign(y[i] - y[j])
    norm = np.sqrt(np.abs(a).sum() * np.abs(b).sum())
    return float(a @ b / norm) if norm > 0 else float("nan")


def within_blocks(values: FloatArray, block: IntArray) -> FloatArray:
    """Deviations from block means."""
    codes = np.unique(block, return_inverse=True)[1]
    size = np.bincount(codes)
    deviations: FloatArray = values - (sum_by(codes, values, len(size)) / size)[codes]
    return deviations


def _ranks(values: FloatArray, block: IntArray) -> FloatArray:
    """Mid-ranks within blocks, plus a number for each block."""
    order = np.lexsort((values, block))
    begins = np.diff(values[order], prepend=np.nan) != 0
    begins |= np.diff(block[order], prepend=-1) != 0
    tied = np.cumsum(begins) - 1
    size = np.bincount(tied)
    ranks = np.empty(len(values))
    ranks[order] = (sum_by(tied, np.arange(len(values), dtype=np.float64), len(size)) / size)[tied]
    return ranks


def _pairs(block: IntArray) -> tuple[IntArray, IntArray]:
    """All pairs of places with the same block."""
    order = np.argsort(block, kind="stable")
    largest = int(np.unique(block, return_counts=True)[1].max())
    ordered = block[order]
    found = [
        (order[:-apart][same], order[apart:][same])
        for apart in range(1, largest)
        for same in [ordered[:-apart] == ordered[apart:]]
    ]
    if not found:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    first, second = zip(*found, strict=True)
    return np.concatenate(first), np.concatenate(second)


def _cosine(a: FloatArray, b: FloatArray) -> float:
    norm = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / norm) if norm > 0 else float("nan")
