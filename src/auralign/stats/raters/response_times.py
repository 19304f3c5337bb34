"""Worths of items from choices and how long they took: the drift-diffusion model.

A choice between items far apart is fast, so its time carries what the choice alone cannot: how far
apart. The drift of the evidence is the difference of the items' worths.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from auralign.stats.arrays import FloatArray, IntArray
from auralign.stats.ascent import climb
from auralign.stats.comparisons import index_of
from auralign.stats.intervals import check_level
from auralign.stats.raters.first_passage import LogDensity, driftless_log_density
from auralign.stats.raters.timed_trials import Bounds, TimedTrials, timed_trials
from auralign.types import Comparisons, Estimate

TOLERANCE = 1e-6
LARGEST_NON_DECISION = 0.999


@dataclass(frozen=True, eq=False)
class ResponseTimeFit:
    """Log-worths `[items]` that sum to zero, as Bradley-Terry's, and the speed of the answers.

    covariance          `[items, items]` of the log-worths, from the curvature; right if the
                        answers are independent and take their time as the model says
    bound               `[raters]`, evidence needed for an answer, in units of noise per root second
    non_decision_s      `[raters]`, seconds that hearing and clicking take, NaN where not estimated
    bound_errors, non_decision_errors
                        standard errors; NaN at the edge of what is possible, or where it is given
    log_likelihood      of choices and times (a density), so not comparable to that of choices alone
    """

    items: tuple[str, ...]
    raters: tuple[str, ...]
    log_worth: FloatArray
    covariance: FloatArray
    bound: FloatArray
    bound_errors: FloatArray
    non_decision_s: FloatArray
    non_decision_errors: FloatArray
    log_likelihood: float
    n: int
    iterations: int
    gradient_max: float
    status: Literal["maximum likelihood"]
    warnings: tuple[str, ...]

    @property
    def standard_errors(self) -> FloatArray:
        """Of the log-worths, `[items]`."""
        errors: FloatArray = np.sqrt(np.diag(self.covariance))
        return errors

    def difference(self, first: str, second: str, *, level: float = 0.95) -> Estimate:
        """Log-worth of `first` minus that of `second`, normal interval from the curvature.

        Raises `DataError` for an unknown item.
        """
        check_level(level)
        i, j = (index_of(self.items, item) for item in (first, second))
        variance = self.covariance[i, i] + self.covariance[j, j] - 2 * self.covariance[i, j]
        half = float(special.ndtri((1 + level) / 2) * np.sqrt(variance))
        value = float(self.log_worth[i] - self.log_worth[j])
        method = "drift-diffusion difference of log-worths; normal, from the curvature"
        n_raters = len(self.raters)
        return Estimate(value, value - half, value + half, level, self.n, n_raters, method)


def fit_response_times(
    comparisons: Comparisons,
    seconds: ArrayLike,
    *,
    bounds: Bounds = "shared",
    non_decision_s: float | None = None,
) -> ResponseTimeFit:
    """Maximum likelihood of choices and times under the drift-diffusion model (Ratcliff 1978).

    `seconds` `[n]` holds the time of each comparison. An answer takes a non-decision time and then
    as long as evidence of drift w_i - w_j needs to reach a bound +a (first wins) or -a; its
    choices follow Bradley-Terry with log-worths 2 a w, which is what is returned (with the
    geometric mean of the bounds if they differ). `bounds="by rater"` gives each rater a bound and
    a non-decision time; `non_decision_s` fixes the latter for all.

    The log-likelihood is quadratic in the worths (see `first_passage`), so for given bounds they
    solve a weighted least-squares problem, whose weights are the decision times, and only bounds
    and non-decision times are climbed. Hence worths are finite even for an undefeated item.

    Raises `NotConvergedError` when items are not connected by comparisons or the ascent fails,
    `DataError` for ties, times that are not positive or no longer than the non-decision time,
    and raters with fewer than `LEAST_TRIALS` comparisons if bounds are by rater, `ConfigError`
    for an unknown option.
    """
    trials = timed_trials(comparisons, seconds, bounds, non_decision_s)
    start, limits = _start(trials)
    best = climb(partial(_profile, trials), start, TOLERANCE * len(trials.choice), bounds=limits)
    return _result(comparisons, trials, best.parameters, best.iterations, best.gradient_max)


@dataclass(frozen=True, eq=False)
class _State:
    """Everything at one value of the bounds and non-decision times."""

    worth: FloatArray
    drift: FloatArray
    bound: FloatArray
    time: FloatArray
    density: LogDensity
    log_likelihood: float


def _split(trials: TimedTrials, parameters: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Log of the bound and non-decision time, both `[groups]`."""
    if trials.non_decision_s is not None:
        return parameters, np.full(trials.n_groups, trials.non_decision_s)
    log_bound, other = np.split(parameters, 2)
    return log_bound, other


def _evaluate(trials: TimedTrials, parameters: FloatArray) -> _State:
    """The best worths for these bounds and non-decision times, and the log-likelihood there."""
    log_bound, other = _split(trials, parameters)
    bound, time = np.exp(log_bound)[trials.group], trials.seconds - other[trials.group]
    pull = trials.graph.scatter((trials.weight * trials.choice * bound)[None])
    worth = trials.graph.solve(trials.weight * time, pull)[:, 0]
    drift = worth[trials.first] - worth[trials.second]
    density = driftless_log_density(time, log_bound[trials.group])
    joint = trials.choice * bound * drift - drift**2 * time / 2 + density.value
    return _State(worth, drift, bound, time, density, float(trials.weight @ joint))


