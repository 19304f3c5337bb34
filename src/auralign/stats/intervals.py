"""Intervals for clustered judgements: answers of one listener, or about one prompt, move together.

Resampling draws whole clusters. A resample is a vector of counts (how often each row was drawn),
so a statistic that takes weights can be computed without copying data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse, special

from auralign.errors import ConfigError, DataError, NotConvergedError
from auralign.stats.arrays import FloatArray, IntArray
from auralign.types import Estimate

Labels = Sequence[str] | Sequence[int] | NDArray[np.generic]
Statistic = Callable[[IntArray], float]


def cluster_bootstrap(
    statistic: Statistic,
    clusters: Labels,
    *,
    rng: np.random.Generator,
    n_resamples: int = 2000,
    level: float = 0.95,
) -> Estimate:
    """Percentile interval from resampling whole clusters with replacement.

    `statistic` takes counts, int `[n]`: how often each row was drawn (all ones: the data itself),
    and returns a float; for one that takes rows, use `np.repeat(np.arange(n), counts)`. Resamples
    in which it is not finite are left out, and `method` says how many. With fewer than about 20
    clusters percentile intervals are too narrow (Cameron, Gelbach & Miller 2008).

    Raises `DataError` with fewer than two clusters, `NotConvergedError` when the statistic does
    not exist on the data or on most resamples.
    """
    _check_settings(n_resamples, level)
    cluster, n_clusters = _codes(clusters)
    if n_clusters < 2:
        raise DataError(f"a cluster bootstrap needs at least 2 clusters, got {n_clusters}")
    drawn = (_multinomial_counts(n_clusters, 1, rng)[0, cluster] for _ in range(n_resamples))
    draws = np.array([statistic(counts) for counts in drawn])
    value = float(statistic(np.ones(len(cluster), dtype=np.int64)))
    low, high, left_out = _percentile(value, draws, level)
    method = f"percentile bootstrap over {n_clusters} clusters, {n_resamples} resamples{left_out}"
    return Estimate(value, low, high, level, len(cluster), n_clusters, method)


def win_rate(
    first_wins: ArrayLike,
    listener: Labels,
    prompt: Labels,
    *,
    rng: np.random.Generator,
    n_resamples: int = 2000,
    level: float = 0.95,
) -> Estimate:
    """Share of votes that the first of two systems wins, ties half, over listeners and prompts.

    `first_wins` is float `[n]`: 1, 0, or 0.5 for a tie; `listener` and `prompt` are labels `[n]`.
    The interval is for new listeners *and* new prompts: both are resampled, independently, and a
    vote counts the product of its two counts (the pigeonhole bootstrap: Owen 2007, Ann. Appl.
    Stat. 1:386; Owen & Eckles 2012, Ann. Appl. Stat. 6:895). That is slightly conservative: it
    counts the variance of single votes up to three times. A side with a single level cannot be
    resampled; `method` then says that the interval holds for that listener or prompt only. When
    all votes are equal the bootstrap would claim certainty, so the interval is Clopper-Pearson's
    with `n_clusters` independent votes. `n_clusters` is the size of the smaller resampled side.

    Raises `DataError` for votes outside {0, 0.5, 1}, and with one listener and one prompt.
    """
    _check_settings(n_resamples, level)
    votes = np.asarray(first_wins, dtype=np.float64)
    sides = {"listener": _codes(listener), "prompt": _codes(prompt)}
    _check_votes(votes, sides)
    n_clusters = min(size for _, size in sides.values() if size > 1)
    over = " x ".join(_count_of(name, size) for name, (_, size) in sides.items())
    if np.ptp(votes) == 0:
        low, high = exact_limits(float(votes[0]) * n_clusters, n_clusters, level)
        method = f"win rate, ties half; all votes equal: Clopper-Pearson on {n_clusters} clusters"
    else:
        draws = _two_way_means(votes, sides["listener"], sides["prompt"], n_resamples, rng)
        low, high, left_out = _percentile(float(votes.mean()), draws, level)
        method = (
            f"win rate, ties half; two-way percentile bootstrap over {over}, "
            f"{n_resamples} resamples{left_out}"
        )
    return Estimate(float(votes.mean()), low, high, level, len(votes), n_clusters, method)


def difference_interval(
    before: ArrayLike,
    after: ArrayLike,
    prompt: Labels,
    *,
    rng: np.random.Generator,
    n_resamples: int = 2000,
    level: float = 0.95,
) -> Estimate:
    """Mean of `after - before`, paired, with an interval from resampling prompts.

    All arguments are `[n]`, row k of each about the same pair. NaN is a missing value: its pair
    is left out, never taken as zero, and `method` says how many were. Raises `DataError` when
    fewer than two prompts have a complete pair.
    """
    difference = np.asarray(after, dtype=np.float64) - np.asarray(before, dtype=np.float64)
    cluster, _ = _codes(prompt)
    _check_length("prompt", len(cluster), len(difference))
    complete = np.isfinite(difference)
    found = difference[complete]
    estimate = cluster_bootstrap(
        lambda counts: float(np.average(found, weights=counts)),
        cluster[complete],
        rng=rng,
        n_resamples=n_resamples,
        level=level,
    )
    missing = len(difference) - len(found)
    suffix = f" ({missing} of {len(difference)} pairs incomplete, left out)" if missing else ""
    return replace(estimate, method=f"mean paired difference; {estimate.method}{suffix}")


def check_level(level: float) -> None:
    """Raise `ConfigError` for a level of confidence that is not between 0 and 1."""
    if not 0 < level < 1:
        raise ConfigError(f"level must be between 0 and 1, got {level}")


def _codes(labels: Labels) -> tuple[IntArray, int]:
    names, codes = np.unique(np.asarray(labels), return_inverse=True)
    return codes, len(names)


def _multinomial_counts(n: int, n_resamples: int, rng: np.random.Generator) -> IntArray:
    """How often each of n clusters was drawn, int `[n_resamples, n]`."""
    return rng.multinomial(n, np.full(n, 1 / n), size=n_resamples)


def _side_counts(size: int, n_resamples: int, rng: np.random.Generator) -> IntArray:
    if size == 1:
        return np.ones((n_resamples, 1), dtype=np.int64)
    return _multinomial_counts(size, n_resamples, rng)


def _two_way_means(
    votes: FloatArray,
    listener: tuple[IntArray, int],
    prompt: tuple[IntArray, int],
    n_resamples: int,
    rng: np.random.Generator,
) -> FloatArray:
    """Weighted means `[n_resamples]`; the weight of a vote is the product of its sides' counts."""
    (row, n_rows), (column, n_columns) = listener, prompt
    by_listener = _side_counts(n_rows, n_resamples, rng)
    by_prompt = _side_counts(n_columns, n_resamples, rng)
    shape = (n_rows, n_columns)
    won = sparse.coo_array((votes, (row, column)), shape).tocsr()
    cast = sparse.coo_array((np.ones_like(votes), (row, column)), shape).tocsr()
    numerator = np.einsum("rp,rp->r", by_listener @ won, by_prompt)
    denominator = np.einsum("rp,rp->r", by_listener @ cast, by_prompt)
    # In a thin design a resample can hold no vote at all: NaN, which _percentile leaves out.
    means: FloatArray = np.full(n_resamples, np.nan)
    np.divide(numerator, denominator, out=means, where=denominator > 0)
    return means


