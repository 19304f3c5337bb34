"""What a trainer of token policies takes: prompts with the codes of clips, and what was said.

`PreferencePair`, `RankedList` and `Feedback` name clips of a study folder by their ids; the
records here hold the codes themselves, so that a file of them is all that a training run needs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auralign.types import Prompt, Tokens

CodeWeights = NDArray[np.float32]
"""Weights of the codes of one clip, `[codebook, time]`, >= 0; 1 where the preference is about."""


@dataclass(frozen=True, eq=False)
class TokenPair:
    """Two clips of one prompt, the first preferred; tokens are `[codebook, time]`.

    weight            how much the pair counts, >= 0
    p_chosen          share of listeners (or modelled probability) that prefer `chosen`
    chosen_score      of an external reward or mean opinion, and `rejected_score`
    chosen_weights    of single codes, `[codebook, time]`, and `rejected_weights`
    gold              a clip that is better than both, such as a studio recording
    mismatched        a prompt that the chosen clip does not fit
    lesser            a pair whose margin should be smaller
    rationale         why chosen is better, as tokens under a prompt of its own
    prompt_embedding  `[dim]`
    """

    prompt: Prompt
    chosen: Tokens
    rejected: Tokens
    weight: float = 1.0
    p_chosen: float | None = None
    chosen_score: float | None = None
    rejected_score: float | None = None
    chosen_weights: CodeWeights | None = None
    rejected_weights: CodeWeights | None = None
    gold: Tokens | None = None
    mismatched: Prompt | None = None
    lesser: TokenPair | None = None
    rationale: tuple[Prompt, Tokens] | None = None
    prompt_embedding: NDArray[np.float32] | None = None
    dimension: str = "overall"


@dataclass(frozen=True, eq=False)
class TokenFeedback:
    """One clip with a thumb up (`desirable`) or down; `clip` is `[codebook, time]`."""

    prompt: Prompt
    clip: Tokens
    desirable: bool
    weight: float = 1.0
    prompt_embedding: NDArray[np.float32] | None = None
    dimension: str = "overall"


@dataclass(frozen=True, eq=False)
class TokenList:
    """Clips of one prompt, best first, each `[codebook, time]`, with the scores that fall."""

    prompt: Prompt
    clips: tuple[Tokens, ...]
    scores: tuple[float, ...] | None = None
    weight: float = 1.0
    dimension: str = "overall"


Example = TokenPair | TokenFeedback | TokenList


def named_clips(example: Example) -> list[tuple[str, Tokens]]:
    """Every clip of the example, with the name of its field."""
    match example:
        case TokenFeedback():
            return [("clip", example.clip)]
        case TokenList():
            return [(f"clips[{i}]", clip) for i, clip in enumerate(example.clips)]
    found = [("chosen", example.chosen), ("rejected", example.rejected)]
    if example.gold is not None:
        found.append(("gold", example.gold))
    if example.rationale is not None:
        found.append(("rationale", example.rationale[1]))
    if example.lesser is not None:
        found += [(f"lesser.{name}", clip) for name, clip in named_clips(example.lesser)]
    return found
