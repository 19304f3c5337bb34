"""What to look at beside an online loss: how far the policy has moved since it sampled, and whence.

One value for each clip, a mean over its codes unless said otherwise. Nothing here has a gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor

from auralign.losses.online.kl import estimate
from auralign.losses.online.ratios import probability_ratio
from auralign.losses.online.reductions import clip_mean
from auralign.losses.online.rollouts import Rollouts


def rollout_measures(batch: Rollouts) -> dict[str, Tensor]:
    """`[clips]` each, by name, nats a code where they are divergences or entropies.

    ratio          policy to behaviour policy; exactly 1 on fresh clips
    largest_ratio  of a clip's codes
    behaviour_k1   KL(behaviour || policy), unbiased; stop a round of updates when it is large
    behaviour_k3   the same, never negative
    reference_k1   KL(policy || reference) on fresh clips, where there is a reference
    reference_k3   the same, never negative
    entropy        of the distributions, where they are given; else -log p, which has the same mean
                   on fresh clips
    """
    with torch.no_grad():
        to_behaviour = batch.log_ratios
        ratio = probability_ratio(to_behaviour)
        entropy = -batch.token_logps if batch.entropies is None else batch.entropies
        found = {
            "ratio": 1 + clip_mean(ratio - 1, batch),
            "largest_ratio": torch.where(batch.scored, ratio, 0.0).amax((-2, -1)),
            "behaviour_k1": clip_mean(estimate(-to_behaviour, "k1"), batch),
            "behaviour_k3": clip_mean(estimate(-to_behaviour, "k3"), batch),
            "entropy": clip_mean(entropy, batch),
        }
        if batch.reference_logps is not None:
            u = batch.reference_log_ratios
            found["reference_k1"] = clip_mean(estimate(u, "k1"), batch)
            found["reference_k3"] = clip_mean(estimate(u, "k3"), batch)
        return found
