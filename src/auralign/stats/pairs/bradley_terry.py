"""Worths of items from pair comparisons (Bradley & Terry 1952), with honest standard errors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

import numpy as np
from scipy import special

from auralign.errors import ConfigError, DataError, NotConvergedError, did_you_mean
from auralign.stats.arrays import FloatArray, IntArray
from auralign.stats.comparisons import check_comparisons, encode
from auralign.stats.intervals import check_level
from auralign.stats.pairs.connectivity import count_parts, require_finite_worths
from auralign.stats.pairs.laplacian import PairGraph, centre
from auralign.stats.pairs.maximum_likelihood import (
    Point,
    Solver,
    bordered_solve,
    cluster_scores,
    evaluate,
    information_errors,
    maximise,
)
from auralign.stats.pairs.pair_models import (
    PairCounts,
    PairModel,
    aggregate,
    davidson,
    half_win,
    row_counts,
)
from auralign.types import Comparisons, Estimate

Ties = Literal["half", "davidson"]

ELO_PER_LOGIT = 400 / math.log(10)
MAX_DENSE_INVERSE = 3000
FEW_RATERS = 20


@dataclass(frozen=True, eq=False)
class BradleyTerryFit:
    """Log-worths that sum to zero (in each block), `[items]`, and how far to trust them.

    block              `[items]`; worths of items in different blocks cannot be compared
    standard_errors    `[items]`, from the inverse information: right if all comparisons are
                       independent and ties are modelled
    influence          `[items, raters]`: by how much the answers of each rater move the log-worths
                       (first order); the sandwich estimator is made of it
    nu                 Davidson's tie parameter, None where a tie counts half
    log_likelihood     of the comparisons, without the prior's part
    n                  comparisons of positive weight
    gradient_max       largest part of the gradient at the last step
    warnings           sentences that belong next to the numbers
    """

    items: tuple[str, ...]
    block: IntArray
    log_worth: FloatArray
    standard_errors: FloatArray
    influence: FloatArray
    nu: float | None
    log_likelihood: float
    n: int
    iterations: int
    gradient_max: float
    status: Literal["maximum likelihood", "regularised"]
    warnings: tuple[str, ...]

    @property
    def n_raters(self) -> int:
        return int(self.influence.shape[1])

    @property
    def clustered_standard_errors(self) -> FloatArray:
        """`[items]`, sandwich over raters: right also for dependent answers and for half-wins.

        NaN with one rater.
        """
        return _sandwich(self.influence)

    @property
    def elo(self) -> FloatArray:
        """Log-worths on Elo's display scale: 400 points are odds of ten to one, mean 1000."""
        points: FloatArray = 1000 + ELO_PER_LOGIT * self.log_worth
        return points

    def difference(self, first: str, second: str, *, level: float = 0.95) -> Estimate:
        """Log-worth of `first` minus that of `second`, with Student's t on raters - 1.

        Raises `DataError` for an unknown item or items of two blocks, `NotConvergedError` with
        fewer than two raters.
        """
        check_level(level)
        i, j = self._index(first), self._index(second)
        if self.block[i] != self.block[j]:
            raise DataError(f"'{first}' and '{second}' are in different blocks: not comparable")
        if self.n_raters < 2:
            raise NotConvergedError("an interval over raters needs at least 2 raters, got 1")
        error = float(_sandwich(self.influence[i] - self.influence[j]))
        value = float(self.log_worth[i] - self.log_worth[j])
        half = float(special.stdtrit(self.n_raters - 1, (1 + level) / 2)) * error
        method = "Bradley-Terry difference of log-worths; sandwich over raters, Student's t"
        return Estimate(value, value - half, value + half, level, self.n, self.n_raters, method)

    def _index(self, item: str) -> int:
        if item not in self.items:
            raise DataError(f"no item '{item}' in this fit{did_you_mean(item, self.items)}")
        return self.items.index(item)


