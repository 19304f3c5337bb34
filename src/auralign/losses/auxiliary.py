"""A preference loss and a further term: imitation, a rationale, a degree, a bonus to explore.

Notation as in `pairwise`; NLL(y) = -l(y) / n(y), nats a code. Every term is in the diagnostics.
"""

from __future__ import annotations

from torch.nn.functional import cross_entropy

from auralign.losses.batch import Loss, Need, Pairs, require
from auralign.losses.kernels import (
    compare,
    log_sigmoid_loss,
    negative_log_likelihood,
    plus,
    with_rewards,
)
from auralign.losses.objective import Group, entries
from auralign.losses.pairwise import dpo
from auralign.losses.reference_free import orpo


def rpo_sft(batch: Pairs, *, beta: float = 0.1, alpha: float = 1.0) -> Loss:
    """Regularised preference optimisation (iterative RPO): DPO and imitation of the chosen clip.

    -ls(beta D) + alpha NLL(w)

    beta    0.1 in the paper
    alpha   1 in the paper

    Use when: chosen clips become less likely under DPO, above all on long sequences of codes.
    Source: arXiv 2404.19733; 2405.16436
    """
    return plus(dpo(batch, beta=beta), nll=alpha * negative_log_likelihood(batch.chosen))


def mpo(
    batch: Pairs,
    *,
    beta: float = 0.1,
    shift: float = 0.0,
    preference_weight: float = 0.8,
    quality_weight: float = 0.2,
    generation_weight: float = 1.0,
) -> Loss:
    """Mixed preference optimisation: which is better (DPO), how good is each (BCO), imitation.

    a [-ls(beta D)] + b [-ls(beta rho(w) - d) - ls(d - beta rho(l))] + c NLL(w)

    beta                0.1
    shift               d, a running mean of rewards that the caller keeps
    preference_weight   a; 0.8 in the authors' runs
    quality_weight      b; 0.2 in the authors' runs
    generation_weight   c; 1 in the authors' runs

    Use when: absolute quality matters beside order, and the policy must keep generating well.
    Source: arXiv 2411.10442
    """
    chosen, rejected = beta * batch.chosen.log_ratio, beta * batch.rejected.log_ratio
    preference = preference_weight * log_sigmoid_loss(chosen - rejected)
    quality = log_sigmoid_loss(chosen - shift) + log_sigmoid_loss(shift - rejected)
    return plus(
        with_rewards(preference, chosen, rejected, preference=preference),
        quality=quality_weight * quality,
        nll=generation_weight * negative_log_likelihood(batch.chosen),
    )


def tpo(batch: Pairs, *, beta: float = 0.01, alpha: float = 1.0) -> Loss:
    """Triple preference optimisation: a contrast without a reference, and a gold clip to imitate.

    -ls(beta (l(w) - l(l))) + alpha NLL(gold)

    beta    0.01 in TRL, 0.1 in the authors' first configuration
    alpha   of nats a code of each gold clip (the authors' mean runs over the codes of a batch); 1

    Use when: there is a recording to reach, and two renderings to tell apart.
    Source: arXiv 2405.16681
    """
    gold = require(batch.gold, Need.GOLD)
    contrast = compare(batch.chosen.logp, batch.rejected.logp, beta)
    return plus(contrast, nll=alpha * negative_log_likelihood(gold))


def tpo_l(batch: Pairs, *, beta: float = 0.01, alpha: float = 1.0, gamma: float = 0.5) -> Loss:
    """Triple preference optimisation on means over codes, with a target margin.

    -ls(beta (l(w) / n(w) - l(l) / n(l)) - gamma) + alpha NLL(gold)

    beta    belongs to nats a code; 0.01 in TRL
    alpha   as in `tpo`
    gamma   target margin, outside beta; 0.5 in TRL

    Use when: as `tpo`, and lengths vary.
    Source: arXiv 2405.16681
    """
    gold = require(batch.gold, Need.GOLD)
    contrast = compare(batch.chosen.mean_logp, batch.rejected.mean_logp, beta, offset=gamma)
    return plus(contrast, nll=alpha * negative_log_likelihood(gold))


