"""Standard errors of log-worths: by the likelihood, by what answers do, by rater and by cluster.

All but the first are sandwich estimators: the inverse information on both sides of the summed
squares of scores, where the scores of one cluster are added up before they are squared (Liang &
Zeger 1986, Biometrika 73:13). They hold for answers that depend on each other within a cluster,
and where ties are counted half.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
from scipy import sparse, special

from auralign.errors import ConfigError, NotConvergedError, did_you_mean
from auralign.stats.arrays import FloatArray, IntArray, sum_by
from auralign.stats.intervals import check_level
from auralign.stats.pairs.connectivity import count_parts
from auralign.stats.pairs.fitted_model import MAX_DENSE_INVERSE, FittedModel
from auralign.stats.pairs.laplacian import centre
from auralign.stats.pairs.maximum_likelihood import cluster_scores, evaluate
from auralign.stats.pairs.pair_models import PairCounts, Slopes
from auralign.types import Estimate

Errors = Literal[
    "information", "comparisons", "raters", "clusters", "raters and clusters", "jackknife"
]
"""What a standard error allows for.

information           nothing: all comparisons independent, the model of ties right
comparisons           independent comparisons, any model of ties (HC1)
raters                answers of a rater depend on each other, by n / (n - 1) as in CR1
clusters              the same for the clusters of the comparisons (prompts)
raters and clusters   both at once (Cameron, Gelbach & Miller 2011, J. Bus. Econ. Stat. 29:238),
                      never below either alone
jackknife             raters left out one by one, by one Newton step with the information of the
                      others (CR3: Bell & McCaffrey 2002, Surv. Methodol. 28:169): for few raters
"""


Part = tuple[int, FloatArray]


def rater_influence(model: FittedModel) -> FloatArray:
    """By how much the answers of each rater move log-worths (first order): `[items, raters]`."""
    rater = np.unique(model.comparisons.rater[model.used], return_inverse=True)[1]
    scores = cluster_scores(model.rows, model.at_rows.slopes, rater, len(model.block))
    return model.solve(*scores)[0]


def information_errors(model: FittedModel) -> FloatArray:
    """Standard errors `[items]` from the inverse information; NaN where that is too large."""
    n, inverse = model.n_items, model.inverse
    if inverse is None:
        return np.full(n, np.nan)
    slopes = model.at_counts.slopes
    border = model.graph.scatter(slopes.cross_information)
    across = inverse @ border
    shared_covariance = np.linalg.inv(slopes.shared_information - border.T @ across)
    if n < len(model.block):
        inverse = inverse.without_last()
    across = centre(across[:n], model.block[:n])
    variance = inverse.diagonal() + np.einsum("ik,kl,il->i", across, shared_covariance, across)
    errors: FloatArray = np.sqrt(variance)
    return errors


def covariances(model: FittedModel, kind: Errors) -> list[Part]:
    """Signs and matrices `[items, items]` that add up to the covariance of centred log-worths.

    Raises `NotConvergedError` where items are too many or clusters too few, `ConfigError` for an
    unknown kind.
    """
    _check_kind(kind)
    if len(model.block) > MAX_DENSE_INVERSE:
        raise NotConvergedError(
            f"covariances of {len(model.block)} items are not computed (at most "
            f"{MAX_DENSE_INVERSE}); ask for single differences or contrasts"
        )
    if kind == "jackknife":
        return [(1, _jackknife(model))]
    n, p = model.n_items, len(model.block) + len(model.shared)
    unit = np.eye(p)
    bread, _ = model.solve(unit[: len(model.block)], unit[len(model.block) :])
    if kind == "information":
        return [(1, centre(bread[:, :n].T, model.block[:n]).T)]
    return [
        (sign, bread @ _meat(model, *_groups(model, side)) @ bread.T) for sign, side in _sides(kind)
    ]


def combined(parts: list[Part], variances: Callable[[FloatArray], FloatArray]) -> FloatArray:
    """Variances of the summed `parts`, never below those of a single positive part."""
    values = [(sign, variances(matrix)) for sign, matrix in parts]
    total = np.sum([sign * value for sign, value in values], axis=0)
    floor = np.max([value for sign, value in values if sign > 0], axis=0)
    largest: FloatArray = np.maximum(total, floor)
    return largest


def difference_variances(covariance: FloatArray) -> FloatArray:
    """Variances `[items, items]` of all differences."""
    own = covariance.diagonal()
    variances: FloatArray = np.maximum(own[:, None] + own - 2 * covariance, 0.0)
    return variances


def degrees_of_freedom(model: FittedModel, kind: Errors) -> float:
    """Of Student's t: clusters - 1, the smaller side's where two; infinite by information."""
    _check_kind(kind)
    if kind == "information":
        return np.inf
    sides = ["raters"] if kind == "jackknife" else kind.split(" and ")
    return min(_groups(model, side)[1] for side in sides) - 1


def contrast_interval(
    model: FittedModel, log_worth: FloatArray, weights: FloatArray, kind: Errors, level: float
) -> Estimate:
    """`weights` `[items]` @ `log_worth` with Student's t on clusters - 1, or the normal."""
    check_level(level)
    _check_kind(kind)
    df = degrees_of_freedom(model, kind)
    variance = _contrast_variance(model, weights, kind)
    if not np.isfinite(variance):
        raise NotConvergedError(f"no interval by '{kind}': without some rater no maximum exists")
    tail = (1 + level) / 2
    quantile = float(special.ndtri(tail) if np.isinf(df) else special.stdtrit(df, tail))
    value, half = float(weights @ log_worth), quantile * float(np.sqrt(variance))
    n = len(model.used)
    n_clusters = n if np.isinf(df) else int(df) + 1
    method = f"Bradley-Terry contrast of log-worths; {_DESCRIPTIONS[kind]}"
    return Estimate(value, value - half, value + half, level, n, n_clusters, method)


