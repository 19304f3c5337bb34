"""Groups of raters who prefer different things: a mixture of Bradley-Terry models, by EM."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from scipy import sparse, special

from auralign.errors import ConfigError
from auralign.stats.arrays import FloatArray, IntArray, sum_by
from auralign.stats.comparisons import check_comparisons
from auralign.stats.raters.latent_classes import (
    MAX_DENSE_PARAMETERS,
    Step,
    accelerated_em,
    class_shares_and_errors,
    covariance_of,
    observed_information,
)
from auralign.types import Comparisons

TOLERANCE = 1e-6
SAME_VALUE = 1e-6
MAX_NEWTON_STEPS = 50
MAX_HALVINGS = 30
NEAR_ZERO = 0.01
LEAST = 1e-300
SURE = 0.9


@dataclass(frozen=True, eq=False)
class RaterMixtureFit:
    """Groups of raters, the largest first, and what each prefers.

    share, share_errors           `[groups]`
    log_worth, standard_errors    `[groups, items]`; worths sum to zero in each group. The errors
                                  include that nobody knows who is in which group; NaN where they
                                  do not exist
    responsibility                `[raters, groups]`: probability that a rater belongs to a group
    log_likelihood                of the comparisons, without the prior's part
    bic                           -2 log-likelihood + parameters * log(raters); lower is better
    """

    items: tuple[str, ...]
    raters: tuple[str, ...]
    share: FloatArray
    share_errors: FloatArray
    log_worth: FloatArray
    standard_errors: FloatArray
    responsibility: FloatArray
    log_likelihood: float
    bic: float
    n: int
    iterations: int
    gradient_max: float
    status: Literal["regularised"]
    warnings: tuple[str, ...]

    @property
    def n_groups(self) -> int:
        return len(self.share)

    @property
    def group(self) -> IntArray:
        """The most probable group of each rater, `[raters]`."""
        most_probable: IntArray = self.responsibility.argmax(axis=1)
        return most_probable


@dataclass(frozen=True, eq=False)
class _Votes:
    """Pairs of items `[pairs]`, and by rater how often the first won (a tie half) and was asked.

    `score` and `total` are sparse `[raters, pairs]`; `ghost` is the prior's number of wins.
    """

    first: IntArray
    second: IntArray
    score: sparse.csr_array
    total: sparse.csr_array
    n_items: int
    ghost: float

    def scatter(self, values: FloatArray) -> FloatArray:
        """Add `values` `[pairs]` to the first items, subtract them from the second: `[items]`."""
        gained = sum_by(self.first, values, self.n_items)
        return gained - sum_by(self.second, values, self.n_items)


def fit_rater_mixture(
    comparisons: Comparisons,
    n_groups: int,
    *,
    rng: np.random.Generator,
    n_starts: int = 8,
    prior: float = 0.5,
) -> RaterMixtureFit:
    """Mixture of `n_groups` Bradley-Terry models over raters, by EM (Dempster et al. 1977).

    All comparisons of a rater come from one group; given the group they are independent, and a
    tie counts half. `prior` is a number of wins and losses of each item against a ghost item, in
    each group; it has to be positive, because a group of few raters may have no upsets. EM starts
    from the answers of `n_groups` raters drawn at random, `n_starts` times; the highest maximum is
    returned and `warnings` says how many starts reached it. Groups are ordered by their share.

    Raises `DataError` for broken arrays, `ConfigError` for an option out of range,
    `NotConvergedError` when EM does not converge.
    """
    check_comparisons(comparisons)
    n_raters = len(np.unique(comparisons.rater[comparisons.weight > 0]))
    _check(n_groups, n_raters, n_starts, prior)
    votes = _votes(comparisons, prior)
    ends = [_run(votes, _start(votes, n_groups, rng), n_groups) for _ in range(n_starts)]
    last, n_steps = max(ends, key=lambda end: end[0].log_likelihood)
    near = SAME_VALUE * (1 + abs(last.log_likelihood))
    agreeing = sum(last.log_likelihood - end.log_likelihood <= near for end, _ in ends)
    return _result(comparisons, votes, last, n_steps, n_groups, (agreeing, n_starts))


def fit_rater_mixtures(
    comparisons: Comparisons,
    max_groups: int,
    *,
    rng: np.random.Generator,
    n_starts: int = 8,
    prior: float = 0.5,
) -> tuple[RaterMixtureFit, ...]:
    """`fit_rater_mixture` with 1 to `max_groups` groups; the one of lowest `bic` is preferred."""
    return tuple(
        fit_rater_mixture(comparisons, k, rng=rng, n_starts=n_starts if k > 1 else 1, prior=prior)
        for k in range(1, max_groups + 1)
    )


def _result(
    comparisons: Comparisons,
    votes: _Votes,
    last: Step,
    n_steps: int,
    n_groups: int,
    starts: tuple[int, int],
) -> RaterMixtureFit:
    worth, share = _unpack(votes, last.parameters, n_groups)
    order = np.lexsort((*worth.T[::-1], -share))
    worth, share = worth[order], share[order]
    responsibility, log_likelihood = _expect(votes, worth, share)
    standard_errors, share_errors = _standard_errors(votes, worth, responsibility)
    n_raters = len(np.unique(comparisons.rater[comparisons.weight > 0]))
    n_parameters = n_groups * (votes.n_items - 1) + n_groups - 1
    return RaterMixtureFit(
        items=comparisons.items,
        raters=comparisons.raters,
        share=share,
        share_errors=share_errors,
        log_worth=worth - worth.mean(axis=1, keepdims=True),
        standard_errors=standard_errors,
        responsibility=responsibility,
        log_likelihood=log_likelihood,
        bic=-2 * log_likelihood + n_parameters * float(np.log(n_raters)),
        n=int((comparisons.weight > 0).sum()),
        iterations=n_steps,
        gradient_max=last.gradient_max,
        status="regularised",
        warnings=_warnings(votes, share, responsibility, standard_errors, starts),
    )


def _votes(comparisons: Comparisons, prior: float) -> _Votes:
    """Pairs in one order, whichever item was presented first."""
    c, n_items, n_raters = comparisons, len(comparisons.items), len(comparisons.raters)
    low, high = np.minimum(c.first, c.second), np.maximum(c.first, c.second)
    pairs, pair = np.unique(low * n_items + high, return_inverse=True)
    won_by_low = c.weight * np.where(c.first == low, c.outcome, 1 - c.outcome)
    shape = n_raters, len(pairs)
    score, total = (
        sparse.coo_array((values, (c.rater, pair)), shape).tocsr()
        for values in (won_by_low, c.weight)
    )
    return _Votes(pairs // n_items, pairs % n_items, score, total, n_items, prior)


def _start(votes: _Votes, n_groups: int, rng: np.random.Generator) -> FloatArray:
    """Each group begins with the worths of one rater; the shares are equal."""
    active = np.flatnonzero(np.diff(votes.total.indptr))
    seeds = rng.choice(active, n_groups, replace=False)
    zero = np.zeros(votes.n_items)
    worth = [
        _maximise(votes, zero, votes.score[[r]].toarray()[0], votes.total[[r]].toarray()[0])
        for r in seeds
    ]
    return np.concatenate([*worth, np.full(n_groups, 1 / n_groups)])


def _run(votes: _Votes, start: FloatArray, n_groups: int) -> tuple[Step, int]:
    compared = votes.total.sum(axis=0)
    most = sum_by(votes.first, compared, votes.n_items) + sum_by(
        votes.second, compared, votes.n_items
    )
    step: Callable[[FloatArray], Step] = partial(_step, votes, n_groups)
    return accelerated_em(
        step,
        partial(_back_to_shares, n_groups),
        start,
        TOLERANCE * float(most.max()),
    )


def _step(votes: _Votes, n_groups: int, flat: FloatArray) -> Step:
    worth, share = _unpack(votes, flat, n_groups)
    responsibility, log_likelihood = _expect(votes, worth, share)
    score, total = responsibility.T @ votes.score, responsibility.T @ votes.total
    gradients = [_ascent(votes, w, s, t)[1] for w, s, t in zip(worth, score, total, strict=True)]
    moved = responsibility.sum(axis=0) - len(responsibility) * share
    after = [_maximise(votes, w, s, t) for w, s, t in zip(worth, score, total, strict=True)]
    return Step(
        np.concatenate([*after, responsibility.mean(axis=0)]),
        log_likelihood + sum(_ghost_value(votes, w) for w in worth),
        float(np.abs(np.concatenate([*gradients, moved])).max()),
    )


def _expect(votes: _Votes, worth: FloatArray, share: FloatArray) -> tuple[FloatArray, float]:
    """Responsibilities `[raters, groups]` and the log-likelihood."""
    margin = worth[:, votes.first] - worth[:, votes.second]
    # log s(m) = m + log s(-m), so two products serve wins and losses.
    joint = (
        votes.score @ margin.T
        + votes.total @ special.log_expit(-margin).T
        + np.log(np.maximum(share, LEAST))
    )
    evidence = special.logsumexp(joint, axis=1, keepdims=True)
    # A rater without comparisons says nothing and counts nothing.
    return np.exp(joint - evidence), float(evidence.sum())


def _maximise(votes: _Votes, worth: FloatArray, score: FloatArray, total: FloatArray) -> FloatArray:
    """Bradley-Terry worths, ghost at zero, by Newton's method with step halving."""
    tolerance = TOLERANCE / 10 * max(1.0, float(total.sum()) / votes.n_items)
    value, gradient, information = _ascent(votes, worth, score, total)
    for _ in range(MAX_NEWTON_STEPS):
        if np.abs(gradient).max() <= tolerance:
            break
        step = np.linalg.solve(information, gradient)
        for halving in range(MAX_HALVINGS):
            reached = worth + 0.5**halving * step
            found = _ascent(votes, reached, score, total)
            if found[0] >= value - 1e-12 * abs(value):
                break
        worth, (value, gradient, information) = reached, found
    return worth


