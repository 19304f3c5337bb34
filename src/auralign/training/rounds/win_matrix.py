"""How often each clip of a prompt is preferred to each other one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auralign.preferences.pairs import SHARE_OF_VOTES
from auralign.training.rounds.annotators import P_FIRST
from auralign.types import Judgement, Outcome, TrialProtocol


@dataclass(frozen=True, eq=False)
class WinMatrix:
    """Clips of one prompt, and `[clips, clips]` how often the row is preferred to the column.

    p         NaN where two clips were not compared; `p + p.T` is 1 elsewhere
    n_votes   answers behind each entry
    """

    clips: tuple[str, ...]
    p: NDArray[np.float64]
    n_votes: NDArray[np.int64]

    def mean_wins(self) -> NDArray[np.float64]:
        """Mean over the rivals that a clip was compared with `[clips]`; NaN without any."""
        known = ~np.isnan(self.p)
        total = np.where(known, self.p, 0.0).sum(axis=1)
        n = known.sum(axis=1)
        return np.where(n > 0, total / np.maximum(n, 1), np.nan)


def win_matrices(judgements: Iterable[Judgement], dimension: str) -> dict[str, WinMatrix]:
    """Prompt id -> its matrix, from the answers to pair trials on one dimension.

    A judge's answer counts by its probability, any other by its side, ties half, skips not at all.
    """
    of_prompt: dict[str, list[tuple[str, str, float]]] = {}
    for j in judgements:
        if j.protocol is not TrialProtocol.PAIR or j.dimension != dimension:
            continue
        first, second = (c.clip_id for c in j.candidates)
        if j.outcome not in (None, Outcome.SKIP) and first != second:
            of_prompt.setdefault(j.prompt_id, []).append((first, second, share_of_first(j)))
    return {prompt_id: _matrix(rows) for prompt_id, rows in of_prompt.items()}


def share_of_first(judgement: Judgement) -> float:
    """How much of an answer speaks for the clip that was presented first, 0 to 1."""
    if P_FIRST in judgement.context:
        return float(judgement.context[P_FIRST])
    return 0.5 if judgement.outcome is None else SHARE_OF_VOTES.get(judgement.outcome, 0.5)


def _matrix(rows: list[tuple[str, str, float]]) -> WinMatrix:
    clips = tuple(dict.fromkeys(clip for first, second, _ in rows for clip in (first, second)))
    place = {clip: i for i, clip in enumerate(clips)}
    total = np.zeros((len(clips), len(clips)))
    n_votes = np.zeros(total.shape, dtype=np.int64)
    for first, second, share in rows:
        i, j = place[first], place[second]
        total[i, j] += share
        total[j, i] += 1 - share
        n_votes[i, j] += 1
        n_votes[j, i] += 1
    p = np.where(n_votes > 0, total / np.maximum(n_votes, 1), np.nan)
    return WinMatrix(clips, p, n_votes)
