"""Permutation tests of paired differences: under no difference each sign is a coin flip."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from auralign.errors import ConfigError, DataError
from auralign.stats.arrays import FloatArray, sum_by
from auralign.stats.hypotheses.result import Alternative, HypothesisTest, check_alternative
from auralign.stats.intervals import Labels, check_level
from auralign.stats.means import mean_over_clusters

# 2^20 sums are a few milliseconds.
_LARGEST_EXACT = 20


def sign_flip_test(
    differences: ArrayLike,
    *,
    clusters: Labels | None = None,
    rng: np.random.Generator,
    n_permutations: int = 10_000,
    alternative: Alternative = "two-sided",
    level: float = 0.95,
) -> HypothesisTest:
    """Test that `differences` `[n]` are symmetric about zero, by flipping signs (Fisher 1935).

    `clusters`, labels `[n]`, for example listeners, are flipped whole: answers of one listener may
    depend on each other, listeners may not. With up to 20 clusters all flips are counted and the
    p-value is exact; beyond, `n_permutations` random ones, counting the observed one (Phipson &
    Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9:39). The statistic is the mean difference; its
    interval is Student's t over clusters (cluster-robust, corrected by C / (C - 1)).

    Raises `DataError` for fewer than two clusters, values that are not finite, or zeros only.
    """
    check_alternative(alternative)
    check_level(level)
    if n_permutations < 1:
        raise ConfigError(f"n_permutations must be at least 1, got {n_permutations}")
    values, cluster, n_clusters = _checked(differences, clusters)
    sums = sum_by(cluster, values, n_clusters)
    flipped = _all_flips(sums) if n_clusters <= _LARGEST_EXACT else None
    exact = flipped is not None
    if flipped is None:
        flipped = _random_flips(sums, n_permutations, rng)
    p_value = _p_value(flipped, float(sums.sum()), alternative, exact)
    how = "all flips" if exact else f"{n_permutations} random flips"
    return HypothesisTest(
        f"sign-flip permutation test of {n_clusters} clusters, {how}",
        float(values.mean()),
        p_value,
        len(values),
        alternative,
        mean_over_clusters(values, cluster, level=level),
    )


def _checked(
    differences: ArrayLike, clusters: Labels | None
) -> tuple[FloatArray, np.ndarray[tuple[int, ...], np.dtype[np.int64]], int]:
    values = np.asarray(differences, dtype=np.float64)
    labels = np.arange(len(values)) if clusters is None else np.asarray(clusters)
    names, cluster = np.unique(labels, return_inverse=True)
    if len(values) != len(cluster) or len(names) < 2:
        raise DataError(
            f"a sign-flip test needs a cluster for each difference and at least 2 of them, got "
            f"{len(cluster)} labels of {len(names)} clusters for {len(values)} differences"
        )
    if not np.isfinite(values).all():
        raise DataError("differences must be finite; leave incomplete pairs out")
    if not values.any():
        raise DataError("all differences are zero: there is nothing to flip")
    return values, cluster, len(names)


def _all_flips(sums: FloatArray) -> FloatArray:
    """The total under each of the 2^C flips."""
    totals = np.zeros(1)
    for cluster_sum in sums:
        totals = np.concatenate([totals + cluster_sum, totals - cluster_sum])
    return totals


def _random_flips(sums: FloatArray, n: int, rng: np.random.Generator) -> FloatArray:
    """Totals under random flips, in blocks of some megabytes."""
    block = max(1, 4_000_000 // len(sums))
    sizes = [min(block, n - begin) for begin in range(0, n, block)]
    return np.concatenate([(2.0 * rng.integers(0, 2, (k, len(sums))) - 1) @ sums for k in sizes])


def _p_value(flipped: FloatArray, observed: float, alternative: Alternative, exact: bool) -> float:
    # Equal totals that were summed in another order differ by rounding.
    margin = 1e-12 * float(np.abs(flipped).max(initial=abs(observed)))
    at_least = {
        "two-sided": np.abs(flipped) >= abs(observed) - margin,
        "greater": flipped >= observed - margin,
        "less": flipped <= observed + margin,
    }[alternative]
    extreme = int(at_least.sum())
    return extreme / len(flipped) if exact else (extreme + 1) / (len(flipped) + 1)
