"""Worths of items from pair comparisons (Bradley & Terry 1952, Biometrika 39:324)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from auralign.errors import ConfigError, DataError, NotConvergedError, did_you_mean
from auralign.stats.arrays import FloatArray, IntArray
from auralign.stats.comparisons import check_comparisons, encode, subset
from auralign.stats.pairs.bradley_terry_fit import ELO_PER_LOGIT, BradleyTerryFit
from auralign.stats.pairs.connectivity import (
    require_finite_order_effect,
    require_finite_tie_parameter,
    require_finite_worths,
    some_rows_are_strong,
    table_is_strong,
    win_groups,
)
from auralign.stats.pairs.fitted_model import FittedModel, with_ghosts
from auralign.stats.pairs.laplacian import PairGraph, centre
from auralign.stats.pairs.logistic_newton import TableContests, contests, maximise_logistic
from auralign.stats.pairs.maximum_likelihood import maximise
from auralign.stats.pairs.pair_models import (
    PairModel,
    condense,
    davidson,
    half_win,
    rao_kupper,
    row_counts,
    with_order_effect,
)
from auralign.types import Comparisons

__all__ = [
    "ELO_PER_LOGIT",
    "BradleyTerryFit",
    "Ties",
    "fit_bradley_terry",
    "fit_components",
    "fit_within_blocks",
]

Ties = Literal["half", "davidson", "rao_kupper"]


def fit_bradley_terry(
    comparisons: Comparisons,
    *,
    ties: Ties = "half",
    order_effect: bool = False,
    prior: float = 0.0,
    ridge_sd: float | None = None,
) -> BradleyTerryFit:
    """Maximum likelihood log-worths: P(i beats j) = 1 / (1 + exp(log_worth_j - log_worth_i)).

    ties          count a tie as half a win for each side, or model it with Davidson (1970, JASA
                  65:317) or Rao & Kupper (1967, JASA 62:194)
    order_effect  also fit what being presented first adds to the margin (Davidson & Beaver 1977,
                  Biometrics 33:693): positive favours the item presented first
    prior         adds that many wins and as many losses of each item against a ghost item, which
                  makes all worths finite and draws them together (0.5 is usual)
    ridge_sd      standard deviation in logits of a normal prior on each log-worth

    With a prior `status` and `warnings` say so. Weights may be fractions.

    Raises `NotConvergedError` when no finite maximum exists (items that were never compared, that
    never win or never lose: Ford 1957), `DataError` for an item compared with itself or broken
    arrays, `ConfigError` for an unknown option.
    """
    check_comparisons(comparisons)
    options = _Options(ties, order_effect, prior, ridge_sd)
    return _fit(comparisons, np.zeros(len(comparisons.items), dtype=np.int64), options)


def fit_within_blocks(
    comparisons: Comparisons,
    block_of_item: Mapping[str, str],
    *,
    ties: Ties = "half",
    order_effect: bool = False,
    prior: float = 0.0,
    ridge_sd: float | None = None,
) -> BradleyTerryFit:
    """`fit_bradley_terry` where items are only compared within a block, as clips of a prompt are.

    Log-worths sum to zero in each block and mean nothing across blocks. With `prior` > 0 each
    block has its own ghost item; tie parameter and order effect are shared by all blocks. Also
    raises `DataError` when an item has no block or a comparison joins two blocks.
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
    return _fit(comparisons, block, _Options(ties, order_effect, prior, ridge_sd))


def fit_components(
    comparisons: Comparisons, *, ties: Ties = "half", order_effect: bool = False
) -> BradleyTerryFit:
    """One fit for each group of items whose worths exist, where `fit_bradley_terry` refuses.

    A group is a strong component of the graph of wins; `diagnose_connectivity` lists them.
    Comparisons between groups say that a difference is infinite, and are left out; `warnings`
    counts them. An item alone in its group has log-worth 0 and stands for nothing.
    """
    check_comparisons(comparisons)
    block = win_groups(comparisons)
    across = (block[comparisons.first] != block[comparisons.second]) & (comparisons.weight > 0)
    within = subset(comparisons, ~across)
    if not (within.weight > 0).any():
        raise NotConvergedError("no two items are linked by wins both ways: nothing can be fitted")
    sizes = np.bincount(block)
    remark = (
        f"worths exist within {np.count_nonzero(sizes > 1)} groups only, {sizes.max()} items in "
        f"the largest, {np.count_nonzero(sizes == 1)} items alone; "
        f"{int(across.sum())} comparisons between groups are left out"
    )
    return _fit(within, block, _Options(ties, order_effect, 0.0, None), (remark,))


@dataclass(frozen=True)
class _Options:
    ties: Ties
    order_effect: bool
    prior: float
    ridge_sd: float | None

    def __post_init__(self) -> None:
        if self.ties not in get_args(Ties):
            known = get_args(Ties)
            raise ConfigError(
                f"ties must be one of {', '.join(known)}, got '{self.ties}'"
                f"{did_you_mean(self.ties, known)}"
            )
        if not (np.isfinite(self.prior) and self.prior >= 0):
            raise ConfigError(f"prior must be a finite number of wins, 0 or more, got {self.prior}")
        if self.ridge_sd is not None and not (np.isfinite(self.ridge_sd) and self.ridge_sd > 0):
            raise ConfigError(f"ridge_sd must be positive and finite, got {self.ridge_sd}")
        if self.ridge_sd is not None and self.prior > 0:
            raise ConfigError("pass prior or ridge_sd, not both: each makes all worths finite")

    @property
    def ridge(self) -> float:
        return 0.0 if self.ridge_sd is None else 1 / self.ridge_sd**2

    @property
    def regularised(self) -> bool:
        return self.prior > 0 or self.ridge_sd is not None


