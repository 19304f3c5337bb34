"""Several tests at once: adjusted p-values, with the family named."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike

from auralign.errors import ConfigError, DataError
from auralign.stats.arrays import FloatArray
from auralign.stats.hypotheses.result import AdjustedTest, FamilyOfTests, HypothesisTest


def holm(tests: Mapping[str, HypothesisTest], *, family: str) -> FamilyOfTests:
    """Holm's adjustment, for claims: it bounds the chance of any false rejection in the family.

    Holm 1979 (Scand. J. Stat. 6:65); valid whatever the dependence between tests. `family` says
    which tests these are, for example "all pairs of systems on 'overall'". Raises `DataError` for
    no tests or a p-value that is not in [0, 1], `ConfigError` for a family without a name.
    """
    return _adjusted(tests, family, "Holm", holm_adjusted)


def benjamini_hochberg(tests: Mapping[str, HypothesisTest], *, family: str) -> FamilyOfTests:
    """Benjamini & Hochberg's adjustment, for exploring: it bounds the share of false rejections.

    Benjamini & Hochberg 1995 (J. R. Stat. Soc. B 57:289), for independent or positively dependent
    tests. Raises as `holm` does.
    """
    return _adjusted(tests, family, "Benjamini-Hochberg", benjamini_hochberg_adjusted)


def holm_adjusted(p_values: ArrayLike) -> FloatArray:
    """Holm's adjusted p-values `[n]`: the largest of (n - k) p_k over this and smaller ones."""
    p = _checked(p_values)
    order = np.argsort(p)
    raised = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return _back(np.minimum(raised, 1), order)


def benjamini_hochberg_adjusted(p_values: ArrayLike) -> FloatArray:
    """Adjusted p-values `[n]`: the smallest of n p_k / k over this and larger ones."""
    p = _checked(p_values)
    order = np.argsort(p)
    ratio = p[order] * len(p) / np.arange(1, len(p) + 1)
    return _back(np.minimum.accumulate(ratio[::-1])[::-1], order)


def _adjusted(
    tests: Mapping[str, HypothesisTest],
    family: str,
    adjustment: str,
    adjust: Callable[[ArrayLike], FloatArray],
) -> FamilyOfTests:
    if not family.strip():
        raise ConfigError("a family of tests needs a name: say which tests were looked at together")
    adjusted = adjust([test.p_value for test in tests.values()])
    rows = zip(tests.items(), adjusted.tolist(), strict=True)
    return FamilyOfTests(
        family, adjustment, tuple(AdjustedTest(name, test, p) for (name, test), p in rows)
    )


def _checked(p_values: ArrayLike) -> FloatArray:
    p = np.asarray(p_values, dtype=np.float64)
    if not len(p):
        raise DataError("a family needs at least one test, got none")
    strange = p[~((p >= 0) & (p <= 1))]
    if len(strange):
        raise DataError(f"p-values must be between 0 and 1, got {strange[0]}")
    return p


def _back(
    ordered: FloatArray, order: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
) -> FloatArray:
    values = np.empty_like(ordered)
    values[order] = ordered
    return values
