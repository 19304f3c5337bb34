"""Intervals from halves of the raters, for statistics that resampling with replacement distorts.

A resample with replacement holds some raters twice and others not at all, so its noise is larger
than the data's. What noise pulls in one direction, as it pulls correlations to zero, is then pulled
twice, and percentile intervals may exclude the estimate itself. Half-samples hold nobody twice;
only how far they differ from each other is used, and not where they lie.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from auralign.errors import ConfigError, DataError
from auralign.stats.arrays import FloatArray
from auralign.stats.intervals import check_level
from auralign.types import Estimate

Statistics = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, eq=False)
class HalfSampled:
    """Statistics of all raters `[k]`, and their standard errors `[k]`.

    The error is NaN where fewer than half of the halves have a value. `missing` `[k]` counts the
    halves without one.
    """

    values: FloatArray
    errors: FloatArray
    missing: FloatArray
    n_raters: int
    n_halves: int

    def estimate(
        self,
        k: int,
        what: str,
        *,
        n: int,
        level: float,
        bounds: tuple[float, float] = (-np.inf, np.inf),
    ) -> Estimate:
        """The k-th statistic with Student's t interval, cut at its `bounds`; `n` observations.

        There is no interval where all halves have the same value, as says its `method`.
        """
        check_level(level)
        value, error = float(self.values[k]), float(self.errors[k])
        method = f"{what}; {self.n_halves} half-samples of {self.n_raters} raters"
        if not error > 0:
            reason = "too few with a value" if np.isnan(error) else "all of one value"
            words = f"{method}, {reason}: no interval"
            return Estimate(value, np.nan, np.nan, level, n, self.n_raters, words)
        half = float(special.stdtrit(self.n_raters - 1, (1 + level) / 2)) * error
        left_out = f" ({self.missing[k]:.0f} without a value)" if self.missing[k] else ""
        return Estimate(
            value,
            max(value - half, bounds[0]),
            min(value + half, bounds[1]),
            level,
            n,
            self.n_raters,
            f"{method}{left_out}, Student's t",
        )


def half_sampled(
    statistics: Statistics, n_raters: int, *, rng: np.random.Generator, n_splits: int = 100
) -> HalfSampled:
    """Standard errors from random halves of the raters (McCarthy 1969; Shao & Wu 1989).

    `statistics` takes which raters count, 1.0 or 0.0 `[n_raters]`, and returns `[k]`, NaN where one
    does not exist. The variance is the mean over halves of m / (n - m) (value - mean)^2, m the size
    of the half: unbiased for means, and the jackknife that deletes half of the sample, which unlike
    the one that deletes a single rater is consistent for ranks and signs (Shao & Wu, Ann. Stat.
    17:1176).

    Raises `DataError` with fewer than 2 raters, `ConfigError` for fewer than 2 splits.
    """
    if n_raters < 2:
        raise DataError(f"half-samples need at least 2 raters, got {n_raters}")
    if n_splits < 2:
        raise ConfigError(f"n_splits must be at least 2, got {n_splits}")
    values = statistics(np.ones(n_raters))
    halves, scale = [], []
    for _ in range(n_splits):
        inside = np.zeros(n_raters)
        inside[rng.permutation(n_raters)[: n_raters // 2]] = 1
        for half in (inside, 1 - inside):
            halves.append(statistics(half))
            scale.append(half.sum() / (n_raters - half.sum()))
    return _summed_up(values, np.array(halves), np.array(scale), n_raters)


def _summed_up(
    values: FloatArray, halves: FloatArray, scale: FloatArray, n_raters: int
) -> HalfSampled:
    there = np.isfinite(halves)
    n = there.sum(axis=0)
    enough = (2 * n >= len(halves)) & np.isfinite(values)
    filled = np.where(there, halves, 0.0)
    mean = filled.sum(axis=0) / np.maximum(n, 1)
    squares = np.where(there, scale[:, None] * (filled - mean) ** 2, 0.0).sum(axis=0)
    # Rounding errors of one value are no spread.
    variance = np.where(squares > 1e-24, squares, 0.0) / np.maximum(n, 1)
    errors = np.where(enough, np.sqrt(variance), np.nan)
    return HalfSampled(values, errors, (len(halves) - n).astype(np.float64), n_raters, len(halves))
