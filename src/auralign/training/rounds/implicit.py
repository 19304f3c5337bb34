"""Labels by the policy itself: a small seed of votes is spread over rounds of its own answers.

Round 1 is trained on votes. After it the policy differs from the one before, and how far it prefers
one clip to another, against that one, is a reward of its own; it labels the clips of later rounds.
Labels that a further trained policy would be least sure of are smoothed.

Source: arXiv 2406.04412 (spread preference annotation, Selfie), eq. 7 to 12 as reviews tell them.
Derived: which clips of a prompt are paired where there are more than two, and when noise is looked
for: the source does it in each batch, here it is done once, with the policy that a round begins
with.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit

from auralign.errors import DataError
from auralign.policies.layouts import length_batches
from auralign.policies.model_policy import pick_logps
from auralign.training.rounds.context import Annotate, RoundContext
from auralign.training.rounds.curation import vote_share
from auralign.training.rounds.records import Annotation, Candidates
from auralign.types import Clip, PreferencePair, Prompt, Tokens

CLIPS_AT_ONCE = 32


def ask_in_first_round(annotate: Annotate) -> Annotate:
    """The seed: candidates of round 1 are judged, later ones are not."""

    def seed(candidates: Candidates, context: RoundContext) -> Annotation:
        return annotate(candidates, context) if context.number == 1 else Annotation()

    return seed


def self_labelled(
    candidates: Candidates,
    annotation: Annotation,
    context: RoundContext,
    *,
    dimension: str = "overall",
    beta: float = 0.1,
    smoothing: float = 0.1,
    noisy_share: float = 0.1,
    extrapolation: float = 0.5,
) -> list[PreferencePair]:
    """Votes where there are some, else the clips of a prompt that the policy itself ranks apart.

    P(chosen > rejected) = sigmoid(beta [rho(chosen) - rho(rejected)]), rho = log p_policy - log
    p_first, on the ends of each prompt's clips; the label is hard. Of all pairs the `noisy_share`
    of which an extrapolated policy is least sure get `p_chosen` 1 - `smoothing`; train on `spce`.

    beta            0.1, as trained with
    smoothing       alpha, 0.1; `noisy_share`, K, 0.1 (all three the source's)
    extrapolation   lambda of round 2, halved in each later one: 1/2, 1/4, 1/8

    Raises DataError where the policy is still the one before round 1.
    """
    if annotation.judgements:
        return vote_share(candidates, annotation, context, dimension=dimension)
    policy, first = context.policy, context.first
    if policy.weights_hash() == first.weights_hash():
        raise DataError(
            f"round {context.number}: expected a policy that has learnt from votes, got the one "
            "before round 1, which prefers nothing to itself: collect a seed of votes in round 1"
        )
    ends = _ends(candidates, policy, first)
    weight = extrapolation / 2 ** max(0, context.number - 2)
    margins = _extrapolated_margins(candidates, ends, policy, first, weight)
    noisy = least_confident(expit(beta * margins), noisy_share)
    return [
        _labelled(candidates, *pair, 1 - smoothing if unsure else 1.0, dimension)
        for pair, unsure in zip(ends, noisy.tolist(), strict=True)
    ]


def least_confident(p_chosen: NDArray[np.float64], share: float) -> NDArray[np.bool_]:
    """The share of pairs with the lowest probability of their label `[pairs]`, rounded down."""
    noisy = np.zeros(len(p_chosen), dtype=np.bool_)
    noisy[np.argsort(p_chosen, kind="stable")[: math.floor(share * len(p_chosen))]] = True
    return noisy


@torch.no_grad()
def extrapolated_logps(
    policy: Any, first: Any, prompts: Sequence[Prompt], tokens: Sequence[Tokens], weight: float
) -> NDArray[np.float64]:
    """Log-probability of each clip under logits (1 + w) h_policy - w h_first, nats `[clips]`.

    A policy beyond the policy, seen from the first one: as if it had been trained with a KL penalty
    smaller by 1 + w (arXiv 2406.04412, eq. 12). 0 gives the policy's own.
    """
    found = np.zeros(len(tokens))
    for rows in length_batches(tokens, CLIPS_AT_ONCE):
        asked, clips = [prompts[i] for i in rows], [tokens[i] for i in rows]
        logits, drawn, scored = policy.logits(asked, clips)
        before = first.logits(asked, clips)[0]
        beyond = (1 + weight) * logits - weight * before
        # What the policy cannot draw is impossible beyond it, too, and infinity less infinity is
        # no number.
        beyond = torch.where(logits.isneginf(), logits, beyond)
        found[rows] = pick_logps(beyond, drawn, scored).double().sum((-2, -1)).cpu().numpy()
    return found


def _ends(candidates: Candidates, policy: Any, first: Any) -> list[tuple[Clip, Clip]]:
    """Of each prompt the clips with the highest and the lowest log-ratio, where they differ."""
    asked = candidates.asked(candidates.clips)
    ratios = policy.sequence_logps(*asked) - first.sequence_logps(*asked)
    of_clip = dict(zip((clip.id for clip in candidates.clips), ratios.tolist(), strict=True))
    found = []
    for clips in candidates.by_prompt().values():
        ranked = sorted(clips, key=lambda clip: of_clip[clip.id], reverse=True)
        if of_clip[ranked[0].id] > of_clip[ranked[-1].id]:
            found.append((ranked[0], ranked[-1]))
    return found


def _extrapolated_margins(
    candidates: Candidates, pairs: Sequence[Sequence[Clip]], policy: Any, first: Any, weight: float
) -> NDArray[np.float64]:
    """By how much the extrapolated policy's log-ratio to the first one is higher for chosen."""
    asked = candidates.asked([clip for pair in pairs for clip in pair])
    ratios = extrapolated_logps(policy, first, *asked, weight) - first.sequence_logps(*asked)
    chosen, rejected = ratios.reshape(-1, 2).T
    return np.asarray(chosen - rejected)


def _labelled(
    candidates: Candidates, chosen: Clip, rejected: Clip, p_chosen: float, dimension: str
) -> PreferencePair:
    return PreferencePair(
        prompt_id=chosen.prompt_id,
        chosen=chosen.id,
        rejected=rejected.id,
        p_chosen=p_chosen,
        weight=1.0,
        dimension=dimension,
        n_votes=0,
        rule="self_labelled",
        split=candidates.prompts[chosen.prompt_id].split,
    )
