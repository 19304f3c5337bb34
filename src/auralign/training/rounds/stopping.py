"""When to stop, and which round to keep: by what listeners prefer on held-out prompts.

Every published curve of rounds peaks early and falls after its peak, with fresh pairs later than
with old ones (arXiv 2404.05600, 2412.21037, 2509.18531).
"""

from __future__ import annotations

from collections.abc import Sequence

from auralign.training.rounds.records import HeldOut

BEFORE = HeldOut(0.5, 0.0, 0)
"""The policy before round 1, which listeners cannot tell from itself."""


def best_round(found: Sequence[HeldOut]) -> int:
    """Number of the round that listeners prefer most, the earliest of equals; 0 for none.

    0 stands for the policy before round 1: no round was preferred to it.
    """
    preferences = [held_out.preference for held_out in (BEFORE, *found)]
    return max(range(len(preferences)), key=preferences.__getitem__)


def rounds_without_rise(found: Sequence[HeldOut]) -> int:
    """Rounds since the last one that rose above all before it by more than its standard error."""
    last, level = 0, BEFORE.preference
    for number, held_out in enumerate(found, start=1):
        # An error that is not known (a single prompt) proves no rise.
        if held_out.preference - level > held_out.error:
            last, level = number, held_out.preference
    return len(found) - last


def stop_reason(found: Sequence[HeldOut], patience: int | None) -> str | None:
    """Why no further round is run, or None; without a patience there is no reason."""
    n = rounds_without_rise(found)
    if patience is None or n < patience:
        return None
    return (
        f"held-out preference has not risen by more than its standard error for {n} rounds: "
        f"round {best_round(found)} is kept"
    )
