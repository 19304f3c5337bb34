"""Friedman's test of several systems, and what to compare after it.

Values are `[block, system]`: one block is one listener, or one listener with one item.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from auralign.errors import DataError, NotConvergedError
from auralign.stats.arrays import FloatArray, mid_ranks
from auralign.stats.hypotheses.multiplicity import holm
from auralign.stats.hypotheses.result import AdjustedTest, FamilyOfTests, HypothesisTest
from auralign.stats.hypotheses.wilcoxon import wilcoxon_signed_rank, without_rounding


@dataclass(frozen=True, slots=True)
class FriedmanResult:
    """Friedman's chi-squared, Iman & Davenport's F, and the ranks behind them.

    `kendall_w` is chi2 / (blocks (systems - 1)): 0 when blocks order the systems at random, 1 when
    they all agree. Rank 1 is the lowest value.
    """

    chi2: HypothesisTest
    f: HypothesisTest
    kendall_w: float
    mean_ranks: tuple[float, ...]


def friedman_test(values: ArrayLike) -> FriedmanResult:
    """Test that blocks order the systems at random, corrected for ties.

    Friedman 1937 (JASA 32:675); F of Iman & Davenport 1980 (Commun. Stat. A 9:571), which is
    nearer to its level. `values` is float `[block, system]`; blocks with a NaN are left out, and
    `method` says how many. Raises `DataError` for fewer than 2 systems or complete blocks,
    `NotConvergedError` when no block tells systems apart.
    """
    ranks, remark = _ranks(values)
    n, k = ranks.shape
    chi2 = _chi2(ranks)
    w = chi2 / (n * (k - 1))
    df = k - 1, (n - 1) * (k - 1)
    f = (n - 1) * chi2 / (n * (k - 1) - chi2) if w < 1 - 1e-12 else np.inf
    return FriedmanResult(
        HypothesisTest(
            f"Friedman test, chi-squared on {df[0]}{remark}",
            chi2,
            float(special.chdtrc(df[0], chi2)),
            n,
        ),
        HypothesisTest(
            f"Friedman test, Iman & Davenport's F on {df[0]} and {df[1]}{remark}",
            float(f),
            float(special.fdtrc(*df, f)),
            n,
        ),
        w,
        tuple(ranks.mean(axis=0).tolist()),
    )


def nemenyi(values: ArrayLike, systems: Sequence[str], *, family: str) -> FamilyOfTests:
    """All pairs of systems by their mean ranks, adjusted by the range (Nemenyi 1963).

    As in Demsar 2006 (JMLR 7:1); conservative with ties. Raises as `friedman_test` does.
    """
    ranks, remark = _ranks(values)
    n, k = ranks.shape
    _check_names(systems, k)
    unit = np.sqrt(k * (k + 1) / (6 * n))
    tests = []
    for i, j in combinations(range(k), 2):
        z = float(ranks[:, i].mean() - ranks[:, j].mean()) / unit
        test = HypothesisTest(
            f"difference of mean ranks, normal{remark}", z, float(2 * special.ndtr(-abs(z))), n
        )
        adjusted = studentized_range_tail(abs(z) * 2**0.5, k)
        tests.append(AdjustedTest(f"{systems[i]} - {systems[j]}", test, adjusted))
    return FamilyOfTests(family, "Nemenyi (studentized range)", tuple(tests))


def critical_difference(n_blocks: int, n_systems: int, *, alpha: float = 0.05) -> float:
    """The smallest difference of mean ranks that Nemenyi's test rejects (Demsar 2006, eq. 6)."""
    low, high = 0.0, 100.0
    while (middle := (low + high) / 2) not in (low, high):
        if studentized_range_tail(middle, n_systems) > alpha:
            low = middle
        else:
            high = middle
    return high / 2**0.5 * float(np.sqrt(n_systems * (n_systems + 1) / (6 * n_blocks)))


