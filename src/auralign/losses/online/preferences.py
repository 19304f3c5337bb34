"""Online preference optimisation: pairs and groups that the policy has just sampled, and a judge.

Any objective over pairs goes online by `ranked_pairs`. Notation as in `losses.pairwise`: rho(y) is
the log-ratio of a clip to the reference, D that of chosen less that of rejected, ls the logarithm
of the logistic function. P(y > y') is a judge's probability that y is preferred.
"""

from __future__ import annotations

import torch
from torch import Tensor

from auralign.errors import DataError
from auralign.losses.batch import Loss, Need, Pairs, require
from auralign.losses.kernels import log_sigmoid_loss, plus, with_rewards
from auralign.losses.online.rollouts import RolloutNeed, Rollouts, clip_rewards, take
from auralign.losses.pairwise import dpo


def ranked_pairs(batch: Rollouts, *, min_gap: float = 0.0) -> Pairs:
    """The clips of each prompt with the highest and the lowest reward, as a pair.

    min_gap   prompts whose rewards differ by no more give no pair, so that ties are never ordered

    Raises DataError where no prompt has two clips that differ.
    """
    rewards, judged = clip_rewards(batch)
    group = require(batch.group, RolloutNeed.GROUPS)
    best, worst = [], []
    for one in group.unique():
        rows = torch.nonzero(judged & (group == one))[:, 0]
        if len(rows) and rewards[rows].max() - rewards[rows].min() > min_gap:
            best.append(rows[rewards[rows].argmax()])
            worst.append(rows[rewards[rows].argmin()])
    if not best:
        raise DataError(f"expected clips whose rewards differ by more than {min_gap:g}, got none")
    chosen, rejected = torch.stack(best), torch.stack(worst)
    return Pairs(
        take(batch, chosen).clips,
        take(batch, rejected).clips,
        chosen_score=rewards[chosen],
        rejected_score=rewards[rejected],
    )


def win_rates(preferences: Tensor) -> tuple[Tensor, Tensor]:
    """From a judge's answers to rewards: how often each clip is preferred to its rivals.

    preferences   `[clips, rivals]`, P(clip > rival); NaN where the judge was not asked or did not
                  answer, as on the diagonal where clips are each other's rivals

    Returns rewards `[clips]` (0 where there is none) and where there is one, bool `[clips]`.
    Raises DataError for answers that are no probabilities.
    """
    answered = ~preferences.isnan()
    known = torch.where(answered, preferences, 0.0)
    if ((known < 0) | (known > 1)).any():
        raise DataError("expected probabilities that a clip is preferred, between 0 and 1")
    n = answered.sum(-1)
    return known.sum(-1) / n.clamp(min=1), n > 0


def geometric_mixture(logits: Tensor, reference_logits: Tensor, weight: float) -> Tensor:
    """Log-probabilities of codes, proportional to p^(1 - b) p_reference^b: what rivals come from.

    logits, reference_logits   `[..., codes]`
    weight                     b: 0 is the policy itself, 1 the reference; 0.125 to 0.375 was best

    Source: arXiv 2312.00886 (mixed code by code)
    """
    own, reference = logits.log_softmax(-1), reference_logits.log_softmax(-1)
    if weight in (0, 1):  # 0 times the -inf of an impossible code is no number
        return reference if weight else own
    return ((1 - weight) * own + weight * reference).log_softmax(-1)


def online_dpo(batch: Rollouts, *, beta: float = 0.1, min_gap: float = 0.0) -> Loss:
    """Online DPO: DPO on the best and the worst clip that the policy has just sampled for a prompt.

    -ls(beta D), one value for each prompt whose rewards differ

    beta      0.1, as in `dpo`
    min_gap   as in `ranked_pairs`; 0 leaves ties out

    Use when: a judge or a reward model answers while training, and DPO on stored pairs has gone
    stale. Two clips of each prompt are enough.
    Source: arXiv 2402.04792 (OAIF)
    """
    return dpo(ranked_pairs(batch, min_gap=min_gap), beta=beta)


