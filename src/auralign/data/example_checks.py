"""What is wrong with examples for a trainer: each by itself, all together, and for a policy."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from auralign.data.examples import (
    CodeWeights,
    Example,
    TokenFeedback,
    TokenList,
    TokenPair,
    named_clips,
)
from auralign.errors import DataError
from auralign.types import Prompt, Tokens


def validate_examples(
    examples: Sequence[Example], *, n_codebooks: int, codebook_size: int, max_frames: int | None
) -> None:
    """Raise DataError, naming the first such example, unless a policy of these sizes takes them.

    max_frames   of the longest clip that the policy can make; of a longer one the end would be
                 cut off. None where it knows no limit

    Checks what `read_examples` checks, too, so that examples made in memory may be given.
    """
    for i, example in enumerate(examples):
        try:
            check_example(example)
            for field, clip in named_clips(example):
                _check_fits(clip, field, n_codebooks, codebook_size, max_frames)
        except DataError as error:
            raise DataError(f"example {i}: {error}") from None
    check_together(examples, "example {}".format)


def check_example(example: Example) -> None:
    """Raise DataError, naming the field, for an example that nothing can be learnt from.

    Such are clips without codes or with codes below 0, equal sides, weights and scores that are
    not finite, weights below 0, a share outside [0, 1], and lists without an order.
    """
    for field, clip in named_clips(example):
        _check_codes(clip, field)
    _check_number(example.weight, "weight", low=0)
    match example:
        case TokenPair():
            _check_pair(example)
        case TokenList():
            _check_list(example)
        case TokenFeedback():
            _check_finite(example.prompt_embedding, "prompt_embedding")


def check_together(examples: Sequence[Example], place: Callable[[int], str]) -> None:
    """Raise DataError unless there are examples, of one kind and one codec, each of them once.

    place   of the example with this number, for messages
    """
    if not examples:
        raise DataError("expected at least one example, got none: check what selected them")
    prompts: dict[str, Prompt] = {}
    first_with: dict[object, int] = {}
    for i, example in enumerate(examples):
        try:
            _check_like(example, examples[0], place(0))
            if prompts.setdefault(example.prompt.id, example.prompt) != example.prompt:
                raise DataError(
                    f"prompt: expected what '{example.prompt.id}' stands for further up, got "
                    "another text, condition, clip or split: give each prompt an id of its own"
                )
            if (earlier := first_with.setdefault(_identity(example), i)) != i:
                raise DataError(
                    f"expected each example once, got that of {place(earlier)} again: keep one "
                    "and give it the weight of both"
                )
        except DataError as error:
            raise DataError(f"{place(i)}: {error}") from None


def _check_like(example: Example, first: Example, where_first: str) -> None:
    if type(example) is not type(first):
        raise DataError(
            f"expected a {type(first).__name__} as in {where_first}, got a "
            f"{type(example).__name__}: keep pairs, feedback and lists in files of their own"
        )
    n_codebooks = len(named_clips(first)[0][1])
    for field, clip in named_clips(example):
        if len(clip) != n_codebooks:
            raise DataError(
                f"{field}: expected {n_codebooks} codebooks as in {where_first}, got {len(clip)}: "
                "encode every clip with one codec"
            )


def _check_pair(pair: TokenPair) -> None:
    if np.array_equal(pair.chosen, pair.rejected):
        raise DataError(
            "expected two different clips, got chosen and rejected with equal codes: "
            "leave the pair out"
        )
    if pair.p_chosen is not None:
        _check_number(pair.p_chosen, "p_chosen", low=0, high=1)
    _check_scores(pair)
    _check_code_weights(pair.chosen_weights, pair.chosen, "chosen_weights")
    _check_code_weights(pair.rejected_weights, pair.rejected, "rejected_weights")
    _check_finite(pair.prompt_embedding, "prompt_embedding")
    if pair.lesser is not None:
        _check_lesser(pair.lesser)


def _check_scores(pair: TokenPair) -> None:
    scores = {"chosen_score": pair.chosen_score, "rejected_score": pair.rejected_score}
    given = {field: score for field, score in scores.items() if score is not None}
    for field, score in given.items():
        _check_number(score, field)
    if len(given) == 1:
        (field,) = given
        raise DataError(
            f"expected the scores of both clips or of none, got {field} alone: give both"
        )


def _check_lesser(pair: TokenPair) -> None:
    if pair.lesser is not None:
        raise DataError(
            "lesser: expected a pair without a lesser one of its own, got one with: "
            "make it an example of its own"
        )
    try:
        check_example(pair)
    except DataError as error:
        raise DataError(f"lesser: {error}") from None


def _check_list(ranked: TokenList) -> None:
    n = len(ranked.clips)
    if n < 2:
        raise DataError(f"clips: expected at least 2 clips, got {n}: leave the list out")
    first_with: dict[bytes, int] = {}
    for i, clip in enumerate(ranked.clips):
        if (earlier := first_with.setdefault(_digest(clip), i)) != i:
            raise DataError(
                f"clips: expected different clips, got the codes of clip {earlier} again in clip "
                f"{i}: keep one of them"
            )
    if ranked.scores is not None:
        _check_falling(ranked.scores, n)


def _check_falling(scores: Sequence[float], n: int) -> None:
    if len(scores) != n:
        raise DataError(
            f"scores: expected one for each of {n} clips, got {len(scores)}: give all or none"
        )
    for score in scores:
        _check_number(score, "scores")
    for score, following in pairwise(scores):
        if score < following:
            raise DataError(
                f"scores: expected the best clip first, so that scores fall, got {score:g} before "
                f"{following:g}: sort clips and scores"
            )
    if scores[0] == scores[-1]:
        raise DataError(
            f"scores: expected scores that fall, got {n} times {scores[0]:g}: leave the list out"
        )


def _check_codes(codes: Tokens, field: str) -> None:
    if codes.ndim != 2 or codes.dtype.kind != "i":
        raise DataError(
            f"{field}: expected whole numbers [codebook, time], got {codes.dtype} of shape "
            f"{codes.shape}: give the codes of one clip"
        )
    if not codes.size:
        raise DataError(f"{field}: expected at least one frame, got an empty clip: leave it out")
    if (lowest := codes.min()) < 0:
        raise DataError(
            f"{field}: expected codes of 0 and more, got {lowest}: take padding and markers out"
        )


def _check_fits(
    clip: Tokens, field: str, n_codebooks: int, codebook_size: int, max_frames: int | None
) -> None:
    books, frames = clip.shape
    if books != n_codebooks:
        raise DataError(
            f"{field}: expected {n_codebooks} codebooks, as the policy has, got {books}: "
            "encode clips with the codec of this policy"
        )
    if (highest := clip.max()) >= codebook_size:
        raise DataError(
            f"{field}: expected codes from 0 to {codebook_size - 1}, as the policy has, got "
            f"{highest}: encode clips with the codec of this policy"
        )
    if max_frames is not None and frames > max_frames:
        raise DataError(
            f"{field}: expected at most {max_frames} frames, as the policy can make, got {frames}, "
            "so that the end would be cut off: leave it out, or take a policy for longer clips"
        )


def _check_code_weights(weights: CodeWeights | None, clip: Tokens, field: str) -> None:
    if weights is None:
        return
    if weights.shape != clip.shape:
        raise DataError(
            f"{field}: expected a weight for each code, shape {clip.shape}, got shape "
            f"{weights.shape}: lay them out as the codes"
        )
    _check_finite(weights, field)
    if (lowest := weights.min()) < 0:
        raise DataError(
            f"{field}: expected weights of 0 and more, got {lowest:g}: give 0 to codes that do "
            "not count"
        )


def _check_finite(values: NDArray[np.float32] | None, field: str) -> None:
    if values is not None and not np.isfinite(values).all():
        raise DataError(
            f"{field}: expected finite numbers, got NaN or infinity: "
            "leave it empty where there is no value"
        )


def _check_number(
    value: float, field: str, *, low: float = -math.inf, high: float = math.inf
) -> None:
    if math.isfinite(value) and low <= value <= high:
        return
    limits = "" if low == -math.inf else f" of {low:g} and more"
    if high < math.inf:
        limits = f" from {low:g} to {high:g}"
    raise DataError(
        f"{field}: expected a finite number{limits}, got {value:g}: "
        "correct it, or leave it empty where there is no value"
    )


def _digest(codes: Tokens) -> bytes:
    return hashlib.blake2b(codes.tobytes(), digest_size=16).digest()


def _identity(example: Example) -> tuple[object, ...]:
    """What makes an example another one; its weight, share and scores do not."""
    return (example.prompt.id, example.dimension, *_parts(example))


def _parts(example: Example) -> Iterator[object]:
    for field, clip in named_clips(example):
        yield field, _digest(clip)
    match example:
        case TokenFeedback():
            yield example.desirable
        case TokenPair():
            yield example.mismatched
            yield example.rationale[0] if example.rationale else None
