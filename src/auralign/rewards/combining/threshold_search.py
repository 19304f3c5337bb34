"""Thresholds of constraints, searched for without a gradient by what a policy under them scores."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from auralign.errors import ConfigError, NotConvergedError
from auralign.rewards.combining.combination import Float

Evaluate = Callable[[dict[str, float]], float]


@dataclass(frozen=True)
class ThresholdSearch:
    """The best thresholds, their score, and all that was tried, in order, with its scores."""

    thresholds: dict[str, float]
    score: float
    tried: tuple[tuple[dict[str, float], float], ...]


def search_thresholds(
    evaluate: Evaluate,
    ranges: Mapping[str, tuple[float, float]],
    *,
    n_evaluations: int,
    tolerance: float = 0.01,
) -> ThresholdSearch:
    """Nelder-Mead over thresholds within their ranges, for the highest score.

    evaluate        thresholds by name -> score of a policy that was trained under them, such as a
                    held-out win rate; NaN where it could not be scored, which is worse than any
                    score. It should train from the same policy each time: the search compares
    ranges          lowest and highest threshold of each constraint, in the unit of its reward. The
                    first simplex spans the middle half of each range
    n_evaluations   at most, at least 2 more than there are thresholds. None is done twice
    tolerance       the search stops when all thresholds are known to this share of their range

    Raises ConfigError for a range that is empty and for too few evaluations, NotConvergedError
    when nothing could be scored.

    Source: arXiv 2310.04373, where the search goes on within one run
    """
    _check(ranges, n_evaluations)
    low, high = np.array(list(ranges.values()), dtype=np.float64).T
    scores: dict[tuple[float, ...], float] = {}

    def cost(share: Float) -> float:
        at = tuple((low + share * (high - low)).tolist())
        if at not in scores:
            scores[at] = float(evaluate(dict(zip(ranges, at, strict=True))))
        return -scores[at] if math.isfinite(scores[at]) else sys.float_info.max

    _nelder_mead(cost, len(ranges), n_evaluations, tolerance)
    tried = tuple((dict(zip(ranges, at, strict=True)), score) for at, score in scores.items())
    ranked = [found for found in tried if math.isfinite(found[1])]
    if not ranked:
        raise NotConvergedError(
            f"none of {len(tried)} choices of thresholds could be scored: look at what the "
            "evaluation does under one of them"
        )
    best, score = max(ranked, key=lambda found: found[1])
    return ThresholdSearch(best, score, tried)


def _nelder_mead(
    cost: Callable[[Float], float], n: int, n_evaluations: int, tolerance: float
) -> None:
    """Minimise over the unit cube, until the simplex is no wider than `tolerance`."""
    from scipy.optimize import minimize

    simplex = np.full((n + 1, n), 0.25)
    simplex[1:][np.diag_indices(n)] = 0.75
    minimize(
        cost,
        simplex[0],
        method="Nelder-Mead",
        bounds=[(0.0, 1.0)] * n,
        options={
            "initial_simplex": simplex,
            "maxfev": n_evaluations,
            "xatol": tolerance,
            # The unit of the score is not known, so that it cannot say when to stop.
            "fatol": math.inf,
        },
    )


def _check(ranges: Mapping[str, tuple[float, float]], n_evaluations: int) -> None:
    for name, (low, high) in ranges.items():
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ConfigError(
                f"expected a range of '{name}' from low to high, got {low:g} to {high:g}"
            )
    if not ranges or n_evaluations < len(ranges) + 2:
        raise ConfigError(
            "expected at least 1 threshold, and 2 evaluations more than thresholds, got "
            f"{len(ranges)} and {n_evaluations}"
        )
