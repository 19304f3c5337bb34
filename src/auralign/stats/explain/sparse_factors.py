"""Which few of many attributes matter: an L1 path, chosen by held-out raters or prompts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from scipy import special

from auralign.errors import ConfigError, DataError, NotConvergedError, did_you_mean
from auralign.stats.arrays import FloatArray, IntArray
from auralign.stats.explain.attributes import (
    Attributes,
    Ties,
    attribute_comparisons,
    require_attributes,
)
from auralign.stats.explain.factors import FactorFit, fit_factors
from auralign.stats.pairs.covariates import logistic_slopes
from auralign.types import Comparisons

Group = Literal["rater", "prompt"]
Rule = Literal["one standard error", "minimum"]

N_STRENGTHS = 40
SMALLEST_STRENGTH = 1e-3
MAX_STEPS = 100
MAX_SWEEPS = 2000
KKT_TOLERANCE = 1e-7


@dataclass(frozen=True, eq=False)
class SparseFactors:
    """The path of an L1 penalty, the strength that was chosen, and a refit without penalty.

    strengths     lambda, `[s]`, from the one that removes all attributes downwards
    path          `[s, k]`, coefficients of `names` in standard deviations
    deviance      `[s]`, held-out mean of -2 log P(answer), and its `deviance_error` over folds
    chosen        index into `strengths`
    stability     `[k]`, share of half samples of groups in which an attribute is selected at the
                  chosen strength (Meinshausen & Buehlmann 2010); 0.9 and more is firm
    refit         maximum likelihood with the selected attributes; None if none was selected
    warnings      sentences that belong next to the numbers
    """

    names: tuple[str, ...]
    strengths: FloatArray
    path: FloatArray
    deviance: FloatArray
    deviance_error: FloatArray
    chosen: int
    stability: FloatArray
    refit: FactorFit | None
    warnings: tuple[str, ...]

    @property
    def selected(self) -> tuple[str, ...]:
        return tuple(np.array(self.names)[self.path[self.chosen] != 0].tolist())


@dataclass(frozen=True, eq=False)
class _Rows:
    """Differences of attributes `[n, k]`, answers, weights and groups `[n]`."""

    design: FloatArray
    outcome: FloatArray
    weight: FloatArray
    group: IntArray

    def where(self, kept: IntArray | FloatArray) -> _Rows:
        return _Rows(self.design[kept], self.outcome[kept], self.weight[kept], self.group[kept])


def select_factors(
    comparisons: Comparisons,
    attributes: Attributes,
    *,
    rng: np.random.Generator,
    groups: Group = "rater",
    n_folds: int = 5,
    rule: Rule = "one standard error",
    n_subsamples: int = 50,
    ties: Ties = "leave out",
    level: float = 0.95,
) -> SparseFactors:
    """Minimise -log-likelihood / weight + lambda |b|_1 for a path of lambda, and choose one.

    Attributes are standardised as in `attribute_comparisons`, so the penalty treats them alike.
    Lambda is chosen by cross-validation that leaves out whole raters (or prompts), never single
    answers of someone who is also in the training part: where the held-out deviance is smallest,
    or the largest lambda within one standard error of it (Hastie, Tibshirani & Friedman 2009,
    sec. 7.10). The refit's intervals take the selection as given and are too narrow for it.

    Raises `ConfigError` for unknown options, `DataError` for fewer groups than folds.
    """
    _check_options(groups, rule, n_folds, n_subsamples)
    require_attributes(attributes)
    data = attribute_comparisons(comparisons, attributes, ties=ties)
    used, c = data.used, data.comparisons
    group = np.unique(c.rater[used] if groups == "rater" else c.cluster[used], return_inverse=True)
    rows = _Rows(data.differences[used], c.outcome[used], c.weight[used], group[1])
    if len(group[0]) < n_folds:
        raise DataError(
            f"{n_folds} folds need as many {groups}s, got {len(group[0])}; "
            "lower n_folds or group otherwise"
        )
    strengths = _strengths(rows)
    path = lasso_path(rows.design, rows.outcome, rows.weight, strengths)
    deviance, error = _cross_validate(rows, strengths, n_folds, rng)
    chosen = _choose(deviance, error, rule)
    selected = {name: attributes[name] for name in np.array(data.names)[path[chosen] != 0]}
    refit = fit_factors(comparisons, selected, ties=ties, level=level) if selected else None
    return SparseFactors(
        names=data.names,
        strengths=strengths,
        path=path,
        deviance=deviance,
        deviance_error=error,
        chosen=chosen,
        stability=_stability(rows, strengths[chosen : chosen + 1], n_subsamples, rng),
        refit=refit,
        warnings=_warnings(data.warnings, refit),
    )


def lasso_path(
    design: FloatArray, outcome: FloatArray, weight: FloatArray, strengths: FloatArray
) -> FloatArray:
    """Coefficients `[s, k]` for each lambda of `strengths` `[s]`, descending.

    Proximal Newton steps whose quadratic models are solved by coordinate descent on the active
    attributes (Friedman, Hastie & Tibshirani 2010, J. Stat. Softw. 33(1); Lee, Sun & Saunders
    2014, SIAM J. Optim. 24:1420), each lambda starting from the one before. Raises
    `NotConvergedError` when the optimality conditions are not reached.
    """
    path = np.zeros((len(strengths), design.shape[1]))
    coefficients = np.zeros(design.shape[1])
    for s, strength in enumerate(strengths):
        coefficients = _lasso(design, outcome, weight / weight.sum(), strength, coefficients)
        path[s] = coefficients
    return path


def _lasso(
    design: FloatArray, outcome: FloatArray, share: FloatArray, strength: float, start: FloatArray
) -> FloatArray:
    coefficients = start
    for _ in range(MAX_STEPS):
        slopes = logistic_slopes(coefficients, design, outcome, share, 0.0)
        if _violation(slopes.gradient, coefficients, strength) <= KKT_TOLERANCE:
            return coefficients
        target = _quadratic_lasso(slopes.information, slopes.gradient, coefficients, strength)
        value = slopes.log_likelihood - strength * np.abs(coefficients).sum()
        step = target - coefficients
        size = 1.0
        while size > 1e-10:
            reached = coefficients + size * step
            there = logistic_slopes(reached, design, outcome, share, 0.0).log_likelihood
            if there - strength * np.abs(reached).sum() >= value - 1e-15:
                break
            size /= 2
        coefficients = reached
    raise NotConvergedError(
        f"the L1 path did not converge at lambda {strength:.2g}: the attributes may separate the "
        "answers; leave out attributes or collect more comparisons"
    )


def _quadratic_lasso(
    information: FloatArray, gradient: FloatArray, start: FloatArray, strength: float
) -> FloatArray:
    """Coordinate descent on the quadratic model of the log-likelihood around `start`."""
    b = start.copy()
    slope = gradient.copy()
    curvature = np.maximum(np.diagonal(information), 1e-12)
    everything = np.arange(len(b))
    for sweep in range(MAX_SWEEPS):
        # Only every tenth sweep visits all attributes: most stay at zero.
        visited = everything if sweep % 10 == 0 else np.flatnonzero(b)
        largest = 0.0
        for j in visited:
            pull = slope[j] + curvature[j] * b[j]
            moved = np.sign(pull) * max(abs(pull) - strength, 0.0) / curvature[j] - b[j]
            if moved:
                b[j] += moved
                slope -= information[:, j] * moved
                largest = max(largest, curvature[j] * abs(moved))
        if sweep % 10 == 0 and largest <= KKT_TOLERANCE / 10:
            break
    return b


def _violation(gradient: FloatArray, b: FloatArray, strength: float) -> float:
    """How far from optimal: |gradient| <= lambda at zero, gradient = lambda sign(b) elsewhere."""
    at_zero = np.maximum(np.abs(gradient) - strength, 0.0)
    elsewhere = np.abs(gradient - strength * np.sign(b))
    return float(np.where(b == 0, at_zero, elsewhere).max())


def _strengths(rows: _Rows) -> FloatArray:
    share = rows.weight / rows.weight.sum()
    at_zero = logistic_slopes(np.zeros(rows.design.shape[1]), rows.design, rows.outcome, share, 0.0)
    largest = float(np.abs(at_zero.gradient).max())
    if largest == 0:
        raise DataError("no attribute is related to the answers at all: nothing to select")
    return np.geomspace(largest, SMALLEST_STRENGTH * largest, N_STRENGTHS)


def _cross_validate(
    rows: _Rows, strengths: FloatArray, n_folds: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Held-out deviance per unit of weight `[s]`, and its standard error over folds."""
    fold_of_group = rng.permutation(np.arange(int(rows.group.max()) + 1) % n_folds)
    fold = fold_of_group[rows.group]
    deviance, size = np.empty((n_folds, len(strengths))), np.empty(n_folds)
    for k in range(n_folds):
        train, held_out = rows.where(fold != k), rows.where(fold == k)
        path = lasso_path(train.design, train.outcome, train.weight, strengths)
        margin = held_out.design @ path.T
        y = held_out.outcome[:, None]
        log_p = y * special.log_expit(margin) + (1 - y) * special.log_expit(-margin)
        size[k] = held_out.weight.sum()
        deviance[k] = -2 * held_out.weight @ log_p / size[k]
    mean = size @ deviance / size.sum()
    spread = size @ (deviance - mean) ** 2 / size.sum()
    return mean, np.sqrt(spread / (n_folds - 1))


