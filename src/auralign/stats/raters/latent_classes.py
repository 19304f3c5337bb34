"""Models in which each unit belongs to one of K unseen classes: accelerated EM, standard errors.

In Dawid & Skene's model the units are tasks, in a mixture of raters they are raters. Given its
class k a unit has a likelihood in the parameters of class k alone, so one routine serves both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from auralign.errors import NotConvergedError
from auralign.stats.arrays import FloatArray

MAX_DENSE_PARAMETERS = 1000
MAX_STEPS = 10_000
RANK_TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class Step:
    """One step of EM: the parameters it leads to, and what was found where it began.

    `gradient_max` is the largest part of the gradient of the log-likelihood there.
    """

    parameters: FloatArray
    log_likelihood: float
    gradient_max: float


def accelerated_em(
    step: Callable[[FloatArray], Step],
    project: Callable[[FloatArray, FloatArray], FloatArray],
    start: FloatArray,
    tolerance: float,
) -> tuple[Step, int]:
    """EM to a local maximum, extrapolated (SQUAREM, Varadhan & Roland 2008, SJS 35:335).

    Two steps of EM give a direction and a length; `project(reached, safe)` brings the extrapolated
    parameters back to allowed values. An extrapolation that lowers the likelihood is dropped, so
    each round is at least as good as EM. Returns the last step and how often `step` was taken.

    Raises `NotConvergedError` when the gradient still exceeds `tolerance` after `MAX_STEPS`.
    """
    here = start
    for n_steps in range(0, MAX_STEPS, 3):
        first = step(here)
        if first.gradient_max <= tolerance:
            return first, n_steps + 1
        second = step(first.parameters)
        leap = _leap(here, first.parameters, second.parameters)
        third = step(project(leap, second.parameters))
        uphill = third.log_likelihood >= second.log_likelihood
        here = third.parameters if uphill else second.parameters
    raise NotConvergedError(
        f"EM did not converge in {MAX_STEPS} steps: the gradient is {first.gradient_max:.2g}, "
        f"allowed {tolerance:.2g}; collect more answers, or use a stronger prior"
    )


def _leap(start: FloatArray, first: FloatArray, second: FloatArray) -> FloatArray:
    move, bend = first - start, second - 2 * first + start
    bent = float(np.linalg.norm(bend))
    length = max(1.0, float(np.linalg.norm(move)) / bent) if bent > 0 else 1.0
    return start + 2 * length * move + length**2 * bend


def class_shares_and_errors(
    responsibility: FloatArray, covariance: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Shares `[classes]` of the classes and their standard errors.

    `covariance` is that of the logits of the shares, `[classes, classes]`.
    """
    share: FloatArray = responsibility.mean(axis=0)
    jacobian = np.diag(share) - np.outer(share, share)
    return share, np.sqrt(np.maximum(np.diag(jacobian @ covariance @ jacobian), 0.0))


def observed_information(
    responsibility: FloatArray,
    scores: Sequence[FloatArray],
    complete: Sequence[FloatArray],
) -> FloatArray:
    """The observed information of a mixture (Louis 1982, JRSS B 44:226), `[m, m]`.

    `responsibility` is `[units, K]`; for each class k, `scores[k]` `[units, p]` is the gradient of
    each unit's log-likelihood by the parameters of class k, and `complete[k]` `[p, p]` the
    negative second derivative summed over units with their responsibilities. The last K rows and
    columns are the logits of the shares of the classes, so m = K p + K.

    It is the complete information less what not knowing the classes costs: the covariance of the
    complete scores given the data.
    """
    n_units, n_classes = responsibility.shape
    size = scores[0].shape[1]
    share = responsibility.mean(axis=0)
    expected = np.hstack(
        [responsibility[:, [k]] * scores[k] for k in range(n_classes)] + [responsibility - share]
    )
    information: FloatArray = expected.T @ expected
    tail = slice(n_classes * size, None)
    information[tail, tail] += n_units * (np.diag(share) - np.outer(share, share))
    for k in range(n_classes):
        place = slice(k * size, (k + 1) * size)
        by_share = np.eye(n_classes)[k] - share
        score = np.hstack([scores[k], np.broadcast_to(by_share, (n_units, n_classes))])
        squares = score.T @ (responsibility[:, [k]] * score)
        information[place, place] += complete[k] - squares[:size, :size]
        information[place, tail] -= squares[:size, size:]
        information[tail, place] -= squares[size:, :size]
        information[tail, tail] -= squares[size:, size:]
    return information


def covariance_of(information: FloatArray) -> FloatArray | None:
    """The pseudo-inverse, or None where the information is not that of a maximum.

    Directions without information (a constant added to all logits) get no variance.
    """
    values, vectors = np.linalg.eigh(information)
    floor = RANK_TOLERANCE * float(np.abs(values).max())
    if values[0] < -floor:
        return None
    kept = values > floor
    covariance: FloatArray = (vectors[:, kept] / values[kept]) @ vectors[:, kept].T
    return covariance
