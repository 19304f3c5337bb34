"""Thurstone's case V: perceived qualities are normal, equally spread and independent.

P(i beats j) = Phi(s_i - s_j), in units of the standard deviation of a difference. Thurstone (1927,
Psychol. Rev. 34:273), Mosteller (1951, Psychometrika 16:3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from auralign.errors import ConfigError, DataError, NotConvergedError
from auralign.stats.arrays import BoolArray, FloatArray, IntArray, sum_by
from auralign.stats.comparisons import check_comparisons, index_of
from auralign.stats.newton import Slopes, centred_covariance, filled, maximise_dense
from auralign.stats.pairs.connectivity import require_finite_worths
from auralign.stats.pairs.pair_models import PairCounts
from auralign.stats.sandwich import clustered_errors, clustered_interval, few_clusters_warning
from auralign.types import Comparisons, Estimate

JOD_PER_UNIT = 1 / float(special.ndtri(0.75))
MAX_ITEMS = 3000
GRADIENT_TOLERANCE = 1e-11


@dataclass(frozen=True, eq=False)
class Pairs:
    """`won` of `total` comparisons by the first item, all `[pairs]`."""

    first: IntArray
    second: IntArray
    won: FloatArray
    total: FloatArray


@dataclass(frozen=True, eq=False)
class ProbitSlopes:
    """A log-likelihood and its derivatives by the margin, all `[pairs]`."""

    log_likelihood: FloatArray
    score: FloatArray
    information: FloatArray
    expected_information: FloatArray


@dataclass(frozen=True, eq=False)
class ThurstoneFit:
    """Scale values that sum to zero, `[items]`, and how far to trust them.

    scale              in standard deviations of a difference: one unit is 84 % preference
    covariance         `[items, items]`, the inverse expected information: right if all
                       comparisons are independent
    influence          `[items, raters]`: by how much the answers of each rater move the scale
    deviance, df       against one free probability for each pair of items; NaN with a prior
    warnings           sentences that belong next to the numbers
    """

    items: tuple[str, ...]
    scale: FloatArray
    covariance: FloatArray
    influence: FloatArray
    log_likelihood: float
    deviance: float
    df: int
    n: int
    iterations: int
    gradient_max: float
    status: Literal["maximum likelihood", "regularised"]
    warnings: tuple[str, ...]

    @property
    def jod(self) -> FloatArray:
        """The scale in just-objectionable differences: 1 JOD is 75 % preference."""
        return self.scale * JOD_PER_UNIT

    @property
    def standard_errors(self) -> FloatArray:
        errors: FloatArray = np.sqrt(np.diag(self.covariance))
        return errors

    @property
    def clustered_standard_errors(self) -> FloatArray:
        """`[items]`, sandwich over raters; NaN with one rater."""
        return clustered_errors(self.influence)

    def difference(self, first: str, second: str, *, level: float = 0.95) -> Estimate:
        """Scale value of `first` minus that of `second`, with Student's t on raters - 1.

        Raises `DataError` for an unknown item, `NotConvergedError` with fewer than two raters.
        """
        i, j = index_of(self.items, first), index_of(self.items, second)
        value, moved = float(self.scale[i] - self.scale[j]), self.influence[i] - self.influence[j]
        return clustered_interval(value, moved, level, self.n, "Thurstone difference, case V")


@dataclass(frozen=True, eq=False)
class ThurstoneLeastSquares:
    """Scale values that sum to zero `[items]`, the proportions that they imply, and the fit.

    goodness_of_fit is 1 - sum of squared residuals / sum of squared proportions, over the cells
    off the diagonal that were given.
    """

    scale: FloatArray
    fitted: FloatArray
    goodness_of_fit: float


def fit_thurstone(comparisons: Comparisons, *, prior: float = 0.0) -> ThurstoneFit:
    """Maximum likelihood scale values of the Thurstone-Mosteller model; a tie counts half.

    `prior` > 0 adds that many wins and as many losses of each item against a ghost item.

    Raises `NotConvergedError` when no finite maximum exists (as for Bradley-Terry: Ford 1957),
    `DataError` for broken arrays, `ConfigError` for a wrong prior or more than `MAX_ITEMS` items.
    """
    check_comparisons(comparisons)
    n_items = len(comparisons.items)
    _check_options(n_items, prior)
    used = comparisons.weight > 0
    rows, tied = _rows(comparisons, used), bool((comparisons.outcome[used] == 0.5).any())
    observed = _condensed(rows, n_items)
    pairs, n_nodes = observed, n_items
    if prior > 0:
        pairs, n_nodes = _with_ghost(observed, n_items, prior), n_items + 1
    else:
        _require_finite(observed, comparisons.items)
    objective = filled(partial(case_v_slopes, pairs=pairs), n_nodes)
    tolerance = GRADIENT_TOLERANCE * float(pairs.total.sum())
    best = maximise_dense(objective, np.zeros(n_nodes), tolerance)
    information = _expected_information(best.parameters, pairs)
    raters, rater = np.unique(comparisons.rater[used], return_inverse=True)
    covariance = centred_covariance(information, n_items)
    scale = best.parameters[:n_items]
    scores = _scores_by(rater, len(raters), rows, probit(scale, rows).score, n_items)
    deviance, df = _goodness_of_fit(observed, scale)
    return ThurstoneFit(
        items=comparisons.items,
        scale=scale - scale.mean(),
        covariance=covariance,
        influence=covariance @ scores,
        log_likelihood=float(probit(scale, rows).log_likelihood.sum()),
        deviance=np.nan if prior > 0 else deviance,
        df=df,
        n=int(used.sum()),
        iterations=best.iterations,
        gradient_max=best.slopes.steepest,
        status="regularised" if prior > 0 else "maximum likelihood",
        warnings=_warnings(tied, len(raters), prior),
    )


def thurstone_least_squares(proportions: ArrayLike) -> ThurstoneLeastSquares:
    """The classical solution from a table of proportions.

    `proportions` `[items, items]` holds the share that prefers row to column, NaN where a pair was
    not compared; the diagonal is ignored. The scale minimises the squared distance between normal
    deviates of the proportions and differences of scale values (Mosteller 1951), which for a full
    table are the row means of the deviates. It has no standard errors: use `fit_thurstone` where
    counts are known.

    Raises `DataError` for a table that is not one of proportions, `NotConvergedError` for a
    proportion of 0 or 1, whose deviate is infinite, and for items that no comparisons join.
    """
    table = _proportions(proportions)
    n_items = len(table)
    off_diagonal = ~np.eye(n_items, dtype=bool)
    first, second = np.nonzero(np.isfinite(table) & off_diagonal)
    _require_joined(first, second, n_items)
    deviate = special.ndtri(table[first, second])
    laplacian = np.zeros((n_items, n_items))
    laplacian[first, second] = -1
    laplacian -= np.diag(laplacian.sum(axis=1))
    # Each pair stands in the table twice, as (i, j) and (j, i), on both sides of the equation.
    right = sum_by(first, deviate, n_items)
    scale = np.asarray(np.linalg.solve(laplacian + 1, right), dtype=np.float64)
    fitted = special.ndtr(scale[:, None] - scale)
    residual = (table - fitted)[first, second]
    fit = 1 - float(residual @ residual / (table[first, second] ** 2).sum())
    return ThurstoneLeastSquares(scale, fitted, fit)


def probit(scale: FloatArray, pairs: Pairs) -> ProbitSlopes:
    """Log-likelihood of each pair and its derivatives by the difference of scale values."""
    margin = scale[pairs.first] - scale[pairs.second]
    won, lost = pairs.won, pairs.total - pairs.won
    above, below = _mills(margin), _mills(-margin)
    return ProbitSlopes(
        won * special.log_ndtr(margin) + lost * special.log_ndtr(-margin),
        won * above - lost * below,
        won * above * (above + margin) + lost * below * (below - margin),
        pairs.total * above * below,
    )


def case_v_slopes(scale: FloatArray, pairs: Pairs) -> Slopes:
    """Sum over pairs, with derivatives by the scale values `[items]`."""
    slopes, n = probit(scale, pairs), len(scale)
    gradient = sum_by(pairs.first, slopes.score, n) - sum_by(pairs.second, slopes.score, n)
    information = _laplacian(pairs, slopes.information, n)
    return Slopes(float(slopes.log_likelihood.sum()), gradient, information)


def _mills(x: FloatArray) -> FloatArray:
    """phi(x) / Phi(x), without underflow."""
    ratio: FloatArray = np.exp(-(x**2) / 2 - special.log_ndtr(x)) / np.sqrt(2 * np.pi)
    return ratio


def _laplacian(pairs: Pairs, weight: FloatArray, n: int) -> FloatArray:
    one_way = sum_by(pairs.first * n + pairs.second, weight, n * n).reshape(n, n)
    both_ways = one_way + one_way.T
    laplacian: FloatArray = np.diag(both_ways.sum(axis=1)) - both_ways
    return laplacian


def _expected_information(scale: FloatArray, pairs: Pairs) -> FloatArray:
    """Fisher's information, made invertible by a matrix of ones."""
    laplacian = _laplacian(pairs, probit(scale, pairs).expected_information, len(scale))
    filled_in: FloatArray = laplacian + np.diag(laplacian).max() / len(scale)
    return filled_in