def fit_bradley_terry(
    comparisons: Comparisons, *, ties: Ties = "half", prior: float = 0.0
) -> BradleyTerryFit:
    """Maximum likelihood log-worths: P(i beats j) = 1 / (1 + exp(log_worth_j - log_worth_i)).

    `ties` counts a tie as half a win for each side, or models it (Davidson 1970, JASA 65:317).
    `prior` > 0 adds that many wins and as many losses of each item against a ghost item, which
    makes all worths finite and draws them together (0.5 is usual); `warnings` then says so.

    Raises `NotConvergedError` when no finite maximum exists (items that were never compared, that
    never win or never lose: Ford 1957), `DataError` for an item compared with itself or broken
    arrays, `ConfigError` for an unknown option.
    """
    check_comparisons(comparisons)
    return _fit(comparisons, np.zeros(len(comparisons.items), dtype=np.int64), ties, prior)


def fit_within_blocks(
    comparisons: Comparisons,
    block_of_item: Mapping[str, str],
    *,
    ties: Ties = "half",
    prior: float = 0.0,
) -> BradleyTerryFit:
    """`fit_bradley_terry` where items are only compared within a block, as clips of a prompt are.

    Log-worths sum to zero in each block and mean nothing across blocks. With `prior` > 0 each
    block has its own ghost item; the tie parameter is shared by all blocks. Also raises
    `DataError` when an item has no block or a comparison joins two blocks.
    """
    check_comparisons(comparisons)
    missing = [item for item in comparisons.items if item not in block_of_item]
    if missing:
        raise DataError(f"expected a block for each item, found none for '{missing[0]}'")
    _, block = encode([block_of_item[item] for item in comparisons.items])
    crossing = np.flatnonzero(block[comparisons.first] != block[comparisons.second])
    if len(crossing):
        first = comparisons.items[comparisons.first[crossing[0]]]
        second = comparisons.items[comparisons.second[crossing[0]]]
        raise DataError(
            f"{len(crossing)} comparisons join two blocks, such as '{first}' with '{second}'; "
            "leave them out or use fit_bradley_terry"
        )
    return _fit(comparisons, block, ties, prior)


def _fit(comparisons: Comparisons, block: IntArray, ties: Ties, prior: float) -> BradleyTerryFit:
    _check_options(ties, prior)
    n_items, used = len(block), comparisons.weight > 0
    rows = row_counts(comparisons).where(used)
    raters, cluster = np.unique(comparisons.rater[used], return_inverse=True)
    counts = aggregate(rows, n_items)
    warnings = _warnings(counts, block, len(raters), ties, prior)
    if prior > 0:
        counts, block = _with_ghosts(counts, block, prior)
    else:
        require_finite_worths(counts, comparisons.items, block)
    graph = PairGraph(counts.first, counts.second, block)
    model, shared_start = _model(counts, ties)
    best = maximise(graph, counts, model, shared_start)
    standard_errors, influence = _errors(graph, best.point, model, rows, cluster, n_items)
    return BradleyTerryFit(
        items=comparisons.items,
        block=block[:n_items],
        log_worth=centre(best.point.log_worth[:n_items, None], block[:n_items])[:, 0],
        standard_errors=standard_errors,
        influence=influence,
        nu=_nu(best.point, ties),
        log_likelihood=evaluate(
            rows, model, best.point.log_worth, best.point.shared
        ).log_likelihood,
        n=int(used.sum()),
        iterations=best.iterations,
        gradient_max=best.gradient_max,
        status="regularised" if prior > 0 else "maximum likelihood",
        warnings=warnings,
    )


