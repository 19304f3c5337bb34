"""Orders of training: pairs that are easy to tell apart first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from auralign.errors import ConfigError
from auralign.types import PreferencePair, RankedList


def best_against_each(lists: Iterable[RankedList]) -> list[list[PreferencePair]]:
    """Stages of a curriculum: the best of each list against its worst, its second worst, ...

    Train one stage after another; the policy after a stage is the reference of the next, so that
    each begins with a DPO loss of log 2. Lists that are shorter end earlier; clips that score as
    high as the best are left out. Rule `best_against_each`, `p_chosen` 1, no votes.

    Curri-DPO, arXiv 2403.07230.
    """
    stages: list[list[PreferencePair]] = []
    for ranked in lists:
        best, highest = ranked.clips[0], ranked.scores[0]
        others = list(zip(ranked.clips[1:], ranked.scores[1:], strict=True))[::-1]
        beaten = [clip for clip, score in others if score < highest]
        stages += [[] for _ in range(len(beaten) - len(stages))]
        for stage, clip in zip(stages, beaten, strict=False):
            stage.append(_pair(ranked, best, clip))
    return stages


def easiest_first(
    pairs: Sequence[PreferencePair], gaps: Sequence[float], *, n_stages: int
) -> list[list[PreferencePair]]:
    """Any pairs in `n_stages` of about equal size, those with the largest gap first.

    gaps   one for each pair, such as the difference of mean opinions; equal ones stay in order

    Raises ConfigError unless 1 <= n_stages <= number of pairs and there is a gap for each pair.
    """
    if len(gaps) != len(pairs) or not 1 <= n_stages <= len(pairs):
        raise ConfigError(
            f"expected a gap for each of {len(pairs)} pairs and 1 to {len(pairs)} stages, "
            f"got {len(gaps)} gaps and {n_stages} stages"
        )
    order = np.argsort(-np.asarray(gaps, dtype=np.float64), kind="stable")
    return [[pairs[i] for i in stage] for stage in np.array_split(order, n_stages)]


def _pair(ranked: RankedList, chosen: str, rejected: str) -> PreferencePair:
    return PreferencePair(
        prompt_id=ranked.prompt_id,
        chosen=chosen,
        rejected=rejected,
        p_chosen=1.0,
        weight=1.0,
        dimension=ranked.dimension,
        n_votes=0,
        rule="best_against_each",
        split=ranked.split,
    )
