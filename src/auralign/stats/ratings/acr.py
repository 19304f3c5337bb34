"""Absolute category ratings: mean opinion scores of systems (ITU-T P.800, P.808, P.910)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from auralign.errors import ConfigError, DataError
from auralign.stats.hypotheses.friedman import wilcoxon_pairs
from auralign.stats.hypotheses.result import FamilyOfTests
from auralign.stats.means import mean_over_clusters, mean_over_raters_and_items
from auralign.stats.ratings.system_ratings import SystemRatings
from auralign.types import Estimate


@dataclass(frozen=True, slots=True)
class AcrSystem:
    """The ratings of one system (a condition, in the words of P.800).

    mos           mean opinion score; interval for new raters and new items
    mos_by_vote   the same with the interval of P.800, B.4: votes as if they were independent
    votes         how often each category was chosen
    """

    system: str
    mos: Estimate
    mos_by_vote: Estimate
    standard_deviation: float
    votes: Mapping[float, int]


@dataclass(frozen=True, slots=True)
class AcrResult:
    """Systems, best first, and all pairs of them by Wilcoxon's test adjusted by Holm."""

    systems: tuple[AcrSystem, ...]
    comparisons: FamilyOfTests | None
    warnings: tuple[str, ...]


def analyse_acr(
    ratings: SystemRatings, *, pair_by: Literal["rater", "item"] = "rater", level: float = 0.95
) -> AcrResult:
    """Mean opinion scores with intervals that know raters and items, and comparisons of systems.

    Systems are compared by the means of raters who rated both, or with `pair_by="item"` by the
    means of items that both made, as where raters hear few systems each. `comparisons` is None,
    with the reason among the warnings, when a pair shares none.
    """
    if pair_by not in ("rater", "item"):
        raise ConfigError(f"pair_by must be 'rater' or 'item', got '{pair_by}'")
    systems = [_system(ratings, k, level) for k in range(len(ratings.systems))]
    comparisons, problem = _compare(ratings, pair_by)
    few = [f"'{s.system}' ({s.mos.n_clusters})" for s in systems if s.mos.n_clusters < 8]
    remarks = [problem] if problem else []
    if few:
        remarks.append(
            f"few raters or items, so intervals are rough: {', '.join(few)}; P.800 tests have 24 "
            "raters or more"
        )
    best_first = tuple(sorted(systems, key=lambda system: -system.mos.value))
    return AcrResult(best_first, comparisons, tuple(remarks))


def _system(ratings: SystemRatings, system: int, level: float) -> AcrSystem:
    rows = ratings.system == system
    values = ratings.values[rows]
    categories, counts = np.unique(values, return_counts=True)
    return AcrSystem(
        ratings.systems[system],
        mean_over_raters_and_items(values, ratings.rater[rows], ratings.item[rows], level=level),
        mean_over_clusters(values, np.arange(len(values)), level=level),
        float(values.std(ddof=1)) if len(values) > 1 else float("nan"),
        dict(zip(categories.tolist(), counts.tolist(), strict=True)),
    )


def _compare(ratings: SystemRatings, pair_by: str) -> tuple[FamilyOfTests | None, str]:
    if len(ratings.systems) < 2:
        return None, "one system: nothing to compare"
    means = ratings.by_rater() if pair_by == "rater" else ratings.by_item()
    family = f"all pairs of {len(ratings.systems)} systems, means by {pair_by}"
    try:
        return wilcoxon_pairs(means, ratings.systems, family=family), ""
    except DataError as error:
        return None, f"systems are not compared by {pair_by}: {error}"
