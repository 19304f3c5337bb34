"""Objectives over trees of answers: leaves are ranked, and steps of the way to them are weighed."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, one_hot

from auralign.losses.batch import Lists, Loss, Need, require
from auralign.losses.listwise import lambda_rank, list_scores, with_list_rewards
from auralign.losses.objective import Group, entries


def tree_tpo(batch: Lists, *, beta: float = 0.5) -> Loss:
    """Tree preference optimisation: a ranking loss on rewards that steps build up.

    sum over R_i > R_j of lambda_ij log(1 + e^(r_j - r_i)), lambda as in `lipo_lambda`
    r = beta sum over steps of w rho_step / sum of w,   rho_step = mean of rho over a step's codes,
    w = 1 + cos(h_step, h_step of the best answer); no gradient through lambda and w

    beta   0.5 (the authors' code)

    Scores of the leaves are mapped to 0 to 1 (the source's -100 to 100 by (R + 100) / 200). A step
    without scored codes counts nothing.

    Use when: answers share prefixes (continuations of the same bars or phrases) and differ late.

    Source: arXiv 2410.12854 (derived: the weights of steps are those of the authors' code; that
    lambda is LiPO's is from secondary sources, and the authors' code descends the wrong way).
    """
    scores = list_scores(batch)
    step_ratios, present = _step_means(batch)
    weights = _step_weights(batch).to(step_ratios) * present
    rewards = beta * (weights * step_ratios).sum(-1) / weights.sum(-1).clamp(min=1e-9)
    rewards = batch.by_list(rewards)
    return with_list_rewards(lambda_rank(rewards, scores), rewards)


def _step_means(batch: Lists) -> tuple[Tensor, Tensor]:
    """Mean log-ratio of each step and whether it has scored codes, `[clips, steps]` each."""
    ratios = batch.clips.token_log_ratios
    scored = require(batch.clips.scored, Need.TOKENS)
    n_steps = require(batch.step_embedding, Need.STEPS).shape[1]
    member = one_hot(require(batch.step, Need.STEPS), n_steps).to(ratios)
    total = torch.einsum("bkt,bts->bs", ratios, member)
    count = torch.einsum("bkt,bts->bs", scored.to(ratios), member)
    return total / count.clamp(min=1), count > 0


def _step_weights(batch: Lists) -> Tensor:
    """1 + cosine to the same step of the list's best answer, `[clips, steps]`."""
    embedding = require(batch.step_embedding, Need.STEPS).detach()
    of_list = embedding.unflatten(0, (-1, batch.size))
    return (1 + cosine_similarity(of_list, of_list[:, :1], dim=-1)).flatten(0, 1)


ENTRIES = entries(
    "lists",
    Group.SCORED_LISTS,
    {Need.REFERENCE, Need.TOKENS, Need.SCORES, Need.STEPS},
    tree_tpo,
)
