"""Bradley-Terry whose log-worths are linear in attributes of items and of trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from auralign.errors import ConfigError, DataError
from auralign.stats.arrays import FloatArray, IntArray, sum_by
from auralign.stats.comparisons import check_comparisons, index_of
from auralign.stats.newton import Slopes, maximise_dense
from auralign.stats.pairs.separation import require_finite_coefficients
from auralign.stats.sandwich import clustered_errors, clustered_interval, few_clusters_warning
from auralign.types import Comparisons, Estimate

GRADIENT_TOLERANCE = 1e-10


@dataclass(frozen=True, eq=False)
class LikelihoodRatio:
    """Twice the gain in log-likelihood, its degrees of freedom, and the chi-square tail."""

    statistic: float
    df: int
    p_value: float
    warnings: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class CovariateFit:
    """Coefficients `[k]` in logits per unit of their covariate, and how far to trust them.

    covariance        `[k, k]`, the inverse information: right if all comparisons are independent
    influence         `[k, raters]`: by how much the answers of each rater move the coefficients
                      (first order); the sandwich estimator is made of it
    log_worth         `[items]`, what the attributes predict, centred; zeros without attributes
    log_likelihood    of the comparisons, without the ridge
    gradient_max      largest part of the gradient, by covariates over their largest value
    ridge_sd          standard deviation of the normal prior, None for maximum likelihood
    warnings          sentences that belong next to the numbers
    """

    items: tuple[str, ...]
    names: tuple[str, ...]
    coefficients: FloatArray
    covariance: FloatArray
    influence: FloatArray
    log_worth: FloatArray
    log_likelihood: float
    null_log_likelihood: float
    n: int
    iterations: int
    gradient_max: float
    ridge_sd: float | None
    status: Literal["maximum likelihood", "regularised"]
    warnings: tuple[str, ...]

    @property
    def n_raters(self) -> int:
        return int(self.influence.shape[1])

    @property
    def standard_errors(self) -> FloatArray:
        errors: FloatArray = np.sqrt(np.diag(self.covariance))
        return errors

    @property
    def clustered_standard_errors(self) -> FloatArray:
        """`[k]`, sandwich over raters: right also for dependent answers and for half-wins."""
        return clustered_errors(self.influence)

    def coefficient(self, name: str, *, level: float = 0.95) -> Estimate:
        """One coefficient with Student's t on raters - 1 around the sandwich error.

        Raises `DataError` for an unknown name, `NotConvergedError` with fewer than two raters.
        """
        k = index_of(self.names, name, "covariate")
        method = f"Bradley-Terry coefficient of '{name}'"
        value = float(self.coefficients[k])
        return clustered_interval(value, self.influence[k], level, self.n, method)

    def likelihood_ratio(self, nested: CovariateFit | None = None) -> LikelihoodRatio:
        """Test this fit against a fit on some of its covariates; None: all coefficients zero.

        2 (log-likelihood - that of the nested fit) is chi-square on the number of dropped
        covariates (Wilks 1938, Ann. Math. Stat. 9:60), if all comparisons are independent.
        Raises `ConfigError` for a fit that is not nested, regularised, or on other comparisons.
        """
        _check_nested(self, nested)
        lower = self.null_log_likelihood if nested is None else nested.log_likelihood
        df = len(self.names) - (0 if nested is None else len(nested.names))
        statistic = max(2 * (self.log_likelihood - lower), 0.0)
        remarks = {
            "the test takes comparisons as independent: it is too eager when answers of one rater "
            "move together": self.n_raters < self.n,
        }
        warnings = tuple(text for text, applies in remarks.items() if applies)
        return LikelihoodRatio(statistic, df, float(special.chdtrc(df, statistic)), warnings)


def fit_covariates(
    comparisons: Comparisons,
    *,
    attributes: ArrayLike | None = None,
    trial_covariates: ArrayLike | None = None,
    names: Sequence[str] = (),
    ridge_sd: float | None = None,
) -> CovariateFit:
    """Coefficients b of P(first wins) = 1 / (1 + exp(-b @ x)), ties counting half.

    `attributes` is `[items, j]`: its columns enter x as first minus second. `trial_covariates` is
    `[n, l]`: its columns enter x as they are, positive in favour of the first item (for example
    loudness of first minus loudness of second; a column of ones is the order effect). `names` are
    the j + l names, attributes first. Worths that are free for each item are the attributes
    `np.eye(items)[:, 1:]`. Springall (1973, Appl. Stat. 22:59); weights of comparisons count.

    `ridge_sd` puts a normal prior of that standard deviation on each coefficient, so scale the
    covariates first. Without it separation is looked for by a linear programme before the fit.

    Raises `NotConvergedError` when no finite coefficients exist, `DataError` for covariates that
    are collinear, not finite or of another shape, `ConfigError` for a wrong option.
    """
    check_comparisons(comparisons)
    _check_ridge(ridge_sd)
    worth_of, design = _design(comparisons, attributes, trial_covariates)
    names = _names(names, design.shape[1])
    used = comparisons.weight > 0
    design, outcome, weight = design[used], comparisons.outcome[used], comparisons.weight[used]
    if ridge_sd is None:
        require_finite_coefficients(design, outcome, names)
    scale = _scale(design)
    slopes = partial(logistic_slopes, design=design / scale, outcome=outcome, weight=weight)
    precision = np.zeros(len(scale)) if ridge_sd is None else (ridge_sd * scale) ** -2
    objective = partial(slopes, precision=precision)
    best = maximise_dense(objective, np.zeros(len(scale)), GRADIENT_TOLERANCE * float(weight.sum()))
    raters, rater = np.unique(comparisons.rater[used], return_inverse=True)
    coefficients = best.parameters / scale
    covariance = np.linalg.inv(best.slopes.information) / np.outer(scale, scale)
    residual = weight * (outcome - special.expit(design @ coefficients))
    log_worth = worth_of @ coefficients[: worth_of.shape[1]]
    return CovariateFit(
        items=comparisons.items,
        names=names,
        coefficients=coefficients,
        covariance=covariance,
        influence=covariance @ _scores_by(rater, len(raters), design, residual),
        log_worth=log_worth - log_worth.mean(),
        log_likelihood=slopes(best.parameters, precision=0.0).log_likelihood,
        null_log_likelihood=-float(weight.sum()) * np.log(2),
        n=len(outcome),
        iterations=best.iterations,
        gradient_max=best.slopes.steepest,
        ridge_sd=ridge_sd,
        status="maximum likelihood" if ridge_sd is None else "regularised",
        warnings=_warnings(outcome, len(raters), ridge_sd),
    )


def logistic_slopes(
    coefficients: FloatArray,
    design: FloatArray,
    outcome: FloatArray,
    weight: FloatArray,
    precision: float | FloatArray,
) -> Slopes:
    """Weighted logistic log-likelihood minus `precision` / 2 times the squared coefficients.

    `design` is `[n, k]`, `outcome` (share of the first) and `weight` are `[n]`, `precision` is one
    for all or `[k]`.
    """
    margin = design @ coefficients
    p = special.expit(margin)
    log_likelihood = weight @ (
        outcome * special.log_expit(margin) + (1 - outcome) * special.log_expit(-margin)
    )
    curvature, ridge = weight * p * (1 - p), np.broadcast_to(precision, coefficients.shape)
    return Slopes(
        float(log_likelihood - ridge @ coefficients**2 / 2),
        design.T @ (weight * (outcome - p)) - ridge * coefficients,
        (design.T * curvature) @ design + np.diag(ridge),
    )


def _design(
    comparisons: Comparisons, attributes: ArrayLike | None, trial_covariates: ArrayLike | None
) -> tuple[FloatArray, FloatArray]:
    """The attributes `[items, j]`, and the rows of differences and trial covariates `[n, k]`."""
    n_items, n = len(comparisons.items), len(comparisons.first)
    worth_of = _table("attributes", attributes, n_items, "items")
    of_trial = _table("trial_covariates", trial_covariates, n, "comparisons")
    design = np.hstack([worth_of[comparisons.first] - worth_of[comparisons.second], of_trial])
    if not design.shape[1]:
        raise ConfigError("expected attributes or trial_covariates with at least one column")
    return worth_of, design


def _table(name: str, values: ArrayLike | None, n_rows: int, rows: str) -> FloatArray:
    if values is None:
        return np.zeros((n_rows, 0))
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or len(table) != n_rows:
        raise DataError(f"{name} must be [{n_rows} {rows}, k], got shape {list(table.shape)}")
    broken = np.argwhere(~np.isfinite(table))
    if len(broken):
        raise DataError(f"{name} row {broken[0, 0]}, column {broken[0, 1]} is not finite")
    return table


def _scale(design: FloatArray) -> FloatArray:
    """The largest difference in each covariate, so that all are fitted on one scale."""
    largest = np.abs(design).max(axis=0)
    return np.where(largest > 0, largest, 1.0)


def _names(names: Sequence[str], k: int) -> tuple[str, ...]:
    found = tuple(names) or tuple(f"x{j}" for j in range(k))
    if len(found) != k or len(set(found)) != k:
        raise ConfigError(f"expected {k} different names, one for each column, got {list(found)}")
    return found


def _scores_by(
    rater: IntArray, n_raters: int, design: FloatArray, residual: FloatArray
) -> FloatArray:
    columns = [sum_by(rater, column * residual, n_raters) for column in design.T]
    return np.array(columns).reshape(design.shape[1], n_raters)


def _check_ridge(ridge_sd: float | None) -> None:
    if ridge_sd is not None and not (np.isfinite(ridge_sd) and ridge_sd > 0):
        raise ConfigError(f"ridge_sd must be a positive standard deviation, got {ridge_sd}")


def _check_nested(full: CovariateFit, nested: CovariateFit | None) -> None:
    if "regularised" in (full.status, nested.status if nested else ""):
        raise ConfigError("a likelihood-ratio test needs maximum likelihood: fit without ridge_sd")
    if nested is None:
        return
    strange = [name for name in nested.names if name not in full.names]
    if strange or len(nested.names) == len(full.names):
        raise ConfigError(
            f"the nested fit must have some of the covariates {list(full.names)}, "
            f"got {list(nested.names)}"
        )
    if (nested.n, nested.null_log_likelihood) != (full.n, full.null_log_likelihood):
        raise ConfigError(
            f"both fits must be on the same comparisons, got {nested.n} and {full.n} of them"
        )


def _warnings(outcome: FloatArray, n_raters: int, ridge_sd: float | None) -> tuple[str, ...]:
    remarks = {
        f"regularised: a normal prior of standard deviation {ridge_sd} draws the coefficients to "
        "zero": ridge_sd is not None,
        "ties count half: standard_errors are too wide, clustered_standard_errors are not": (
            bool((outcome == 0.5).any())
        ),
    }
    applying = tuple(text for text, applies in remarks.items() if applies)
    return applying + few_clusters_warning(n_raters)
