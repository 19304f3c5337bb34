"""Power of a coming study by simulating it from a pilot study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from auralign.errors import ConfigError, DataError, NotConvergedError
from auralign.stats.arrays import BoolArray, FloatArray, IntArray, sum_by
from auralign.stats.comparisons import check_comparisons
from auralign.stats.intervals import check_level
from auralign.stats.pairs import BradleyTerryFit, fit_bradley_terry
from auralign.stats.pairs.pair_models import Slopes, davidson, half_win, row_counts
from auralign.types import Comparisons

LOGISTIC_NORMAL = 16 * np.sqrt(3) / (15 * np.pi)
FEW_RATERS = 10
QUADRATURE_NODES = 40


@dataclass(frozen=True, eq=False)
class Pilot:
    """What a pilot study says about the listeners and items of a coming one.

    log_worth     `[items]`, of the typical listener (larger than those of the crowd)
    taste_sd      standard deviation, in logits, of a listener's own log-worth of an item
    nu            Davidson's tie parameter of the typical listener, 0 without ties
    pairs         `[pairs, 2]` as presented, and `pair_share` `[pairs]` how often each was asked
    moved         `[items, raters]`: columns whose outer products sum to the sampling covariance
    warnings      sentences that belong next to the numbers
    """

    items: tuple[str, ...]
    log_worth: FloatArray
    taste_sd: float
    nu: float
    pairs: IntArray
    pair_share: FloatArray
    moved: FloatArray
    n_raters: int
    warnings: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class PowerCurve:
    """For each number of listeners `[k]` the simulated power and its Monte Carlo error.

    without_fit  simulated studies that had no finite worths; they count as not significant
    """

    listeners: IntArray
    power: FloatArray
    monte_carlo_error: FloatArray
    without_fit: IntArray
    judgements_per_listener: int
    n_simulations: int
    method: str
    warnings: tuple[str, ...]


def read_pilot(comparisons: Comparisons, *, prior: float = 0.0) -> Pilot:
    """Fit a pilot study and estimate how much listeners differ in taste.

    Bradley-Terry with Davidson's ties if there are any (`prior` as in `fit_bradley_terry`). Each
    listener's own log-worths are theta + u, u normal with a variance s^2 for each item. With r_k
    the score and I_k the information of listener k's answers, Cov(r_k) = I_k + lambda M_k to first
    order, M_k the part of I_k I_k that stems from two different answers, so lambda solves
    sum |r_k|^2 = its expectation, the fitted worths taken into account (moments, as in DerSimonian
    & Laird 1986, Control. Clin. Trials 7:177). Averaging over tastes flattens the logistic curve by
    sqrt(1 + 2 c^2 s^2), c = 16 sqrt(3) / (15 pi) (Zeger, Liang & Albert 1988, Biometrics 44:1049):
    s^2 = lambda / (1 - 2 c^2 lambda), and the typical listener's worths are the fitted ones times
    that factor. nu is set so that the expected share of ties is the pilot's.

    Raises `DataError` for fewer than two raters or weighted answers, `NotConvergedError` when the
    worths do not exist or listeners differ beyond what the approximation can express.
    """
    used = comparisons.weight > 0
    _check_pilot(comparisons, used)
    tied = bool((comparisons.outcome[used] == 0.5).any())
    fit = fit_bradley_terry(comparisons, ties="davidson" if tied else "half", prior=prior)
    spread = _taste_moment(comparisons, fit)
    flattening = 1 - 2 * LOGISTIC_NORMAL**2 * spread
    if flattening <= 0.05:
        raise NotConvergedError(
            f"the pilot's listeners differ too much for a common ranking to plan on (moment "
            f"{spread:.2g}): analyse groups of listeners apart"
        )
    pairs, times = np.unique(
        np.stack([comparisons.first[used], comparisons.second[used]], axis=1),
        axis=0,
        return_counts=True,
    )
    stretch, n = 1 / np.sqrt(flattening), fit.n_raters
    taste_sd = float(np.sqrt(spread / flattening))
    margin = stretch * (fit.log_worth[pairs[:, 0]] - fit.log_worth[pairs[:, 1]])
    tie_share = float((comparisons.outcome[used] == 0.5).mean())
    return Pilot(
        items=comparisons.items,
        log_worth=fit.log_worth * stretch,
        taste_sd=taste_sd,
        nu=_tie_parameter(margin, times / times.sum(), taste_sd, tie_share),
        pairs=pairs,
        pair_share=times / times.sum(),
        moved=fit.influence * stretch * np.sqrt(n / (n - 1)),
        n_raters=n,
        warnings=fit.warnings + _pilot_warnings(spread, n),
    )


def simulate_study(
    pilot: Pilot,
    n_listeners: int,
    judgements_per_listener: int,
    *,
    rng: np.random.Generator,
    log_worth: FloatArray | None = None,
) -> Comparisons:
    """One study of new listeners with the pilot's tastes, ties and pairs.

    Pairs are drawn for each judgement with the pilot's shares; `log_worth` `[items]` replaces the
    pilot's.
    """
    theta = pilot.log_worth if log_worth is None else log_worth
    n_items, n = len(pilot.items), n_listeners * judgements_per_listener
    tastes = theta + pilot.taste_sd * rng.standard_normal((n_listeners, n_items))
    rater = np.repeat(np.arange(n_listeners), judgements_per_listener)
    pair = pilot.pairs[rng.choice(len(pilot.pairs), size=n, p=pilot.pair_share)]
    margin = tastes[rater, pair[:, 0]] - tastes[rater, pair[:, 1]]
    return Comparisons(
        first=pair[:, 0],
        second=pair[:, 1],
        outcome=_answers(margin, pilot.nu, rng),
        weight=np.ones(n),
        rater=rater,
        cluster=np.zeros(n, dtype=np.int64),
        items=pilot.items,
        raters=tuple(f"listener{k}" for k in range(n_listeners)),
    )


def pilot_power(
    pilot: Pilot,
    first: str,
    second: str,
    *,
    listeners: Sequence[int],
    judgements_per_listener: int,
    rng: np.random.Generator,
    n_simulations: int = 500,
    alpha: float = 0.05,
    assurance: bool = False,
) -> PowerCurve:
    """Power to tell `first` from `second`, for each number of listeners, by simulation.

    Each simulated study is analysed as the real one will be: a Bradley-Terry fit (ties half) and
    the interval of `BradleyTerryFit.difference`, clustered by listener; power is the share of
    studies whose interval excludes 0 on the side of the true difference. The Monte Carlo error is
    sqrt(p (1 - p) / n). Power at the pilot's own estimate is too optimistic if the pilot was run
    to find an effect; `assurance` draws each study's true worths from the pilot's sampling
    distribution instead (O'Hagan, Stevens & Campbell 2005, Pharm. Stat. 4:187). For a family of
    tests divide `alpha`.

    Raises `DataError` for unknown items, `ConfigError` for impossible settings.
    """
    check_level(1 - alpha)
    _check_plan(pilot, (first, second), listeners, judgements_per_listener, n_simulations)

    def detects(n_listeners: int) -> float:
        theta = _drawn_worths(pilot, rng) if assurance else pilot.log_worth
        study = simulate_study(
            pilot, n_listeners, judgements_per_listener, rng=rng, log_worth=theta
        )
        return _detects(study, first, second, theta, alpha)

    found = np.array([[detects(count) for _ in range(n_simulations)] for count in listeners])
    power = np.nansum(found, axis=1) / n_simulations
    how = "worths drawn from the pilot's distribution" if assurance else "the pilot's estimates"
    return PowerCurve(
        listeners=np.array(listeners),
        power=power,
        monte_carlo_error=np.sqrt(power * (1 - power) / n_simulations),
        without_fit=np.isnan(found).sum(axis=1),
        judgements_per_listener=judgements_per_listener,
        n_simulations=n_simulations,
        method=f"share of {n_simulations} simulated studies, {how}; listener-clustered interval of "
        f"the difference of log-worths at level {1 - alpha:g}",
        warnings=pilot.warnings,
    )


def _detects(study: Comparisons, first: str, second: str, theta: FloatArray, alpha: float) -> float:
    """1 if the interval excludes 0 on the true side, 0 if not, NaN without finite worths."""
    i, j = study.items.index(first), study.items.index(second)
    try:
        interval = fit_bradley_terry(study).difference(first, second, level=1 - alpha)
    except NotConvergedError:
        return float("nan")
    return float(interval.low > 0 if theta[i] > theta[j] else interval.high < 0)


def _drawn_worths(pilot: Pilot, rng: np.random.Generator) -> FloatArray:
    drawn: FloatArray = pilot.log_worth + pilot.moved @ rng.standard_normal(pilot.n_raters)
    return drawn


def _taste_moment(comparisons: Comparisons, fit: BradleyTerryFit) -> float:
    """lambda of `read_pilot`: the excess of listeners' squared scores over chance."""
    used = comparisons.weight > 0
    _, rater = np.unique(comparisons.rater[used], return_inverse=True)
    first, second = comparisons.first[used], comparisons.second[used]
    slopes = _slopes(comparisons, fit)
    n, n_raters = len(fit.items), int(rater.max()) + 1
    scores = _by_rater(rater, first, slopes.score[used], n_raters, n)
    scores -= _by_rater(rater, second, slopes.score[used], n_raters, n)
    informations = _laplacians(rater, first, second, slopes.information[used], n_raters, n)
    fitted = informations @ np.linalg.pinv(informations.sum(axis=0), hermitian=True)
    # A single answer is no more variable for the taste behind it; only pairs of answers are.
    singly = _laplacians(rater, first, second, slopes.information[used] ** 2, n_raters, n)
    shared = informations @ informations - 2 * singly
    by_chance = np.trace(informations - fitted @ informations, axis1=1, axis2=2).sum()
    by_taste = (
        np.trace(shared - 2 * fitted @ shared, axis1=1, axis2=2).sum()
        + np.trace(fitted @ shared.sum(axis=0) @ fitted.transpose(0, 2, 1), axis1=1, axis2=2).sum()
    )
    if by_taste <= 1e-9 * informations.sum(where=informations > 0):
        raise NotConvergedError(
            "the pilot's raters judged different items, so nothing tells how much they differ in "
            "taste; let several raters judge the same pairs"
        )
    return max(float(((scores**2).sum() - by_chance) / by_taste), 0.0)


def _slopes(comparisons: Comparisons, fit: BradleyTerryFit) -> Slopes:
    rows = row_counts(comparisons)
    margin = fit.log_worth[rows.first] - fit.log_worth[rows.second]
    if fit.nu:
        return davidson(margin, np.log([fit.nu]), rows)
    return half_win(margin, np.zeros(0), rows)


def _tie_parameter(
    margin: FloatArray, pair_share: FloatArray, taste_sd: float, tie_share: float
) -> float:
    """Davidson's nu at which listeners of these tastes tie in `tie_share` of the judgements."""
    if tie_share == 0:
        return 0.0
    nodes, node_weights = np.polynomial.hermite_e.hermegauss(QUADRATURE_NODES)
    own = np.exp((margin[:, None] + np.sqrt(2) * taste_sd * nodes) / 2)
    weights = pair_share[:, None] * node_weights / node_weights.sum()
    low, high = -30.0, 30.0
    while high - low > 1e-10:
        middle = (low + high) / 2
        share = (weights * np.exp(middle) / (own + 1 / own + np.exp(middle))).sum()
        low, high = (middle, high) if share < tie_share else (low, middle)
    return float(np.exp(middle))


def _by_rater(
    rater: IntArray, item: IntArray, values: FloatArray, n_raters: int, n_items: int
) -> FloatArray:
    sums = sum_by(rater * n_items + item, values, n_raters * n_items)
    return sums.reshape(n_raters, n_items)


def _laplacians(
    rater: IntArray,
    first: IntArray,
    second: IntArray,
    weight: FloatArray,
    n_raters: int,
    n_items: int,
) -> FloatArray:
    """Each rater's information matrix, `[raters, items, items]`."""
    matrices = np.zeros((n_raters, n_items, n_items))
    np.add.at(matrices, (rater, first, second), -weight)
    matrices += matrices.transpose(0, 2, 1)
    own = np.arange(n_items)
    matrices[:, own, own] = -matrices.sum(axis=2)
    return matrices


def _answers(margin: FloatArray, nu: float, rng: np.random.Generator) -> FloatArray:
    """Davidson's model: 1 a win of the first, 0 a loss, 0.5 a tie."""
    win, tie = np.exp(margin / 2), np.full_like(margin, nu)
    total = win + 1 / win + tie
    draw = rng.random(len(margin)) * total
    return np.where(draw < win, 1.0, np.where(draw < win + tie, 0.5, 0.0))


def _check_pilot(comparisons: Comparisons, used: BoolArray) -> None:
    check_comparisons(comparisons)
    if len(np.unique(comparisons.rater[used])) < 2:
        raise DataError("a pilot needs at least 2 raters to say how much they differ, got 1")
    if (comparisons.weight[used] != 1).any():
        raise DataError("a pilot needs single answers: expected weights of 1 (or 0 to leave out)")


def _check_plan(
    pilot: Pilot,
    between: tuple[str, str],
    listeners: Sequence[int],
    judgements_per_listener: int,
    n_simulations: int,
) -> None:
    for item in between:
        if item not in pilot.items:
            raise DataError(f"no item '{item}' in the pilot; it has {', '.join(pilot.items)}")
    if between[0] == between[1]:
        raise ConfigError(f"expected two different items, got '{between[0]}' twice")
    if min(listeners, default=0) < 2 or judgements_per_listener < 1 or n_simulations < 1:
        raise ConfigError(
            "expected numbers of at least 2 listeners, 1 judgement each and 1 simulation, got "
            f"{list(listeners)}, {judgements_per_listener} and {n_simulations}"
        )


def _pilot_warnings(spread: float, n_raters: int) -> tuple[str, ...]:
    remarks = {
        "no sign that listeners differ in taste: taste_sd is 0, which a small pilot cannot prove": (
            spread == 0
        ),
        f"{n_raters} raters in the pilot: taste_sd is hardly known below {FEW_RATERS}": (
            n_raters < FEW_RATERS
        ),
    }
    return tuple(text for text, applies in remarks.items() if applies)
