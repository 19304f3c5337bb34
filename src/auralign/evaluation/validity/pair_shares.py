"""Shares of pairs, with intervals that know which systems or prompts the pairs are about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from auralign.errors import NotConvergedError
from auralign.stats.arrays import FloatArray, IntArray, sum_by
from auralign.stats.intervals import cluster_bootstrap, exact_limits
from auralign.types import Comparisons, Estimate

FEWEST_SYSTEMS = 5
"""With fewer, prompts are resampled instead, and the interval holds for these systems only."""

N_RESAMPLES = 1000

MOST_DENSE = 64
"""Units up to which a full matrix of their pairs is the faster one."""


@dataclass(frozen=True, eq=False)
class Units:
    """What is drawn again for an interval: systems or prompts, by the clip `[clips]`."""

    of_clip: IntArray
    name: str

    @classmethod
    def of(cls, system: IntArray, prompt: IntArray) -> Units:
        """Systems where there are enough of them, else prompts."""
        if len(np.unique(system)) >= FEWEST_SYSTEMS:
            return cls(system, "systems")
        return cls(prompt, "prompts")


def pair_share(
    values: FloatArray,
    pairs: Comparisons,
    units: Units,
    *,
    what: str,
    is_share: bool = True,
    rng: np.random.Generator,
    level: float = 0.95,
) -> Estimate:
    """Mean of `values` `[pairs]`, rows that are NaN left out, with a percentile interval.

    A pair of two units counts the product of how often both were drawn, a pair within one unit how
    often that was (a U-statistic under resampling: Arcones & Gine 1992, Ann. Stat. 20:655). In a
    simulation with 4 to 15 systems it covered the truth in 91 to 95 % of the cases. Where a share
    is 0 or 1 the bootstrap would claim certainty: then the limits are Clopper-Pearson's with as
    many trials as different units were compared, or prompts. There is no interval, as `method`
    says, with a single unit, or so few pairs that most resamples hold none. `n` counts the pairs.
    """
    rows = np.flatnonzero(np.isfinite(values) & (pairs.weight > 0))
    used, weight = values[rows], pairs.weight[rows]
    mean = float(np.average(used, weights=weight)) if len(rows) else float("nan")
    first, second = units.of_clip[pairs.first[rows]], units.of_clip[pairs.second[rows]]
    codes, n_units = _renumbered(first, second)
    if n_units < 2:
        remark = f"{what}; one of the {units.name} only: no interval"
        return Estimate(mean, np.nan, np.nan, level, len(rows), n_units, remark)
    if is_share and np.ptp(used) == 0 and used[0] in (0.0, 1.0):
        n = len(np.unique(np.sort(np.stack(codes), axis=0), axis=1).T)
        low, high = exact_limits(mean * n, n, level)
        method = f"{what}; all equal: Clopper-Pearson on {n} combinations of {units.name}"
        return Estimate(mean, low, high, level, len(rows), n_units, method)
    statistic = _weighted_mean(used * weight, weight, codes, n_units)
    try:
        found = cluster_bootstrap(
            statistic, np.arange(n_units), rng=rng, n_resamples=N_RESAMPLES, level=level
        )
    except NotConvergedError:
        remark = f"{what}; most resamples of {units.name} hold no pair: no interval"
        return Estimate(mean, np.nan, np.nan, level, len(rows), n_units, remark)
    method = f"{what}; percentile bootstrap over {n_units} {units.name}, {N_RESAMPLES} resamples"
    return replace(found, n=len(rows), method=method)


def _renumbered(first: IntArray, second: IntArray) -> tuple[tuple[IntArray, IntArray], int]:
    names, codes = np.unique(np.concatenate([first, second]), return_inverse=True)
    return (codes[: len(first)], codes[len(first) :]), len(names)


def _weighted_mean(
    total: FloatArray, weight: FloatArray, codes: tuple[IntArray, IntArray], n_units: int
) -> Callable[[IntArray], float]:
    """The mean as a function of how often each unit was drawn."""
    within = codes[0] == codes[1]
    shape = (n_units, n_units)

    def split(values: FloatArray) -> tuple[FloatArray, Any]:
        own = sum_by(codes[0][within], values[within], n_units)
        place = codes[0][~within], codes[1][~within]
        between = sparse.coo_array((values[~within], place), shape)
        return own, between.toarray() if n_units <= MOST_DENSE else between.tocsr()

    (own_total, total_between), (own_weight, weight_between) = split(total), split(weight)

    def mean(counts: IntArray) -> float:
        drawn = own_weight @ counts + counts @ (weight_between @ counts)
        held = own_total @ counts + counts @ (total_between @ counts)
        return float(held / drawn) if drawn else float("nan")

    return mean
