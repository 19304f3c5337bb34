"""Are preferences consistent? Circular triads, agreement between judges, and transitivity.

The counts take answers as they are; whether cycles are more than noise asks `hodge.cycle_test`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import permutations, product
from math import comb, prod

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from auralign.errors import DataError
from auralign.stats.arrays import FloatArray, IntArray, sum_by
from auralign.stats.comparisons import check_comparisons
from auralign.types import Comparisons

MAX_EXACT_ITEMS = 10
MAX_EXACT_SUPPORT = 20_000


@dataclass(frozen=True)
class KendallZeta:
    """Consistency of one judge: zeta = 1 - triads / max_triads, 1 for no circular triad.

    expected_triads   by chance; zeta is not 0 there
    p_value           probability of as few circular triads or fewer when each answer is a coin toss
    """

    zeta: float
    triads: int
    max_triads: int
    expected_triads: float
    p_value: float
    method: str


@dataclass(frozen=True)
class KendallU:
    """Agreement of judges on pairs: 1 when all agree, `minimum` when they split evenly.

    chi2, df   the approximation to the null distribution of coin tosses; NaN below 3 judges
    p_value    probability of as much agreement or more by coin tosses, exact where `method` says so
    """

    u: float
    minimum: float
    n_judges: int
    chi2: float
    df: float
    p_value: float
    method: str


@dataclass(frozen=True)
class TransitivityViolations:
    """Triples of items, all three pairs compared, in which some order a, b, c with P(a > b) and
    P(b > c) at least 1/2 has

    weak       P(a > c) < 1/2
    moderate   P(a > c) < min(P(a > b), P(b > c))
    strong     P(a > c) < max(P(a > b), P(b > c))
    """

    triples: int
    weak: int
    moderate: int
    strong: int


def win_matrix(comparisons: Comparisons) -> FloatArray:
    """Weight of wins of row over column, `[items, items]`; a tie is half a win for both.

    Raises `DataError` for broken arrays.
    """
    check_comparisons(comparisons)
    c, n = comparisons, len(comparisons.items)
    of_first = sum_by(c.first * n + c.second, c.weight * c.outcome, n * n)
    of_second = sum_by(c.second * n + c.first, c.weight * (1 - c.outcome), n * n)
    return (of_first + of_second).reshape(n, n)


def kendall_zeta(wins: ArrayLike) -> KendallZeta:
    """Kendall & Babington Smith's coefficient of consistence (1940, Biometrika 31:324).

    `wins` `[items, items]` is a complete tournament of one judge: 1 where row was preferred to
    column, each pair once, no ties. The null distribution is exact up to `MAX_EXACT_ITEMS` items,
    beyond that their chi-square approximation (`chi_square_tail`).

    Raises `DataError` for anything but such a tournament of three items or more.
    """
    table = _tournament(wins)
    n = len(table)
    triads = (n * (n - 1) * (2 * n - 1) // 6 - int((table.sum(axis=1) ** 2).sum())) // 2
    most = (n**3 - n if n % 2 else n**3 - 4 * n) // 24
    exact = n <= MAX_EXACT_ITEMS
    return KendallZeta(
        zeta=1 - triads / most,
        triads=triads,
        max_triads=most,
        expected_triads=comb(n, 3) / 4,
        p_value=_exact_zeta(n, triads) if exact else chi_square_tail(n, triads),
        method="exact" if exact else "chi-square approximation",
    )


def kendall_zeta_by_rater(comparisons: Comparisons) -> dict[str, KendallZeta]:
    """`kendall_zeta` of each rater who judged all pairs of three items or more once, without ties.

    Other raters are left out. Raises `DataError` for broken arrays.
    """
    check_comparisons(comparisons)
    c = comparisons
    found = {}
    for rater, name in enumerate(c.raters):
        rows = np.flatnonzero((c.rater == rater) & (c.weight > 0))
        table = _own_tournament(c.first[rows], c.second[rows], c.outcome[rows])
        if table is not None:
            found[name] = kendall_zeta(table)
    return found


def kendall_u(wins: ArrayLike) -> KendallU:
    """Kendall & Babington Smith's coefficient of agreement (1940, Biometrika 31:324).

    `wins` `[items, items]` counts how many of the m judges preferred row to column; each judge
    judged each pair once, without ties. u = 2 S / (C(m, 2) C(n, 2)) - 1 where S counts the pairs of
    judges who agree, summed over the pairs of items. The null distribution is exact where its
    support is small, else chi-square.

    Raises `DataError` for anything but such counts of two judges or more.
    """
    table, m = _counts(wins)
    n_pairs = comb(len(table), 2)
    agreeing = int((table * (table - 1)).sum()) // 2
    least = comb(m // 2, 2) + comb(m - m // 2, 2)
    chi2, df = _chi_square_u(agreeing, n_pairs, m)
    exact = (comb(m, 2) - least) * n_pairs <= MAX_EXACT_SUPPORT
    return KendallU(
        u=2 * agreeing / (comb(m, 2) * n_pairs) - 1,
        minimum=2 * least / comb(m, 2) - 1,
        n_judges=m,
        chi2=chi2,
        df=df,
        p_value=_exact_u(agreeing, n_pairs, m) if exact else float(special.chdtrc(df, chi2)),
        method="exact" if exact else "chi-square approximation",
    )


def transitivity_violations(wins: ArrayLike) -> TransitivityViolations:
    """How many triples of items break weak, moderate and strong stochastic transitivity.

    `wins` `[items, items]` counts wins of row over column, ties half to both; pairs that were never
    compared leave their triples out. Observed shares scatter, so violations of the moderate and the
    strong form are expected by chance alone. Tversky & Russo (1969, J. Math. Psychol. 6:1).

    Raises `DataError` for a table that is not square, negative, or not finite.
    """
    share = shares_of_wins(_square(wins))
    n, counts = len(share), np.zeros(4, dtype=np.int64)
    for i in range(n - 2):
        upper, lower = np.triu_indices(n - i - 1, 1)
        counts += _violations(share, i, i + 1 + upper, i + 1 + lower)
    return TransitivityViolations(*(int(count) for count in counts))


def triad_distribution(n_items: int) -> dict[int, int]:
    """In how many of the tournaments of `n_items` are there so many circular triads?

    By the scores of growing tournaments: a further item loses to some and beats the others.
    """
    squares: dict[int, int] = {}
    for scores, count in _score_counts(n_items).items():
        total = sum(score**2 for score in scores)
        squares[total] = squares.get(total, 0) + count
    of_transitive = (n_items - 1) * n_items * (2 * n_items - 1) // 6
    return {(of_transitive - total) // 2: squares[total] for total in sorted(squares, reverse=True)}


def chi_square_tail(n: int, triads: int) -> float:
    """Approximate probability of at most so many circular triads by coin tosses.

    Half a triad is counted in, which is the correction for continuity of a lower tail; added, as
    some programs have it, it makes p-values a quarter to a third too small (n = 8 to 12).
    """
    df = n * (n - 1) * (n - 2) / (n - 4) ** 2
    chi2 = 8 / (n - 4) * (comb(n, 3) / 4 - triads - 0.5) + df
    return float(special.chdtrc(df, max(chi2, 0.0)))


def shares_of_wins(wins: FloatArray) -> FloatArray:
    """Share of wins of row over column, NaN where a pair was not compared."""
    total = wins + wins.T
    share: FloatArray = np.full(wins.shape, np.nan)
    np.divide(wins, total, out=share, where=total > 0)
    return share


def _violations(share: FloatArray, i: int, j: IntArray, k: IntArray) -> IntArray:
    """Triples, and violations of each form, among the triples of item `i` with `j` and `k`."""
    sides = {
        (0, 1): share[i, j], (1, 0): share[j, i], (1, 2): share[j, k],
        (2, 1): share[k, j], (0, 2): share[i, k], (2, 0): share[k, i],
    }  # fmt: skip
    complete = np.isfinite(sides[0, 1] + sides[1, 2] + sides[0, 2])
    found = np.zeros((4, len(j)), dtype=bool)
    found[0] = complete
    for a, b, c in permutations(range(3)):
        ab, bc, ac = sides[a, b], sides[b, c], sides[a, c]
        premise = complete & (ab >= 0.5) & (bc >= 0.5)
        bounds = (0.5, np.minimum(ab, bc), np.maximum(ab, bc))
        found[1:] |= [premise & (ac < bound) for bound in bounds]
    counts: IntArray = found.sum(axis=1)
    return counts


@cache
def _score_counts(n_items: int) -> dict[tuple[int, ...], int]:
    """How many labelled tournaments have these sorted scores."""
    if n_items == 1:
        return {(0,): 1}
    counts: dict[tuple[int, ...], int] = {}
    for scores, count in _score_counts(n_items - 1).items():
        levels = sorted(set(scores))
        sizes = [scores.count(level) for level in levels]
        for beaten_by in product(*(range(size + 1) for size in sizes)):
            won = [
                level + 1 if which < times else level
                for level, size, times in zip(levels, sizes, beaten_by, strict=True)
                for which in range(size)
            ]
            key = tuple(sorted([*won, n_items - 1 - sum(beaten_by)]))
            ways = prod(map(comb, sizes, beaten_by))
            counts[key] = counts.get(key, 0) + count * ways
    return counts


@cache
def _triads_below(n_items: int) -> dict[int, float]:
    """Probability of at most so many circular triads."""
    total, below, tails = 2 ** comb(n_items, 2), 0, {}
    for triads, count in sorted(triad_distribution(n_items).items()):
        below += count
        tails[triads] = below / total
    return tails


def _exact_zeta(n: int, triads: int) -> float:
    return _triads_below(n)[triads]


def _chi_square_u(agreeing: int, n_pairs: int, m: int) -> tuple[float, float]:
    if m < 3:
        return np.nan, np.nan
    expected = n_pairs * comb(m, 2) / 2 * (m - 3) / (m - 2)
    return 4 / (m - 2) * (agreeing - expected), n_pairs * m * (m - 1) / (m - 2) ** 2


def _exact_u(agreeing: int, n_pairs: int, m: int) -> float:
    """Sum of independent pairs: the distribution of one, convolved with itself."""
    votes = np.arange(m + 1)
    agree = votes * (votes - 1) // 2 + (m - votes) * (m - votes - 1) // 2
    p = np.exp(special.gammaln(m + 1) - special.gammaln(votes + 1) - special.gammaln(m - votes + 1))
    power, left = np.bincount(agree - agree.min(), p / 2.0**m), n_pairs
    distribution = np.ones(1)
    while left:
        if left % 2:
            distribution = np.convolve(distribution, power)
        power, left = (np.convolve(power, power) if left > 1 else power), left // 2
    return float(min(distribution[agreeing - n_pairs * int(agree.min()) :].sum(), 1.0))


def _own_tournament(first: IntArray, second: IntArray, outcome: FloatArray) -> IntArray | None:
    """The tournament of one rater over the items that they judged, None where it is not one."""
    items, codes = np.unique(np.concatenate([first, second]), return_inverse=True)
    n = len(items)
    if n < 3 or len(first) != comb(n, 2) or (outcome == 0.5).any():
        return None
    a, b = np.split(codes, 2)
    table = np.zeros((n, n), dtype=np.int64)
    table[np.where(outcome == 1, a, b), np.where(outcome == 1, b, a)] = 1
    return table if (table + table.T + np.eye(n, dtype=np.int64) == 1).all() else None


def _tournament(wins: ArrayLike) -> IntArray:
    table = _square(wins)
    whole = ~np.eye(len(table), dtype=bool)
    broken = np.argwhere(whole & ~(np.isin(table, (0, 1)) & (table + table.T == 1)))
    if len(table) < 3 or len(broken) or np.diag(table).any():
        where = f"row {broken[0, 0]}, column {broken[0, 1]}" if len(broken) else "the diagonal"
        raise DataError(
            "expected a complete tournament of at least 3 items: 1 for the preferred item of each "
            f"pair and 0 for the other, got {len(table)} items and something else in {where}"
        )
    return table.astype(np.int64)


def _counts(wins: ArrayLike) -> tuple[IntArray, int]:
    table = _square(wins)
    np.fill_diagonal(table, 0)
    totals = (table + table.T)[np.triu_indices(len(table), 1)]
    whole = (table == np.floor(table)).all()
    if not len(totals) or not whole or np.ptp(totals) > 0 or totals[0] < 2:
        raise DataError(
            "expected whole counts of wins in which each pair was judged by the same two or more "
            f"judges, got totals {sorted(set(totals.tolist()))[:5]}"
        )
    return table.astype(np.int64), int(totals[0])


def _square(wins: ArrayLike) -> FloatArray:
    table = np.array(wins, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] != table.shape[1]:
        raise DataError(f"wins must be [items, items], got shape {list(table.shape)}")
    if not (np.isfinite(table) & (table >= 0)).all():
        raise DataError("wins must be finite counts, none of them negative")
    return table
