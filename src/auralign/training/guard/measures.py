"""What the guard measures of clips: their sound, and how their codes repeat one another.

Sound is measured by signals of the registry and by a few measures here that padding, gain and
length do not mix up: levels and durations of what is active, silence of what is not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from auralign.audio.levels import (
    FRAME_S,
    active_duration_s,
    active_frames,
    clipping_share,
    frame_levels,
    peak_dbfs,
)
from auralign.signals.ask import score_items
from auralign.signals.registry import find, measure_name
from auralign.signals.signal import Direction, Item
from auralign.training.guard.bands import PromptIndex
from auralign.types import Audio, Prompt, Tokens

Column = NDArray[np.float64]

SIGNALS = ("integrity", "bandwidth", "f0", "pauses")
"""Signals of the registry that the rules read; each yields several measures."""
EMPTY_BELOW_S = 0.15
"""Of activity: no word is shorter."""
CLIPPED_ABOVE = 1e-3
"""Share of the samples in a clip on flat tops."""
COPY_FLOOR = 0.25
"""Share of a clip below which a run of frames that another clip has too is no copy."""


def sound_measures(
    audios: Sequence[Audio], prompts: Sequence[Prompt], signals: Sequence[str] = SIGNALS
) -> dict[str, Column]:
    """Every measure of every clip `[clips]`; NaN where a signal has no value."""
    columns = {name: _column(audios, measure) for name, measure in _OWN.items()}
    items = [
        Item(str(k), audio, text=prompt.text)
        for k, (audio, prompt) in enumerate(zip(audios, prompts, strict=True))
    ]
    for signal in signals:
        for name, values in _ask(signal, items).items():
            columns[name] = np.array(values, dtype=np.float64)
    return columns


def better_sides(signals: Sequence[str] = SIGNALS) -> dict[str, int]:
    """Of each measure that has a better side: 1 where that is higher, -1 where it is lower."""
    sides = {Direction.MAX: 1, Direction.MIN: -1}
    return {
        measure_name(name, measure.name): sides[measure.direction]
        for name in signals
        for measure in find(name).measures
        if measure.direction in sides
    }


def _ask(signal: str, items: Sequence[Item]) -> Mapping[str, list[float]]:
    columns: dict[str, list[float]] = {}
    for row in score_items(signal, items):
        for score in row.scores:
            value = math.nan if score.value is None else score.value
            columns.setdefault(score.signal, []).append(value)
    return columns


def _column(audios: Sequence[Audio], measure: Callable[[Audio], float]) -> Column:
    return np.array([measure(audio) for audio in audios], dtype=np.float64)


def _active_s(audio: Audio) -> float:
    return active_duration_s(audio) or 0.0


def _silence_share(audio: Audio) -> float:
    return 1 - _active_s(audio) / audio.duration_s if audio.n_samples else math.nan


def _edge_silence_s(audio: Audio) -> float:
    """Before the first and after the last active frame; NaN for silence, which has no edge."""
    places = np.flatnonzero(active_frames(audio))
    if places.size == 0:
        return math.nan
    return audio.duration_s - float(places[-1] - places[0] + 1) * FRAME_S


def _level_dbfs(audio: Audio) -> float:
    """RMS of the active frames [dBFS], which padding does not lower."""
    level = frame_levels(audio)[active_frames(audio)]
    power = float(np.square(level).mean()) if level.size else 0.0
    return 10 * math.log10(power) if power > 0 else math.nan


def _crest_db(audio: Audio) -> float:
    """Peak over the RMS of the active frames, which padding does not raise."""
    peak = peak_dbfs(audio)
    return math.nan if peak is None else peak - _level_dbfs(audio)


def _is_clipped(audio: Audio) -> float:
    share = clipping_share(audio)
    return math.nan if share is None else float(share > CLIPPED_ABOVE)


_OWN: dict[str, Callable[[Audio], float]] = {
    "duration_s": lambda audio: audio.duration_s,
    "active_s": _active_s,
    "silence_share": _silence_share,
    "edge_silence_s": _edge_silence_s,
    "level_dbfs": _level_dbfs,
    "crest_db": _crest_db,
    "clipped": _is_clipped,
    "empty": lambda audio: float(_active_s(audio) < EMPTY_BELOW_S),
}


def token_measures(
    tokens: Sequence[Tokens], prompt: PromptIndex, others: Sequence[Tokens] = ()
) -> dict[str, Column]:
    """How the codes of clips, each `[codebook, time]`, repeat one another.

    copy_share    share of a clip that is one run of frames which a clip of another prompt has, or
                  one of `others` (voice prompts), at least 0.25; frames that repeat count once
    seed_spread   of each prompt, on each of its clips: mean share of the steps between codes that
                  two of its clips do not have in common (first codebook); NaN for a single clip
    """
    runs = _frame_runs([*tokens, *others])
    sources = [*prompt.tolist(), *range(-len(others), 0)]
    shares = np.array(_copy_shares(runs, sources)[: len(tokens)])
    steps = [_steps(clip[0]) for clip in tokens]
    return {
        "copy_share": np.maximum(shares, COPY_FLOOR),
        "seed_spread": _spread(steps, prompt),
    }


def spread_of_values(values: Column, prompt: PromptIndex) -> Column:
    """Mean absolute difference of two clips of a prompt, on each of its clips `[clips]`.

    It does not depend on how many clips a prompt has. NaN where fewer than two have a value.
    """
    found = np.full(len(values), np.nan)
    for rows in _rows_of_prompts(prompt):
        known = [float(values[row]) for row in rows if np.isfinite(values[row])]
        gaps = [abs(a - b) for a, b in combinations(known, 2)]
        found[rows] = np.mean(gaps) if gaps else np.nan
    return found


def _frame_runs(clips: Sequence[Tokens]) -> list[NDArray[np.int64]]:
    """Each clip as a sequence of frame numbers, equal neighbours once."""
    _, names = np.unique(np.concatenate(clips, axis=1).T, axis=0, return_inverse=True)
    parts = np.split(names.reshape(-1), np.cumsum([clip.shape[1] for clip in clips])[:-1])
    return [part[np.flatnonzero(np.diff(part, prepend=-1))] for part in parts]


def _copy_shares(runs: Sequence[NDArray[np.int64]], sources: Sequence[int]) -> list[float]:
    """Of each clip the longest run of frames that a clip of another source has, over its length."""
    longest = [0] * len(runs)
    active = list(range(len(runs)))
    length = 1
    while active:
        has: dict[bytes, set[int]] = {}
        for row in active:
            for gram in _grams(runs[row], length):
                has.setdefault(gram, set()).add(sources[row])
        active = [r for r in active if any(len(has[g]) > 1 for g in _grams(runs[r], length))]
        for row in active:
            longest[row] = length
        length += 1
    return [n / len(run) if len(run) else 0.0 for n, run in zip(longest, runs, strict=True)]


def _grams(run: NDArray[np.int64], length: int) -> Iterator[bytes]:
    return (run[i : i + length].tobytes() for i in range(len(run) - length + 1))


def _steps(codes: NDArray[np.int64]) -> set[tuple[int, int]]:
    return set(zip(codes[:-1].tolist(), codes[1:].tolist(), strict=True))


def _spread(steps: Sequence[set[tuple[int, int]]], prompt: PromptIndex) -> Column:
    found = np.full(len(steps), np.nan)
    for rows in _rows_of_prompts(prompt):
        gaps = [_jaccard_distance(steps[a], steps[b]) for a, b in combinations(rows, 2)]
        found[rows] = np.mean(gaps) if gaps else np.nan
    return found


def _jaccard_distance(a: set[tuple[int, int]], b: set[tuple[int, int]]) -> float:
    """Of two sets; two that are empty are the same."""
    return 1 - len(a & b) / len(a | b) if a | b else 0.0


def _rows_of_prompts(prompt: PromptIndex) -> list[list[int]]:
    return [np.flatnonzero(prompt == p).tolist() for p in np.unique(prompt)]
