"""Objectives in which the codes of a clip do not count alike.

Notation as in `pairwise`; rho_t is the log-ratio of one code, m_t >= 0 its weight. Weights are
`[clips, codebook, time]`, so that a frame, a codebook or a single code can be picked.
"""

from __future__ import annotations

import torch
from torch import Tensor

from auralign.losses.batch import Clips, Loss, Need, Pairs, require
from auralign.losses.kernels import compare, negative_log_likelihood, plus
from auralign.losses.objective import Group, entries
from auralign.losses.reduce import sum_scored


def target_dpo(batch: Pairs, *, beta: float = 0.1, sft_weight: float = 0.0) -> Loss:
    """Target-DPO (IterPref, focal): of the rejected clip only the faulty codes are pushed down.

    -ls(beta [rho(w) - sum_t m_t rho_t(l)]) + alpha NLL(w); the chosen clip is kept whole

    beta         0.1 in the paper
    sft_weight   alpha, of nats a code; 0 for Target-DPO, 1 for the paper's Target-RPO

    Use when: it is known where the rejected clip is wrong (a mispronounced word, a click), as when
    the chosen clip repairs it.
    Source: arXiv 2503.02783
    """
    loss = compare(batch.chosen.log_ratio, _weighted_log_ratio(batch.rejected), beta)
    return plus(loss, nll=sft_weight * negative_log_likelihood(batch.chosen))


def segment_dpo(batch: Pairs, *, beta: float = 0.1) -> Loss:
    """Segment-weighted DPO: only the marked codes of both clips are compared.

    -ls(beta [sum_t m_t rho_t(w) - sum_t m_t rho_t(l)])

    beta   0.1 as in `dpo`

    Use when: both clips carry segment labels, and share the rest.
    Source: arXiv 2503.02783, the ablation that masks both sides; 2502.02950
    Derived: 2502.02950 (fine-grained video preferences) from its abstract.
    """
    return compare(_weighted_log_ratio(batch.chosen), _weighted_log_ratio(batch.rejected), beta)


def sparsepo(batch: Pairs, *, beta: float = 0.1) -> Loss:
    """SparsePO: token-level DPO with one mask for the reward and one for the divergence.

    -ls(u - d), u = beta [sum_t m_t rho_t(w) - sum_t m_t rho_t(l)], d = beta [sum_t k_t KL_t(l) -
    sum_t k_t KL_t(w)]

    Gradients flow into the masks, `token_weights` and `kl_weights`, where they are learned.

    beta   0.1 as in `dpo`

    Use when: few codes decide the preference and which ones has to be learned.
    Source: arXiv 2410.05102
    Derived: the shape is that of token-level DPO as far as summaries tell; how masks are normalised
    and regularised is not published there and left to the caller.
    """
    chosen = _weighted_log_ratio(batch.chosen) + _weighted_kl(batch.chosen)
    rejected = _weighted_log_ratio(batch.rejected) + _weighted_kl(batch.rejected)
    return compare(chosen, rejected, beta)


def ld_dpo(batch: Pairs, *, beta: float = 0.1, alpha: float = 0.5) -> Loss:
    """Length-desensitised DPO: codes beyond the shorter clip's length count less.

    -ls(beta D), every l(y) = sum over the first min(n(w), n(l)) codes + alpha sum over the rest

    Codes are counted in order of time, codebook by codebook within a frame. Policy and reference
    are both discounted, so that they agree before the first step.

    beta    0.1 as in `dpo`
    alpha   0 to 1, 1 is `dpo`; the paper tunes it for each model, the default is ours

    Use when: longer clips were preferred and the policy learns to be long.
    Source: arXiv 2409.06411
    """
    shared = torch.minimum(batch.chosen.n_codes, batch.rejected.n_codes)
    chosen, rejected = (_discounted(c, shared, alpha) for c in (batch.chosen, batch.rejected))
    return compare(chosen, rejected, beta)


def _weighted_log_ratio(clips: Clips) -> Tensor:
    """Sum of m_t rho_t, `[clips]`."""
    weights = require(clips.token_weights, Need.TOKEN_WEIGHTS)
    return sum_scored(weights * clips.token_log_ratios, require(clips.scored, Need.TOKENS))


def _weighted_kl(clips: Clips) -> Tensor:
    """Sum of k_t KL_t, `[clips]`."""
    weights = require(clips.kl_weights, Need.TOKEN_WEIGHTS)
    kl = require(clips.token_kl, Need.TOKEN_KL)
    return sum_scored(weights * kl, require(clips.scored, Need.TOKENS))


def _discounted(clips: Clips, n_whole: Tensor, alpha: float) -> Tensor:
    """Log-ratio with codes after the first `n_whole` scored ones times alpha, `[clips]`."""
    log_ratios = clips.token_log_ratios.mT.flatten(1)
    place = require(clips.scored, Need.TOKENS).mT.flatten(1).cumsum(1)
    return torch.where(place <= n_whole[:, None], log_ratios, alpha * log_ratios).sum(1)


_TOKENS = [Need.REFERENCE, Need.TOKENS]
_WEIGHTS = [*_TOKENS, Need.TOKEN_WEIGHTS]

ENTRIES = {
    **entries("pairs", Group.LOCAL_FAULTS, _WEIGHTS, target_dpo, segment_dpo),
    **entries("pairs", Group.LOCAL_FAULTS, [*_WEIGHTS, Need.TOKEN_KL], sparsepo),
    **entries("pairs", Group.LENGTHS, _TOKENS, ld_dpo),
}
