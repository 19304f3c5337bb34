"""Objectives over preference pairs.

Each takes the log-ratios `log p_policy - log p_reference` of the chosen and of the rejected clips,
summed over scored codes, each `[pairs]` in nats, and returns a loss `[pairs]`. The options of an
objective are its keyword-only parameters, so an option that it does not take cannot be passed.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn.functional import logsigmoid


def dpo(chosen: Tensor, rejected: Tensor, *, beta: float, label_smoothing: float = 0.0) -> Tensor:
    """Direct preference optimisation (arXiv 2305.18290, eq. 7).

    -(1 - e) log sigmoid(beta (chosen - rejected)) - e log sigmoid(-beta (chosen - rejected))

    beta              inverse temperature of the implied KL constraint, for summed log-ratios
    label_smoothing   e, the probability that a label is flipped (conservative DPO); 0 to 0.5

    Checked by tests/losses/test_pairwise.py: log 2 where policy equals reference, the gradient
    `-beta sigmoid(-z)` by finite differences.
    """
    z = beta * (chosen - rejected)
    return -(1 - label_smoothing) * logsigmoid(z) - label_smoothing * logsigmoid(-z)


def ipo(chosen: Tensor, rejected: Tensor, *, beta: float) -> Tensor:
    """Identity preference optimisation (arXiv 2310.12036, eq. 17): (margin - 1 / (2 beta))^2.

    The margin is bounded by construction, so that a pair on which all listeners agree cannot pull
    it to infinity.
    """
    return (chosen - rejected - 1 / (2 * beta)) ** 2


PAIRWISE: dict[str, Callable[..., Tensor]] = {"dpo": dpo, "ipo": ipo}