def ipo_md(batch: Pairs, *, beta: float = 0.1) -> Loss:
    """Online IPO and IPO-MD: a squared distance from the margin that the judge's probability asks.

    (D - (2 P(chosen > rejected) - 1) / (2 beta))^2

    beta   0.1, as in `ipo`, which it is for a judge that is sure

    Both clips come from the policy (online IPO: its expected gradient is four times that of
    self-play, KL(policy || reference) - 1/beta P(y > policy)) or from `geometric_mixture` (IPO-MD).

    Use when: as `nash_md`, with the steadier gradient of a loss on pairs.
    Source: arXiv 2403.08635
    Derived: the soft label is the mean over hard labels drawn from P, less a constant.
    """
    p = require(batch.p_chosen, Need.P_CHOSEN)
    chosen, rejected = batch.chosen.log_ratio, batch.rejected.log_ratio
    values = (chosen - rejected - (2 * p - 1) / (2 * beta)).square()
    return with_rewards(values, beta * chosen, beta * rejected)


def hypo_kl(batch: Pairs, *, beta: float = 0.1, kl_weight: float = 1e-3) -> Loss:
    """HyPO: DPO on stored pairs, and KL to the reference on clips that the policy samples now.

    -ls(beta D) + lambda rho(own)^2 / 2; the gradient of the second term is that of KL(policy ||
    reference) of whole clips, on fresh clips

    beta        0.1, as in `dpo`
    kl_weight   lambda; the default is ours

    No label is asked for. Stored pairs say nothing of clips that nobody has heard, and DPO may make
    these likely; the KL sees them. Not to be confused with `hypo_clip`.

    Use when: pairs cover little of what the policy can say, and prompts without labels are at hand.
    Source: arXiv 2406.01462
    Derived: the estimator of the KL; the paper's weight could not be read.
    """
    own = require(batch.own, Need.OWN).log_ratio
    return plus(dpo(batch, beta=beta), kl=kl_weight * own.square() / 2)


def general_preference(batch: Rollouts, *, beta: float = 1e-3) -> Loss:
    """GPO of general preference models: the log-ratio of a clip becomes its score against rivals.

    (rho(y) - s(y > policy) / beta)^2, the normaliser log Z taken as 0, as in the paper

    beta   1e-3 in the released recipe

    The reference is the policy as this round began, clips are its samples, and the reward is the
    mean score s = logit P(y > y') over all samples of the prompt, y itself (0) among them. With P -
    1/2 in place of s it is SPPO. Not the convex losses of the same name (Tang et al. 2024).

    Use when: a judge gives scores of pairs that run in circles, and rounds are short.
    Source: arXiv 2410.02197, eq. 5.3
    """
    rewards, judged = clip_rewards(batch)
    log_ratio = batch.clips.log_ratio
    values = torch.where(judged, (log_ratio - rewards / beta).square(), 0.0)
    return Loss(values, {"reward": (beta * log_ratio).detach()})


def gepo(
    batch: Rollouts, *, beta: float = 0.1, variance_weight: float = 1.0, accept: float = 0.5
) -> Loss:
    """GEPO: accepted clips beat the others on average, and are equals among themselves.

    -ls(beta [mean of rho over accepted - mean of rho over the others])
    + lambda var of rho over accepted, one value for each prompt that has both

    beta              0.1, as in `dpo`
    variance_weight   lambda; 1 in the paper
    accept            a clip is accepted where its reward is above this; 0.5 parts 0 from 1

    Use when: several takes of a prompt are equally good, and DPO would drop all but one of them.
    Source: arXiv 2505.12723, section 3.2
    Derived: the variance is by n; the paper's formulas were read in words.
    """
    rewards, judged = clip_rewards(batch)
    group = require(batch.group, RolloutNeed.GROUPS)
    log_ratio = batch.clips.log_ratio
    found = [
        _equivalents(log_ratio[mine & accepted], log_ratio[mine & ~accepted])
        for mine, accepted in (
            (judged & (group == one), rewards > accept) for one in group.unique()
        )
        if (mine & accepted).any() and (mine & ~accepted).any()
    ]
    if not found:
        raise DataError("expected prompts with accepted and other clips, got none with both")
    chosen, rejected, variance = (torch.stack(column) for column in zip(*found, strict=True))
    loss = with_rewards(
        log_sigmoid_loss(beta * (chosen - rejected)), beta * chosen, beta * rejected
    )
    return plus(loss, variance=variance_weight * variance)


def _equivalents(accepted: Tensor, others: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Means of both, and the variance (by n) of the accepted."""
    return accepted.mean(), others.mean(), accepted.var(correction=0)
