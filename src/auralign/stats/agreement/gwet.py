"""Gwet's AC1 and AC2, which do not collapse when nearly all ratings are in one category."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from auralign.errors import NotConvergedError
from auralign.stats.agreement.category_counts import (
    CategoryWeights,
    Kappa,
    category_counts,
    chance_corrected,
)


def gwet_ac1(
    ratings: ArrayLike, *, categories: Sequence[float] | None = None, level: float = 0.95
) -> Kappa:
    """AC1 of `ratings`, float `[rater, unit]`, NaN where missing (Gwet 2008, Br. J. Math. Stat.
    Psychol. 61:29): chance agreement is that of raters who guess on hard units only.

    Raises `DataError` when no unit has two ratings, `NotConvergedError` with one category only;
    name the `categories` of the scale where raters may have used one of them throughout.
    """
    return gwet_ac2(ratings, weights="identity", categories=categories, level=level)


def gwet_ac2(
    ratings: ArrayLike,
    *,
    weights: CategoryWeights,
    categories: Sequence[float] | None = None,
    level: float = 0.95,
) -> Kappa:
    """AC1 with partial credit for near categories (Gwet 2014, ch. 4). Raises as `gwet_ac1`."""
    table = category_counts(ratings, weights, categories)
    n_categories = len(table.categories)
    if n_categories < 2:
        raise NotConvergedError(
            "Gwet's coefficient does not exist with one category: name all `categories` of the "
            "scale, also those that nobody chose"
        )
    pool = table.shares.mean(axis=0)
    factor = table.weights.sum() / (n_categories * (n_categories - 1))
    expected = float(factor * (pool @ (1 - pool)))
    name = "Gwet's AC1" if weights == "identity" else f"Gwet's AC2, {weights} weights"
    by_unit = np.asarray(factor * (table.shares @ (1 - pool)))
    return chance_corrected(name, table, expected, by_unit, level)
