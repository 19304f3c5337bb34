"""Which recordings are held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from auralign.errors import ConfigError
from auralign.preferences.ladders.recording import Recording
from auralign.types import Split


def hold_out(
    recordings: Sequence[Recording], share: float, *, rng: np.random.Generator
) -> list[Recording]:
    """The recordings with new splits: that share for validation, as much for testing.

    Shares are of texts: all recordings of one text have one split, and those without a text are
    each by themselves. Raises ConfigError for a share outside 0 to 0.5.
    """
    if not 0 <= share <= 0.5:
        raise ConfigError(f"expected a share to hold out from 0 to 0.5, got {share:g}")
    texts = sorted({_text(recording) for recording in recordings})
    drawn = [texts[i] for i in rng.permutation(len(texts))]
    n = round(share * len(texts))
    split = dict.fromkeys(drawn, Split.TRAIN)
    split |= dict.fromkeys(drawn[:n], Split.VALIDATION)
    split |= dict.fromkeys(drawn[n : 2 * n], Split.TEST)
    return [replace(r, prompt=replace(r.prompt, split=split[_text(r)])) for r in recordings]


def _text(recording: Recording) -> tuple[str, str]:
    text = recording.prompt.text
    return (text, "") if text else ("", recording.prompt.id)
