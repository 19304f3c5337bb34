"""Policy gradients over clips that have grown old: ratios to the behaviour policy, kept in bounds.

Notation as in `policy_gradient`. On fresh clips every ratio is 1, and the gradient is REINFORCE's
with the normaliser of the method. S(q) = max(-A q, -A clip(q, 1 - low, 1 + high)): nothing is won
by moving a ratio further than the bounds in the direction of the advantage.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from auralign.errors import ConfigError, DataError
from auralign.losses.batch import Loss
from auralign.losses.kernels import plus, require_between
from auralign.losses.online.policy_gradient import code_advantages
from auralign.losses.online.ratios import clip_ratio, probability_ratio
from auralign.losses.online.reductions import (
    Reduction,
    clip_mean,
    code_mean,
    constant_length,
)
from auralign.losses.online.rollouts import Rollouts
from auralign.losses.online.values import value_loss


def ppo(
    batch: Rollouts,
    *,
    clip_low: float = 0.2,
    clip_high: float = 0.2,
    dual_clip: float | None = 3.0,
    value_clip: float | None = 0.2,
    value_weight: float = 0.1,
) -> Loss:
    """PPO: clipped ratios with advantages from a value head, which is trained beside.

    mean over codes of min(S(q_t), c |A_t|) where A_t < 0 and S(q_t) elsewhere, + w value loss

    clip_low, clip_high   0.2 in the paper
    dual_clip             c, above 1: an upper bound on the loss of a code that should become less
                          likely and has become far likelier; 3 in verl, None for none
    value_clip            as in `value_loss`; 0.2 in TRL, 0.5 in verl and OpenRLHF
    value_weight          w; 0.1 in TRL

    Use when: memory for a value head is there, and the reward falls due within a clip, or clips are
    so long that one number for all of it says little.
    Source: arXiv 1707.06347, eq. 7; 1912.09729 (dual clip)
    """
    if dual_clip is not None and dual_clip <= 1:
        raise ConfigError(f"expected dual_clip above 1, or None, got {dual_clip:g}")
    policy = _clipped(batch, clip_low, clip_high, code_mean, dual_clip)
    return plus(policy, value_loss=value_weight * value_loss(batch, clip=value_clip))


def reinforce_pp(batch: Rollouts, *, clip_low: float = 0.2, clip_high: float = 0.2) -> Loss:
    """REINFORCE++: PPO's clipped ratios without a value head.

    mean over codes of S(q_t), A_t from `whitened_returns`

    clip_low, clip_high   0.2 as in `ppo`

    Use when: there is one clip of each prompt, and no value head. Where prompts differ much in how
    hard they are, give it several clips of each and `group_baseline`.
    Source: arXiv 2501.03262
    """
    return _clipped(batch, clip_low, clip_high, code_mean)


def grpo(batch: Rollouts, *, clip_low: float = 0.2, clip_high: float = 0.2) -> Loss:
    """GRPO: clipped ratios, mean over the codes of each clip, advantages as z-scores in a group.

    1/n sum over t of S(q_t)

    clip_low, clip_high   0.2 as in `ppo`

    The mean over each clip's own codes pushes the codes of short clips harder: a short bad clip is
    punished more than a long one, which changes the speaking rate.

    Use when: you compare with published results; `dr_grpo` or `dapo` have no bias towards lengths.
    Source: arXiv 2402.03300, eq. 3
    """
    return _clipped(batch, clip_low, clip_high, clip_mean)


def dr_grpo(batch: Rollouts, *, clip_low: float = 0.2, clip_high: float = 0.2) -> Loss:
    """Dr.GRPO: GRPO without its two biases: no std of the group, one normaliser for all lengths.

    1/L sum over t of S(q_t), L the codes of the longest clip that the run allows

    clip_low, clip_high   0.2 as in `ppo`

    Use when: rewards of clips of a prompt can be compared as they are, and lengths must not drift.
    Source: arXiv 2503.20783
    """
    return _clipped(batch, clip_low, clip_high, constant_length)


def dapo(batch: Rollouts, *, clip_low: float = 0.2, clip_high: float = 0.28) -> Loss:
    """DAPO: one mean over all codes, and more room upwards, so that rare codes can grow.

    mean over codes of S(q_t)

    clip_low    0.2 in the paper
    clip_high   0.28 in the paper

    The other two of its four parts: `informative` says which groups to keep (sample more prompts
    in place of the others), `overlong_penalty` is added to the reward.

    Use when: long clips should count by their length, and entropy falls under `grpo`.
    Source: arXiv 2503.14476, eq. 8
    """
    return _clipped(batch, clip_low, clip_high, code_mean)


def gdpo(batch: Rollouts, *, clip_low: float = 0.2, clip_high: float = 0.2) -> Loss:
    """GDPO: GRPO for several rewards, each normalised before they are added.

    1/n sum over t of S(q_t), A from `decoupled_z_scores`

    clip_low, clip_high   0.2 as in `ppo`

    Use when: rewards have different scales or spreads (error rate, similarity, opinion score), so
    that the widest would decide alone.
    Source: arXiv 2601.05242
    """
    return _clipped(batch, clip_low, clip_high, clip_mean)


def gspo(batch: Rollouts, *, clip_low: float = 3e-4, clip_high: float = 4e-4) -> Loss:
    """GSPO: one ratio for each clip, the geometric mean over its codes.

    S(q), q = exp(1/n sum over t of log q_t)

    clip_low    3e-4 in the paper
    clip_high   4e-4 in the paper; the bounds shrink with the length, as the mean over n codes does

    DataError for advantages of frames: a clip has one ratio, and one advantage.

    Use when: clips have hundreds of codes, and ratios of single codes are noise.
    Source: arXiv 2507.18071, eq. 5 and 7
    """
    advantages = code_advantages(batch)
    if advantages.shape[-1] != 1:
        raise DataError("expected one advantage for each clip, as its ratio is one, got frames")
    ratio = clip_ratio(batch)
    terms, at_bound = _surrogate(ratio, advantages[:, 0, 0], clip_low, clip_high)
    return Loss(terms, {"ratio": ratio.detach(), "clip_share": at_bound})


def cispo(batch: Rollouts, *, max_ratio: float = 5.0) -> Loss:
    """CISPO: REINFORCE with a weight for old clips; no code loses its gradient.

    mean over codes of -sg(min(q_t, cap)) A l_t; no gradient through the weight

    max_ratio   the cap itself, not its distance from 1, and at least 1; TRL takes `epsilon_high` so
                and advises 5, verl adds 1 and bounds from below, too

    Use when: rare codes (onsets, the end) have to be learnt, which clipping leaves out.
    Source: arXiv 2506.13585
    """
    if max_ratio < 1:
        raise ConfigError(
            f"expected max_ratio of at least 1, got {max_ratio:g}: it is the largest ratio itself, "
            "and below 1 it only makes every gradient smaller"
        )
    ratio = probability_ratio(batch.log_ratios).detach()
    terms = -ratio.clamp(max=max_ratio) * code_advantages(batch) * batch.token_logps
    return Loss(code_mean(terms, batch), _shown(batch, ratio, (ratio > max_ratio).to(ratio)))


def _clipped(
    batch: Rollouts, low: float, high: float, reduction: Reduction, dual_clip: float | None = None
) -> Loss:
    """S of each code, reduced; in the diagnostics, ratios and the share of codes at a bound."""
    ratio, advantages = probability_ratio(batch.log_ratios), code_advantages(batch)
    terms, at_bound = _surrogate(ratio, advantages, low, high, dual_clip)
    return Loss(reduction(terms, batch), _shown(batch, ratio.detach(), at_bound))


def _surrogate(
    ratio: Tensor, advantages: Tensor, low: float, high: float, dual_clip: float | None = None
) -> tuple[Tensor, Tensor]:
    """S(q), at most c |A| where A < 0, and 1 where a bound holds and no gradient is left."""
    require_between("clip_low", low, 0, 1)
    require_between("clip_high", high, 0, math.inf)
    free, bounded = -advantages * ratio, -advantages * ratio.clamp(1 - low, 1 + high)
    terms, held = torch.maximum(free, bounded), bounded > free
    if dual_clip is not None:
        most = torch.where(advantages < 0, dual_clip * advantages.abs(), math.inf)
        terms, held = torch.minimum(terms, most), held | (terms > most)
    return terms, held.to(ratio)


def _shown(batch: Rollouts, ratio: Tensor, at_bound: Tensor) -> dict[str, Tensor]:
    """Means over the codes of each clip; an empty clip has ratio 1."""
    return {"ratio": 1 + clip_mean(ratio - 1, batch), "clip_share": clip_mean(at_bound, batch)}
