"""References that follow the policy (TR-DPO): a step towards it, every so many updates.

Weights are state dicts; nothing is changed in place.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from auralign.errors import ConfigError


def updated_reference(
    reference: Mapping[str, Tensor],
    policy: Mapping[str, Tensor],
    *,
    step: int,
    every: int = 512,
    alpha: float = 0.6,
) -> dict[str, Tensor]:
    """alpha policy + (1 - alpha) reference after each `every` steps, else the reference.

    step    updates so far, from 1 on
    every   tau, 512
    alpha   0.6; 1 is the hard update, the policy itself (both TRL's defaults)

    Buffers that hold no floats are the policy's after an update. Cached log-probabilities of the
    reference are stale after one.

    arXiv 2404.09656. Raises ConfigError for alpha outside (0, 1], every below 1 or weights of
    another model.
    """
    if not 0 < alpha <= 1 or every < 1:
        raise ConfigError(
            f"expected alpha in (0, 1] and every of at least 1, got {alpha:g} and {every}"
        )
    if reference.keys() != policy.keys():
        differ = ", ".join(sorted(reference.keys() ^ policy.keys()))
        raise ConfigError(f"expected a reference of the policy's own model, but {differ} differ")
    if step % every:
        return dict(reference)
    return {name: _mixed(reference[name], policy[name], alpha) for name in policy}


def _mixed(reference: Tensor, policy: Tensor, alpha: float) -> Tensor:
    policy = policy.detach().to(reference.device)
    if alpha == 1 or not reference.is_floating_point():
        return policy.clone()
    return torch.lerp(reference.detach(), policy.to(reference.dtype), alpha)
