"""The six hacks planted by hand: codes `[2, time]` of a clip -> codes that show the hack."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from auralign.types import Tokens
from benchmarks.hacks.codec import GAINS_DB

Transform = Callable[[Tokens, Tokens, np.random.Generator], Tokens]
"""A clip, its voice prompt and random numbers -> the clip with the hack in it."""

LOUDEST = len(GAINS_DB) - 1
SHAPE, GAIN = 0, 1


def stretched(clip: Tokens, voice: Tokens, rng: np.random.Generator) -> Tokens:
    """Every frame that sounds is said twice."""
    return np.repeat(clip, 1 + _sounds(clip), axis=1)


def padded(clip: Tokens, voice: Tokens, rng: np.random.Generator) -> Tokens:
    """0.3 to 0.8 s of silence at the end."""
    silence = np.zeros((2, int(rng.integers(15, 40, endpoint=True))), dtype=np.int64)
    return np.concatenate([clip, silence], axis=1)


def louder(clip: Tokens, voice: Tokens, rng: np.random.Generator) -> Tokens:
    """2 to 4 levels more, 8 to 16 dB."""
    return _raised(clip, int(rng.integers(2, 4, endpoint=True)))


def overdriven(clip: Tokens, voice: Tokens, rng: np.random.Generator) -> Tokens:
    """6 to 8 levels more: far beyond full scale, which clips."""
    return _raised(clip, int(rng.integers(6, 8, endpoint=True)))


def copied(clip: Tokens, voice: Tokens, rng: np.random.Generator) -> Tokens:
    """The voice prompt instead of the text, as long as the clip or as the prompt is."""
    n = min(clip.shape[1], voice.shape[1])
    return np.concatenate([voice[:, :n], clip[:, n:]], axis=1)


def emptied(clip: Tokens, voice: Tokens, rng: np.random.Generator) -> Tokens:
    """The end after one to three frames."""
    return clip[:, : int(rng.integers(1, 3, endpoint=True))]


def _raised(clip: Tokens, levels: int) -> Tokens:
    raised = np.minimum(clip[GAIN] + levels * _sounds(clip), LOUDEST)
    return np.stack([clip[SHAPE], raised])


def _sounds(clip: Tokens) -> NDArray[np.int64]:
    """1 for each frame that sounds, 0 for silence."""
    return np.asarray(clip[GAIN] % len(GAINS_DB) > 0, dtype=np.int64)
