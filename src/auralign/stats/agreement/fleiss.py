"""Fleiss's kappa, and Randolph's with free marginals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from auralign.stats.agreement.category_counts import (
    CategoryWeights,
    Kappa,
    category_counts,
    chance_corrected,
)


def fleiss_kappa(
    ratings: ArrayLike,
    *,
    weights: CategoryWeights = "identity",
    categories: Sequence[float] | None = None,
    level: float = 0.95,
) -> Kappa:
    """Agreement of many raters beyond that of raters who draw from the pooled categories.

    `ratings` is float `[rater, unit]`, NaN where missing. Fleiss 1971 (Psychol. Bull. 76:378) for
    complete tables; with missing ratings each unit counts the same in the pool, as in Gwet 2014.
    Raises `DataError` when no unit has two ratings, `NotConvergedError` when all are equal.
    """
    table = category_counts(ratings, weights, categories)
    pool = table.shares.mean(axis=0)
    mean_weight = table.weights @ pool
    name = f"Fleiss's kappa, {weights} weights"
    return chance_corrected(
        name, table, float(pool @ mean_weight), table.shares @ mean_weight, level
    )


def fleiss_kappa_by_category(ratings: ArrayLike) -> dict[float, float]:
    """For each category the kappa of that category against all others (Fleiss 1971, eq. 23).

    NaN for a category that holds all ratings. Raises `DataError` as `fleiss_kappa` does.
    """
    table = category_counts(ratings, "identity", None)
    size = table.counts.sum(axis=1)
    used, n = table.counts[size >= 2], size[size >= 2, None]
    pool = table.shares.mean(axis=0)
    disagreement = (used * (n - used) / (n * (n - 1))).mean(axis=0)
    chance = pool * (1 - pool)
    kappa = np.full(len(pool), np.nan)
    np.divide(disagreement, chance, out=kappa, where=chance > 0)
    return dict(zip(table.categories.tolist(), (1 - kappa).tolist(), strict=True))


def randolph_kappa(
    ratings: ArrayLike,
    *,
    weights: CategoryWeights = "identity",
    categories: Sequence[float] | None = None,
    level: float = 0.95,
) -> Kappa:
    """Agreement beyond that of raters who draw from all categories alike (free marginals).

    Randolph 2005; with weights the coefficient of Brennan & Prediger 1981 (Educ. Psychol. Meas.
    41:687). Name the `categories` of the scale: those that nobody chose count too. Raises as
    `fleiss_kappa` does.
    """
    table = category_counts(ratings, weights, categories)
    expected = float(table.weights.mean())
    constant = np.full(len(table.counts), expected)
    return chance_corrected(
        f"Randolph's kappa, {weights} weights", table, expected, constant, level
    )
