"""Percent agreement: not corrected for chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from auralign.stats.agreement.category_counts import (
    CategoryWeights,
    category_counts,
    chance_corrected,
)
from auralign.types import Estimate


def percent_agreement(
    ratings: ArrayLike,
    *,
    weights: CategoryWeights = "identity",
    categories: Sequence[float] | None = None,
    level: float = 0.95,
) -> Estimate:
    """Share of pairs of raters that agree, each unit counting the same.

    `ratings` is float `[rater, unit]`, NaN where missing; units with one rating say nothing. With
    `weights` a pair counts as far as it agrees (`category_weights`). The interval is Student's t
    over units. Raises `DataError` when no unit has two ratings.
    """
    table = category_counts(ratings, weights, categories)
    name = f"percent agreement, {weights} weights"
    estimate = chance_corrected(name, table, 0.0, np.zeros(len(table.counts)), level).estimate
    return replace(estimate, low=float(np.maximum(estimate.low, 0.0)))
