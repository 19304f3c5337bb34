"""How codes `[batch, codebook, time]` become the sequence that a language model reads, and back.

Three layouts are in use (arXiv 2306.05284, section 2.1 and figure 1, compares the first two):

    flat    one position for each code, frame by frame: c00 c10 c20 c01 c11 c21 ...
    delay   one position for each frame, codebook k shifted right by delays[k] positions
    depth   one position for each frame with all its codes, which a depth head predicts in turn

A conversion only moves entries, so the same functions convert codes, masks, log-probabilities and
(with a last axis more) logits. They are exact inverses of each other; whatever follows the named
axes stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from auralign.errors import ConfigError, DataError, did_you_mean
from auralign.types import Tokens


def to_flat(codes: Tensor) -> Tensor:
    """`[batch, codebook, time, ...]` -> `[batch, time * codebook, ...]`, frame by frame."""
    return codes.transpose(1, 2).flatten(1, 2)


def from_flat(sequence: Tensor, n_codebooks: int) -> Tensor:
    """`[batch, time * codebook, ...]` -> `[batch, codebook, time, ...]`.

    Raises DataError for a sequence that ends within a frame.
    """
    if sequence.shape[1] % n_codebooks:
        raise DataError(
            f"expected whole frames of {n_codebooks} codes, got a sequence of {sequence.shape[1]}: "
            "cut it after the last whole frame"
        )
    frames: Tensor = sequence.unflatten(1, (-1, n_codebooks))
    return frames.transpose(1, 2)


def to_delay(codes: Tensor, delays: Sequence[int], *, fill: float) -> Tensor:
    """`[batch, codebook, time, ...]` -> `[batch, codebook, time + max(delays), ...]`.

    Codebook k stands `delays[k]` positions later; the places that this leaves open hold `fill`.
    """
    n, shape = codes.shape[2], list(codes.shape)
    shape[2] += max(delays)
    sequence = codes.new_full(shape, fill)
    for book, delay in enumerate(delays):
        sequence[:, book, delay : delay + n] = codes[:, book]
    return sequence


def from_delay(sequence: Tensor, delays: Sequence[int]) -> Tensor:
    """`[batch, codebook, time + max(delays), ...]` -> `[batch, codebook, time, ...]`."""
    n = sequence.shape[2] - max(delays)
    return torch.stack([sequence[:, k, d : d + n] for k, d in enumerate(delays)], dim=1)


def to_depth(codes: Tensor) -> Tensor:
    """`[batch, codebook, time, ...]` -> `[batch, time, codebook, ...]`: one position a frame."""
    return codes.transpose(1, 2)


def from_depth(sequence: Tensor) -> Tensor:
    """`[batch, time, codebook, ...]` -> `[batch, codebook, time, ...]`."""
    return sequence.transpose(1, 2)


def pad_clips(tokens: Sequence[Tokens], *, fill: int = 0) -> tuple[Tensor, Tensor]:
    """Clips of any lengths as codes `[batch, codebook, time]`, and the mask of their places."""
    shape = len(tokens), tokens[0].shape[0], max(clip.shape[1] for clip in tokens)
    codes, scored = torch.full(shape, fill), torch.zeros(shape, dtype=torch.bool)
    for row, clip in enumerate(tokens):
        codes[row, :, : clip.shape[1]] = torch.from_numpy(clip)
        scored[row, :, : clip.shape[1]] = True
    return codes, scored


def append_end(
    codes: Tensor, scored: Tensor, *, end: int, max_frames: int | None
) -> tuple[Tensor, Tensor]:
    """One more frame `[batch, codebook, time + 1]`: `end` in codebook 0 after each clip's last.

    The end is scored once, and not where a clip has `max_frames` frames: that one was cut off.
    """
    lengths = scored[:, 0].sum(-1)
    rows = torch.arange(len(codes), device=codes.device)
    codes = torch.nn.functional.pad(codes, (0, 1))
    scored = torch.nn.functional.pad(scored, (0, 1))
    codes[rows, 0, lengths] = end
    scored[rows, 0, lengths] = True if max_frames is None else lengths < max_frames
    return codes, scored


class ClipLimits(NamedTuple):
    """Which clips a policy can make; `max_frames` None knows no limit."""

    n_codebooks: int
    codebook_size: int
    max_frames: int | None


def require_clips(
    tokens: Sequence[Tokens], *, n_codebooks: int, codebook_size: int, max_frames: int | None
) -> None:
    """Raise DataError for a clip that a policy of these sizes cannot have made."""
    for i, clip in enumerate(tokens):
        if clip.ndim != 2 or clip.shape[0] != n_codebooks:
            raise DataError(
                f"clip {i}: expected codes [codebook, time] of {n_codebooks} codebooks, got shape "
                f"{clip.shape}: use the codec of this policy"
            )
        if not 1 <= clip.shape[1] <= (max_frames or clip.shape[1]):
            raise DataError(
                f"clip {i}: expected 1 to {max_frames or 'any number of'} frames, got "
                f"{clip.shape[1]}: leave the clip out"
            )
        if clip.min() < 0 or clip.max() >= codebook_size:
            raise DataError(
                f"clip {i}: expected codes from 0 to {codebook_size - 1}, got {clip.min()} to "
                f"{clip.max()}: use the codec of this policy"
            )


def length_batches(tokens: Sequence[Tokens], batch_size: int) -> Iterator[list[int]]:
    """Indices in batches of similar length, so that little padding is computed."""
    order = sorted(range(len(tokens)), key=lambda i: tokens[i].shape[1])
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


def length_groups(lengths: Sequence[int], frames_per_pass: int | None) -> Iterator[list[int]]:
    """Every index once: by falling length, as many as fit into a pass, at least one.

    A pass is one call of a model, and its cost the number of clips times the longest of them.
    Without a limit there is one pass, in the order given.
    """
    if frames_per_pass is None:
        yield list(range(len(lengths)))
        return
    group: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if group and (len(group) + 1) * lengths[group[0]] > frames_per_pass:
            yield group
            group = []
        group.append(i)
    yield group


CODEBOOK_WEIGHTS: dict[str, Callable[[int], np.ndarray]] = {
    "sum": np.ones,
    "mean": lambda n: np.full(n, 1 / n),
    "first": lambda n: np.eye(n)[0],
}
"""Weights that have a name, by the number of codebooks.