def _errors(
    graph: PairGraph,
    best: Point,
    model: PairModel,
    rows: PairCounts,
    cluster: IntArray,
    n_items: int,
) -> tuple[FloatArray, FloatArray]:
    """Standard errors `[items]` from the information, and the influence `[items, raters]`."""
    solve: Solver = partial(graph.solve, best.slopes.information)
    standard_errors = np.full(n_items, np.nan)
    if graph.largest_block <= MAX_DENSE_INVERSE:
        inverse = graph.pseudo_inverse(best.slopes.information)
        solve = inverse.__matmul__
        standard_errors = information_errors(graph, best.slopes, inverse, n_items)
    at_rows = evaluate(rows, model, best.log_worth, best.shared)
    scores = cluster_scores(rows, at_rows.slopes, cluster, len(graph.block))
    influence, _ = bordered_solve(graph, best.slopes, solve, *scores)
    return standard_errors, centre(influence[:n_items], graph.block[:n_items])


def _sandwich(influence: FloatArray) -> FloatArray:
    """Root of the summed squares over clusters `[..., clusters]`, corrected for their number."""
    n = influence.shape[-1]
    if n < 2:
        return np.full(influence.shape[:-1], np.nan)
    errors: FloatArray = np.sqrt(n / (n - 1) * (influence**2).sum(axis=-1))
    return errors


def _with_ghosts(counts: PairCounts, block: IntArray, prior: float) -> tuple[PairCounts, IntArray]:
    """Add to each block a ghost item that wins and loses `prior` times against each other item."""
    n_items, n_blocks = len(block), int(block.max()) + 1
    share = np.full(n_items, prior)
    ghosts = PairCounts(np.arange(n_items), n_items + block, share, share, np.zeros(n_items))
    return counts.extended(ghosts), np.append(block, np.arange(n_blocks))


def _model(counts: PairCounts, ties: Ties) -> tuple[PairModel, FloatArray]:
    """The likelihood, and where its shared parameters start."""
    tied, total = counts.ties.sum(), counts.total.sum()
    if ties == "half" or tied == 0:
        return half_win, np.zeros(0)
    if tied == total:
        raise NotConvergedError(
            "Davidson's tie parameter does not exist: all comparisons are ties; use ties='half'"
        )
    # At equal worths P(tie) = nu / (2 + nu).
    return davidson, np.log([2 * tied / (total - tied)])


def _nu(best: Point, ties: Ties) -> float | None:
    if ties == "half":
        return None
    return float(np.exp(best.shared[0])) if len(best.shared) else 0.0


def _warnings(
    counts: PairCounts, block: IntArray, n_raters: int, ties: Ties, prior: float
) -> tuple[str, ...]:
    tied = float(counts.ties.sum())
    n_parts, n_blocks = count_parts(counts, len(block)), int(block.max()) + 1
    remarks = {
        f"regularised: {prior:g} wins and {prior:g} losses of each item against a ghost item draw "
        "the worths together": prior > 0,
        f"the comparison graph falls into {n_parts} components; only the prior relates them": (
            prior > 0 and n_parts > n_blocks
        ),
        "ties count half: standard_errors are too wide, clustered_standard_errors are not": (
            ties == "half" and tied > 0
        ),
        "no ties: Davidson's nu is 0": ties == "davidson" and tied == 0,
        f"{n_raters} raters: clustered_standard_errors tend to be too narrow below {FEW_RATERS}": (
            1 < n_raters < FEW_RATERS
        ),
        "one rater: clustered_standard_errors do not exist": n_raters == 1,
        f"no standard_errors above {MAX_DENSE_INVERSE} items in a block": (
            np.bincount(block).max() > MAX_DENSE_INVERSE
        ),
    }
    return tuple(text for text, applies in remarks.items() if applies)


def _check_options(ties: str, prior: float) -> None:
    if ties not in get_args(Ties):
        known = get_args(Ties)
        raise ConfigError(
            f"ties must be one of {', '.join(known)}, got '{ties}'{did_you_mean(ties, known)}"
        )
    if not (np.isfinite(prior) and prior >= 0):
        raise ConfigError(f"prior must be a finite number of wins, 0 or more, got {prior}")
