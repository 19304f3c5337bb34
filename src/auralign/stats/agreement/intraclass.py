"""Intraclass correlations: how reliable ratings are, one by one or averaged.

Shrout & Fleiss 1979 (Psychol. Bull. 86:420) number the forms, McGraw & Wong 1996 (Psychol.
Methods 1:30) name them by what they ask:

ICC(1,1) ICC(1)     each unit has its own raters, drawn at random
ICC(2,1) ICC(A,1)   the same raters, drawn at random: absolute agreement
ICC(3,1) ICC(C,1)   the same raters, and no others matter: consistency, whatever their severity
ICC(., k)           the mean of the k raters in place of a single rating
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from auralign.errors import ConfigError, NotConvergedError
from auralign.stats.agreement.rating_matrix import complete_units
from auralign.stats.arrays import FloatArray
from auralign.stats.intervals import check_level
from auralign.types import Estimate

IccForm = Literal["ICC(1,1)", "ICC(2,1)", "ICC(3,1)", "ICC(1,k)", "ICC(2,k)", "ICC(3,k)"]
MCGRAW_WONG: dict[IccForm, str] = {
    "ICC(1,1)": "ICC(1)",
    "ICC(2,1)": "ICC(A,1)",
    "ICC(3,1)": "ICC(C,1)",
    "ICC(1,k)": "ICC(k)",
    "ICC(2,k)": "ICC(A,k)",
    "ICC(3,k)": "ICC(C,k)",
}


@dataclass(frozen=True, slots=True)
class IntraclassCorrelation:
    """One form, its interval, and the F test of no differences between units."""

    form: IccForm
    estimate: Estimate
    f: float
    df: tuple[float, float]
    p_value: float


@dataclass(frozen=True, slots=True)
class _MeanSquares:
    n_units: int
    n_raters: int
    units: float
    raters: float
    within: float
    residual: float


def intraclass_correlation(
    ratings: ArrayLike, *, form: IccForm, level: float = 0.95
) -> IntraclassCorrelation:
    """One form of the intraclass correlation of `ratings`, float `[rater, unit]`.

    Units that a rater did not rate (NaN) are left out, and `method` says how many: the forms
    are analyses of variance of complete tables. The interval is the exact one of F, for forms 2
    Satterthwaite's approximation (McGraw & Wong 1996, table 7).

    Raises `DataError` with fewer than 2 raters or complete units, `NotConvergedError` when all
    ratings are equal, `ConfigError` for an unknown form.
    """
    if form not in MCGRAW_WONG:
        raise ConfigError(f"form must be one of {', '.join(MCGRAW_WONG)}, got '{form}'")
    check_level(level)
    matrix, remark = complete_units(ratings)
    squares = _mean_squares(matrix)
    single, f, df = _SINGLE[form[4]](squares, level)
    of_k = form.endswith("k)")
    value, low, high = (_spearman_brown(x, len(matrix)) if of_k else x for x in single)
    if not np.isfinite([value, low, high]).all():
        raise NotConvergedError(f"{form} does not exist: all units have the same mean rating")
    method = f"{form} = {MCGRAW_WONG[form]}, interval by F{remark}"
    estimate = Estimate(value, low, high, level, matrix.size, matrix.shape[1], method)
    return IntraclassCorrelation(form, estimate, f, df, float(special.fdtrc(*df, f)))


def intraclass_correlations(
    ratings: ArrayLike, *, level: float = 0.95
) -> dict[IccForm, IntraclassCorrelation]:
    """All six forms, by their names; raises as `intraclass_correlation` does."""
    return {form: intraclass_correlation(ratings, form=form, level=level) for form in MCGRAW_WONG}


def _mean_squares(matrix: FloatArray) -> _MeanSquares:
    k, n = matrix.shape
    centred = matrix - matrix.mean()
    by_unit, by_rater = centred.mean(axis=0), centred.mean(axis=1)
    residual = centred - by_unit - by_rater[:, None]
    units, raters = k * float(by_unit @ by_unit), n * float(by_rater @ by_rater)
    rest = float((residual**2).sum())
    # Squares of rounding errors are zeros: a ratio of two of them would look like a result.
    rounding = 1e-24 * float((centred**2).sum())
    units, raters, rest = (0.0 if x < rounding else x for x in (units, raters, rest))
    return _MeanSquares(
        n_units=n,
        n_raters=k,
        units=units / (n - 1),
        raters=raters / (k - 1),
        within=(raters + rest) / (n * (k - 1)),
        residual=rest / ((n - 1) * (k - 1)),
    )


_Single = tuple[tuple[float, float, float], float, tuple[float, float]]


def _one_way(s: _MeanSquares, level: float) -> _Single:
    return _by_ratio(s, s.within, s.n_units * (s.n_raters - 1), level)


def _consistency(s: _MeanSquares, level: float) -> _Single:
    return _by_ratio(s, s.residual, (s.n_units - 1) * (s.n_raters - 1), level)


def _by_ratio(s: _MeanSquares, error: float, df_error: int, level: float) -> _Single:
    """ICC and interval of a single rating where F = units / error has an exact distribution."""
    df = float(s.n_units - 1), float(df_error)
    if s.units == error == 0:
        raise NotConvergedError("consistency does not exist: only raters differ, units do not")
    f = s.units / error if error > 0 else np.inf
    low, high = f / _f_quantile(*df, level), f * _f_quantile(df[1], df[0], level)
    value, low, high = (_from_ratio(x, s.n_raters) for x in (f, low, high))
    return (value, low, high), float(f), df


def _from_ratio(f: float, k: int) -> float:
    return 1.0 if np.isinf(f) else float((f - 1) / (f + k - 1))


def _agreement(s: _MeanSquares, level: float) -> _Single:
    n, k = s.n_units, s.n_raters
    df = float(n - 1), float((n - 1) * (k - 1))
    value = (s.units - s.residual) / (
        s.units + (k - 1) * s.residual + k * (s.raters - s.residual) / n
    )
    if s.residual == 0:
        f, v = np.inf, float(k - 1)
    else:
        f = s.units / s.residual
        ratio = s.raters / s.residual
        rest = n * (1 + (k - 1) * value) - k * value
        v = (k - 1) * (n - 1) * (k * value * ratio + rest) ** 2
        v /= (n - 1) * (k * value * ratio) ** 2 + rest**2
    error = k * s.raters + (k * n - k - n) * s.residual
    above, below = _f_quantile(df[0], v, level), _f_quantile(v, df[0], level)
    low = n * (s.units - above * s.residual) / (above * error + n * s.units)
    high = n * (below * s.units - s.residual) / (error + n * below * s.units)
    return (float(value), float(low), float(high)), float(f), df


def _f_quantile(df1: float, df2: float, level: float) -> float:
    return float(special.fdtri(df1, df2, (1 + level) / 2))


def _spearman_brown(single: float, k: int) -> float:
    """Reliability of the mean of k ratings; unbounded below as `single` nears -1 / (k - 1)."""
    rest = 1 + (k - 1) * single
    return k * single / rest if rest > 1e-12 else float("-inf")


_SINGLE = {"1": _one_way, "2": _agreement, "3": _consistency}