def conover(values: ArrayLike, systems: Sequence[str], *, family: str) -> FamilyOfTests:
    """All pairs of systems by their rank sums, Student's t, adjusted by Holm.

    Conover 1999, Practical Nonparametric Statistics, 3rd ed., sec. 5.8, eq. 7. Less conservative
    than Nemenyi's, but only meant for use after a significant Friedman test. Raises as
    `friedman_test` does.
    """
    ranks, remark = _ranks(values)
    n, k = ranks.shape
    _check_names(systems, k)
    sums, df = ranks.sum(axis=0), (n - 1) * (k - 1)
    spread = float(2 * (n * (ranks**2).sum() - (sums**2).sum()) / df)

    def test(i: int, j: int) -> HypothesisTest:
        difference = float(sums[i] - sums[j])
        t = difference / spread**0.5 if spread > 1e-12 else np.copysign(np.inf, difference)
        p_value = float(2 * special.stdtr(df, -abs(t))) if difference else 1.0
        return HypothesisTest(f"Conover's t on {df}{remark}", t if difference else 0.0, p_value, n)

    return holm(_pairs(systems, test), family=family)


def wilcoxon_pairs(values: ArrayLike, systems: Sequence[str], *, family: str) -> FamilyOfTests:
    """All pairs of systems by Wilcoxon's signed-rank test, adjusted by Holm.

    A pair takes the blocks that are complete for it, so `values` may have holes. A pair without a
    difference has p = 1. Raises `DataError` when a pair has no complete block.
    """
    table = np.asarray(values, dtype=np.float64)
    _check_names(systems, table.shape[1])
    largest = float(np.nanmax(np.abs(table), initial=0.0))

    def test(i: int, j: int) -> HypothesisTest:
        difference = table[:, i] - table[:, j]
        present = without_rounding(difference[np.isfinite(difference)], largest=largest)
        if not len(present):
            raise DataError(
                f"no block has values of both '{systems[i]}' and '{systems[j]}': compare them by a "
                "model of all ratings, or leave one out"
            )
        if not present.any():
            return HypothesisTest("no difference in any block", 0.0, 1.0, len(present))
        return wilcoxon_signed_rank(present)

    return holm(_pairs(systems, test), family=family)


def studentized_range_tail(q: float, k: int) -> float:
    """P(range of k standard normals > q): the studentized range with infinite df."""
    z = np.linspace(-9, 9, 2401)
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    # The trapezoid rule is exact to rounding for a smooth integrand that vanishes at both ends.
    inside = k * density @ (special.ndtr(z) - special.ndtr(z - q)) ** (k - 1) * (z[1] - z[0])
    return float(min(1.0, max(0.0, 1 - inside)))


def _ranks(values: ArrayLike) -> tuple[FloatArray, str]:
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2:
        raise DataError(f"values must be [block, system], got {table.ndim} dimensions")
    complete = table[np.isfinite(table).all(axis=1)]
    if len(complete) < 2 or complete.shape[1] < 2:
        raise DataError(
            f"Friedman's test needs at least 2 systems and 2 complete blocks, got "
            f"{table.shape[1]} systems and {len(complete)} of {len(table)} blocks"
        )
    ranks = np.stack([mid_ranks(block) for block in without_rounding(complete)])
    if not np.ptp(ranks, axis=1).any():
        raise NotConvergedError("Friedman's test does not exist: no block tells systems apart")
    missing = len(table) - len(complete)
    return ranks, f"; {missing} of {len(table)} blocks incomplete, left out" if missing else ""


def _chi2(ranks: FloatArray) -> float:
    k = ranks.shape[1]
    centred = ranks - (k + 1) / 2
    return float((k - 1) * (centred.sum(axis=0) ** 2).sum() / (centred**2).sum())


def _check_names(systems: Sequence[str], k: int) -> None:
    if len(systems) != k:
        raise DataError(f"expected a name for each of {k} systems, got {len(systems)}")


def _pairs(
    systems: Sequence[str], test: Callable[[int, int], HypothesisTest]
) -> dict[str, HypothesisTest]:
    pairs = combinations(range(len(systems)), 2)
    return {f"{systems[i]} - {systems[j]}": test(i, j) for i, j in pairs}
