"""Where online methods come to rest on a few codes: in closed form, or by summing over all groups.

Nothing here looks at the package: slopes are written out, and expectations are sums. A push is what
an update adds to the logits on average, `[codes]`; a method rests where its push is 0. Policies are
probabilities `[codes]`.

Derived: the resting points of advantages as z-scores, of pairs of hard labels, and of groups of a
size, none of which their papers give.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, root
from scipy.special import expit, softmax

Vector = NDArray[np.float64]
Push = Callable[[Vector], Vector]


def boltzmann(reference: Vector, rewards: Vector, beta: float) -> Vector:
    """What maximises the mean reward less beta KL(policy || reference)."""
    return _softmax(np.log(reference) + rewards / beta)


def nash(reference: Vector, payoffs: Vector, beta: float, mixed: float = 0.0) -> Vector:
    """The policy that is its own best answer in a game with KL.

    payoffs   `[codes, codes]`, of the row's code against the column's
    mixed     weight of the reference in the geometric mixture that rivals come from
    """

    def push(policy: Vector) -> Vector:
        rivals = _softmax((1 - mixed) * np.log(policy) + mixed * np.log(reference))
        return boltzmann(reference, payoffs @ rivals, beta) - policy

    return at_rest(push, reference)


def at_rest(push: Push, start: Vector) -> Vector:
    """The policy that is not pushed, found from `start`."""

    def of(logits: Vector) -> Vector:
        policy = _policy(logits)
        natural = (
            push(policy) / policy
        )  # a push fades where the policy is nearly sure, this does not
        return np.asarray(natural[1:] - natural[0])

    found = root(of, np.log(start[1:] / start[0]), tol=1e-12)
    assert np.abs(of(found.x)).max() < 1e-8, found.message
    return _policy(found.x)


def _softmax(logits: Vector) -> Vector:
    return np.asarray(softmax(logits))


def _policy(logits: Vector) -> Vector:
    """From the logits of all codes but the first, whose logit is 0."""
    return _softmax(np.concatenate([[0.0], logits]))


def group_push(
    advantages: Callable[[Vector], Vector], rewards: Vector, size: int, *, whiten: bool = False
) -> Push:
    """Of a policy gradient: the mean over all groups of `size` clips of A (one-hot - policy).

    advantages   of the rewards of a group, `[size]` both
    rewards      of each code, `[codes]` or `[codes, rewards]`
    whiten       divides by the standard deviation of advantages over all groups
    """
    groups = np.array(list(product(range(len(rewards)), repeat=size)))
    found = np.array([advantages(rewards[group]) for group in groups])

    def push(policy: Vector) -> Vector:
        often = policy[groups].prod(1)
        by_code = [(found * (groups == code)).mean(1) @ often for code in range(len(policy))]
        scale = np.sqrt((found**2).mean(1) @ often) if whiten else 1.0
        return np.asarray((np.array(by_code) - found.mean(1) @ often * policy) / scale)

    return push


def z_scores(rewards: Vector) -> Vector:
    """Within a group, by n - 1; several rewards `[size, rewards]` are added up after it."""
    z = (rewards - rewards.mean(0)) / (rewards.std(0, ddof=1) + 1e-4)
    return np.asarray(z.sum(1) if z.ndim == 2 else z)


def best_only(rewards: Vector) -> Vector:
    """1 for the first of the best of a group, 0 for the others."""
    return np.asarray(np.eye(len(rewards))[rewards.argmax()])


def whitened_push(rewards: Vector) -> Push:
    """Of a policy gradient with rewards as standard deviations from the mean over a large batch."""

    def push(policy: Vector) -> Vector:
        deviation = rewards - policy @ rewards
        return policy * deviation / np.sqrt(policy @ deviation**2)

    return push


def towards(reference: Vector) -> Push:
    """Minus the gradient of KL(policy || reference)."""

    def push(policy: Vector) -> Vector:
        log_ratio = np.log(policy / reference)
        return -policy * (log_ratio - policy @ log_ratio)

    return push


def covering(reference: Vector) -> Push:
    """Minus the gradient of KL(reference || policy)."""
    return lambda policy: reference - policy


def held(push: Push, weight: float, kl: Push, reference: Vector) -> Vector:
    """Where a push and that of a KL come to rest."""
    return at_rest(lambda policy: push(policy) + weight * kl(policy), reference)


def with_margin(reference: Vector, margin: float) -> Vector:
    """Of two codes: log-ratio of the second less that of the first."""
    return _softmax(np.log(reference) + np.array([0, margin]))


def two_codes(reference: Vector, slope: Callable[[float, Vector], float]) -> Vector:
    """Where the slope of a loss on pairs at the margin, given it and the policy, is 0."""

    def of(margin: float) -> float:
        return slope(margin, with_margin(reference, margin))

    return with_margin(reference, brentq(of, -30, 30))


def gepo_push(
    accepted: Vector, reference: Vector, *, size: int, beta: float, variance_weight: float
) -> Push:
    """Of GEPO, over all groups and all thumbs; `accepted` are the chances of a code's thumb up."""
    codes = range(len(accepted))
    drawn = [
        (np.array(group), np.array(thumbs))
        for group in product(codes, repeat=size)
        for thumbs in product([False, True], repeat=size)
        if 0 < sum(thumbs) < size
    ]

    def push(policy: Vector) -> Vector:
        rho, total = np.log(policy / reference), np.zeros(len(policy))
        for group, up in drawn:
            thumbs = np.where(up, accepted[group], 1 - accepted[group])
            slopes = _gepo_slopes(rho[group], up, beta, variance_weight)
            np.add.at(total, group, -(policy[group] * thumbs).prod() * slopes)
        return total

    return push


def _gepo_slopes(rho: Vector, up: NDArray[np.bool_], beta: float, weight: float) -> Vector:
    """d/d rho of -log sigmoid(beta (mean up - mean down)) + weight var up."""
    pull = beta * expit(-beta * (rho[up].mean() - rho[~up].mean()))
    variance = weight * 2 * (rho - rho[up].mean()) / up.sum()
    return np.asarray(np.where(up, -pull / up.sum() + variance, pull / (~up).sum()))
