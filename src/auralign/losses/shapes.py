"""Other shapes of loss on the same log-ratios: of each clip by itself, squared, sorted, mixed.

Notation as in `pairwise`; r(y) = beta rho(y).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from auralign.losses.batch import Loss, Need, Pairs, require
from auralign.losses.kernels import compare, log_sigmoid_loss, require_between, with_rewards
from auralign.losses.objective import Group, entries


def apo_zero(batch: Pairs, *, beta: float = 0.1) -> Loss:
    """Anchored preference optimisation, zero: chosen clips go up, rejected ones down.

    1 - s(r(w)) + s(r(l))

    beta   0.1 as in `dpo`

    Use when: chosen clips are better than what the policy makes now.
    Source: arXiv 2408.06266; plus the constant 1, so that the loss is positive
    """
    chosen, rejected = _rewards(batch, beta)
    return with_rewards(1 - torch.sigmoid(chosen) + torch.sigmoid(rejected), chosen, rejected)


def apo_down(batch: Pairs, *, beta: float = 0.1) -> Loss:
    """Anchored preference optimisation, down: both go down, rejected clips further.

    s(r(w)) + 1 - s(r(w) - r(l))

    beta   0.1 as in `dpo`

    Use when: the policy is already better than the chosen clips.
    Source: arXiv 2408.06266; plus the constant 1, so that the loss is positive
    """
    chosen, rejected = _rewards(batch, beta)
    values = torch.sigmoid(chosen) + 1 - torch.sigmoid(chosen - rejected)
    return with_rewards(values, chosen, rejected)


def nca_pair(batch: Pairs, *, beta: float = 0.01) -> Loss:
    """Noise-contrastive alignment on pairs: holds the reward of each clip, not their difference.

    -ls(r(w)) - ls(-r(w)) / 2 - ls(-r(l)) / 2

    beta   0.01 in the authors' configuration

    Use when: the likelihood of chosen clips must not fall, as the difference alone would allow.
    Source: arXiv 2402.05369, with K = 2 and a hard label
    """
    chosen, rejected = _rewards(batch, beta)
    noise = log_sigmoid_loss(-chosen) + log_sigmoid_loss(-rejected)
    return with_rewards(log_sigmoid_loss(chosen) + noise / 2, chosen, rejected)


def exo(batch: Pairs, *, beta: float = 0.1, label_smoothing: float = 1e-3) -> Loss:
    """Efficient exact optimisation on pairs: the reverse KL, which seeks the mode.

    KL(q || p), q = (s(beta D), s(-beta D)), p = (1 - e, e)

    beta              0.1 as in `dpo`
    label_smoothing   e, above 0 (log 0) and below 0.5; 1e-3 in TRL's advice

    Use when: the policy is small and should put its mass on the best clips instead of covering
    all of them.
    Source: arXiv 2402.00856
    """
    require_between("label_smoothing", label_smoothing, 1e-12, 0.5)
    chosen, rejected = _rewards(batch, beta)
    z, e = chosen - rejected, label_smoothing
    kept = torch.sigmoid(z) * (logsigmoid(z) - math.log1p(-e))
    flipped = torch.sigmoid(-z) * (logsigmoid(-z) - math.log(e))
    return with_rewards(kept + flipped, chosen, rejected)


def discopop(batch: Pairs, *, beta: float = 0.05, tau: float = 0.05) -> Loss:
    """DiscoPOP: a mixture of logistic and exponential loss that a language model found.

    (1 - m) (-ls(z)) + m e^-z, z = beta D, m = s(z / tau)

    beta   0.05 in the paper
    tau    width of the change from one to the other, between 0 and 1; 0.05 in the paper

    Use when: you compare shapes. It is not convex: at the reference the slope points the other way,
    and margins fall before they rise.
    Source: arXiv 2406.08414, section 3
    """
    require_between("tau", tau, 1e-6, 1)
    chosen, rejected = _rewards(batch, beta)
    z = chosen - rejected
    # m e^-z in one exponential: e^-z alone overflows where m is nought.
    exponential = torch.exp(logsigmoid(z / tau) - z)
    values = torch.sigmoid(-z / tau) * log_sigmoid_loss(z) + exponential
    return with_rewards(values, chosen, rejected)


def sppo(batch: Pairs, *, beta: float = 1e-3) -> Loss:
    """Self-play preference optimisation with the probability that chosen wins.

    (rho(w) - (p - 1/2) / beta)^2 + (rho(l) - (1/2 - p) / beta)^2

    beta   1 / eta of the paper, where eta = 1000

    Use when: pairs are the policy's own samples with estimated win rates, and preferences need
    not be transitive.
    Source: arXiv 2405.00675
    """
    p = require(batch.p_chosen, Need.P_CHOSEN)
    return _self_play(batch, (p - 0.5) / beta, beta)


def sppo_hard(batch: Pairs, *, beta: float = 1e-3) -> Loss:
    """Self-play preference optimisation with hard labels.

    (rho(w) - 1 / (2 beta))^2 + (rho(l) + 1 / (2 beta))^2

    beta   1 / eta of the paper, where eta = 1000

    Use when: as `sppo`, and only who won is known.
    Source: arXiv 2405.00675, with p = 1
    """
    return _self_play(batch, 0.5 / beta, beta)


def aot(batch: Pairs, *, beta: float = 0.1, label_smoothing: float = 0.0) -> Loss:
    """Alignment by optimal transport, paired: margins beat the reference's in every quantile.

    -(1 - e) ls(z) - e ls(-z), z = beta (sorted l(w) - l(l), less sorted l_ref(w) - l_ref(l))

    The sorting runs over the batch: values belong to quantiles, not to pairs (weights of pairs mean
    nothing), and the loss depends on how many pairs are seen together.

    beta              0.1 as in `dpo`
    label_smoothing   e, as in `cdpo`; 0 is none

    Use when: the distribution of rewards as a whole should move, its lower tail, too, and batches
    are large.
    Source: arXiv 2406.05882 (paired)
    """
    require_between("label_smoothing", label_smoothing, 0, 0.5)
    chosen, rejected = batch.chosen, batch.rejected
    reference = require(chosen.reference_logp, Need.REFERENCE) - require(
        rejected.reference_logp, Need.REFERENCE
    )
    policy = (chosen.logp - rejected.logp).sort().values
    return compare(policy, reference.sort().values, beta, flipped=label_smoothing)


def aot_unpaired(batch: Pairs, *, beta: float = 0.1, label_smoothing: float = 0.0) -> Loss:
    """Alignment by optimal transport, unpaired: chosen beats rejected in every quantile.

    -(1 - e) ls(z) - e ls(-z), z = beta (sorted rho(w) - sorted rho(l))

    Which chosen clip stands beside which rejected one does not matter; see `aot` for what sorting
    over the batch means.

    beta              0.1 as in `dpo`
    label_smoothing   e, as in `cdpo`; 0 is none

    Use when: good and bad clips are at hand in equal numbers, and not for the same prompts.
    Source: arXiv 2406.05882 (unpaired)
    """
    require_between("label_smoothing", label_smoothing, 0, 0.5)
    chosen = batch.chosen.log_ratio.sort().values
    return compare(chosen, batch.rejected.log_ratio.sort().values, beta, flipped=label_smoothing)


def _rewards(batch: Pairs, beta: float) -> tuple[Tensor, Tensor]:
    """r(w) and r(l), `[pairs]` each."""
    return beta * batch.chosen.log_ratio, beta * batch.rejected.log_ratio


def _self_play(batch: Pairs, target: Tensor | float, beta: float) -> Loss:
    """Squared distances of rho(w) from `target` and of rho(l) from its opposite, in nats."""
    chosen, rejected = batch.chosen.log_ratio, batch.rejected.log_ratio
    values = (chosen - target) ** 2 + (rejected + target) ** 2
    return with_rewards(values, beta * chosen, beta * rejected)


_REFERENCE = [Need.REFERENCE]

ENTRIES = {
    **entries("pairs", Group.CLEAN_PAIRS, _REFERENCE, exo, discopop),
    **entries("pairs", Group.CLEAN_PAIRS, _REFERENCE, aot, scope="mixed"),
    **entries("pairs", Group.CLEAN_PAIRS, _REFERENCE, apo_down),
    **entries("pairs", Group.FALLING_LIKELIHOOD, _REFERENCE, apo_zero, nca_pair),
    **entries("pairs", Group.FOREIGN_PAIRS, _REFERENCE, aot_unpaired, scope="mixed"),
    **entries("pairs", Group.VOTED_PAIRS, [*_REFERENCE, Need.P_CHOSEN], sppo),
    **entries("pairs", Group.EXPLORATION, _REFERENCE, sppo_hard),
}
