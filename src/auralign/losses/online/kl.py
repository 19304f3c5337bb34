"""How the policy is held to the reference: estimators of KL, where they go, and what comes of it.

u = log p_policy - log p_reference of a code that was sampled.
    k1 = u   k2 = u^2 / 2   k3 = e^-u - 1 + u
A good estimate of the divergence need not have its gradient. What each place makes of each
estimator is `GRADIENTS`; q is the probability ratio of policy and behaviour policy:
    in the reward    a penalty that the policy gradient works off, as for any reward
    in the loss      the estimate itself (`none`), times q (`ratio`), times q without its gradient
                     (`detached_ratio`), or with the gradient of k2 (`straight_through`)
Without q, clips have to be fresh. What stands in the loss code by code holds each code to the
reference where it is, and does not look at where it leads; k1 in the reward, or KL of whole clips
(`level="clip"`), does. The part that k3 in the reward is off by is that of single codes, too.

Source: Schulman 2020, "Approximating KL divergence"; arXiv 2512.21852 for the gradients; 2512.02556
for k3 times q.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from typing import Literal

import torch
from torch import Tensor

from auralign.losses.batch import Need, require
from auralign.losses.kernels import capped_expm1
from auralign.losses.online.ratios import probability_ratio
from auralign.losses.online.reductions import Reduction, clip_sum
from auralign.losses.online.rollouts import Rollouts
from auralign.losses.reduce import sum_scored

Estimator = Literal["k1", "k2", "k3"]
Place = Literal["reward", "none", "ratio", "detached_ratio", "straight_through"]
Level = Literal["code", "clip"]


class Gradient(StrEnum):
    """What an estimator's expected gradient is, in words."""

    POLICY = "of KL(policy || reference)"
    REFERENCE = "of KL(reference || policy)"
    DIFFERENCE = "of KL(policy || reference) less that of KL(reference || policy)"
    NOTHING = "0: it holds nothing"
    NEITHER = "of neither divergence"


GRADIENTS: dict[tuple[Place, Estimator], Gradient] = {
    ("reward", "k1"): Gradient.POLICY,
    ("reward", "k2"): Gradient.NEITHER,
    ("reward", "k3"): Gradient.DIFFERENCE,
    ("none", "k1"): Gradient.NOTHING,
    ("none", "k2"): Gradient.POLICY,
    ("none", "k3"): Gradient.REFERENCE,
    ("ratio", "k1"): Gradient.POLICY,
    ("ratio", "k2"): Gradient.NEITHER,
    ("ratio", "k3"): Gradient.POLICY,
    ("detached_ratio", "k1"): Gradient.NOTHING,
    ("detached_ratio", "k2"): Gradient.POLICY,
    ("detached_ratio", "k3"): Gradient.REFERENCE,
    ("straight_through", "k1"): Gradient.POLICY,
    ("straight_through", "k2"): Gradient.POLICY,
    ("straight_through", "k3"): Gradient.POLICY,
}
"""By place and estimator; each is checked by enumerating all clips of a small policy."""


def estimate(log_ratio: Tensor, estimator: Estimator) -> Tensor:
    """k1, k2 or k3 of log p_policy - log p_reference, nats, each by itself.

    Below u = -20 the exponential of k3 goes on as a straight line, so that its gradient neither
    overflows nor vanishes where it is needed most.
    """
    return _ESTIMATORS[estimator](log_ratio)


_ESTIMATORS: dict[Estimator, Callable[[Tensor], Tensor]] = {
    "k1": lambda u: u,
    "k2": lambda u: u.square() / 2,
    "k3": lambda u: capped_expm1(-u) + u,
}


def in_reward(batch: Rollouts, *, weight: float, estimator: Estimator = "k1") -> Rollouts:
    """The rollouts with a penalty on each code, which advantages take off the reward.

    weight * k(log p_behaviour - log p_reference), no gradient

    Source: arXiv 1909.08593, 2203.02155 (k1)
    """
    reference = require(batch.reference_logps, Need.REFERENCE)
    u = torch.where(batch.scored, batch.behaviour_logps - reference, 0.0)
    return replace(batch, kl_penalty=(weight * estimate(u, estimator)).detach())


def in_loss(
    batch: Rollouts,
    *,
    estimator: Estimator = "k3",
    place: Place = "ratio",
    level: Level = "code",
    reduction: Reduction = clip_sum,
) -> Tensor:
    """A term of the loss, one value for each clip, nats; the caller weighs it.

    estimator, place   the defaults are unbiased in value and in gradient, on old clips, too
    level              `code` estimates the divergence of each code; `clip` that of whole clips,
                       from sums of log-probabilities, which `reduction` does not touch
    reduction          that of the objective (`OnlineObjective.reduction`)
    """
    u, to_behaviour = batch.reference_log_ratios, batch.log_ratios
    if level == "clip":
        u, to_behaviour = (sum_scored(x, batch.scored) for x in (u, to_behaviour))
        return _placed(u, to_behaviour, estimator, place)
    return reduction(_placed(u, to_behaviour, estimator, place), batch)


def _placed(u: Tensor, to_behaviour: Tensor, estimator: Estimator, place: Place) -> Tensor:
    value = estimate(u, estimator)
    if place == "ratio":
        return probability_ratio(to_behaviour) * value
    if place == "detached_ratio":
        return probability_ratio(to_behaviour).detach() * value
    if place == "straight_through":
        slope = estimate(u, "k2")
        return value.detach() + slope - slope.detach()
    return value


def adapted_weight(
    weight: float, kl: float, *, target: float, n: int, horizon: int = 10_000, most: float = 0.2
) -> float:
    """The weight of the KL that brings it nearer to `target`, in proportion to how far it is off.

    weight * (1 + clip(kl / target - 1, -most, most) * n / horizon)

    kl        measured, in the units of `target` (nats a clip)
    n         clips sampled since the weight was last adapted
    horizon   clips over which it may change by about `most`; 10,000 in the authors' code

    Source: arXiv 1909.08593, section 2.2
    """
    error = min(max(kl / target - 1, -most), most)
    return weight * (1 + error * n / horizon)