def _choose(deviance: FloatArray, error: FloatArray, rule: Rule) -> int:
    best = int(np.argmin(deviance))
    if rule == "minimum":
        return best
    return int(np.argmax(deviance <= deviance[best] + error[best]))


def _stability(
    rows: _Rows, strengths: FloatArray, n_subsamples: int, rng: np.random.Generator
) -> FloatArray:
    n_groups = int(rows.group.max()) + 1
    selected = np.zeros(rows.design.shape[1])
    for _ in range(n_subsamples):
        half = np.zeros(n_groups, dtype=bool)
        half[rng.permutation(n_groups)[: max(n_groups // 2, 1)]] = True
        part = rows.where(half[rows.group])
        selected += lasso_path(part.design, part.outcome, part.weight, strengths)[-1] != 0
    return selected / n_subsamples


def _warnings(left_out: tuple[str, ...], refit: FactorFit | None) -> tuple[str, ...]:
    if refit is None:
        return (*left_out, "no attribute was selected: none predicts answers of those left out")
    return (
        *left_out,
        "the refit's intervals take the selection as given: they are too narrow; confirm the "
        "selected attributes on new judgements",
    )


def _check_options(groups: str, rule: str, n_folds: int, n_subsamples: int) -> None:
    for name, value, known in (
        ("groups", groups, get_args(Group)),
        ("rule", rule, get_args(Rule)),
    ):
        if value not in known:
            raise ConfigError(
                f"{name} must be one of {', '.join(known)}, got '{value}'"
                f"{did_you_mean(value, known)}"
            )
    if n_folds < 2 or n_subsamples < 1:
        raise ConfigError(
            f"expected at least 2 folds and 1 subsample, got {n_folds} and {n_subsamples}"
        )