def rationale_dpo(
    batch: Pairs, *, beta: float = 0.1, gamma: float = 0.1, linear: bool = False
) -> Loss:
    """DPO, and the policy has to tell why the chosen clip is better.

    -ls(beta D) - ls(gamma l(z)), or - gamma l(z); z is the rationale

    beta     0.1 in the authors' configuration
    gamma    0.1 there, 0.001 in the run of their README
    linear   the paper's form; the logistic one of the code has slope gamma for a long rationale and
             half of it for a short one

    Use when: listeners left comments or tags, and the policy can predict them.
    Source: arXiv 2407.14477
    """
    scaled = gamma * require(batch.rationale_logp, Need.RATIONALE)
    return plus(dpo(batch, beta=beta), rationale=-scaled if linear else log_sigmoid_loss(scaled))


def rationale_orpo(batch: Pairs, *, beta: float = 0.1, gamma: float = 1.0) -> Loss:
    """ORPO, and the policy has to tell why the chosen clip is better.

    NLL(w) - beta ls(log o(w) / o(l)) - gamma l(z), o as in `orpo`

    beta    weight of the odds ratio; 0.1 as in `orpo`
    gamma   of the rationale's summed log-probability; 1 in the authors' configuration

    Use when: as `rationale_dpo`, from the base model and without a reference.
    Source: arXiv 2407.14477
    """
    rationale = require(batch.rationale_logp, Need.RATIONALE)
    return plus(orpo(batch, weight=beta), rationale=-gamma * rationale)


def spo_degree(batch: Pairs, *, beta: float = 0.1, gamma: float = 0.1) -> Loss:
    """Self-supervised preference optimisation: DPO, and a head that hears how degraded a clip is.

    -ls(beta D) + gamma CE(degree)

    beta    0.1 as in `dpo`
    gamma   weight of the cross-entropy over degrees; the default is ours

    Use when: you can degrade clips in known steps (noise, codec rate, masked segments), and margins
    should say by how much a clip is better.
    Source: arXiv 2409.17791
    Derived: the sum of both terms is published; weight, levels and head are not.
    """
    logits, degree = require(batch.degree_logits, Need.DEGREE), require(batch.degree, Need.DEGREE)
    return plus(
        dpo(batch, beta=beta), degree=gamma * cross_entropy(logits, degree, reduction="none")
    )


def selm(batch: Pairs, *, beta: float = 0.01, alpha: float = 1e-3) -> Loss:
    """Self-exploring language models: DPO with optimism towards what was not sampled yet.

    -ls(beta D) + alpha beta rho(own); the bonus lowers the likelihood of the policy's own sample

    beta    0.01 in the authors' recipes
    alpha   1e-3 in the authors' recipes, 1e-4 for the largest model

    Use when: pairs are made anew from the policy's samples, and its support is too narrow.
    Source: arXiv 2405.19332
    """
    own = require(batch.own, Need.OWN)
    return plus(dpo(batch, beta=beta), bonus=alpha * beta * own.log_ratio)


def xpo(batch: Pairs, *, beta: float = 0.1, alpha: float = 1e-5, per_code: bool = False) -> Loss:
    """Exploratory preference optimisation: online DPO with a bonus that leaves the reference.

    -ls(beta D) + alpha l(y_ref); the bonus lowers the likelihood of the reference's sample, whether
    it was chosen or rejected

    beta       0.1 in TRL
    alpha      1e-5 in TRL; the paper gives no number
    per_code   takes the mean over codes, as a bonus on sums grows with the length

    Use when: as `selm`, and each pair is one sample of the policy and one of the reference.
    Source: arXiv 2405.21046
    """
    sample = require(batch.from_reference, Need.FROM_REFERENCE)
    bonus = alpha * (sample.mean_logp if per_code else sample.logp)
    return plus(dpo(batch, beta=beta), bonus=bonus)


_REFERENCE = [Need.REFERENCE]

ENTRIES = {
    **entries("pairs", Group.FALLING_LIKELIHOOD, _REFERENCE, rpo_sft, mpo),
    **entries("pairs", Group.AUXILIARY, [Need.GOLD], tpo, tpo_l),
    **entries("pairs", Group.AUXILIARY, [*_REFERENCE, Need.RATIONALE], rationale_dpo),
    **entries("pairs", Group.AUXILIARY, [Need.RATIONALE], rationale_orpo),
    **entries("pairs", Group.AUXILIARY, [*_REFERENCE, Need.DEGREE], spo_degree),
    **entries("pairs", Group.EXPLORATION, [*_REFERENCE, Need.OWN], selm),
    **entries("pairs", Group.EXPLORATION, [*_REFERENCE, Need.FROM_REFERENCE], xpo),
}