_DESCRIPTIONS = {
    "information": "inverse information, normal",
    "comparisons": "sandwich over comparisons, Student's t",
    "raters": "sandwich over raters, Student's t",
    "clusters": "sandwich over clusters, Student's t",
    "raters and clusters": "two-way sandwich over raters and clusters, Student's t",
    "jackknife": "raters left out one by one, Student's t",
}


def _contrast_variance(model: FittedModel, weights: FloatArray, kind: Errors) -> float:
    if kind == "jackknife":
        return float(weights @ covariances(model, kind)[0][1] @ weights)
    right = np.zeros((len(model.block), 1))
    right[: model.n_items, 0] = weights
    x, y = model.solve(right, np.zeros((len(model.shared), 1)))
    if kind == "information":
        return float(weights @ x[:, 0])
    x = np.append(x[:, 0], np.zeros(len(model.block) - model.n_items))
    rows, slopes = model.rows, model.at_rows.slopes
    moved = slopes.score * (x[rows.first] - x[rows.second]) + y[:, 0] @ slopes.shared_score
    parts = []
    for sign, side in _sides(kind):
        group, n = _groups(model, side)
        parts.append((sign, n / (n - 1) * sum_by(group, moved, n) ** 2))
    return float(combined(parts, lambda squares: squares.sum(keepdims=True))[0])


def _sides(kind: str) -> list[tuple[int, str]]:
    if kind == "raters and clusters":
        return [(1, "raters"), (1, "clusters"), (-1, "raters within clusters")]
    return [(1, kind)]


