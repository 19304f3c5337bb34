"""How much of the preferences is a ranking, and how much goes round in cycles.

The Hodge decomposition splits a flow on pairs of items (by how much the first is ahead) into a
gradient (differences of one score per item), a curl (cycles of three items) and a harmonic part
(longer cycles). Jiang, Lim, Yao & Ye (2011, Math. Program. 127:203, arXiv 0811.1067).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse, special
from scipy.sparse.csgraph import connected_components

from auralign.errors import ConfigError, DataError, NotConvergedError
from auralign.stats.arrays import FloatArray, IntArray, sum_by
from auralign.stats.pairs.bradley_terry import BradleyTerryFit, fit_bradley_terry
from auralign.stats.pairs.transitivity import win_matrix
from auralign.types import Comparisons

CONTINUITY = 0.5
LEAST_SQUARES_TOLERANCE = 1e-12
RESAMPLES_AT_ONCE = 100


@dataclass(frozen=True, eq=False)
class HodgeDecomposition:
    """A flow on pairs as the sum of three orthogonal ones.

    first, second                `[pairs]`, the flow is positive where the first item is ahead
    weight                       `[pairs]`, of the inner product
    potential                    `[items]`, sums to zero; higher is better
    gradient, curl, harmonic     `[pairs]`, the parts of the flow
    """

    first: IntArray
    second: IntArray
    weight: FloatArray
    potential: FloatArray
    gradient: FloatArray
    curl: FloatArray
    harmonic: FloatArray

    @property
    def shares(self) -> dict[str, float]:
        """Share of each part in the weighted sum of squares; NaN for a flow of zeros."""
        parts = {name: getattr(self, name) for name in ("gradient", "curl", "harmonic")}
        energy = {name: float(self.weight @ part**2) for name, part in parts.items()}
        total = sum(energy.values())
        return {name: part / total if total > 0 else np.nan for name, part in energy.items()}


@dataclass(frozen=True)
class CycleTest:
    """Are there more cycles than the noise around a Bradley-Terry model makes?

    cyclic_energy  weighted sum of squares of curl and harmonic part together
    cyclic_share   the same as a share of the whole flow's
    expected       mean cyclic energy of the model's own answers
    p_value        share of these with at least the observed energy, the observed one counted in
    """

    cyclic_energy: float
    cyclic_share: float
    expected: float
    p_value: float
    n_resamples: int
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Triad:
    """Three items whose log-odds do not add up: `items` a, b, c with a over b over c over a.

    curl            log-odds of a over b + b over c + c over a, never negative
    standard_error  from the counts
    p_value         two-sided, times the number of triads (Bonferroni)
    shares          of wins: a over b, b over c, c over a
    """

    items: tuple[str, str, str]
    curl: float
    standard_error: float
    p_value: float
    shares: tuple[float, float, float]

    @property
    def is_circular(self) -> bool:
        """Does the majority go round, and not only fail to add up?"""
        return min(self.shares) > 0.5


def hodge_decomposition(
    first: ArrayLike, second: ArrayLike, flow: ArrayLike, weight: ArrayLike, n_items: int
) -> HodgeDecomposition:
    """Decompose `flow` `[pairs]` from `second` to `first` items, int `[pairs]`, each pair once.

    The parts are orthogonal in the inner product with the positive `weight` `[pairs]`. Triads whose
    three pairs are all compared carry the curl; on a complete graph the harmonic part is zero.

    Raises `DataError` for broken arrays, `NotConvergedError` for a graph that is not connected,
    across whose components no potential exists.
    """
    i, j = np.asarray(first, dtype=np.int64), np.asarray(second, dtype=np.int64)
    y, w = np.asarray(flow, dtype=np.float64), np.asarray(weight, dtype=np.float64)
    _check_flow(i, j, y, w, n_items)
    potential = _projections(i, j, w, n_items, y[None])[0]
    gradient = potential[i] - potential[j]
    residual = y - gradient
    complete = len(i) == n_items * (n_items - 1) // 2
    curl = residual if complete else _curl_part(i, j, w, n_items, residual)
    return HodgeDecomposition(i, j, w, potential, gradient, curl, residual - curl)


def hodge_rank(comparisons: Comparisons) -> HodgeDecomposition:
    """The decomposition of empirical log-odds, pairs weighted by their number of comparisons.

    The flow is log((wins + 1/2) / (losses + 1/2)), ties half a win for both. Sampling noise alone
    makes curl: test it with `cycle_test`. Raises as `hodge_decomposition` does.
    """
    wins = win_matrix(comparisons)
    i, j, won, lost = _compared(wins)
    return hodge_decomposition(i, j, _log_odds(won, lost), won + lost, len(wins))


def cycle_test(
    comparisons: Comparisons,
    *,
    rng: np.random.Generator,
    n_resamples: int = 999,
    prior: float = 0.0,
) -> CycleTest:
    """Parametric bootstrap of the cyclic energy against Bradley-Terry, Davidson's where ties occur.

    Answers are drawn from the fitted model, as many for each pair as were given, and decomposed as
    in `hodge_rank`. The p-value is that of a Monte Carlo test (Davison & Hinkley 1997, section
    4.2). Answers of one rater are taken as independent.

    Raises `DataError` for weights that are not whole numbers, and as `fit_bradley_terry` does; with
    `prior` > 0 that is regularised.
    """
    if n_resamples < 1:
        raise ConfigError(f"n_resamples must be at least 1, got {n_resamples}")
    wins = win_matrix(comparisons)
    i, j, won, lost = _compared(wins)
    total = np.round(won + lost).astype(np.int64)
    if not np.allclose(comparisons.weight, np.round(comparisons.weight), atol=1e-9):
        raise DataError(
            "a cycle test draws answers, so weights of comparisons must be whole numbers"
        )
    tied = bool((comparisons.outcome[comparisons.weight > 0] == 0.5).any())
    fit = fit_bradley_terry(comparisons, ties="davidson" if tied else "half", prior=prior)
    p = _answer_probabilities(fit, i, j)
    energies = []
    for begin in range(0, n_resamples, RESAMPLES_AT_ONCE):
        size = (min(RESAMPLES_AT_ONCE, n_resamples - begin), len(i))
        wins_ties = rng.multinomial(total, p, size=size)
        drawn = wins_ties[..., 0] + wins_ties[..., 1] / 2
        energies.append(
            _cyclic_energy(i, j, won + lost, len(wins), _log_odds(drawn, total - drawn))
        )
    energy = np.concatenate(energies)
    flow = _log_odds(won, lost)
    observed = float(_cyclic_energy(i, j, won + lost, len(wins), flow[None])[0])
    return CycleTest(
        cyclic_energy=observed,
        cyclic_share=observed / float((won + lost) @ flow**2) if flow.any() else np.nan,
        expected=float(energy.mean()),
        p_value=(1 + int((energy >= observed * (1 - 1e-12)).sum())) / (n_resamples + 1),
        n_resamples=n_resamples,
        warnings=_warnings(comparisons, prior),
    )


def worst_triads(comparisons: Comparisons, *, n: int = 10) -> tuple[Triad, ...]:
    """The `n` triads whose log-odds fail most clearly to add up, by curl over standard error.

    In any Bradley-Terry model the curl of a triad is zero, so this lists where it fits worst. Only
    triads whose three pairs were compared are looked at. Raises `DataError` for broken arrays.
    """
    wins = win_matrix(comparisons)
    compared = (wins + wins.T) > 0
    log_odds = np.where(compared, _log_odds(wins, wins.T), 0.0)
    variance = 1 / (wins + CONTINUITY) + 1 / (wins.T + CONTINUITY)
    i, j, k = _triangles(compared)
    curl = log_odds[i, j] + log_odds[j, k] + log_odds[k, i]
    error = np.sqrt(variance[i, j] + variance[j, k] + variance[k, i])
    worst = np.argsort(-np.abs(curl) / error, kind="stable")[:n]
    return tuple(
        _triad(comparisons.items, wins, (i[t], j[t], k[t]), float(curl[t]), float(error[t]), len(i))
        for t in worst
    )


def _triad(
    items: tuple[str, ...],
    wins: FloatArray,
    members: tuple[int, int, int],
    curl: float,
    error: float,
    n_triads: int,
) -> Triad:
    a, b, c = members if curl >= 0 else members[::-1]
    shares = tuple(
        float(wins[x, y] / (wins[x, y] + wins[y, x])) for x, y in ((a, b), (b, c), (c, a))
    )
    p_value = min(1.0, n_triads * 2 * float(special.ndtr(-abs(curl) / error)))
    return Triad((items[a], items[b], items[c]), abs(curl), error, p_value, shares)  # type: ignore[arg-type]


def _compared(wins: FloatArray) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
    """Items, wins and losses of each pair that was compared, first < second."""
    i, j = np.nonzero(np.triu(wins + wins.T, 1))
    return i, j, wins[i, j], wins[j, i]


def _log_odds(won: FloatArray, lost: FloatArray) -> FloatArray:
    odds: FloatArray = np.log((won + CONTINUITY) / (lost + CONTINUITY))
    return odds


def _answer_probabilities(fit: BradleyTerryFit, i: IntArray, j: IntArray) -> FloatArray:
    """Probability of a win, a tie and a loss of the first item, `[pairs, 3]`."""
    margin = fit.log_worth[i] - fit.log_worth[j]
    with np.errstate(divide="ignore"):
        log_nu = np.log(fit.nu or 0.0)
    logits = np.c_[margin / 2, np.full(len(i), log_nu), -margin / 2]
    return np.asarray(special.softmax(logits, axis=1), dtype=np.float64)


def _cyclic_energy(
    i: IntArray, j: IntArray, w: FloatArray, n_items: int, flows: FloatArray
) -> FloatArray:
    """What is left of `flows` `[k, pairs]` without their gradients, `[k]`."""
    potential = _projections(i, j, w, n_items, flows)
    residual = flows - (potential[:, i] - potential[:, j])
    energy: FloatArray = (residual**2) @ w
    return energy


def _projections(
    i: IntArray, j: IntArray, w: FloatArray, n_items: int, flows: FloatArray
) -> FloatArray:
    """Weighted least-squares potentials `[k, items]` of `flows` `[k, pairs]`."""
    pair = np.arange(len(i))
    signs, shape = np.r_[np.ones(len(i)), -np.ones(len(i))], (len(i), n_items)
    incidence = sparse.coo_array((signs, (np.r_[pair, pair], np.r_[i, j])), shape).tocsr()
    one_way = sum_by(i * n_items + j, w, n_items**2).reshape(n_items, n_items)
    both_ways = one_way + one_way.T
    laplacian = np.diag(both_ways.sum(axis=1)) - both_ways
    divergence = (incidence.T @ (flows * w).T).T
    fill = both_ways.max() / n_items
    potential: FloatArray = np.linalg.solve(laplacian + fill, divergence.T).T
    return potential


def _curl_part(
    i: IntArray, j: IntArray, w: FloatArray, n_items: int, residual: FloatArray
) -> FloatArray:
    """Projection on flows that are made of three-cycles, divided by the weight."""
    from scipy.sparse.linalg import lsqr  # slow to import

    place = np.full((n_items, n_items), -1)
    place[i, j] = place[j, i] = np.arange(len(i))
    a, b, c = _triangles(place >= 0)
    if not len(a):
        return np.zeros_like(residual)
    # The boundary of a triad, with a sign where a pair is stored the other way round.
    edges = ((a, b), (b, c), (c, a))
    pair = np.concatenate([place[x, y] for x, y in edges])
    sign = np.concatenate([np.where(i[place[x, y]] == x, 1.0, -1.0) for x, y in edges])
    shape = (len(i), len(a))
    boundary = sparse.coo_array((sign, (pair, np.tile(np.arange(len(a)), 3))), shape).tocsr()
    root = np.sqrt(w)
    scaled = sparse.diags_array(1 / root) @ boundary
    tolerance = LEAST_SQUARES_TOLERANCE
    solution = lsqr(scaled, root * residual, atol=tolerance, btol=tolerance, iter_lim=10 * len(i))[
        0
    ]
    curl: FloatArray = (scaled @ solution) / root
    return curl


def _triangles(compared: np.ndarray) -> tuple[IntArray, IntArray, IntArray]:
    """All i < j < k with all three pairs compared; `compared` is bool `[items, items]`."""
    found = []
    for i in range(len(compared) - 2):
        near = i + 1 + np.flatnonzero(compared[i, i + 1 :])
        upper, lower = np.nonzero(np.triu(compared[np.ix_(near, near)], 1))
        found.append(np.stack([np.full(len(upper), i), near[upper], near[lower]]))
    triads = np.concatenate(found, axis=1) if found else np.zeros((3, 0), dtype=np.int64)
    return triads[0], triads[1], triads[2]


def _check_flow(i: IntArray, j: IntArray, y: FloatArray, w: FloatArray, n_items: int) -> None:
    if i.ndim != 1 or not len(i) or not i.shape == j.shape == y.shape == w.shape:
        raise DataError("first, second, flow and weight must be [pairs], one length, at least one")
    if min(i.min(), j.min()) < 0 or max(i.max(), j.max()) >= n_items or (i == j).any():
        raise DataError(f"pairs must be of different items, 0 to {n_items - 1}")
    if len(np.unique(np.minimum(i, j) * n_items + np.maximum(i, j))) < len(i):
        raise DataError("each pair of items must be given once; add its answers up first")
    if not (np.isfinite(y).all() and np.isfinite(w).all() and (w > 0).all()):
        raise DataError("the flow must be finite, and its weights finite and positive")
    graph = sparse.coo_array((np.ones(len(i)), (i, j)), (n_items, n_items))
    n_parts, _ = connected_components(graph, directed=False)
    if n_parts > 1:
        raise NotConvergedError(
            f"the comparison graph falls into {n_parts} components that were never compared, so a "
            "common potential does not exist; decompose each by itself"
        )


def _warnings(comparisons: Comparisons, prior: float) -> tuple[str, ...]:
    used = comparisons.weight > 0
    remarks = {
        "the test takes answers as independent; raters who agree with each other beyond the model "
        "can make cycles look certain": len(np.unique(comparisons.rater[used])) < int(used.sum()),
        f"the model is regularised: prior {prior:g}": prior > 0,
    }
    return tuple(text for text, applies in remarks.items() if applies)
