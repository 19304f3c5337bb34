"""Refinement under a judge: keep the beginning of a clip, draw the rest anew, keep what is better.

Derived: the cut is uniform over the frames of the clip at hand, so that every round may change much
or little; a new clip takes the place of the old one only where the judge prefers it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from auralign.test_time.continuation import ContinuingSampler, go_on
from auralign.test_time.selection import Candidates, Judge, Selection, require_positive
from auralign.test_time.tournaments import play
from auralign.types import Prompt

if TYPE_CHECKING:
    import torch


def refine(
    policy: ContinuingSampler,
    prompts: Sequence[Prompt],
    start: Selection,
    judge: Judge,
    *,
    n_rounds: int,
    rng: np.random.Generator,
    generator: torch.Generator,
    temperature: float = 1.0,
) -> Selection:
    """The clip of each prompt after `n_rounds` rounds of one new clip each.

    start   what is refined, such as the best of n; a prompt without a clip stays without

    The candidates are those of `start` and the new ones. The score of a new one is the probability
    that the judge prefers it to the clip that it was made from; above 0.5 it takes its place. All
    prompts are one batch. Raises ConfigError for less than one round, DataError for a judge who
    gives anything but a probability.
    """
    require_positive(n_rounds=n_rounds)
    candidates, chosen = start.candidates, start.chosen.copy()
    at_work = np.flatnonzero(chosen >= 0)
    scores = [np.full(len(start.scores), np.nan)]
    for _ in range(n_rounds if len(at_work) else 0):
        clips = [candidates.tokens[i] for i in chosen[at_work].tolist()]
        starts = [
            (prompt, clip[:, : rng.integers(max(clip.shape[1], 1))])
            for prompt, clip in zip(at_work.tolist(), clips, strict=True)
        ]
        new = go_on(policy, prompts, starts, generator=generator, temperature=temperature)
        first_new = len(candidates.tokens)
        candidates = Candidates.joined([candidates, new])
        proposed = first_new + np.arange(len(at_work))
        games = list(zip(proposed.tolist(), chosen[at_work].tolist(), strict=True))
        scores.append(play(judge, prompts, candidates, games))
        chosen[at_work] = np.where(scores[-1] > 0.5, proposed, chosen[at_work])
    all_scores = np.concatenate(scores)
    excluded = np.zeros(len(all_scores), dtype=np.bool_)
    excluded[: len(start.excluded)] = start.excluded
    return Selection(candidates, all_scores, chosen, excluded)
