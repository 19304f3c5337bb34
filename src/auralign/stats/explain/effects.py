"""Coefficients as a table that can be read: scale, interval, p-value, and Holm's correction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from auralign.stats.arrays import FloatArray
from auralign.stats.hypotheses.multiplicity import holm_adjusted
from auralign.stats.pairs.covariates import CovariateFit
from auralign.types import Estimate


@dataclass(frozen=True)
class Effect:
    """What one attribute does to preferences, the others held equal.

    log_odds    of being preferred, for a clip that is higher by `scale`, with its interval
    scale       one standard deviation over the compared clips, in the attribute's own unit
    win_rate    of that clip against one that is equal otherwise
    p_value     of no effect: Student's t on raters - 1 around the error clustered by rater
    p_holm      corrected for all effects of the table (Holm 1979, Scand. J. Stat. 6:65)
    """

    attribute: str
    log_odds: Estimate
    scale: float
    win_rate: float
    standard_error: float
    p_value: float
    p_holm: float


def effect_table(
    fit: CovariateFit, names: Sequence[str], scale: FloatArray, *, level: float
) -> tuple[Effect, ...]:
    """The effects of the covariates `names` of a fit, whose scales are `[k]`."""
    at = [fit.names.index(name) for name in names]
    p_values = np.array([two_sided_p(fit, k) for k in at])
    p_holm = holm_adjusted(p_values)
    return tuple(
        Effect(
            attribute=name,
            log_odds=interval_of(fit, k, level),
            scale=float(scale[j]),
            win_rate=float(special.expit(fit.coefficients[k])),
            standard_error=standard_error(fit, k),
            p_value=float(p_values[j]),
            p_holm=float(p_holm[j]),
        )
        for j, (name, k) in enumerate(zip(names, at, strict=True))
    )


def interval_of(fit: CovariateFit, k: int, level: float) -> Estimate:
    """Clustered by rater; with one rater the answers have to count as independent."""
    if fit.n_raters > 1:
        return fit.coefficient(fit.names[k], level=level)
    half = float(special.ndtri((1 + level) / 2)) * standard_error(fit, k)
    value = float(fit.coefficients[k])
    method = f"Bradley-Terry coefficient of '{fit.names[k]}'; one rater: answers as independent"
    return Estimate(value, value - half, value + half, level, fit.n, 1, method)


def standard_error(fit: CovariateFit, k: int) -> float:
    errors = fit.clustered_standard_errors if fit.n_raters > 1 else fit.standard_errors
    return float(errors[k])


def two_sided_p(fit: CovariateFit, k: int) -> float:
    """P-value of a zero coefficient."""
    z = -abs(float(fit.coefficients[k])) / standard_error(fit, k)
    freedom = fit.n_raters - 1
    return 2 * float(special.stdtr(freedom, z) if freedom > 0 else special.ndtr(z))