def _profile(trials: TimedTrials, parameters: FloatArray) -> tuple[float, FloatArray]:
    """The log-likelihood at the best worths, and its gradient (they do not add to it)."""
    state = _evaluate(trials, parameters)
    by_bound = trials.by_group(trials.choice * state.bound * state.drift + state.density.b)
    if trials.non_decision_s is not None:
        return state.log_likelihood, by_bound
    by_other = trials.by_group(state.drift**2 / 2 - state.density.t)
    return state.log_likelihood, np.concatenate([by_bound, by_other])


def _result(
    comparisons: Comparisons,
    trials: TimedTrials,
    parameters: FloatArray,
    iterations: int,
    gradient_max: float,
) -> ResponseTimeFit:
    state = _evaluate(trials, parameters)
    log_bound, other = _split(trials, parameters)
    free = _free(trials, parameters)
    of_worth, of_shared = _covariance(trials, state, free)
    scale = 2 * float(np.exp(log_bound.mean()))
    bound_errors, other_errors = np.split(np.sqrt(of_shared), [trials.n_groups])
    if trials.non_decision_s is not None:
        other_errors = np.full(trials.n_groups, np.nan)
    of_rater = np.arange(len(comparisons.raters)) if trials.n_groups > 1 else 0
    everyone = np.zeros(len(comparisons.raters), dtype=np.int64) + of_rater
    return ResponseTimeFit(
        items=comparisons.items,
        raters=comparisons.raters,
        log_worth=scale * state.worth,
        covariance=scale**2 * of_worth,
        bound=np.exp(log_bound)[everyone],
        bound_errors=(np.exp(log_bound) * bound_errors)[everyone],
        non_decision_s=other[everyone],
        non_decision_errors=other_errors[everyone],
        log_likelihood=state.log_likelihood,
        n=len(trials.choice),
        iterations=iterations,
        gradient_max=gradient_max,
        status="maximum likelihood",
        warnings=_warnings(trials, free),
    )


def _free(trials: TimedTrials, parameters: FloatArray) -> IntArray:
    """Which shared parameters are not at the edge of what is possible."""
    _, limits = _start(trials)
    inside = [
        (low is None or x > low) and (high is None or x < high)
        for x, (low, high) in zip(parameters, limits, strict=True)
    ]
    return np.flatnonzero(inside)


def _covariance(
    trials: TimedTrials, state: _State, free: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Of worths times bound over bound `[items, items]`; variances of the shared parameters.

    The first is the covariance of the log-worths divided by (2 a)^2: it includes what not knowing
    the bounds adds.
    """
    n_items, n_groups = len(trials.graph.block), trials.n_groups
    inverse = trials.graph.pseudo_inverse(trials.weight * state.time) @ np.eye(n_items)
    border = np.column_stack(_borders(trials, state))[:, free]
    across = inverse @ border
    schur = _shared_information(trials, state)[np.ix_(free, free)] - border.T @ across
    shared = np.linalg.inv(schur)
    # d(log-worth) = 2 a (dw + w d(mean log bound)).
    to_bound = np.zeros(len(free))
    to_bound[free < n_groups] = 1 / n_groups
    moves = np.outer(state.worth, to_bound) - across
    variances = np.full(n_groups if trials.non_decision_s is not None else 2 * n_groups, np.nan)
    variances[free] = np.diag(shared)
    return inverse + moves @ shared @ moves.T, variances


def _borders(trials: TimedTrials, state: _State) -> list[FloatArray]:
    """Information between worths and each shared parameter, `[items]` each."""
    columns = [-trials.choice * state.bound]
    if trials.non_decision_s is None:
        columns.append(-state.drift)
    return [
        trials.graph.scatter((trials.weight * values * (trials.group == g))[None])[:, 0]
        for values in columns
        for g in range(trials.n_groups)
    ]


def _shared_information(trials: TimedTrials, state: _State) -> FloatArray:
    density = state.density
    bound = np.diag(-trials.by_group(trials.choice * state.bound * state.drift + density.bb))
    if trials.non_decision_s is not None:
        return bound
    both, other = np.diag(trials.by_group(density.tb)), np.diag(-trials.by_group(density.tt))
    return np.block([[bound, both], [both, other]])


def _start(trials: TimedTrials) -> tuple[FloatArray, list[tuple[float | None, float | None]]]:
    """Without drift the mean decision time is the square of the bound."""
    fastest = np.full(trials.n_groups, np.inf)
    np.minimum.at(fastest, trials.group, trials.seconds)
    given = trials.non_decision_s
    other = fastest / 2 if given is None else np.full(trials.n_groups, given)
    mean = trials.by_group(trials.seconds) / trials.by_group(np.ones(len(trials.seconds)))
    log_bound = np.log(mean - other) / 2
    limits: list[tuple[float | None, float | None]] = [(None, None)] * trials.n_groups
    if given is not None:
        return log_bound, limits
    limits += [(0.0, float(LARGEST_NON_DECISION * time)) for time in fastest]
    return np.concatenate([log_bound, other]), limits


def _warnings(trials: TimedTrials, free: IntArray) -> tuple[str, ...]:
    others = 0 if trials.non_decision_s is not None else trials.n_groups
    stuck = trials.n_groups + others - len(free)
    remarks = {
        "times are taken as decision times of the model: pauses and replays bias the worths; "
        "compare with fit_bradley_terry": True,
        f"{stuck} non-decision times are at an edge of what is possible and taken as known there": (
            stuck > 0
        ),
    }
    return tuple(text for text, applies in remarks.items() if applies)