def _ascent(
    votes: _Votes, worth: FloatArray, score: FloatArray, total: FloatArray
) -> tuple[float, FloatArray, FloatArray]:
    """The log-posterior of one group, its gradient `[items]` and information `[items, items]`."""
    margin = worth[votes.first] - worth[votes.second]
    p, against_ghost = special.expit(margin), special.expit(worth)
    value = float(score @ margin + total @ special.log_expit(-margin)) + _ghost_value(votes, worth)
    gradient = votes.scatter(score - total * p) + votes.ghost * (1 - 2 * against_ghost)
    steep = 2 * votes.ghost * against_ghost * (1 - against_ghost)
    return value, gradient, _laplacian(votes, total * p * (1 - p)) + np.diag(steep)


def _ghost_value(votes: _Votes, worth: FloatArray) -> float:
    return votes.ghost * float((special.log_expit(worth) + special.log_expit(-worth)).sum())


def _laplacian(votes: _Votes, weight: FloatArray) -> FloatArray:
    n = votes.n_items
    off = sum_by(votes.first * n + votes.second, weight, n * n).reshape(n, n)
    off += off.T
    laplacian: FloatArray = np.diag(off.sum(axis=1)) - off
    return laplacian


def _unpack(votes: _Votes, flat: FloatArray, n_groups: int) -> tuple[FloatArray, FloatArray]:
    worth, share = np.split(flat, [n_groups * votes.n_items])
    return worth.reshape(n_groups, votes.n_items), share


