"""Automated signals before and after alignment, paired by prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from auralign.audio.levels import (
    active_duration_s,
    clipping_share,
    loudness_lufs,
    noise_floor_dbfs,
)
from auralign.signals.recognisers.words import word_errors, words_per_second
from auralign.stats.intervals import cluster_bootstrap, difference_interval
from auralign.types import Audio, Estimate, Prompt

Direction = Literal["higher", "lower", "target", "descriptive"]
Values = Mapping[str, NDArray[np.float64]]
"""Signal name -> value of each clip `[clips]`; NaN where the signal has none."""

SIGNALS: dict[str, tuple[str, Direction, str]] = {
    "word error": ("%", "lower", "by a recogniser trained on clean speech only"),
    "speaking rate": ("words/s", "descriptive", "asked words over the time that is not silence"),
    "duration": ("s", "descriptive", "of the whole clip"),
    "loudness": ("LUFS", "descriptive", "BS.1770 integrated; none for clips under 0.4 s"),
    "clipping": ("%", "lower", "share of samples on a flat top"),
    "noise floor": ("dB", "lower", "quietest frames relative to full scale"),
}
"""Unit, direction and note of each signal; none of them is heard by the simulated listeners."""


@dataclass(frozen=True, slots=True)
class SignalRow:
    """One signal of two systems; `n_scored` of `n_total` clip pairs have a value on both sides."""

    name: str
    unit: str
    direction: Direction
    note: str
    before: float | None
    after: float | None
    difference: Estimate | None
    n_scored: int
    n_total: int


def measure(
    audios: Sequence[Audio], prompts: Sequence[Prompt], transcripts: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """Every signal of every clip; transcripts are what the evaluation's recogniser heard."""
    errors = word_errors([p.text for p in prompts], transcripts)
    columns: dict[str, list[float | None]] = {
        "word error": [wrong / n if n else None for wrong, n in errors],
        "speaking rate": [
            words_per_second(n, active_duration_s(a))
            for a, (_, n) in zip(audios, errors, strict=True)
        ],
        "duration": [a.duration_s for a in audios],
        "loudness": [loudness_lufs(a) for a in audios],
        "clipping": [clipping_share(a) for a in audios],
        "noise floor": [noise_floor_dbfs(a) for a in audios],
    }
    return {
        name: np.array([np.nan if v is None else v for v in column], dtype=np.float64)
        for name, column in columns.items()
    }


def compare_signals(
    before: Values, after: Values, prompts: Sequence[Prompt], *, rng: np.random.Generator
) -> list[SignalRow]:
    """One row for each signal; row `k` of both sides answers `prompts[k]`."""
    words = np.array([len(p.text.split()) for p in prompts], dtype=np.float64)
    ids = [p.id for p in prompts]
    return [
        _row(name, before[name], after[name], ids, words if name == "word error" else None, rng)
        for name in SIGNALS
    ]


def _row(
    name: str,
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    prompt_ids: Sequence[str],
    weights: NDArray[np.float64] | None,
    rng: np.random.Generator,
) -> SignalRow:
    both = np.isfinite(before) & np.isfinite(after)
    unit, direction, note = SIGNALS[name]
    row = SignalRow(name, unit, direction, note, None, None, None, int(both.sum()), len(both))
    ids = [i for i, scored in zip(prompt_ids, both, strict=True) if scored]
    if len(set(ids)) < 2:
        return row
    b, a = before[both], after[both]
    if weights is None:
        difference = difference_interval(b, a, ids, rng=rng)
        means = float(b.mean()), float(a.mean())
    else:
        w = weights[both]
        difference = cluster_bootstrap(
            lambda counts: float(counts @ (w * (a - b)) / (counts @ w)), ids, rng=rng
        )
        means = float(np.average(b, weights=w)), float(np.average(a, weights=w))
    return SignalRow(name, unit, direction, note, *means, difference, row.n_scored, row.n_total)
