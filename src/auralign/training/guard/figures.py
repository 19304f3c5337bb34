"""Figures that rules read, made of what trainers log under names of their own."""

from __future__ import annotations

import math
from collections.abc import Mapping

from auralign.training.guard.bands import Shift


def with_derived(
    figures: Mapping[str, float],
    *,
    kl_budget: float | None = None,
    entropy_before: float | None = None,
) -> dict[str, float]:
    """The figures, and those that follow from them.

    kl_share_of_budget    the best estimate of KL there is (exact, k1, k3), over `kl_budget` [nats]
    token_entropy_ratio   over that of the SFT policy [nats]
    duration_excess       by how much clips are longer or shorter: 0.25 for x 1.25 and for x 0.8
    """
    found = {k: float(v) for k, v in figures.items() if v is not None and math.isfinite(v)}
    kl = next((found[n] for n in ("kl_exact", "kl", "kl_k3") if n in found), None)
    if kl is not None and kl_budget:
        found["kl_share_of_budget"] = kl / kl_budget
    if entropy_before and "token_entropy" in found:
        found["token_entropy_ratio"] = found["token_entropy"] / entropy_before
    ratio = found.get("duration_ratio", 0.0)
    if ratio > 0:
        found["duration_excess"] = max(ratio, 1 / ratio) - 1
    return found


def changes_of_rewards(clips: Mapping[str, Shift]) -> dict[str, float]:
    """Changes of the proxy and of the held-out reward, for the history and the curves."""
    return {f"{name}_change": clips[name].change for name in ("proxy", "held_out") if name in clips}