def _fit(
    comparisons: Comparisons, block: IntArray, options: _Options, remarks: tuple[str, ...] = ()
) -> BradleyTerryFit:
    if options.prior > 0:
        block = np.append(block, np.arange(int(block.max()) + 1))
    model, shared = _model(comparisons, options)
    if len(shared) or block.max() > 0:
        found = _fit_any(comparisons, block, model, shared, options)
    else:
        found = _fit_logistic(comparisons, block, options)
    log_worth, shared, gradient_max, iterations = found
    n_items, tie_parameter = len(comparisons.items), shared[int(options.order_effect) :]
    return BradleyTerryFit(
        items=comparisons.items,
        block=block[:n_items],
        log_worth=centre(log_worth[:n_items, None], block[:n_items])[:, 0],
        order_effect=float(shared[0]) if options.order_effect else None,
        nu=float(np.exp(tie_parameter).sum()) if options.ties == "davidson" else None,
        threshold=float(tie_parameter.sum()) if options.ties == "rao_kupper" else None,
        n=int(np.count_nonzero(comparisons.weight)),
        iterations=iterations,
        gradient_max=gradient_max,
        status="regularised" if options.regularised else "maximum likelihood",
        model=FittedModel(
            comparisons,
            block,
            model,
            log_worth,
            shared,
            options.prior,
            options.ridge,
        ),
        remarks=remarks,
    )


def _fit_logistic(
    comparisons: Comparisons, block: IntArray, options: _Options
) -> tuple[FloatArray, FloatArray, float, int]:
    """Bradley-Terry alone, all items in one block."""
    c, n_items, prior = comparisons, len(comparisons.items), options.prior
    unweighted = bool((c.weight == 1).all()) and prior == 0
    first, second, total = c.first, c.second, None if unweighted else c.weight
    score = c.outcome if unweighted else c.weight * c.outcome
    if prior > 0:
        items, ghost = np.arange(n_items), np.full(n_items, n_items)
        first, second = np.concatenate([first, items]), np.concatenate([second, ghost])
        score = np.concatenate([score, np.full(n_items, prior)])
        total = np.concatenate([c.weight, np.full(n_items, 2 * prior)])
    data = contests(first, second, score, total, len(block))
    if not options.regularised and not (
        table_is_strong(data.won)
        if isinstance(data, TableContests)
        else some_rows_are_strong(first, second, score, total, n_items)
    ):
        rows = row_counts(comparisons).where(comparisons.weight > 0)
        require_finite_worths(rows, comparisons.items, block)
    log_worth, gradient_max, iterations = maximise_logistic(data, ridge=options.ridge)
    return log_worth, np.zeros(0), gradient_max, iterations


def _fit_any(
    comparisons: Comparisons,
    block: IntArray,
    model: PairModel,
    shared: FloatArray,
    options: _Options,
) -> tuple[FloatArray, FloatArray, float, int]:
    n_items = len(comparisons.items)
    rows = row_counts(comparisons).where(comparisons.weight > 0)
    counts = condense(rows, n_items)
    if not options.regularised:
        require_finite_worths(counts, comparisons.items, block)
        if len(shared) > options.order_effect:
            require_finite_tie_parameter(counts, block)
    if options.order_effect and options.prior == 0:
        require_finite_order_effect(counts, block, fixed_worths=options.ridge > 0)
    counts = with_ghosts(counts, block, n_items, options.prior)
    graph = PairGraph(counts.first, counts.second, block)
    best = maximise(graph, counts, model, shared, ridge=options.ridge)
    return best.point.log_worth, best.point.shared, best.gradient_max, best.iterations


def _model(comparisons: Comparisons, options: _Options) -> tuple[PairModel, FloatArray]:
    """The likelihood, and where its shared parameters start."""
    model: PairModel = half_win
    shared = np.zeros(0)
    if options.ties != "half":
        model, shared = _tie_model(comparisons, options.ties)
    if options.order_effect:
        return with_order_effect(model), np.append(0.0, shared)
    return model, shared


def _tie_model(comparisons: Comparisons, ties: Ties) -> tuple[PairModel, FloatArray]:
    tied = float(comparisons.weight[comparisons.outcome == 0.5].sum())
    total = float(comparisons.weight.sum())
    if tied == 0:
        return half_win, np.zeros(0)
    if tied == total:
        raise NotConvergedError(
            "the tie parameter does not exist: all comparisons are ties; use ties='half'"
        )
    if ties == "davidson":  # at equal worths P(tie) = nu / (2 + nu)
        return davidson, np.log([2 * tied / (total - tied)])
    return rao_kupper, np.log([(total + tied) / (total - tied)])  # P(tie) = (eta - 1) / (eta + 1)
