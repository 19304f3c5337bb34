"""First-passage times of a drifting Brownian motion between two symmetric bounds.

Evidence moves as dX = v dt + dW from 0 until it reaches the bound +a or -a (Ratcliff 1978). With
choice c = +1 or -1 the joint density of choice and time factorises:

    p(c, t) = exp(c a v - v^2 t / 2) f(t; a),

where f is the density at one bound without drift. So P(c = +1) = 1 / (1 + exp(-2 a v)), and time
and choice are independent given the drift. f has two series (Feller 1968, vol. 1, ch. XIV), one
for short and one for long times; six terms of the better one are exact to rounding
(Navarro & Fuss 2009, J. Math. Psychol. 53:222).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from auralign.errors import DataError
from auralign.stats.arrays import BoolArray, FloatArray

N_TERMS = 6
SWITCH = 1 / np.pi
# P(T < 0.02 a^2) is below 1e-11, and 20 terms of the survival function are exact from there on.
SHORTEST = 0.02
N_TAIL_TERMS = 20
BISECTIONS = 36

_ODD = 2.0 * np.arange(N_TERMS) + 1
_SIGN = (-1.0) ** np.arange(N_TERMS)


@dataclass(frozen=True, eq=False)
class LogDensity:
    """log f(t; a) `[n]`, and its first and second derivatives by t and by b = log a."""

    value: FloatArray
    t: FloatArray
    b: FloatArray
    tt: FloatArray
    tb: FloatArray
    bb: FloatArray


def driftless_log_density(time: FloatArray, log_bound: FloatArray) -> LogDensity:
    """Of the times `[n]` at which a motion without drift reaches the bound `[n]` it reaches."""
    area = 4 * np.exp(2 * log_bound)
    u = time / area
    value, first, second = _log_series(u)
    return LogDensity(
        value=value - np.log(area),
        t=first / area,
        b=-2 * u * first - 2,
        tt=second / area**2,
        tb=-2 * (first + u * second) / area,
        bb=4 * u * (first + u * second),
    )


def simulate_first_passage(
    drift: ArrayLike, bound: ArrayLike, *, rng: np.random.Generator
) -> tuple[BoolArray, FloatArray]:
    """Choices (True: the upper bound) and times `[n]`, drawn exactly.

    `drift` `[n]` (per second) and `bound` (`[n]` or one number, positive) in units in which the
    noise has variance 1 per second. Times come from the inverse of their distribution function.

    Raises `DataError` for a bound that is not positive or values that are not finite.
    """
    v, a = np.broadcast_arrays(
        np.atleast_1d(np.asarray(drift, dtype=np.float64)), np.asarray(bound, dtype=np.float64)
    )
    if not (np.isfinite(v).all() and np.isfinite(a).all() and (a > 0).all()):
        raise DataError("drifts must be finite and bounds positive and finite")
    upper = rng.random(v.shape) < special.expit(2 * a * v)
    wanted = rng.random(v.shape)
    low = np.full(v.shape, SHORTEST)
    high = np.ones(v.shape)
    while (late := _survival(high, a * v) > wanted).any():
        high = np.where(late, 2 * high, high)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        late = _survival(middle, a * v) > wanted
        low, high = np.where(late, middle, low), np.where(late, high, middle)
    return upper, a**2 * (low + high) / 2


def _log_series(u: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """log of the density of u = t / (2 a)^2, and its first two derivatives."""
    short = u < SWITCH
    safe = np.where(short, u, SWITCH)
    rate = (_ODD / 2) ** 2 / 2
    value, mean, spread = _tilted(-1 / safe, rate)
    by_short = (
        value - 1.5 * np.log(safe) - 0.5 * np.log(8 * np.pi),
        mean / safe**2 - 1.5 / safe,
        spread / safe**4 - 2 * mean / safe**3 + 1.5 / safe**2,
    )
    value, mean, spread = _tilted(-np.where(short, SWITCH, u), _ODD**2 * np.pi**2 / 2)
    by_long = value + np.log(np.pi), -mean, spread
    first, second, third = (np.where(short, a, b) for a, b in zip(by_short, by_long, strict=True))
    return first, second, third


def _tilted(x: FloatArray, rate: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """log sum_j (-1)^j (2 j + 1) exp(rate_j x), and the first two derivatives by x."""
    terms = _SIGN * _ODD * np.exp(np.multiply.outer(x, rate - rate[0]))
    total = terms.sum(axis=-1)
    mean = (terms @ rate) / total
    spread = (terms @ rate**2) / total - mean**2
    return np.log(total) + rate[0] * x, mean, spread


def _survival(time: FloatArray, strength: FloatArray) -> FloatArray:
    """P(T > t) for times in units of a^2, from `SHORTEST` on; `strength` is a v."""
    odd = 2.0 * np.arange(N_TAIL_TERMS) + 1
    rate = (strength[..., None] ** 2 + (odd * np.pi / 2) ** 2) / 2
    # cosh and the decay in one exponent: each alone overflows where drifts are strong.
    log_cosh = np.logaddexp(strength, -strength) - np.log(2)
    terms = np.exp(log_cosh[..., None] - rate * time[..., None]) / rate
    survival: FloatArray = (terms * (-1.0) ** np.arange(N_TAIL_TERMS) * odd * np.pi / 2).sum(-1)
    return np.clip(survival, 0.0, 1.0)
