"""Objectives in which each pair has its own margin, scale or weight: from scores, or the policy.

Notation as in `pairwise`; R is the score of an external reward, delta = R(w) - R(l).
"""

from __future__ import annotations

import torch
from torch import Tensor

from auralign.errors import DataError
from auralign.losses.batch import Clips, Loss, Need, Pairs, require
from auralign.losses.kernels import (
    binary_kl,
    compare,
    negative_log_likelihood,
    plus,
    scale,
    with_rewards,
)
from auralign.losses.objective import Group, entries
from auralign.losses.reduce import mean_scored


def odpo(batch: Pairs, *, beta: float = 0.1, alpha: float = 1.0) -> Loss:
    """DPO with an offset: a clip that is better by more has to win by more.

    -ls(beta D - alpha log delta)

    beta    0.1 as in `dpo`; the paper gives no default
    alpha   1 in the authors' configuration

    A delta below 1 asks for less than DPO does. DataError where delta is not above 0.

    Use when: scores are on a scale on which differences mean something (MOS, CMOS), with few pairs.
    Source: arXiv 2402.10571
    """
    offset = alpha * torch.log(_positive(batch.score_gap))
    return compare(batch.chosen.log_ratio, batch.rejected.log_ratio, beta, offset=offset)


def rpo_reward(batch: Pairs, *, beta: float = 0.1, eta: float = 1.0, squared: bool = False) -> Loss:
    """Reward-aware preference optimisation: the margin should be the difference in reward.

    KL(Bernoulli(s(eta delta)) || Bernoulli(s(beta D))), or (beta D - eta delta)^2

    beta      0.1 as in `dpo`
    eta       scale of the external reward; the default is ours
    squared   the squared form

    Use when: an external reward is trusted in size, not only in order.
    Source: arXiv 2406.11704 (Nemotron-4); the form of its loss as in public code
    """
    chosen, rejected = batch.chosen.log_ratio, batch.rejected.log_ratio
    z, target = beta * (chosen - rejected), eta * batch.score_gap
    values = (z - target) ** 2 if squared else binary_kl(target, z)
    return with_rewards(values, beta * chosen, beta * rejected)


def infonca_pair(batch: Pairs, *, beta: float = 0.01, temperature: float = 1.0) -> Loss:
    """InfoNCA on pairs: soft-preference cross-entropy with labels from scores.

    -p ls(beta D) - (1 - p) ls(-beta D), p = s(delta / a)

    beta          0.01 in the authors' configuration
    temperature   a, in units of the score; theirs, 1e-4, makes labels hard. The default is ours

    Use when: scores tell by how much, and no listener has voted on the pairs themselves.
    Source: arXiv 2402.05369, with K = 2
    """
    flipped = torch.sigmoid(-batch.score_gap / temperature)
    return compare(batch.chosen.log_ratio, batch.rejected.log_ratio, beta, flipped=flipped)


def mm_dpo(
    batch: Pairs, *, beta: float = 0.1, w: float = 0.5, k: float = 0.5, sft_weight: float = 0.0
) -> Loss:
    """MM-DPO: dynamic reward scaling; pairs with a clear difference get a larger beta.

    -ls(b D) + alpha NLL(w), b = beta (1 + w (1 - e^(-k max(0, delta))))

    beta         least value of b; 0.1 in the paper
    w            b is at most (1 + w) beta; 0.5 in notes on the paper, 0.1 in the released script
    k            how soon, in 1 / units of the score: standardise scores; 0.5 in the same notes
    sft_weight   alpha, of nats a code; the paper searches 0 to 1

    Use when: labels of near pairs are noisy, and a reward tells which are near.
    Source: arXiv 2502.10391
    """
    scaled = beta * (1 - w * torch.expm1(-k * torch.relu(batch.score_gap)))
    loss = compare(batch.chosen.log_ratio, batch.rejected.log_ratio, scaled)
    return plus(loss, nll=sft_weight * negative_log_likelihood(batch.chosen))


def videodpo(
    batch: Pairs, *, beta: float = 0.1, alpha: float = 1.0, most_frequent: float = 0.72
) -> Loss:
    """VideoDPO's re-weighting: pairs whose score is rare count more.

    -(m / f)^alpha ls(beta D), f the frequency of the pair's score in a histogram, m the largest one

    beta            0.1 as in `dpo`
    alpha           1 in the authors' class, 0 (off) in their released configuration
    most_frequent   m; 0.72 in their data: set it to yours

    Use when: most pairs are near ties by score, and few are clear.
    Source: arXiv 2412.14167; its weight on token log-ratios in place of denoising errors
    """
    frequency = require(batch.score_frequency, Need.RARITY)
    loss = compare(batch.chosen.log_ratio, batch.rejected.log_ratio, beta)
    return scale((most_frequent / frequency) ** alpha, loss)


def wpo(batch: Pairs, *, beta: float = 0.1, max_weight: float | None = None) -> Loss:
    """Weighted preference optimisation: pairs count as far as the policy could have made them.

    -sg[v(w) v(l)] ls(beta D), v(y) = exp(mean over codes of [log p(code) - log sum of p^2])

    sg: no gradient flows through the weight.

    beta         0.1 as in `dpo`
    max_weight   bound of v(w) v(l); none in the paper's formula and TRL 1, 1 in TRL 0

    Use when: the pairs come from other systems than the policy that is trained.
    Source: arXiv 2406.11827 (sampled alignment)
    """
    log_weight = _on_policy(batch.chosen) + _on_policy(batch.rejected)
    weight = torch.exp(log_weight)
    if max_weight is not None:
        weight = weight.clamp(max=max_weight)
    return scale(weight, compare(batch.chosen.log_ratio, batch.rejected.log_ratio, beta))


@torch.no_grad()
def _on_policy(clips: Clips) -> Tensor:
    """log v, `[clips]`: 0 where codes are as likely as the policy's own on the average."""
    policy = require(clips.token_logps, Need.TOKENS)
    collision = require(clips.log_collision, Need.COLLISION)
    return mean_scored(policy - collision, require(clips.scored, Need.TOKENS))


def _positive(gap: Tensor) -> Tensor:
    """`gap`, or DataError that names the first pair whose chosen clip does not score higher."""
    wrong = torch.nonzero(~(gap > 0))
    if len(wrong):
        row = int(wrong[0])
        raise DataError(
            f"pair {row} of the batch: expected the chosen clip to score higher than the rejected "
            f"one, got a difference of {float(gap[row]):g}; drop such pairs"
        )
    return gap


_SCORED = [Need.REFERENCE, Need.SCORES]

ENTRIES = {
    **entries("pairs", Group.SCORED_PAIRS, _SCORED, odpo, rpo_reward, infonca_pair, mm_dpo),
    **entries("pairs", Group.SCORED_PAIRS, [Need.REFERENCE, Need.RARITY], videodpo),
    **entries("pairs", Group.FOREIGN_PAIRS, [Need.REFERENCE, Need.TOKENS, Need.COLLISION], wpo),
}
