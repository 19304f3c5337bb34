"""From rankings and ratings to ranked lists, each by a named rule that the list records.

Scores lie in [0, 1]. A list whose clips all score alike says nothing and is left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from auralign.types import Judgement, Prompt, RankedList, TrialProtocol


def lists_from_rankings(
    judgements: Iterable[Judgement], prompts: Mapping[str, Prompt], *, dimension: str
) -> list[RankedList]:
    """One list for each set of clips that was ranked, rule `share_beaten`.

    The score of a clip is the share of the others that stand below it, averaged over the listeners:
    its probability of winning against one of them (`losses.lipo_lambda` takes such scores).
    """
    shares: dict[tuple[str, frozenset[str]], dict[str, list[float]]] = {}
    for j in judgements:
        if j.protocol is not TrialProtocol.RANKING or j.dimension != dimension or not j.ranking:
            continue
        clips = [j.candidates[i].clip_id for i in j.ranking]
        of_clip = shares.setdefault((j.prompt_id, frozenset(clips)), defaultdict(list))
        for place, clip in enumerate(reversed(clips)):
            of_clip[clip].append(place / max(1, len(clips) - 1))
    scored = [(prompt_id, of_clip) for (prompt_id, _), of_clip in shares.items()]
    return _lists(scored, prompts, dimension, "share_beaten")


def lists_from_ratings(
    judgements: Iterable[Judgement], prompts: Mapping[str, Prompt], *, dimension: str
) -> list[RankedList]:
    """One list of the rated clips of each prompt, by mean rating, rule `mean_rating`.

    The score of a clip is the mean of its ratings, 0 at the low and 1 at the high end of the scale.
    """
    ratings: dict[str, dict[str, list[float]]] = {}
    for j in judgements:
        if j.protocol is not TrialProtocol.RATING or j.dimension != dimension:
            continue
        if j.rating is None or j.scale is None:
            continue
        low, high = j.scale
        of_clip = ratings.setdefault(j.prompt_id, defaultdict(list))
        of_clip[j.candidates[0].clip_id].append((j.rating - low) / (high - low))
    return _lists(ratings.items(), prompts, dimension, "mean_rating")


def _lists(
    scored: Iterable[tuple[str, Mapping[str, Sequence[float]]]],
    prompts: Mapping[str, Prompt],
    dimension: str,
    rule: str,
) -> list[RankedList]:
    """The highest mean first; clips of equal means in the order in which they came."""
    lists = []
    for prompt_id, of_clip in scored:
        means = {clip: float(np.mean(scores)) for clip, scores in of_clip.items()}
        clips = sorted(means, key=means.__getitem__, reverse=True)
        if means[clips[0]] > means[clips[-1]]:
            scores = tuple(means[clip] for clip in clips)
            split = prompts[prompt_id].split
            lists.append(RankedList(prompt_id, tuple(clips), scores, dimension, rule, split))
    return lists