def _back_to_shares(n_groups: int, reached: FloatArray, safe: FloatArray) -> FloatArray:
    share = np.maximum(reached[-n_groups:], NEAR_ZERO * safe[-n_groups:])
    return np.concatenate([reached[:-n_groups], share / share.sum()])


def _standard_errors(
    votes: _Votes, worth: FloatArray, responsibility: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Of centred log-worths `[groups, items]` and of shares `[groups]`."""
    (n_groups, n), n_raters = worth.shape, len(responsibility)
    missing = np.full(worth.shape, np.nan), np.full(n_groups, np.nan)
    if n_groups * n > MAX_DENSE_PARAMETERS:
        return missing
    incidence = sparse.coo_array(
        (
            np.repeat([1.0, -1.0], len(votes.first)),
            (np.tile(np.arange(len(votes.first)), 2), np.r_[votes.first, votes.second]),
        ),
        (len(votes.first), n),
    ).tocsr()
    total = responsibility.T @ votes.total
    scores, complete = [], []
    for k in range(n_groups):
        p = special.expit(worth[k, votes.first] - worth[k, votes.second])
        residual = votes.score - votes.total @ sparse.diags_array(p)
        scores.append((residual @ incidence).toarray().reshape(n_raters, n))
        complete.append(_ascent(votes, worth[k], total[k] * p, total[k])[2])
    covariance = covariance_of(observed_information(responsibility, scores, complete))
    if covariance is None:
        return missing
    centring = np.eye(n) - 1 / n
    blocks = [covariance[k * n : (k + 1) * n, k * n : (k + 1) * n] for k in range(n_groups)]
    variance = np.array([np.diag(centring @ block @ centring) for block in blocks])
    _, share_errors = class_shares_and_errors(responsibility, covariance[-n_groups:, -n_groups:])
    return np.sqrt(variance), share_errors


def _warnings(
    votes: _Votes,
    share: FloatArray,
    responsibility: FloatArray,
    standard_errors: FloatArray,
    starts: tuple[int, int],
) -> tuple[str, ...]:
    agreeing, n_starts = starts
    unsure = int((responsibility.max(axis=1) < SURE).sum())
    silent = int((np.diff(votes.total.indptr) == 0).sum())
    remarks = {
        f"regularised: {votes.ghost:g} wins and losses of each item against a ghost item in each "
        "group": True,
        f"only {agreeing} of {n_starts} starts reached the highest maximum; use more starts": (
            agreeing < min(2, n_starts)
        ),
        f"{unsure} of {len(responsibility)} raters belong to no group with probability "
        f"{SURE:g}": unsure > 0,
        f"{silent} raters made no comparison": silent > 0,
        "the smallest group is smaller than two raters": share.min() * len(responsibility) < 2,
        "no standard errors: the model is too large or the point is not a strict maximum": bool(
            np.isnan(standard_errors).any()
        ),
    }
    return tuple(text for text, applies in remarks.items() if applies)


def _check(n_groups: int, n_raters: int, n_starts: int, prior: float) -> None:
    if not 1 <= n_groups <= n_raters:
        raise ConfigError(
            f"n_groups must be from 1 to the number of raters ({n_raters}), got {n_groups}"
        )
    if n_starts < 1:
        raise ConfigError(f"n_starts must be at least 1, got {n_starts}")
    if not (np.isfinite(prior) and prior > 0):
        raise ConfigError(f"prior must be a positive number of wins, got {prior}")