def _percentile(value: float, draws: FloatArray, level: float) -> tuple[float, float, str]:
    """Low, high, and a remark about resamples without a value."""
    finite = draws[np.isfinite(draws)]
    if not np.isfinite(value) or len(finite) <= len(draws) // 2:
        raise NotConvergedError(
            f"the statistic is {value} on the data and exists on {len(finite)} of {len(draws)} "
            "resamples: there is too little data for an interval"
        )
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    empty = len(draws) - len(finite)
    return float(low), float(high), f" ({empty} without a value, left out)" if empty else ""


def exact_limits(successes: float, n: float, level: float) -> tuple[float, float]:
    """Limits of a binomial share (Clopper & Pearson 1934, Biometrika 26:404)."""
    tail, failures = (1 - level) / 2, n - successes
    low = special.betaincinv(successes, failures + 1, tail) if successes > 0 else 0.0
    high = special.betaincinv(successes + 1, failures, 1 - tail) if failures > 0 else 1.0
    return float(low), float(high)


def _count_of(name: str, size: int) -> str:
    return f"{size} {name}s" if size > 1 else f"one {name} (the interval holds for it only)"


def _check_votes(votes: FloatArray, sides: dict[str, tuple[IntArray, int]]) -> None:
    for name, (codes, _) in sides.items():
        _check_length(name, len(codes), len(votes))
    strange = votes[~np.isin(votes, (0.0, 0.5, 1.0))]
    if len(strange):
        raise DataError(f"votes must be 1, 0 or 0.5 for a tie, got {strange[0]}")
    if all(size < 2 for _, size in sides.values()):
        raise DataError("a win rate needs votes of at least 2 listeners or about 2 prompts")


def _check_settings(n_resamples: int, level: float) -> None:
    check_level(level)
    if n_resamples < 2:
        raise ConfigError(f"n_resamples must be at least 2, got {n_resamples}")


def _check_length(name: str, length: int, expected: int) -> None:
    if length != expected:
        raise DataError(f"expected one {name} for each of {expected} rows, got {length}")