def _groups(model: FittedModel, side: str) -> tuple[IntArray, int]:
    """For each used comparison the group that it moves with, and the number of groups.

    Raises `NotConvergedError` with a single group.
    """
    rater, cluster = (
        column[model.used] for column in (model.comparisons.rater, model.comparisons.cluster)
    )
    labels = {
        "comparisons": model.used,
        "raters": rater,
        "clusters": cluster,
        "raters within clusters": rater * (np.int64(1) + cluster.max()) + cluster,
    }[side]
    names, group = np.unique(labels, return_inverse=True)
    if len(names) < 2:
        raise NotConvergedError(f"an interval over {side} needs at least 2 {side}, got 1")
    return group, len(names)


def _meat(model: FittedModel, group: IntArray, n_groups: int) -> FloatArray:
    """Summed squares of the scores of groups, `[items + ghosts + k, the same]`."""
    rows, slopes = model.rows, model.at_rows.slopes
    n, k = len(model.block), len(model.shared)
    where = [rows.first, rows.second, *(np.full(len(group), n + j) for j in range(k))]
    values = np.concatenate([slopes.score, -slopes.score, *slopes.shared_score])
    places = np.concatenate(where), np.tile(group, 2 + k)
    scores = sparse.coo_array((values, places), (n + k, n_groups)).tocsr()
    squares: FloatArray = n_groups / (n_groups - 1) * (scores @ scores.T).toarray()
    return squares


def _jackknife(model: FittedModel) -> FloatArray:
    """(n - 1) / n times the summed squares of what leaving out each rater moves.

    NaN where the others alone leave items that were never compared.
    """
    rater, n_raters = _groups(model, "raters")
    if _some_rater_is_indispensable(model, rater, n_raters):
        return np.full((model.n_items, model.n_items), np.nan)
    n = len(model.block)
    whole = _information(model.counts, model.at_counts.slopes, n)
    # A constant in each block fills the null space, which the scores have no part in.
    fill = whole.max() / n
    whole[:n, :n] += fill * (model.block[:, None] == model.block) + model.ridge * np.eye(n)
    order = np.argsort(rater, kind="stable")
    moved = np.empty((model.n_items, n_raters))
    for k, rows in enumerate(np.split(order, np.cumsum(np.bincount(rater))[:-1])):
        counts = model.rows.where(rows)
        slopes = evaluate(counts, model.model, model.log_worth, model.shared).slopes
        score = np.append(_scatter(counts, slopes.score, n), slopes.shared_score.sum(axis=1))
        rest = whole - _information(counts, slopes, n)
        moved[:, k] = np.linalg.solve(rest, score)[: model.n_items]
    moved = centre(moved, model.block[: model.n_items])
    covariance: FloatArray = (n_raters - 1) / n_raters * moved @ moved.T
    return covariance


def _some_rater_is_indispensable(model: FittedModel, rater: IntArray, n_raters: int) -> bool:
    if model.prior > 0 or model.ridge > 0:
        return False
    n_blocks = int(model.block.max()) + 1
    return any(
        count_parts(model.rows.where(rater != k), model.n_items) > n_blocks for k in range(n_raters)
    )


def _information(counts: PairCounts, slopes: Slopes, n: int) -> FloatArray:
    """Minus the Hessian by log-worths and shared parameters, `[n + k, n + k]`."""
    cells = np.concatenate([counts.first * n + counts.second, counts.second * n + counts.first])
    off = sum_by(cells, np.tile(slopes.information, 2), n * n).reshape(n, n)
    border = np.zeros((n, len(slopes.cross_information)))
    for j, row in enumerate(slopes.cross_information):
        border[:, j] = _scatter(counts, row, n)
    corner = slopes.shared_information
    return np.block([[np.diag(off.sum(axis=1)) - off, border], [border.T, corner]])


def _scatter(counts: PairCounts, values: FloatArray, n: int) -> FloatArray:
    return sum_by(counts.first, values, n) - sum_by(counts.second, values, n)


def _check_kind(kind: str) -> None:
    known = get_args(Errors)
    if kind not in known:
        raise ConfigError(
            f"errors must be one of {', '.join(known)}, got '{kind}'{did_you_mean(kind, known)}"
        )