def _rows(comparisons: Comparisons, used: BoolArray) -> Pairs:
    """One entry per comparison of positive weight, a tie counting half."""
    weight = comparisons.weight[used]
    first, second = comparisons.first[used], comparisons.second[used]
    return Pairs(first, second, weight * comparisons.outcome[used], weight)


def _condensed(rows: Pairs, n_items: int) -> Pairs:
    """One entry per unordered pair of items."""
    swap = rows.first > rows.second
    low, high = np.minimum(rows.first, rows.second), np.maximum(rows.first, rows.second)
    keys, pair = np.unique(low * np.int64(n_items) + high, return_inverse=True)
    won = sum_by(pair, np.where(swap, rows.total - rows.won, rows.won), len(keys))
    total = sum_by(pair, rows.total, len(keys))
    return Pairs(keys // n_items, keys % n_items, won, total)


def _with_ghost(pairs: Pairs, n_items: int, prior: float) -> Pairs:
    ghost, share = np.full(n_items, n_items), np.full(n_items, prior)
    return Pairs(
        np.r_[pairs.first, np.arange(n_items)],
        np.r_[pairs.second, ghost],
        np.r_[pairs.won, share],
        np.r_[pairs.total, 2 * share],
    )


def _require_finite(pairs: Pairs, items: Sequence[str]) -> None:
    none = np.zeros(len(pairs.won))
    counts = PairCounts(pairs.first, pairs.second, pairs.won, pairs.total - pairs.won, none)
    require_finite_worths(counts, items, np.zeros(len(items), dtype=np.int64))


def _scores_by(
    rater: IntArray, n_raters: int, rows: Pairs, score: FloatArray, n_items: int
) -> FloatArray:
    """The gradient of each rater's answers, `[items, raters]`."""
    cells, size = (
        (rows.first * n_raters + rater, rows.second * n_raters + rater),
        n_items * n_raters,
    )
    difference = sum_by(cells[0], score, size) - sum_by(cells[1], score, size)
    return difference.reshape(n_items, n_raters)


def _goodness_of_fit(pairs: Pairs, scale: FloatArray) -> tuple[float, int]:
    """Deviance from the proportions of each pair, and its degrees of freedom."""
    p = special.ndtr(scale[pairs.first] - scale[pairs.second])
    lost = pairs.total - pairs.won
    terms = special.rel_entr(pairs.won, pairs.total * p)
    terms += special.rel_entr(lost, pairs.total * (1 - p))
    return float(2 * terms.sum()), len(p) - (len(scale) - 1)


def _proportions(proportions: ArrayLike) -> FloatArray:
    table = np.array(proportions, dtype=np.float64)
    if table.ndim != 2 or len(set(table.shape)) != 1 or len(table) < 2:
        raise DataError(f"proportions must be [items, items], got shape {list(table.shape)}")
    np.fill_diagonal(table, 0.5)
    missing = np.isnan(table)
    if (missing != missing.T).any() or (np.abs(table + table.T - 1)[~missing] > 1e-6).any():
        raise DataError("the proportions of row over column and of column over row must sum to 1")
    extreme = np.argwhere((table <= 0) | (table >= 1))
    if len(extreme):
        i, j = extreme[0]
        raise NotConvergedError(
            f"the proportion {table[i, j]:g} in row {i}, column {j} has no finite normal deviate; "
            "use fit_thurstone on the counts, or NaN to leave the pair out"
        )
    return table


def _require_joined(first: IntArray, second: IntArray, n_items: int) -> None:
    graph = coo_array((np.ones(len(first)), (first, second)), (n_items, n_items))
    n_parts, _ = connected_components(graph, directed=False)
    if n_parts > 1:
        raise NotConvergedError(
            f"the proportions fall into {n_parts} components that were never compared, so a common "
            "scale does not exist; scale each by itself"
        )


def _warnings(tied: bool, n_raters: int, prior: float) -> tuple[str, ...]:
    remarks = {
        f"regularised: {prior:g} wins and {prior:g} losses of each item against a ghost item draw "
        "the scale together": prior > 0,
        "ties count half: standard_errors and deviance take them for independent answers, "
        "clustered_standard_errors do not": tied,
    }
    applying = tuple(text for text, applies in remarks.items() if applies)
    return applying + few_clusters_warning(n_raters)


def _check_options(n_items: int, prior: float) -> None:
    if not (np.isfinite(prior) and prior >= 0):
        raise ConfigError(f"prior must be a finite number of wins, 0 or more, got {prior}")
    if n_items > MAX_ITEMS:
        raise ConfigError(
            f"fit_thurstone takes at most {MAX_ITEMS} items, got {n_items}; use fit_bradley_terry"
        )
