"""Objectives on pairs without a reference: one model in memory, one forward pass.

Notation as in `pairwise`; lbar(y) = l(y) / n(y), nats a code; NLL(y) = -lbar(y).
"""

from __future__ import annotations

import torch
from torch import Tensor

from auralign.losses.batch import Clips, Loss, Pairs
from auralign.losses.kernels import (
    capped_expm1,
    compare,
    log_odds,
    log_sigmoid_loss,
    negative_log_likelihood,
    plus,
    with_rewards,
)
from auralign.losses.objective import Group, entries


def simpo(batch: Pairs, *, beta: float = 2.0, gamma: float = 0.5) -> Loss:
    """Simple preference optimisation: mean log-probabilities and a target margin.

    -ls(beta lbar(w) - beta lbar(l) - gamma)

    beta    belongs to nats a code; 2 to 2.5 in the paper
    gamma   target margin, outside beta (`gamma_beta_ratio` of the authors' code is gamma / beta);
            0.5 in TRL

    Use when: memory is short, lengths vary, and the starting point is a good one.
    Source: arXiv 2405.14734, eq. 6
    """
    return compare(batch.chosen.mean_logp, batch.rejected.mean_logp, beta, offset=gamma)


def alphapo(batch: Pairs, *, beta: float = 2.0, gamma: float = 0.5, alpha: float = 0.25) -> Loss:
    """AlphaPO: SimPO with a reward that bends with the likelihood.

    -ls(a(w) - a(l) - gamma), a(y) = beta (1 - p^-alpha) / alpha, p = exp(lbar(y)); alpha -> 0 is
    SimPO

    beta    as in `simpo`
    gamma   as in `simpo`
    alpha   0 is SimPO; above 0 improbable clips weigh more. The default is ours: tune it

    Use when: SimPO lowers the likelihood of both clips, or over-optimises.
    Source: arXiv 2501.03884
    """
    return compare(
        _bent_reward(batch.chosen, alpha), _bent_reward(batch.rejected, alpha), beta, offset=gamma
    )


def cpo(batch: Pairs, *, beta: float = 0.1, alpha: float = 1.0) -> Loss:
    """Contrastive preference optimisation: DPO with a uniform reference, and a supervised term.

    -ls(beta (l(w) - l(l))) + alpha NLL(w)

    beta    0.1 in the authors' runs
    alpha   weight of NLL(w), nats a code as in the authors' code (the paper writes a sum); 1

    Use when: chosen clips are good enough to imitate, and memory is short.
    Source: arXiv 2401.08417
    """
    contrast = compare(batch.chosen.logp, batch.rejected.logp, beta)
    return plus(contrast, nll=alpha * negative_log_likelihood(batch.chosen))


def orpo(batch: Pairs, *, weight: float = 0.1) -> Loss:
    """Odds-ratio preference optimisation: supervised learning with an odds-ratio penalty.

    NLL(w) - lambda ls(log o(w) / o(l)), o = p / (1 - p), p = exp(lbar(y))

    weight   lambda; 0.1 in the paper

    Use when: supervised training and alignment should be one run from the base model.
    Source: arXiv 2403.07691
    """
    chosen, rejected = log_odds(batch.chosen.mean_logp), log_odds(batch.rejected.mean_logp)
    penalty = weight * log_sigmoid_loss(chosen - rejected)
    loss = with_rewards(penalty, weight * chosen, weight * rejected)
    return plus(loss, nll=negative_log_likelihood(batch.chosen))


def slic(batch: Pairs, *, delta: float = 1.0, weight: float = 0.1) -> Loss:
    """Sequence likelihood calibration: a hinge on log-probabilities, and a supervised term.

    max(0, delta - l(w) + l(l)) + lambda NLL(w)

    delta    margin in nats of the whole clip; 1 in public code, no value in the papers' text
    weight   lambda, of nats a code (the papers write a sum); 0.1 in public code

    Use when: you need the baseline. On its own the hinge raises a proxy while quality stalls.
    Source: arXiv 2210.00045, 2305.10425
    """
    chosen, rejected = batch.chosen.logp, batch.rejected.logp
    loss = with_rewards(torch.relu(delta - chosen + rejected), chosen, rejected)
    return plus(loss, nll=weight * negative_log_likelihood(batch.chosen))


def _bent_reward(clips: Clips, alpha: float) -> Tensor:
    """(1 - p^-alpha) / alpha, `[clips]`, a straight line where p^-alpha is beyond e^20."""
    if alpha == 0:
        return clips.mean_logp
    return -capped_expm1(-alpha * clips.mean_logp) / alpha


ENTRIES = {
    **entries("pairs", Group.NO_REFERENCE, [], cpo, orpo, slic),
    **entries("pairs", Group.LENGTHS, [], simpo, alphapo),
}
