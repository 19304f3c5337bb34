"""Plackett-Luce: worths of items from full and partial rankings, with ties.

A ranking is a sequence of choices: the best of all candidates, then the best of the rest (Luce
1959; Plackett 1975, Appl. Stat. 24:193). With ties the choice is of a set C of items, whose worth
is delta_|C| times the geometric mean of its items' worths (Turner, van Etten, Firth & Kosmidis
2020, Comput. Stat. 35:1027, arXiv 1810.12068); for pairs that is Davidson's, nu = delta_2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import combinations
from math import comb

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from auralign.errors import ConfigError, NotConvergedError
from auralign.stats.arrays import BoolArray, FloatArray, IntArray, sum_by
from auralign.stats.newton import (
    DenseMaximum,
    Slopes,
    centred_covariance,
    filled,
    maximise_dense,
)
from auralign.stats.pairs.connectivity import require_finite_worths
from auralign.stats.pairs.pair_models import PairCounts
from auralign.stats.pairs.separation import separating_direction
from auralign.stats.rankings.choices import (
    Choices,
    advantages,
    choice_likelihood,
    choice_slopes,
    scores_by_rater,
)
from auralign.stats.rankings.fit import RankingFit
from auralign.stats.rankings.records import PAD, Rankings, check_rankings, used
from auralign.stats.sandwich import few_clusters_warning

GRADIENT_TOLERANCE = 1e-9
MAX_ITEMS = 3000
MAX_OPTIONS = 20_000
MAX_SEPARATION_CELLS = 50_000_000
STEPS_PER_ITEM = 32  # random neighbours that nearly always connect all items
MAX_SPREAD = 300.0  # logits; beyond, squared ratios of worths leave the floating-point range


@dataclass(frozen=True, eq=False)
class Ladder:
    """Rankings without ties, best first, one column each.

    node    int `[width, rankings]`; padding is `n_nodes`
    choice  `[width, rankings]`: the weight where this place was a choice among it and those below,
            else 0
    """

    node: IntArray
    choice: FloatArray
    n_nodes: int

    @cached_property
    def chosen(self) -> FloatArray:
        """How often each node was chosen, `[nodes]`."""
        return self.by_node(self.choice)

    def by_node(self, values: FloatArray) -> FloatArray:
        """Sums of `[width, rankings]` values by node, `[nodes]`."""
        return sum_by(self.node.ravel(), values.ravel(), self.n_nodes + 1)[: self.n_nodes]


def fit_plackett_luce(rankings: Rankings, *, prior: float = 0.0) -> RankingFit:
    """Maximum likelihood log-worths from rankings of any subsets, top-k and ties included.

    `prior` > 0 adds to each item that many wins and as many losses against a ghost item, which
    makes all worths finite and draws them together (0.5 is usual). Ties of a number of items that
    was never observed have probability zero.

    Raises `NotConvergedError` when no finite maximum exists (items never compared, or that nobody
    ever placed above or below the others: Hunter 2004, Ann. Stat. 32:384), `DataError` for broken
    arrays, `ConfigError` for a wrong prior or too many items or ties.
    """
    check_rankings(rankings)
    n_items = len(rankings.items)
    check_options(n_items, prior)
    rows = used(rankings)
    raters, rater = np.unique(rows.rater, return_inverse=True)
    if prior == 0:
        require_ranked(_steps(rows), rankings.items)
    orders = _tie_orders(rows)
    best, scores, log_likelihood = (
        _with_ties(rows, rater, len(raters), prior, orders)
        if orders
        else _without_ties(rows, rater, len(raters), prior)
    )
    log_worth = best.parameters[:n_items]
    return RankingFit(
        items=rankings.items,
        log_worth=log_worth - log_worth.mean(),
        covariance=centred_covariance(best.slopes.information, n_items),
        scores=scores,
        tie_parameters=_tie_parameters(best, orders),
        log_likelihood=log_likelihood,
        n=len(rows.weight),
        iterations=best.iterations,
        gradient_max=best.slopes.steepest,
        status="regularised" if prior > 0 else "maximum likelihood",
        warnings=ranking_warnings(len(raters), prior),
        model="Plackett-Luce",
    )


def ladder_slopes(log_worth: FloatArray, ladder: Ladder) -> Slopes:
    """Log-likelihood of rankings without ties, in `log_worth` `[nodes]`.

    Minus infinity where worths are too far apart for their ratio.
    """
    if np.ptp(log_worth) > MAX_SPREAD:
        return Slopes(-np.inf, log_worth, np.eye(ladder.n_nodes))
    n, shifted = ladder.n_nodes, log_worth - log_worth.max()
    alpha, below = _suffix_sums(shifted, ladder)
    rate = ladder.choice / below
    gradient = ladder.chosen - ladder.by_node(alpha * np.cumsum(rate, axis=0))
    curvature = alpha * np.cumsum(rate / below, axis=0)
    joint = np.zeros((n + 1) ** 2)
    for place in range(len(alpha) - 1):
        # Of each choice, how the worth of this place weighs against those of all lower places.
        cells = ladder.node[place] * (n + 1) + ladder.node[place + 1 :]
        joint += sum_by(
            cells.ravel(), (curvature[place] * alpha[place + 1 :]).ravel(), (n + 1) ** 2
        )
    one_way = joint.reshape(n + 1, n + 1)[:n, :n]
    information = -(one_way + one_way.T)
    information[np.diag_indices(n)] -= information.sum(axis=1)
    log_likelihood = ladder.chosen @ shifted - float((ladder.choice * np.log(below)).sum())
    return Slopes(float(log_likelihood), gradient, information)


def require_ranked(steps: tuple[IntArray, IntArray, BoolArray], items: Sequence[str]) -> None:
    """`steps` are pairs of items: placed above, placed below, and whether that was not a tie."""
    above, below, strict = steps
    part, shape = slice(0, STEPS_PER_ITEM * len(items)), (len(items), len(items))
    decided = strict[part]
    wins = sparse.coo_array((decided, (above[part], below[part])), shape)
    if connected_components(wins, connection="strong")[0] == 1:
        return  # a part of the steps that is strongly connected decides it
    none, win = np.zeros(len(above)), strict.astype(np.float64)
    counts = PairCounts(above, below, win, none, 1 - win)
    require_finite_worths(counts, items, np.zeros(len(items), dtype=np.int64))


def ranking_warnings(n_raters: int, prior: float) -> tuple[str, ...]:
    if prior == 0:
        return few_clusters_warning(n_raters)
    remark = (
        f"regularised: {prior:g} wins and {prior:g} losses of each item against a ghost item draw "
        "the worths together"
    )
    return (remark, *few_clusters_warning(n_raters))


def check_options(n_items: int, prior: float) -> None:
    if not (np.isfinite(prior) and prior >= 0):
        raise ConfigError(f"prior must be a finite number of wins, 0 or more, got {prior}")
    if n_items > MAX_ITEMS:
        raise ConfigError(f"models of rankings take at most {MAX_ITEMS} items, got {n_items}")


def _without_ties(
    rows: Rankings, rater: IntArray, n_raters: int, prior: float
) -> tuple[DenseMaximum, sparse.csr_array, float]:
    made = _ladder(rows, len(rows.items) + (prior > 0))
    ladder = _with_ghost(made, prior) if prior > 0 else made
    objective = filled(partial(ladder_slopes, ladder=ladder), ladder.n_nodes)
    best = maximise_dense(objective, _start(ladder), GRADIENT_TOLERANCE * _most(rows))
    alpha, below = _suffix_sums(best.parameters - best.parameters.max(), made)
    score = made.choice - alpha * np.cumsum(made.choice / below, axis=0)
    of_rater = np.broadcast_to(rater, score.shape)
    entries = score.ravel(), (made.node.ravel(), of_rater.ravel())
    scores = sparse.coo_array(entries, (made.n_nodes + 1, n_raters))
    scores.has_canonical_format = True  # equal places may stay apart; to add them up is slow
    likelihood = best.slopes if made is ladder else ladder_slopes(best.parameters, made)
    return best, scores.tocsr()[: len(rows.items)], likelihood.log_likelihood


def _ladder(rows: Rankings, n_nodes: int) -> Ladder:
    shown = rows.candidates != PAD
    has_below = np.arange(shown.shape[1]) < shown.sum(axis=1, keepdims=True) - 1
    choice = rows.weight[:, None] * (_placed(rows) & has_below)
    node = np.where(shown, rows.candidates, n_nodes)
    return Ladder(np.ascontiguousarray(node.T), np.ascontiguousarray(choice.T), n_nodes)


def _with_ghost(made: Ladder, prior: float) -> Ladder:
    """Rankings of two in which each item is above the ghost, and below it."""
    ghost, width = made.n_nodes - 1, len(made.node)
    item = np.arange(ghost)
    node = np.full((width, 2 * ghost), made.n_nodes)
    node[:2] = [np.r_[item, np.full(ghost, ghost)], np.r_[np.full(ghost, ghost), item]]
    choice = np.zeros(node.shape)
    choice[0] = prior
    return Ladder(np.hstack([made.node, node]), np.hstack([made.choice, choice]), made.n_nodes)


def _suffix_sums(shifted: FloatArray, ladder: Ladder) -> tuple[FloatArray, FloatArray]:
    """Worths relative to the greatest, and their sums from each choice down; 1 elsewhere."""
    alpha = np.append(np.exp(shifted), 0.0)[ladder.node]
    below = alpha.copy()
    for place in range(len(alpha) - 2, -1, -1):
        below[place] += below[place + 1]
    return alpha, np.where(ladder.choice > 0, below, 1.0)


def _start(ladder: Ladder) -> FloatArray:
    """How often each node was chosen, against how often it would be among equals."""
    among = np.cumsum((ladder.node < ladder.n_nodes)[::-1], axis=0)[::-1]
    expected = ladder.by_node(np.cumsum(ladder.choice / np.maximum(among, 1), axis=0))
    start = np.log((ladder.chosen + 0.5) / (expected + 0.5))
    centred: FloatArray = start - start.mean()
    return centred


def _with_ties(
    rows: Rankings, rater: IntArray, n_raters: int, prior: float, orders: tuple[int, ...]
) -> tuple[DenseMaximum, sparse.csr_array, float]:
    n_nodes = len(rows.items) + (prior > 0)
    groups = tied_choices(rows, rater, prior, orders)
    _require_finite_ties(groups, n_nodes, orders)
    objective = filled(partial(choice_slopes, groups=groups), n_nodes)
    start = np.zeros(n_nodes + len(orders))
    best = maximise_dense(objective, start, GRADIENT_TOLERANCE * _most(rows))
    scores = scores_by_rater(best.parameters, groups, n_raters)
    information = choice_slopes(best.parameters, groups).information
    scores = _efficient_scores(scores, information, len(rows.items))
    return best, scores, choice_likelihood(best.parameters, groups)


def _efficient_scores(
    scores: sparse.csr_array, information: FloatArray, n_items: int
) -> sparse.csr_array:
    """The scores of the items with what ghost and tie parameters explain taken out."""
    explained = np.linalg.solve(information[n_items:, n_items:], information[n_items:, :n_items])
    return sparse.csr_array(scores[:n_items] - sparse.csr_array(explained.T) @ scores[n_items:])


def tied_choices(
    rows: Rankings, rater: IntArray, prior: float, orders: tuple[int, ...]
) -> list[Choices]:
    """The choices of sets that the rankings are, one group for each number of alternatives."""
    n_items = len(rows.items)
    n_nodes = n_items + (prior > 0)
    row, begin = np.nonzero(_group_starts(rows))
    among = (rows.candidates != PAD).sum(axis=1)[row] - begin
    size = _group_sizes(rows)[row, begin]
    groups = []
    for n_among in np.unique(among[among > 1]):
        here = among == n_among
        nodes = rows.candidates[row[here, None], begin[here, None] + np.arange(n_among)]
        template, first_of = _subsets(int(n_among), orders)
        chosen = np.array([first_of[k] for k in size[here].tolist()])
        weight, by = rows.weight[row[here]], rater[row[here]]
        groups.append(Choices(_local(nodes, n_nodes, orders), template, chosen, weight, by))
    if prior > 0:
        nodes = np.c_[np.tile(np.arange(n_items), 2), np.full(2 * n_items, n_items)]
        template, _ = _subsets(2, orders)
        chosen, weight = np.repeat([0, 1], n_items), np.full(2 * n_items, prior)
        by = np.full(2 * n_items, -1)
        groups.append(Choices(_local(nodes, n_nodes, orders), template, chosen, weight, by))
    return groups


def _subsets(n_among: int, orders: tuple[int, ...]) -> tuple[FloatArray, dict[int, int]]:
    """Features of each set that can be chosen, `[options, items + tie parameters]`.

    Also the option that is the set of the first k items, for each possible k.
    """
    sizes = [k for k in (1, *orders) if k <= n_among]
    n_options = sum(comb(n_among, k) for k in sizes)
    if n_options > MAX_OPTIONS:
        raise ConfigError(
            f"ties of up to {max(orders)} among {n_among} items make {n_options} possible choices, "
            f"more than {MAX_OPTIONS}; break the largest ties or leave them out"
        )
    template = np.zeros((n_options, n_among + len(orders)))
    first_of, option = {}, 0
    for k in sizes:
        first_of[k] = option
        for members in combinations(range(n_among), k):
            template[option, list(members)] = 1 / k
            option += 1
        if k > 1:
            template[first_of[k] : option, n_among + orders.index(k)] = 1.0
    return template, first_of


def _local(nodes: IntArray, n_nodes: int, orders: tuple[int, ...]) -> IntArray:
    shared = np.broadcast_to(n_nodes + np.arange(len(orders)), (len(nodes), len(orders)))
    return np.hstack([nodes, shared])


def _require_finite_ties(groups: Sequence[Choices], n_nodes: int, orders: tuple[int, ...]) -> None:
    """Ties can hide that an item never loses outright; then worth and delta grow together."""
    if _decided_without_ties(groups, n_nodes, orders):
        return
    n_parameters = n_nodes + len(orders)
    cells = sum(len(g.chosen) * len(g.template) for g in groups) * n_parameters
    separated = True
    if cells <= MAX_SEPARATION_CELLS:
        separated = separating_direction(advantages(groups, n_parameters)) is not None
    if separated:
        raise NotConvergedError(
            "no finite worths and tie parameters exist: some items only win or tie, or all choices "
            "of some size are ties; break the ties, collect more rankings, or pass prior > 0"
        )


def _decided_without_ties(groups: Sequence[Choices], n_nodes: int, orders: tuple[int, ...]) -> bool:
    """Enough for finite parameters: strongly connected by choices of one, some among many."""
    winners, losers, widest = [], [], 0
    for group in groups:
        n_among = group.template.shape[1] - len(orders)
        single = np.flatnonzero(group.chosen < n_among)
        nodes = group.parameters[single, :n_among]
        winners.append(np.repeat(nodes[np.arange(len(nodes)), group.chosen[single]], n_among))
        losers.append(nodes.ravel())
        widest = max(widest, n_among if len(single) else 0)
    winner, loser = np.concatenate(winners), np.concatenate(losers)
    graph = sparse.coo_array((np.ones(len(winner)), (winner, loser)), (n_nodes, n_nodes))
    n_components, _ = connected_components(graph, connection="strong")
    return n_components == 1 and widest >= max(orders)


def _steps(rows: Rankings) -> tuple[IntArray, IntArray, BoolArray]:
    """Neighbours in each ranking, and each unplaced candidate below the last that was placed."""
    row, column = np.nonzero((rows.candidates != PAD)[:, 1:])
    above = np.maximum.accumulate(
        np.where(_placed(rows), np.arange(rows.place.shape[1]), 0), axis=1
    )
    upper = above[row, column]
    first, second = rows.candidates[row, upper], rows.candidates[row, column + 1]
    strict = rows.place[row, upper] < rows.place[row, column + 1]
    return first, second, strict


def _placed(rows: Rankings) -> BoolArray:
    placed: BoolArray = (rows.place > 0) & (rows.place <= rows.place.shape[1])
    return placed


def _group_starts(rows: Rankings) -> BoolArray:
    new: BoolArray = np.diff(rows.place, axis=1, prepend=0) != 0
    return _placed(rows) & new


def _group_sizes(rows: Rankings) -> IntArray:
    """How many items share the place of each candidate."""
    same = rows.place[:, :, None] == rows.place[:, None, :]
    return np.where(_placed(rows), same.sum(axis=2), 0)


def _tie_orders(rows: Rankings) -> tuple[int, ...]:
    if not (_placed(rows)[:, 1:] & (np.diff(rows.place, axis=1) == 0)).any():
        return ()
    return tuple(int(k) for k in np.unique(_group_sizes(rows)) if k > 1)


def _tie_parameters(best: DenseMaximum, orders: tuple[int, ...]) -> dict[int, float]:
    logs = best.parameters[len(best.parameters) - len(orders) :]
    return {k: float(np.exp(log)) for k, log in zip(orders, logs, strict=True)}


def _most(rows: Rankings) -> float:
    """Weight of the rankings of the most ranked item."""
    shown = rows.candidates != PAD
    weight = np.broadcast_to(rows.weight[:, None], shown.shape)
    return float(sum_by(rows.candidates[shown], weight[shown], len(rows.items)).max())
