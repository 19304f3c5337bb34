"""Does a model of pairs describe the comparisons it was fitted to?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from auralign.errors import ConfigError
from auralign.stats.arrays import FloatArray, IntArray
from auralign.stats.pairs.bradley_terry_fit import BradleyTerryFit
from auralign.stats.pairs.pair_models import PairCounts, aggregate

FEW_PER_CELL = 5


@dataclass(frozen=True, eq=False)
class GoodnessOfFit:
    """Distance of a fit to the observed shares of each pair.

    deviance          twice the log-likelihood missing to the saturated model of each pair
    pearson           X2, the sum of (observed - expected)^2 / expected over outcomes of pairs
    df                free shares minus fitted parameters
    deviance_p        upper tail of the chi-square distribution, as is `pearson_p`
    first, second     items of each compared pair, `[pairs]`
    residual          `[pairs]`, observed minus expected points of `first`, in standard deviations
    warnings          sentences that belong next to the numbers
    """

    deviance: float
    pearson: float
    df: int
    deviance_p: float
    pearson_p: float
    first: IntArray
    second: IntArray
    residual: FloatArray
    warnings: tuple[str, ...]


def goodness_of_fit(fit: BradleyTerryFit, *, ordered: bool | None = None) -> GoodnessOfFit:
    """Deviance and Pearson's X2 of `fit` over the pairs that were compared.

    With `ordered` the two orders of presentation of a pair count as two pairs; None: as the fit
    does, which is if it has an order effect. A tie that counts half is half an outcome of each
    kind, and the chi-square distribution then holds only roughly. Zero degrees of freedom give
    p-values of NaN. Raises `ConfigError` where orders are to be joined that the fit tells apart.
    """
    by_order = fit.order_effect is not None if ordered is None else ordered
    if fit.order_effect is not None and not by_order:
        raise ConfigError("the fit has an order effect: both orders of a pair differ, pass ordered")
    pairs = _pairs(fit.model.rows, fit.model.n_items, by_order)
    expected, observed = _expected(fit, pairs), _observed(fit, pairs)
    total = pairs.total
    deviance = 2 * float(special.xlogy(observed, observed / expected).sum())
    pearson = float(((observed - expected) ** 2 / expected).sum())
    n_parameters = len(fit.items) - int(fit.block.max()) - 1 + len(fit.model.shared)
    df = (len(observed) - 1) * len(total) - n_parameters
    points = np.array([1.0, 0.0, 0.5])[: len(observed), None]
    mean = (points * expected).sum(axis=0)
    variance = (points**2 * expected).sum(axis=0) - mean**2 / total
    return GoodnessOfFit(
        deviance=deviance,
        pearson=pearson,
        df=df,
        deviance_p=_tail(deviance, df),
        pearson_p=_tail(pearson, df),
        first=pairs.first,
        second=pairs.second,
        residual=(pairs.score - mean) / np.sqrt(variance),
        warnings=_warnings(fit, pairs, expected, df),
    )


def _pairs(rows: PairCounts, n_items: int, ordered: bool) -> PairCounts:
    if ordered:
        return aggregate(rows, n_items)
    turned = rows.first > rows.second
    return aggregate(
        PairCounts(
            np.minimum(rows.first, rows.second),
            np.maximum(rows.first, rows.second),
            np.where(turned, rows.losses, rows.wins),
            np.where(turned, rows.wins, rows.losses),
            rows.ties,
        ),
        n_items,
    )


def _expected(fit: BradleyTerryFit, pairs: PairCounts) -> FloatArray:
    """Expected wins, losses and (where the model has them) ties, `[outcomes, pairs]`."""
    margin = fit.log_worth[pairs.first] - fit.log_worth[pairs.second]
    n = len(margin)
    outcomes = np.eye(3) if fit.nu or fit.threshold else np.eye(3)[:2]
    shares = []
    for outcome in outcomes:
        once = PairCounts(pairs.first, pairs.second, *(np.full(n, share) for share in outcome))
        shares.append(np.exp(fit.model.model(margin, fit.model.shared, once).log_likelihood))
    expected: FloatArray = pairs.total * np.array(shares)
    return expected


def _observed(fit: BradleyTerryFit, pairs: PairCounts) -> FloatArray:
    if fit.nu or fit.threshold:
        return np.array([pairs.wins, pairs.losses, pairs.ties])
    return np.array([pairs.score, pairs.total - pairs.score])


def _tail(statistic: float, df: int) -> float:
    return float(special.chdtrc(df, statistic)) if df > 0 else float("nan")


def _warnings(
    fit: BradleyTerryFit, pairs: PairCounts, expected: FloatArray, df: int
) -> tuple[str, ...]:
    few = float(np.mean(expected < FEW_PER_CELL))
    half = fit.nu is None and fit.threshold is None and bool((pairs.ties > 0).any())
    remarks = {
        f"{few:.0%} of expected counts are below {FEW_PER_CELL}: the chi-square distribution "
        "holds only roughly": few > 0.2,
        "ties count half: the chi-square distribution holds only roughly": half,
        "no degrees of freedom: the fit cannot fail": df <= 0,
        "regularised: distances include what the prior pulled": fit.status == "regularised",
    }
    return tuple(text for text, applies in remarks.items() if applies)
