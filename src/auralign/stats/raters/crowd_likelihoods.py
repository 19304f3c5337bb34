"""Likelihoods of comparisons by unreliable raters, and priors, with exact derivatives.

Elementwise on cells: `margin` is the difference of the log-worths of a pair, `link` the parameter
of its rater, `score` how often the first won (ties half) and `total` how often it was asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from auralign.stats.arrays import FloatArray

LEAST = 1e-300


@dataclass(frozen=True, eq=False)
class CrowdSlopes:
    """Log-likelihood of each cell and its derivatives by the margin d and the rater's link u.

    `second()` computes those by dd, du and uu, which an ascent along the gradient does not need.
    """

    value: FloatArray
    d: FloatArray
    u: FloatArray
    second: Callable[[], tuple[FloatArray, FloatArray, FloatArray]]


def discriminate(
    margin: FloatArray, link: FloatArray, score: FloatArray, total: FloatArray
) -> CrowdSlopes:
    """P(first wins) = s(exp(link) margin)."""
    a = np.exp(link)
    m = a * margin
    # One exponential gives log s(-m) and s(m); special.log_expit is several times slower.
    small = np.exp(-np.abs(m))
    p = np.where(m > 0, 1.0, small) / (1 + small)
    slope = score - total * p

    def second() -> tuple[FloatArray, FloatArray, FloatArray]:
        steep = total * small / (1 + small) ** 2
        return -(a**2) * steep, a * (slope - m * steep), m * slope - m**2 * steep

    return CrowdSlopes(
        value=score * m - total * (np.maximum(m, 0.0) + np.log1p(small)),
        d=a * slope,
        u=m * slope,
        second=second,
    )


def flip(margin: FloatArray, link: FloatArray, score: FloatArray, total: FloatArray) -> CrowdSlopes:
    """P(first wins) = eta s(margin) + (1 - eta) s(-margin) with eta = s(link)."""
    p, eta = special.expit(margin), special.expit(link)
    q, flips = 1 - p, 1 - eta
    wins = np.maximum(eta * p + flips * q, LEAST)
    loses = np.maximum(eta * q + flips * p, LEAST)
    by_p = score / wins - (total - score) / loses
    p_d, p_u = (eta - flips) * p * q, eta * flips * (p - q)

    def second() -> tuple[FloatArray, FloatArray, FloatArray]:
        by_pp = -score / wins**2 - (total - score) / loses**2
        return (
            by_pp * p_d**2 + by_p * p_d * (q - p),
            by_pp * p_d * p_u + by_p * 2 * eta * flips * p * q,
            by_pp * p_u**2 + by_p * p_u * (flips - eta),
        )

    return CrowdSlopes(
        value=score * np.log(wins) + (total - score) * np.log(loses),
        d=by_p * p_d,
        u=by_p * p_u,
        second=second,
    )


def ghost_comparisons(worth: FloatArray, count: float) -> tuple[float, FloatArray, FloatArray]:
    """`count` wins and losses of each item against the last: value, gradient, second derivative."""
    margin = worth[:-1] - worth[-1]
    p = special.expit(margin)
    value = count * float((special.log_expit(margin) + special.log_expit(-margin)).sum())
    slope, steep = count * (1 - 2 * p), -2 * count * p * (1 - p)
    second = np.diag(np.append(steep, steep.sum()))
    second[-1, :-1] = second[:-1, -1] = -steep
    return value, np.append(slope, -slope.sum()), second


def normal_prior(link: FloatArray, spread: float) -> tuple[float, FloatArray, FloatArray]:
    """Around 0: value, gradient, and diagonal of the second derivative."""
    z = link / spread
    return -float(z @ z) / 2, -z / spread, np.full(len(link), -1 / spread**2)


def beta_prior(
    link: FloatArray, counts: tuple[float, float]
) -> tuple[float, FloatArray, FloatArray]:
    """Beta(true, flipped) on eta = s(link), as a density of the link."""
    true, flipped = counts
    eta = special.expit(link)
    value = true * special.log_expit(link).sum() + flipped * special.log_expit(-link).sum()
    return float(value), true - (true + flipped) * eta, -(true + flipped) * eta * (1 - eta)
