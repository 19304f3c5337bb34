"""Probabilities of ordered categories, P(Y <= c) = F(threshold_c - eta), with derivatives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from auralign.stats.arrays import FloatArray

LEAST = 1e-300


@dataclass(frozen=True, eq=False)
class CategoryTerms:
    """log p of each row's category, p = F(b) - F(a), and its derivatives, all `[n]`.

    a, b are the row's lower and upper threshold minus eta. Names tell what is derived by what:
    `eta` is d log p / d eta, `weight` is -d^2 log p / d eta^2, `weight_eta` its derivative by eta.
    """

    log_p: FloatArray
    eta: FloatArray
    a: FloatArray
    b: FloatArray
    eta_a: FloatArray
    eta_b: FloatArray
    weight: FloatArray
    weight_eta: FloatArray
    weight_a: FloatArray
    weight_b: FloatArray


CumulativeLink = Callable[[FloatArray, FloatArray], CategoryTerms]


def logit(a: FloatArray, b: FloatArray) -> CategoryTerms:
    """F logistic: proportional odds (McCullagh 1980, JRSS B 42:109)."""
    low, high = special.expit(a), special.expit(b)
    f_a, f_b = low * (1 - low), high * (1 - high)
    slope_a, slope_b = f_a * (1 - 2 * low), f_b * (1 - 2 * high)
    apart = -np.expm1(a - b)  # F(b) - F(a) = F(b) F(-a) (1 - exp(a - b)), without cancellation
    return CategoryTerms(
        log_p=special.log_expit(b) + special.log_expit(-a) + np.log(apart),
        eta=low + high - 1,
        a=-low / np.maximum(high * apart, LEAST),
        b=special.expit(-b) / np.maximum(special.expit(-a) * apart, LEAST),
        eta_a=f_a,
        eta_b=f_b,
        weight=f_a + f_b,
        weight_eta=-slope_a - slope_b,
        weight_a=slope_a,
        weight_b=slope_b,
    )


def probit(a: FloatArray, b: FloatArray) -> CategoryTerms:
    """F normal: a continuous percept with normal noise, cut at the thresholds."""
    flip = a > 0  # the difference of two values near 1 is taken of their complements
    low, high = np.where(flip, -b, a), np.where(flip, -a, b)
    p = np.maximum(special.ndtr(high) - special.ndtr(low), LEAST)
    (f_a, f1_a, f2_a), (f_b, f1_b, f2_b) = (_normal_slopes(x, p) for x in (a, b))
    g0, g1, g2 = f_b - f_a, f1_b - f1_a, f2_b - f2_a
    return CategoryTerms(
        log_p=np.log(p),
        eta=-g0,
        a=-f_a,
        b=f_b,
        eta_a=f1_a - g0 * f_a,
        eta_b=g0 * f_b - f1_b,
        weight=g0**2 - g1,
        weight_eta=2 * g0**3 - 3 * g0 * g1 + g2,
        weight_a=2 * g0 * (g0 * f_a - f1_a) + f2_a - g1 * f_a,
        weight_b=2 * g0 * (f1_b - g0 * f_b) - f2_b + g1 * f_b,
    )


def _normal_slopes(x: FloatArray, p: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The normal density and its first two derivatives, divided by p."""
    density = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi) / p
    return density, -x * density, (x**2 - 1) * density
