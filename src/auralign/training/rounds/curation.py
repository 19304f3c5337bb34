"""Which pairs of a round are trained on: named rules, each from what was said of its candidates.

Every rule is `rule(candidates, annotation, context) -> pairs`, with options as keywords.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from auralign.preferences.pairs import pairs_from_rewards, pairs_from_votes
from auralign.stats.comparisons import comparisons_from
from auralign.stats.pairs.bradley_terry import fit_within_blocks
from auralign.training.rounds.candidates import FIRST, POLICY
from auralign.training.rounds.context import Curate, RoundContext
from auralign.training.rounds.records import Annotation, Candidates
from auralign.training.rounds.win_matrix import WinMatrix, win_matrices
from auralign.types import PreferencePair, Split

WORTH_PRIOR = 0.5
"""Of Bradley-Terry worths, in votes against a ghost: keeps a clip that always wins finite."""

OfPrompt = dict[str, dict[str, float]]
"""Prompt id -> clip id -> value; the higher, the better."""


def vote_share(
    candidates: Candidates,
    annotation: Annotation,
    context: RoundContext,
    *,
    dimension: str = "overall",
) -> list[PreferencePair]:
    """Every pair that was compared, with its share of votes; pairs of equal shares are left out."""
    pairs = pairs_from_votes(annotation.judgements, candidates.prompts, dimension=dimension)
    return [pair for pair in pairs if pair.p_chosen != 0.5]


def best_and_worst(
    candidates: Candidates,
    annotation: Annotation,
    context: RoundContext,
    *,
    dimension: str = "overall",
    min_margin: float = 0.0,
    per_prompt: int = 1,
) -> list[PreferencePair]:
    """The best against the worst clip of each prompt, the second against the second worst, ...

    By scores where there are some, taken as logits, else by Bradley-Terry worths of the votes
    within each prompt. `min_margin` [logits] and `per_prompt` as in `pairs_from_rewards`.
    """
    rewards = clip_rewards(candidates, annotation, dimension)
    rule = "reward_best_worst" if annotation.scores else "worth_best_worst"
    pairs = pairs_from_rewards(
        rewards, dimension=dimension, min_margin=min_margin, per_prompt=per_prompt
    )
    distinct = [pair for pair in pairs if pair.p_chosen > 0.5]
    return [replace(p, rule=rule, split=candidates.prompts[p.prompt_id].split) for p in distinct]


def ranked_pairing(
    candidates: Candidates,
    annotation: Annotation,
    context: RoundContext,
    *,
    dimension: str = "overall",
) -> list[PreferencePair]:
    """Every two clips of a prompt in the order of their mean wins, with the strength p_ij.

    Clips are ranked by how often they are preferred to their rivals; a pair whose own p_ij speaks
    against the ranking (a cycle), or for none, is left out. Train on `spce`, whose label p_ij is.

    Source: arXiv 2405.14103 (online self-preferring language models)
    Derived: abstracts say that several pairs of a ranking keep their strength, not which.
    """
    found = []
    for prompt_id, matrix in win_matrices(annotation.judgements, dimension).items():
        order = np.argsort(-matrix.mean_wins(), kind="stable")
        found += [
            _voted(candidates, prompt_id, matrix, i, j, dimension)
            for i, j in combinations(order.tolist(), 2)
            if matrix.p[i, j] > 0.5
        ]
    return found


def _voted(
    candidates: Candidates, prompt_id: str, matrix: WinMatrix, i: int, j: int, dimension: str
) -> PreferencePair:
    pair = _pair(candidates, prompt_id, matrix.clips[i], matrix.clips[j], "ranked_pairing")
    n = int(matrix.n_votes[i, j])
    return replace(pair, p_chosen=float(matrix.p[i, j]), n_votes=n, dimension=dimension)


def anchored(
    candidates: Candidates,
    annotation: Annotation,
    context: RoundContext,
    *,
    dimension: str = "overall",
) -> list[PreferencePair]:
    """Temporal self-rewarding: the best clip of the policy against the worst of the first policy.

    The rejected clip is the worst of the policy before round 1 where that is worse than all of the
    policy as it is, else the worst of the latter; pairs of equal value are left out. Candidates
    must be of both systems (`n_first` of `draw_from_policy`). With one policy as both, it is best
    and worst.

    Source: arXiv 2508.06026, anchored rejection. For its future-guided chosen clips see
    `temporal.future_guided`.
    """
    values = clip_rewards(candidates, annotation, dimension)
    found = []
    for prompt_id, clips in candidates.by_prompt().items():
        of_clip = values.get(prompt_id, {})
        own, anchor = (
            {c.id: of_clip[c.id] for c in clips if c.system == system and c.id in of_clip}
            for system in (POLICY, FIRST)
        )
        if own and (ends := _anchored_ends(own, anchor)) is not None:
            chosen, rejected = ends
            pair = _pair(candidates, prompt_id, chosen, rejected, "anchored")
            p_chosen = 1 / (1 + math.exp(of_clip[rejected] - of_clip[chosen]))
            found.append(replace(pair, p_chosen=p_chosen, dimension=dimension))
    return found


def _anchored_ends(own: Mapping[str, float], anchor: Mapping[str, float]) -> tuple[str, str] | None:
    """Chosen and rejected, or None where the chosen one is not strictly better."""
    chosen, worst = max(own, key=own.__getitem__), min(own, key=own.__getitem__)
    values = {**anchor, **own}
    if anchor:
        past = min(anchor, key=anchor.__getitem__)
        worst = past if anchor[past] < own[worst] else worst
    return (chosen, worst) if values[chosen] > values[worst] else None


def agreement(
    candidates: Candidates,
    annotation: Annotation,
    context: RoundContext,
    *,
    dimension: str = "overall",
) -> list[PreferencePair]:
    """CycleAlign: every two clips of a prompt whose order judge and policy agree on.

    The judge ranks by scores or worths, the policy by mean log-probability a code; what is trained
    on is the longest common order of the two rankings. Equal rankings agree in full, reversed ones
    give nothing.

    Source: arXiv 2310.16271
    Derived: the abstract names the agreement ranking, not how it is found.
    """
    found = []
    for prompt_id, of_clip in clip_rewards(candidates, annotation, dimension).items():
        likelihood = _likelihoods(candidates, list(of_clip), context)
        order = longest_common_order(_ranking(of_clip), _ranking(likelihood))
        pairs = [
            _pair(candidates, prompt_id, chosen, rejected, "agreement")
            for chosen, rejected in combinations(order, 2)
            if of_clip[chosen] > of_clip[rejected]
        ]
        found += [replace(pair, dimension=dimension) for pair in pairs]
    return found


def longest_common_order(first: Sequence[str], second: Sequence[str]) -> list[str]:
    """The longest list of clips that stand in one order in both rankings; the first's best first.

    By the table of longest common subsequences, n^2 for n clips.
    """
    n, m = len(first), len(second)
    length = np.zeros((n + 1, m + 1), dtype=np.int64)
    for i in range(n - 1, -1, -1):
        for j in range(m - 1, -1, -1):
            same = first[i] == second[j]
            longest = max(length[i + 1, j], length[i, j + 1])
            length[i, j] = 1 + length[i + 1, j + 1] if same else longest
    found, i, j = list[str](), 0, 0
    while i < n and j < m:
        if first[i] == second[j]:
            found.append(first[i])
            i, j = i + 1, j + 1
        elif length[i + 1, j] >= length[i, j + 1]:
            i += 1
        else:
            j += 1
    return found


def _likelihoods(
    candidates: Candidates, clips: Sequence[str], context: RoundContext
) -> dict[str, float]:
    """Mean log-probability a code of each clip under the policy, nats."""
    chosen = [clip for clip in candidates.clips if clip.id in set(clips)]
    prompts, tokens = candidates.asked(chosen)
    sums = context.policy.sequence_logps(prompts, tokens)
    return {c.id: s / t.size for c, s, t in zip(chosen, sums.tolist(), tokens, strict=True)}


def clip_rewards(candidates: Candidates, annotation: Annotation, dimension: str) -> OfPrompt:
    """Scores of the clips, or where there are none Bradley-Terry worths of votes [logits].

    A clip without a score, or that nobody compared, is left out. Raises DataError where there are
    neither scores nor answers on the dimension.
    """
    prompt_of = {clip.id: clip.prompt_id for clip in candidates.clips}
    values = {s.clip_id: s.value for s in annotation.scores if s.value is not None}
    if not annotation.scores:
        comparisons = comparisons_from(annotation.judgements, dimension)
        fit = fit_within_blocks(comparisons, prompt_of, prior=WORTH_PRIOR)
        values = dict(zip(fit.items, fit.log_worth.tolist(), strict=True))
    found: OfPrompt = {}
    for clip, value in values.items():
        found.setdefault(prompt_of[clip], {})[clip] = value
    return found


def _ranking(of_clip: Mapping[str, float]) -> list[str]:
    return sorted(of_clip, key=of_clip.__getitem__, reverse=True)


def _pair(
    candidates: Candidates, prompt_id: str, chosen: str, rejected: str, rule: str
) -> PreferencePair:
    split = candidates.prompts[prompt_id].split if prompt_id in candidates.prompts else Split.TRAIN
    return PreferencePair(prompt_id, chosen, rejected, 1.0, 1.0, "overall", 0, rule, split)


CURATIONS: dict[str, Curate] = {
    "vote_share": vote_share,
    "best_and_worst": best_and_worst,
    "ranked_pairing": ranked_pairing,
    "anchored": anchored,
    "agreement": agreement,
}
"""By name; those that need more than candidates and votes stand in modules of their own."""
