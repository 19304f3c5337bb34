"""Objectives that compare clips of different prompts. Notation as in `pairwise`."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from auralign.losses.batch import Loss, Need, Pairs, require
from auralign.losses.kernels import compare, log_sigmoid_loss, require_between, with_rewards
from auralign.losses.objective import Group, entries


def dove(batch: Pairs, *, beta: float = 0.1) -> Loss:
    """DOVE (JPO): preference over prompt and clip together, also for two different prompts.

    -ls(beta [rho(x(w)) + rho(w) - rho(x(l)) - rho(l)]), rho(x) the log-ratio of the condition

    The two clips of a row need not share their prompt; if they do, this is `dpo`.

    beta   0.1 in the authors' configuration

    Use when: listeners compared clips of unlike prompts, and the policy models the condition (an
    audio prompt, or text inside the sequence of codes).
    Source: arXiv 2404.00530
    """
    chosen, rejected = (c.condition_log_ratio + c.log_ratio for c in (batch.chosen, batch.rejected))
    return compare(chosen, rejected, beta)


def rpo_contrast(batch: Pairs, *, beta: float = 0.1, temperature: float = 0.5) -> Loss:
    """Relative preference optimisation: each chosen clip against the rejected ones of the batch.

    -mean_j ls(beta w_ij [rho(w_i) - rho(l_j)]), w_i = softmax over j of (cos(e_i, e_j) - 1) / tau

    Values depend on which pairs stand in a batch together: it should hold related prompts. Rows of
    w sum to 1, so M equal prompts shrink beta to beta / M; a batch of one pair is `dpo`.

    beta          0.1 in the authors' configuration
    temperature   tau; 0.5 in the authors' configuration

    Use when: few prompts have two clips, and many prompts are alike (genre, speaker, tempo).
    Source: arXiv 2402.10958
    """
    e = require(batch.prompt_embedding, Need.EMBEDDING)
    distance = 1 - cosine_similarity(e[:, None], e[None], dim=-1)
    weights = torch.softmax(-distance / temperature, dim=1)
    contrasts = log_sigmoid_loss(beta * weights * _gaps(batch))
    return _of_rows(contrasts.mean(1), batch, beta)


def rpo_contrast_uniform(batch: Pairs, *, beta: float = 0.1, own: float = 0.8) -> Loss:
    """Relative preference optimisation without embeddings: the own pair, and all others alike.

    -own ls(beta D_i) - (1 - own) mean over j != i of ls(beta [rho(w_i) - rho(l_j)])

    A batch of one pair is `dpo`.

    beta   0.1 in the authors' configuration
    own    weight of the own pair, below 1; 0.8 in the authors' configuration

    Use when: as `rpo_contrast`, all prompts of a batch are related, and there are no embeddings.
    Source: arXiv 2402.10958
    """
    require_between("own", own, 0, 1)
    contrasts = log_sigmoid_loss(beta * _gaps(batch))
    n = len(contrasts)
    paired = torch.eye(n, dtype=torch.bool, device=contrasts.device)
    weights = torch.where(paired, own, (1 - own) / max(1, n - 1)).to(contrasts)
    return _of_rows((weights * contrasts).sum(1) / weights.sum(1), batch, beta)


def _gaps(batch: Pairs) -> Tensor:
    """rho(w_i) - rho(l_j), `[pairs, pairs]`."""
    return batch.chosen.log_ratio[:, None] - batch.rejected.log_ratio[None]


def _of_rows(values: Tensor, batch: Pairs, beta: float) -> Loss:
    return with_rewards(values, beta * batch.chosen.log_ratio, beta * batch.rejected.log_ratio)


_GROUP = Group.ACROSS_PROMPTS

ENTRIES = {
    **entries("pairs", _GROUP, [Need.REFERENCE, Need.CONDITION], dove),
    **entries("pairs", _GROUP, [Need.REFERENCE, Need.EMBEDDING], rpo_contrast, scope="batch"),
    **entries("pairs", _GROUP, [Need.REFERENCE], rpo_contrast_uniform, scope="batch"),
}
