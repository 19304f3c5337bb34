"""Power of the tests that end a listening study, for a given number of independent judgements.

What makes judgements fewer than they look (listeners who answer often, ties, rejected listeners) is
the business of `study_size`.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np
from scipy import special

from auralign.errors import ConfigError, did_you_mean
from auralign.stats.arrays import FloatArray, IntArray

SignTest = Literal["exact", "normal"]
Correction = Literal["none", "holm", "tukey"]

NEIGHBOURS = np.arange(-3, 5)
TUKEY_GRID = np.linspace(-9, 9, 2001)


def sign_test_power(
    win_rate: float, n: int, *, alpha: float = 0.05, method: SignTest = "exact"
) -> float:
    """Power of the two-sided sign test of P(win) = 1/2 on `n` decisive, independent judgements.

    `exact` is the binomial test that rejects in both tails of at most alpha / 2 each; its power is
    saw-toothed in n. `normal` is Phi((sqrt(n) |p - 1/2| - z_{1-alpha/2} / 2) / sqrt(p (1 - p))),
    the textbook approximation (Noether 1987, JASA 82:645). Raises `ConfigError` for a win
    rate of 0.5 or outside (0, 1).
    """
    check_win_rate(win_rate)
    check_share("alpha", alpha)
    check_choice("method", method, get_args(SignTest))
    if n < 1:
        return 0.0
    if method == "exact":
        return float(exact_sign_powers(win_rate, np.array([n]), alpha)[0])
    lead = math.sqrt(n) * abs(win_rate - 0.5) - z(1 - alpha / 2) / 2
    return float(special.ndtr(lead / math.sqrt(win_rate * (1 - win_rate))))


def exact_sign_powers(win_rate: float, n: IntArray, alpha: float) -> FloatArray:
    """Power of the exact two-sided sign test for each number of judgements in `n` `[k]`: `[k]`."""
    critical = _critical_wins(n, alpha / 2)
    possible = critical <= n
    wins = np.where(possible, critical, 1)
    upper = special.betainc(wins, n - wins + 1, win_rate)
    lower = special.betainc(wins, n - wins + 1, 1 - win_rate)
    return np.where(possible, upper + lower, 0.0)


def paired_t_power(
    difference: float, sd_difference: float, n: int, *, alpha: float = 0.05
) -> float:
    """Power of the two-sided paired t-test on `n` pairs; `sd_difference` is that of a pair.

    Exact for normal differences: the non-central t distribution with n - 1 degrees of freedom and
    non-centrality sqrt(n) difference / sd (Cohen 1988, ch. 2).
    """
    _check_t_test(difference, sd_difference, alpha)
    return _t_power(math.sqrt(n) * abs(difference) / sd_difference, n - 1, alpha)


def two_sample_t_power(
    difference: float, sd: float, n_per_group: int, *, alpha: float = 0.05
) -> float:
    """Power of the two-sided t-test of two groups of `n_per_group` with a common `sd`.

    Exact for normal values: the non-central t distribution with 2 n - 2 degrees of freedom and
    non-centrality sqrt(n / 2) difference / sd (Cohen 1988, ch. 2).
    """
    _check_t_test(difference, sd, alpha)
    centre = math.sqrt(n_per_group / 2) * abs(difference) / sd
    return _t_power(centre, 2 * n_per_group - 2, alpha)


def round_robin_power(
    n_items: int,
    gap: float,
    per_pair: float,
    *,
    alpha: float = 0.05,
    correction: Correction = "none",
) -> float:
    """Power to tell two items apart whose Bradley-Terry log-worths differ by `gap` (in logits).

    All pairs of `n_items` are judged `per_pair` times. Near equality Var(theta_i - theta_j) =
    8 / (n r), the effective resistance in the complete graph with conductances r / 4, so power =
    Phi(gap / sd - c) + Phi(-gap / sd - c) with c from `critical_value`.
    """
    check_items(n_items)
    check_positive("gap", gap)
    critical = critical_value(n_items, alpha, correction)
    centre = gap * math.sqrt(n_items * per_pair / 8)
    return float(special.ndtr(centre - critical) + special.ndtr(-centre - critical))


def critical_value(n_items: int, alpha: float, correction: Correction) -> float:
    """Standard errors that a difference must exceed, in a family of all pairs of `n_items`.

    `none`: z_{1-alpha/2}. `holm`: the first and hardest step of Holm (1979, Scand. J. Stat. 6:65),
    z at alpha / pairs, so the power is a lower bound. `tukey`: the studentised range with infinite
    degrees of freedom over sqrt(2) (Tukey 1949, Biometrics 5:99).
    """
    check_items(n_items)
    check_share("alpha", alpha)
    check_choice("correction", correction, get_args(Correction))
    if correction == "tukey":
        return _studentised_range(1 - alpha, n_items) / math.sqrt(2)
    n_tests = n_items * (n_items - 1) / 2 if correction == "holm" else 1
    return z(1 - alpha / (2 * n_tests))


def z(probability: float) -> float:
    """Quantile of the standard normal distribution."""
    return float(special.ndtri(probability))


def check_win_rate(win_rate: float) -> None:
    if not 0 < win_rate < 1 or win_rate == 0.5:
        raise ConfigError(
            f"the win rate to detect must be between 0 and 1 and not 0.5, got {win_rate}; "
            "0.60 means that the better system wins 60 % of the decisive judgements"
        )


def check_share(name: str, value: float) -> None:
    if not 0 < value < 1:
        raise ConfigError(f"{name} must be between 0 and 1, got {value}")


def check_positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ConfigError(f"{name} must be a positive number, got {value}")


def check_items(n_items: int) -> None:
    if n_items < 2:
        raise ConfigError(f"a comparison needs at least 2 items, got {n_items}")


def check_choice(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ConfigError(
            f"{name} must be one of {', '.join(known)}, got '{value}'{did_you_mean(value, known)}"
        )


def _critical_wins(n: IntArray, tail: float) -> IntArray:
    """The fewest wins of n whose upper tail under P = 1/2 is at most `tail`; may exceed n."""
    about = np.floor(n / 2 - special.ndtri(tail) * np.sqrt(n) / 2).astype(np.int64)
    # The normal quantile is within a few wins of the exact one.
    tried = np.clip(about[:, None] + NEIGHBOURS, 1, n[:, None] + 1)
    upper = special.betainc(tried, np.maximum(n[:, None] - tried + 1, 1e-300), 0.5)
    rejects = (upper <= tail) | (tried > n[:, None])
    found: IntArray = np.take_along_axis(tried, rejects.argmax(axis=1)[:, None], axis=1)[:, 0]
    return found


def _t_power(centre: float, freedom: int, alpha: float) -> float:
    if freedom < 1:
        return 0.0
    critical = float(special.stdtrit(freedom, 1 - alpha / 2))
    below = special.nctdtr(freedom, centre, critical)
    far_side = special.nctdtr(freedom, centre, -critical)
    return float(1 - below + far_side)


def _studentised_range(probability: float, n_items: int) -> float:
    """Quantile of the range of `n_items` standard normal values."""
    density = np.exp(-(TUKEY_GRID**2) / 2) / math.sqrt(2 * math.pi)
    step = float(TUKEY_GRID[1] - TUKEY_GRID[0])

    def below(range_: float) -> float:
        inside = special.ndtr(TUKEY_GRID) - special.ndtr(TUKEY_GRID - range_)
        return float(n_items * step * (density @ inside ** (n_items - 1)))

    low, high = 0.0, 20.0
    while high - low > 1e-10:
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) < probability else (low, middle)
    return high


def _check_t_test(difference: float, sd: float, alpha: float) -> None:
    check_positive("difference", abs(difference))
    check_positive("sd", sd)
    check_share("alpha", alpha)
