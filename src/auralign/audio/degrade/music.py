"""Pieces of music out of tune; `tempo` moves their beats and `spans` deletes their bars."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from auralign.audio.degrade.pitch import shift_pitch
from auralign.audio.degrade.spans import Span
from auralign.audio.degrade.splice import Piece, join
from auralign.errors import AudioError
from auralign.types import Audio


def detune_bars(
    audio: Audio, bars: Sequence[Span], cents: float, rng: np.random.Generator
) -> Audio:
    """The clip with every other bar `cents` sharp, or every other one flat, by a coin.

    What is wrong is the step from bar to bar, which needs no absolute pitch to hear. Raises
    AudioError for fewer than two bars.
    """
    if len(bars) < 2:
        raise AudioError(f"detuning needs at least 2 bars, got {len(bars)}: give their times")
    sign = float(rng.choice([-1.0, 1.0]))
    detuned = shift_pitch(audio, sign * cents / 100, keep_formants=False)
    begins = [round(bar.begin_s * audio.sample_rate) for bar in bars]
    cuts = [0, *begins[1:], audio.n_samples]
    return join(
        [
            Piece((audio, detuned)[i % 2], begin, end)
            for i, (begin, end) in enumerate(pairwise(cuts))
        ]
    )
