"""Log-sigmoid losses, and their nearest kin, on how much policy and reference differ on a pair.

Notation of all modules of objectives: w and l are the chosen and the rejected clip; l(y) the
log-probability of a clip under the policy, summed over its n(y) scored codes, nats; rho(y) = l(y) -
l_ref(y); D = rho(w) - rho(l); s the logistic function, ls its logarithm. `beta` belongs to sums
unless an objective says that it takes means over codes.
"""

from __future__ import annotations

import torch

from auralign.losses.batch import Loss, Need, Pairs, require
from auralign.losses.kernels import (
    compare,
    log_sigmoid_loss,
    require_between,
    with_rewards,
)
from auralign.losses.objective import Group, entries


def dpo(batch: Pairs, *, beta: float = 0.1) -> Loss:
    """Direct preference optimisation.

    -ls(beta D)

    beta   inverse temperature of the implied KL constraint; 0.1 in the paper

    Use when: labels are mostly right and the pairs come from a policy near the reference. It only
    sees differences: watch the log-probability of chosen clips, which may fall.
    Source: arXiv 2305.18290, eq. 7
    """
    return compare(batch.chosen.log_ratio, batch.rejected.log_ratio, beta)


def rso(batch: Pairs, *, gamma: float = 0.05) -> Loss:
    """Statistical rejection sampling optimisation, sigmoid-norm: DPO's loss on resampled pairs.

    -ls(gamma D); the paper's hinge-norm is `hinge` with beta = gamma

    gamma   plays beta's part, apart from the temperature of the rejection sampling; 0.05 there

    Use when: pairs were labelled by a reward among candidates accepted by rejection sampling.
    Source: arXiv 2309.06657, sigmoid-norm
    """
    return compare(batch.chosen.log_ratio, batch.rejected.log_ratio, gamma)


def cdpo(batch: Pairs, *, beta: float = 0.1, label_smoothing: float = 0.1) -> Loss:
    """Conservative DPO: cross-entropy with a label that is flipped with a known probability.

    -(1 - e) ls(beta D) - e ls(-beta D)

    beta              as in `dpo`
    label_smoothing   e, at least 0, below 0.5; the default is ours, measure your listeners' rate

    Use when: a known share of labels is wrong; margins then stop at logit(1 - e) / beta. It
    stays biased towards small margins, `rdpo` does not.
    Source: Mitchell 2023, A note on DPO with noisy preferences
    """
    require_between("label_smoothing", label_smoothing, 0, 0.5)
    chosen, rejected = batch.chosen.log_ratio, batch.rejected.log_ratio
    return compare(chosen, rejected, beta, flipped=label_smoothing)


def rdpo(batch: Pairs, *, beta: float = 0.1, label_smoothing: float = 0.1) -> Loss:
    """Robust DPO: unbiased for the loss on clean labels when labels are flipped at a known rate.

    [-(1 - e) ls(beta D) + e ls(-beta D)] / (1 - 2 e); may be negative

    beta              as in `dpo`
    label_smoothing   e, at least 0, below 0.5; 0.1 for 10 % flipped labels in the paper

    Use when: a known share of labels is wrong and independent of the clips. The loss of a single
    pair has no lower bound: train with a guard on held-out preference.
    Source: arXiv 2403.00409
    """
    require_between("label_smoothing", label_smoothing, 0, 0.5)
    chosen, rejected = batch.chosen.log_ratio, batch.rejected.log_ratio
    z, e = beta * (chosen - rejected), label_smoothing
    kept, flipped = log_sigmoid_loss(z), log_sigmoid_loss(-z)
    values = ((1 - e) * kept - e * flipped) / (1 - 2 * e)
    return with_rewards(values, beta * chosen, beta * rejected)


def spce(batch: Pairs, *, beta: float = 0.1) -> Loss:
    """Soft-preference cross-entropy: the label is the share of listeners that preferred chosen.

    -p ls(beta D) - (1 - p) ls(-beta D); least at beta D = logit p

    beta   as in `dpo`

    Use when: several listeners, or a judge with a probability, answered each pair. A 55/45 pair
    stops growing where a hard label would push on.
    Source: arXiv 2405.14103 (online self-preferring language models)
    Derived: the name and the structure of the loss are those of public summaries.
    """
    p = require(batch.p_chosen, Need.P_CHOSEN)
    return compare(batch.chosen.log_ratio, batch.rejected.log_ratio, beta, flipped=1 - p)


def hinge(batch: Pairs, *, beta: float = 0.1) -> Loss:
    """Hinge loss on the margin against the reference (SLiC's shape, RSO's hinge-norm).

    max(0, 1 - beta D)

    beta   1 / beta is the margin, in nats, where a pair is done; 0.05 in RSO

    Use when: pairs that are right by a clear margin should not be pushed any further.
    Source: arXiv 2309.06657, hinge-norm; 2305.10425 for the shape
    """
    chosen, rejected = batch.chosen.log_ratio, batch.rejected.log_ratio
    values = torch.relu(1 - beta * (chosen - rejected))
    return with_rewards(values, beta * chosen, beta * rejected)


