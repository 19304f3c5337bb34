"""Which pairs to compare how often: designs, and what they let Bradley-Terry worths be known by.

At log-worths theta a comparison of i and j carries the information p (1 - p), p = expit(theta_i -
theta_j), about their difference: a design is an electrical network with these conductances, and
Var(theta_i - theta_j) is the effective resistance between i and j.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse, special
from scipy.sparse.csgraph import connected_components

from auralign.errors import ConfigError, NotConvergedError
from auralign.stats.arrays import FloatArray, IntArray
from auralign.stats.comparisons import check_comparisons
from auralign.stats.planning.power import check_items
from auralign.types import Comparisons

FIRST_RIDGE = 1e-6


@dataclass(frozen=True, eq=False)
class ComparisonDesign:
    """Pairs `first` < `second`, int `[pairs]`, compared `count` times each, int `[pairs]`."""

    n_items: int
    first: IntArray
    second: IntArray
    count: IntArray

    @property
    def n_comparisons(self) -> int:
        return int(self.count.sum())

    @property
    def appearances(self) -> IntArray:
        """How often each item is heard, `[items]`."""
        both = np.concatenate([self.first, self.second])
        return np.bincount(both, np.tile(self.count, 2), self.n_items).astype(np.int64)

    @property
    def is_connected(self) -> bool:
        """Whether every item is related to every other, if only by a chain of comparisons."""
        edges = sparse.coo_array(
            (self.count, (self.first, self.second)), (self.n_items, self.n_items)
        )
        return bool(connected_components(edges, directed=False)[0] == 1)


@dataclass(frozen=True, eq=False)
class DesignEfficiency:
    """How well a design determines the differences of log-worths.

    d_efficiency     det^(1/(n-1)) of the information on differences, as a share of that of a round
                     robin of equally good items with as many comparisons: the most there can be
    a_efficiency     the same for the mean variance of a difference
    mean_variance    mean of Var(theta_i - theta_j) over pairs
    worst_variance   and the largest, between the items `worst_pair`
    variance         `[items, items]`, of each difference
    """

    d_efficiency: float
    a_efficiency: float
    mean_variance: float
    worst_variance: float
    worst_pair: tuple[int, int]
    variance: FloatArray


def round_robin_design(n_items: int, per_pair: int = 1) -> ComparisonDesign:
    """Every pair of items `per_pair` times."""
    check_items(n_items)
    first, second = np.triu_indices(n_items, 1)
    return ComparisonDesign(n_items, first, second, np.full(len(first), per_pair))


def star_design(n_items: int, per_arm: int = 1, centre: int = 0) -> ComparisonDesign:
    """Every item against the item `centre`, as against a baseline, `per_arm` times."""
    check_items(n_items)
    others = np.delete(np.arange(n_items), centre)
    return _counted(n_items, np.full(n_items - 1, centre), others, per_arm)


def ring_design(n_items: int, per_pair: int = 1) -> ComparisonDesign:
    """Every item against the next one, the last against the first, `per_pair` times."""
    if n_items < 3:
        raise ConfigError(f"a ring needs at least 3 items, got {n_items}")
    here = np.arange(n_items)
    return _counted(n_items, here, (here + 1) % n_items, per_pair)


def balanced_design(n_items: int, n_comparisons: int) -> ComparisonDesign:
    """`n_comparisons` in which items appear equally often and pairs repeat as late as possible.

    Rounds of the circle method (Kirkman 1847) one after the other: in a round every item meets one
    other (one item rests if their number is odd). Two consecutive rounds already connect all
    items. Appearances differ by at most 1 for an even number of items, by at most 2 for an odd one.
    """
    _check_enough(n_items, n_comparisons)
    rounds = _circle_rounds(n_items)
    taken = np.resize(rounds, (n_comparisons, 2))
    return _counted(n_items, taken[:, 0], taken[:, 1], 1)


def random_design(
    n_items: int, n_comparisons: int, *, rng: np.random.Generator
) -> ComparisonDesign:
    """A random tree, which connects all items, then pairs drawn uniformly with replacement."""
    _check_enough(n_items, n_comparisons)
    order = rng.permutation(n_items)
    earlier = order[(rng.random(n_items - 1) * np.arange(1, n_items)).astype(np.int64)]
    first = rng.integers(n_items, size=n_comparisons - n_items + 1)
    shift = rng.integers(1, n_items, size=len(first))
    return _counted(
        n_items,
        np.concatenate([order[1:], first]),
        np.concatenate([earlier, (first + shift) % n_items]),
        1,
    )


def optimal_design(
    n_items: int, n_comparisons: int, *, log_worth: ArrayLike | None = None
) -> ComparisonDesign:
    """Greedy D-optimal: each comparison goes to the pair that raises the determinant most.

    One more comparison of i and j multiplies the determinant by 1 + p (1 - p) Var(theta_i -
    theta_j) (matrix determinant lemma; Wynn 1970, Ann. Math. Stat. 41:1655), so it goes where the
    product is largest. `log_worth` `[items]` is what is believed now (None: all equal). Ties go to
    the first pair.
    """
    _check_enough(n_items, n_comparisons)
    theta = _log_worths(n_items, log_worth)
    gained = special.expit(theta[:, None] - theta) * special.expit(theta - theta[:, None])
    covariance = np.eye(n_items) / FIRST_RIDGE
    pairs = np.empty((n_comparisons, 2), dtype=np.int64)
    upper = np.triu(np.ones((n_items, n_items), dtype=bool), 1)
    for k in range(n_comparisons):
        value = np.where(upper, gained * contrast_variance(covariance), -1.0)
        # Rounding must not decide between pairs that are worth the same.
        best = np.argmax(value >= value.max() * (1 - 1e-9))
        i, j = np.unravel_index(best, value.shape)
        covariance = add_comparison(covariance, int(i), int(j), float(gained[i, j]))
        pairs[k] = i, j
    return _counted(n_items, pairs[:, 0], pairs[:, 1], 1)


def design_of(comparisons: Comparisons) -> ComparisonDesign:
    """The design that was carried out: how often each pair was compared, whatever its order."""
    check_comparisons(comparisons)
    used = comparisons.weight > 0
    return _counted(len(comparisons.items), comparisons.first[used], comparisons.second[used], 1)


def design_efficiency(
    design: ComparisonDesign, *, log_worth: ArrayLike | None = None
) -> DesignEfficiency:
    """D- and A-efficiency of a design, and the variance of each difference.

    With L the information matrix (a weighted Laplacian) and N comparisons of n items: D compares
    the product of the n - 1 positive eigenvalues of L with (N / (2 (n - 1)))^(n-1), A compares
    their harmonic mean; both bounds are those of the round robin at equal worths. `log_worth`
    `[items]` sets the information of a comparison (None: 1/4 each). Raises `NotConvergedError`
    for a design that leaves items unrelated.
    """
    if not design.is_connected:
        raise NotConvergedError(
            f"the design relates not all of its {design.n_items} items, so some differences have "
            "no finite variance; add comparisons between the parts"
        )
    n = design.n_items
    information = laplacian(design, _log_worths(n, log_worth))
    eigenvalues = np.linalg.eigvalsh(information)[1:]
    best = design.n_comparisons / (2 * (n - 1))
    inverse = np.linalg.pinv(information, hermitian=True).astype(np.float64)
    variance = contrast_variance(inverse)
    i, j = np.unravel_index(np.argmax(variance), variance.shape)
    return DesignEfficiency(
        d_efficiency=float(np.exp(np.log(eigenvalues).mean()) / best),
        a_efficiency=float(1 / (np.mean(1 / eigenvalues) * best)),
        mean_variance=float(2 * np.mean(1 / eigenvalues)),
        worst_variance=float(variance[i, j]),
        worst_pair=(int(i), int(j)),
        variance=variance,
    )


def laplacian(design: ComparisonDesign, log_worth: FloatArray | None = None) -> FloatArray:
    """The information matrix `[items, items]` of a design at `log_worth` (None: all equal)."""
    theta = np.zeros(design.n_items) if log_worth is None else log_worth
    margin = theta[design.first] - theta[design.second]
    weight = design.count * special.expit(margin) * special.expit(-margin)
    matrix = np.zeros((design.n_items, design.n_items))
    np.add.at(matrix, (design.first, design.second), -weight)
    matrix += matrix.T
    np.fill_diagonal(matrix, -matrix.sum(axis=1))
    return matrix


def contrast_variance(covariance: FloatArray) -> FloatArray:
    """Var(theta_i - theta_j) for all pairs, `[items, items]`."""
    own = np.diagonal(covariance)
    variance: FloatArray = own[:, None] + own - covariance - covariance.T
    return variance


def add_comparison(covariance: FloatArray, i: int, j: int, information: float) -> FloatArray:
    """The covariance after one more comparison of i and j (Sherman & Morrison 1950)."""
    along = covariance[:, i] - covariance[:, j]
    growth = 1 + information * (along[i] - along[j])
    updated: FloatArray = covariance - np.outer(along, along) * (information / growth)
    return updated


def _counted(n_items: int, first: IntArray, second: IntArray, times: int) -> ComparisonDesign:
    low, high = np.minimum(first, second), np.maximum(first, second)
    keys, count = np.unique(low * np.int64(n_items) + high, return_counts=True)
    return ComparisonDesign(n_items, keys // n_items, keys % n_items, count * times)


def _circle_rounds(n_items: int) -> IntArray:
    """All pairs in rounds of disjoint pairs, `[pairs, 2]`, round after round."""
    size = n_items + n_items % 2
    turning = np.arange(size - 1)
    rounds = []
    for shift in range(size - 1):
        seats = np.append(np.roll(turning, shift), size - 1)
        rounds.append(np.stack([seats[: size // 2], seats[::-1][: size // 2]], axis=1))
    pairs = np.concatenate(rounds)
    return pairs[(pairs < n_items).all(axis=1)]


def _log_worths(n_items: int, log_worth: ArrayLike | None) -> FloatArray:
    theta = np.zeros(n_items) if log_worth is None else np.asarray(log_worth, dtype=np.float64)
    if theta.shape != (n_items,) or not np.isfinite(theta).all():
        raise ConfigError(f"expected {n_items} finite log-worths, got shape {theta.shape}")
    return theta


def _check_enough(n_items: int, n_comparisons: int) -> None:
    check_items(n_items)
    if n_comparisons < n_items - 1:
        raise ConfigError(
            f"{n_items} items cannot be connected by {n_comparisons} comparisons: "
            f"expected at least {n_items - 1}"
        )
