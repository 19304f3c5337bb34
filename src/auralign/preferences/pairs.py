"""From votes and rewards to training pairs, each by a named rule that the pair records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from auralign.types import Judgement, Outcome, PreferencePair, Prompt, Split, TrialProtocol

SHARE_OF_VOTES = {Outcome.A: 1.0, Outcome.B: 0.0}
"""What a vote counts for the first clip; every tie counts half."""


def pairs_from_votes(
    judgements: Iterable[Judgement], prompts: Mapping[str, Prompt], *, dimension: str
) -> list[PreferencePair]:
    """One pair for each two clips that were compared, rule `vote_share`.

    `p_chosen` is the chosen clip's share of the votes (ties count half, skips not at all), the
    weight is the number of votes, and a pair's split is its prompt's. A pair of equal shares is
    kept with `p_chosen` 0.5: it says that the clips are alike. A trial of a clip with itself says
    nothing and is left out.
    """
    shares: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for j in judgements:
        if j.protocol is not TrialProtocol.PAIR or j.dimension != dimension:
            continue
        if j.outcome is None or j.outcome is Outcome.SKIP:
            continue
        first, second = (c.clip_id for c in j.candidates)
        if first == second:
            continue
        share = SHARE_OF_VOTES.get(j.outcome, 0.5)
        if first > second:
            first, second, share = second, first, 1 - share
        shares[j.prompt_id, first, second].append(share)
    return [_voted(key, votes, prompts, dimension) for key, votes in shares.items()]


def _voted(
    key: tuple[str, str, str],
    votes: Sequence[float],
    prompts: Mapping[str, Prompt],
    dimension: str,
) -> PreferencePair:
    prompt_id, first, second = key
    share = float(np.mean(votes))
    chosen, rejected = (first, second) if share >= 0.5 else (second, first)
    return PreferencePair(
        prompt_id=prompt_id,
        chosen=chosen,
        rejected=rejected,
        p_chosen=max(share, 1 - share),
        weight=float(len(votes)),
        dimension=dimension,
        n_votes=len(votes),
        rule="vote_share",
        split=prompts[prompt_id].split,
    )


def pairs_from_rewards(
    rewards: Mapping[str, Mapping[str, float]],
    *,
    dimension: str,
    min_margin: float,
    per_prompt: int = 1,
) -> list[PreferencePair]:
    """The best against the worst clip of each prompt, the second against the second worst, ...

    rewards      prompt id -> clip id -> reward in logits
    min_margin   pairs whose rewards differ by less are left out: both clips are about as good
    per_prompt   at most so many pairs of a prompt, no clip in two of them

    Rule `reward_best_worst`; `p_chosen` is the Bradley-Terry probability of the two rewards and
    `n_votes` is 0.
    """
    pairs = []
    for prompt_id, of_clip in rewards.items():
        ranked = sorted(of_clip, key=of_clip.__getitem__, reverse=True)
        n_pairs = min(per_prompt, len(ranked) // 2)
        for chosen, rejected in zip(ranked[:n_pairs], ranked[::-1], strict=False):
            margin = of_clip[chosen] - of_clip[rejected]
            if margin >= min_margin:
                pairs.append(_rewarded(prompt_id, chosen, rejected, margin, dimension))
    return pairs


def _rewarded(
    prompt_id: str, chosen: str, rejected: str, margin: float, dimension: str
) -> PreferencePair:
    return PreferencePair(
        prompt_id=prompt_id,
        chosen=chosen,
        rejected=rejected,
        p_chosen=float(1 / (1 + np.exp(-margin))),
        weight=1.0,
        dimension=dimension,
        n_votes=0,
        rule="reward_best_worst",
        split=Split.TRAIN,
    )