def ipo(batch: Pairs, *, beta: float = 0.1, per_code: bool = False) -> Loss:
    """Identity preference optimisation: a squared distance from a bounded margin.

    (D - 1 / (2 beta))^2

    beta       1 / (2 beta) is the margin in nats; 0.1 as in `dpo`
    per_code   takes rho as a mean over codes, as its authors advise for long sequences

    Use when: all listeners agree on a pair, which would pull the margin of DPO to infinity, or
    few pairs are seen many times.
    Source: arXiv 2310.12036, eq. 17
    """
    chosen, rejected = batch.chosen, batch.rejected
    if per_code:
        rho_w, rho_l = chosen.mean_log_ratio, rejected.mean_log_ratio
    else:
        rho_w, rho_l = chosen.log_ratio, rejected.log_ratio
    values = (rho_w - rho_l - 1 / (2 * beta)) ** 2
    return with_rewards(values, beta * rho_w, beta * rho_l)


def ln_dpo(batch: Pairs, *, beta: float = 5.0) -> Loss:
    """Length-normalised DPO: DPO on means over codes.

    -ls(beta rho(w) / n(w) - beta rho(l) / n(l))

    beta   belongs to nats a code; 5 in the paper

    Use when: chosen clips are longer than rejected ones, or lengths vary widely.
    Source: arXiv 2411.15124 (Tulu 3)
    """
    return compare(batch.chosen.mean_log_ratio, batch.rejected.mean_log_ratio, beta)


def dpop(batch: Pairs, *, beta: float = 0.3, penalty: float = 50.0, per_code: bool = False) -> Loss:
    """DPO-positive: a penalty, inside the sigmoid, when the chosen clip becomes less likely.

    -ls(beta [D - lambda max(0, -rho(w))])

    beta       0.3 in the paper
    penalty    lambda; 50 in the paper, where 5 to 500 changed little
    per_code   takes the penalty on the mean over codes; on sums over thousands of codes, 50 is a
               wall

    Use when: both clips of a pair are nearly the same, so that DPO lowers the chosen one, too.
    Source: arXiv 2402.13228
    """
    chosen, rejected = batch.chosen.log_ratio, batch.rejected.log_ratio
    fallen = torch.relu(-(batch.chosen.mean_log_ratio if per_code else chosen))
    return compare(chosen, rejected, beta, offset=beta * penalty * fallen)


def dpo_g(batch: Pairs, *, beta: float = 0.1, g: float = 1.0) -> Loss:
    """DPO with the reference's own margin scaled by g.

    -ls(beta [l(w) - l(l) + g c]), c = l_ref(l) - l_ref(w); g = 1 is DPO, g = 0 has no reference

    beta   as in `dpo`
    g      0 to 2 in the paper

    Use when: you study why rankings do not change: pairs with large c start far from being right.
    Source: arXiv 2405.19534
    """
    c = -_reference_margin(batch)
    return compare(batch.chosen.logp, batch.rejected.logp, beta, offset=-beta * g * c)


def hypo_clip(batch: Pairs, *, beta: float = 0.1) -> Loss:
    """Hybrid DPO: a reference that prefers the rejected clip counts as one without preference.

    -ls(beta [l(w) - l(l) - max(0, l_ref(w) - l_ref(l))])

    beta   as in `dpo`; the default is ours

    Use when: the reference is wrong about many pairs, on which DPO is content as soon as the
    policy is less wrong. Not to be confused with offline DPO plus online KL of the same name.
    Source: arXiv 2602.11902, abstract
    """
    offset = beta * torch.relu(_reference_margin(batch))
    return compare(batch.chosen.logp, batch.rejected.logp, beta, offset=offset)


def flex_dpo(batch: Pairs, *, beta_chosen: float = 0.1, beta_rejected: float = 0.08) -> Loss:
    """Flex-DPO: rejected clips are pushed down less than chosen ones are pulled up.

    -ls(beta_w rho(w) - beta_l rho(l)); the gradient with respect to the probability of l is
    -p(w) / p(l) times that of w, and explodes as l dies

    beta_chosen     beta_w; 0.1 as in `dpo`
    beta_rejected   beta_l; about 0.02 below beta_w was best, says a summary of the paper

    Use when: the mass that rejected clips lose goes to clips that nobody has heard (silence,
    loops). The same paper's other regulariser is a supervised term: `rpo_sft`.
    Source: arXiv 2406.07327 (3D-properties of DPO)
    Derived: the form is that of public reviews; defaults were not published.
    """
    return compare(beta_chosen * batch.chosen.log_ratio, beta_rejected * batch.rejected.log_ratio)


def _reference_margin(batch: Pairs) -> torch.Tensor:
    """l_ref(w) - l_ref(l), `[pairs]`."""
    chosen = require(batch.chosen.reference_logp, Need.REFERENCE)
    return chosen - require(batch.rejected.reference_logp, Need.REFERENCE)


_REFERENCE = [Need.REFERENCE]

ENTRIES = {
    **entries("pairs", Group.CLEAN_PAIRS, _REFERENCE, dpo, hinge, ipo),
    **entries("pairs", Group.NOISY_PAIRS, _REFERENCE, cdpo, rdpo),
    **entries("pairs", Group.VOTED_PAIRS, [*_REFERENCE, Need.P_CHOSEN], spce),
    **entries("pairs", Group.LENGTHS, _REFERENCE, ln_dpo),
    **entries("pairs", Group.FALLING_LIKELIHOOD, _REFERENCE, dpop, flex_dpo),
    **entries("pairs", Group.FOREIGN_PAIRS, _REFERENCE, rso, dpo_g, hypo_clip),
}
