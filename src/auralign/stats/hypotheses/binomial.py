"""The exact binomial test, and the sign test that is made of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from auralign.errors import ConfigError, DataError
from auralign.stats.hypotheses.result import Alternative, HypothesisTest, check_alternative
from auralign.stats.proportions import clopper_pearson


def binomial_test(
    successes: int,
    n: int,
    *,
    p: float = 0.5,
    alternative: Alternative = "two-sided",
    level: float = 0.95,
) -> HypothesisTest:
    """Exact test that independent trials succeed with probability `p`.

    Two-sided, the p-value is the probability of all counts that are as unlikely as the observed
    one or more so, as in R and SciPy. The effect is the share of successes with Clopper &
    Pearson's interval. Raises `DataError` unless 0 <= successes <= n and n > 0.
    """
    check_alternative(alternative)
    if not 0 < p < 1:
        raise ConfigError(f"p must be between 0 and 1, got {p}")
    share = clopper_pearson(successes, n, level=level)
    below = float(special.bdtr(successes, n, p))
    above = float(special.bdtrc(successes - 1, n, p)) if successes else 1.0
    p_value = {"less": below, "greater": above}.get(alternative, 0.0)
    if alternative == "two-sided":
        p_value = 2 * min(below, above) if p == 0.5 else _as_unlikely(successes, n, p)
    return HypothesisTest(
        f"exact binomial test of p = {p:g}",
        float(successes),
        min(p_value, 1.0),
        n,
        alternative,
        share,
    )


def sign_test(
    differences: ArrayLike, *, alternative: Alternative = "two-sided", level: float = 0.95
) -> HypothesisTest:
    """Exact test that positive and negative `differences` `[n]` are equally likely.

    Zeros (ties) are left out, and `method` says how many; so are NaNs. The statistic is the number
    of positive differences, the effect their share among those left. Differences must be
    independent: take one a listener, or `sign_flip_test` with clusters.

    Raises `DataError` when no difference is left.
    """
    values = np.asarray(differences, dtype=np.float64)
    present = values[np.isfinite(values)]
    positive, negative = int((present > 0).sum()), int((present < 0).sum())
    zeros = len(present) - positive - negative
    if not positive + negative:
        raise DataError(
            f"a sign test needs a difference that is not zero, got {zeros} zeros: all are ties"
        )
    test = binomial_test(positive, positive + negative, alternative=alternative, level=level)
    remark = f"; {zeros} zeros left out" if zeros else ""
    return HypothesisTest(
        f"sign test, exact{remark}",
        test.statistic,
        test.p_value,
        test.n,
        alternative,
        test.effect,
    )


def _as_unlikely(successes: int, n: int, p: float) -> float:
    count = np.arange(n + 1, dtype=np.float64)
    log_mass = (
        special.gammaln(n + 1)
        - special.gammaln(count + 1)
        - special.gammaln(n - count + 1)
        + special.xlogy(count, p)
        + special.xlog1py(n - count, -p)
    )
    # Equal masses differ by rounding.
    return float(np.exp(log_mass[log_mass <= log_mass[successes] + 1e-7]).sum())
