"""Formulas that several objectives share; each is written once, and safe at both ends."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from auralign.errors import ConfigError
from auralign.losses.batch import Clips, Loss


def log_sigmoid_loss(logit: Tensor, flipped: Tensor | float = 0.0) -> Tensor:
    """-(1 - e) log sigmoid(z) - e log sigmoid(-z), where a label is wrong with probability e."""
    return -(1 - flipped) * logsigmoid(logit) - flipped * logsigmoid(-logit)


def negative_log_likelihood(clips: Clips) -> Tensor:
    """`[clips]`, nats a code: the supervised term of every objective that has one."""
    return -clips.mean_logp


def log1mexp(x: Tensor) -> Tensor:
    """log(1 - e^x) for x < 0 (Maechler 2012), finite in value and gradient up to x = -0.

    Each branch sees only values that are safe for it: no NaN enters by the gradient of the other.
    """
    near_zero = x > -math.log(2)
    close = torch.where(near_zero, x.clamp(max=-torch.finfo(x.dtype).tiny), -1.0)
    far = torch.where(near_zero, -1.0, x)
    return torch.where(near_zero, torch.log(-torch.expm1(close)), torch.log1p(-torch.exp(far)))


def log_odds(mean_logp: Tensor) -> Tensor:
    """log(p / (1 - p)) of p = exp(mean log-probability of a code)."""
    return mean_logp - log1mexp(mean_logp)


def capped_expm1(x: Tensor, cap: float = 20.0) -> Tensor:
    """e^x - 1, going on as a straight line with the same slope above `cap`.

    Log-ratios of a clip of thousands of codes overflow e^x; the line keeps order and gradient.
    """
    below = x.clamp(max=cap)
    return torch.expm1(below) + torch.exp(below) * (x - below)


def binary_kl(target_logit: Tensor, logit: Tensor) -> Tensor:
    """KL(Bernoulli(sigmoid(target_logit)) || Bernoulli(sigmoid(logit))), nats."""
    p = torch.sigmoid(target_logit)
    cross_entropy = log_sigmoid_loss(logit, 1 - p)
    return cross_entropy - log_sigmoid_loss(target_logit, 1 - p)


def with_rewards(values: Tensor, chosen: Tensor, rejected: Tensor, **extra: Tensor) -> Loss:
    """The loss, and in its diagnostics what the objective holds of each clip.

    These rewards are what was optimised; they need not be beta times the log-ratio.
    """
    found = {"chosen_reward": chosen, "rejected_reward": rejected, **extra}
    return Loss(values, {name: value.detach() for name, value in found.items()})


def compare(
    chosen: Tensor,
    rejected: Tensor,
    beta: Tensor | float = 1.0,
    *,
    offset: Tensor | float = 0.0,
    flipped: Tensor | float = 0.0,
) -> Loss:
    """Log-sigmoid loss on `beta` times the difference of two values, less an offset."""
    logit = beta * (chosen - rejected) - offset
    return with_rewards(log_sigmoid_loss(logit, flipped), beta * chosen, beta * rejected)


def plus(loss: Loss, **terms: Tensor) -> Loss:
    """The loss with further terms added; each is in the diagnostics by its name."""
    values = loss.values
    for term in terms.values():
        values = values + term
    return Loss(values, {**loss.diagnostics, **{k: v.detach() for k, v in terms.items()}})


def scale(weight: Tensor, loss: Loss) -> Loss:
    """The loss times a weight for each item, which is in the diagnostics."""
    return Loss(weight * loss.values, {**loss.diagnostics, "weight": weight.detach()})


def require_between(name: str, value: float, low: float, high: float) -> None:
    """ConfigError unless low <= value < high."""
    if not low <= value < high:
        raise ConfigError(f"expected {name} in [{low:g}, {high:g}), got {value:g}")