sum     the log-probability of the clip; every objective is derived for this one
mean    as many music models are trained: every codebook counts, a clip counts as one codebook
first   codebook 0 only: the semantic codes where a codec has such
"""


def codebook_weights(weights: str | Sequence[float], n_codebooks: int) -> Tensor:
    """Weights by name (`CODEBOOK_WEIGHTS`) or by number, float32 `[codebook]`.

    Raises ConfigError for an unknown name, another number of weights than codebooks, and weights
    that are negative, not finite or all zero.
    """
    if isinstance(weights, str):
        if weights not in CODEBOOK_WEIGHTS:
            raise ConfigError(
                f"expected codebook weights out of {', '.join(CODEBOOK_WEIGHTS)}, or numbers, got "
                f"'{weights}'{did_you_mean(weights, CODEBOOK_WEIGHTS)}"
            )
        return torch.from_numpy(CODEBOOK_WEIGHTS[weights](n_codebooks)).float()
    values = torch.tensor(weights, dtype=torch.float32)
    if (
        len(values) != n_codebooks
        or not (values.isfinite() & (values >= 0)).all()
        or not values.any()
    ):
        raise ConfigError(
            f"expected {n_codebooks} codebook weights, none below 0 and one above, got "
            f"{list(weights)}: give one for each codebook of the codec"
        )
    return values


def weight_codebooks(token_logps: Tensor, weights: Tensor) -> Tensor:
    """Log-probabilities `[batch, codebook, time]` times weights `[codebook]`.

    A codebook of weight 0 counts as exactly 0, whatever its log-probabilities are. With other
    weights than `sum` the total is no log-probability any more, and `beta` gets another meaning.
    """
    by_book = weights.to(token_logps)[:, None]
    return torch.where(by_book > 0, by_book * token_logps, 0.0)
