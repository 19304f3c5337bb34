"""How many independent judgements a test needs: the inverse of each power function."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import get_args

import numpy as np

from auralign.errors import ConfigError, NotConvergedError
from auralign.stats.planning.power import (
    Correction,
    SignTest,
    check_choice,
    check_items,
    check_positive,
    check_share,
    check_win_rate,
    critical_value,
    exact_sign_powers,
    paired_t_power,
    two_sample_t_power,
    z,
)

SMALL_SAMPLE = 1000
LARGEST_SAMPLE = 10**8


def sign_test_sample_size(
    win_rate: float, *, alpha: float = 0.05, power: float = 0.8, method: SignTest = "exact"
) -> int:
    """Decisive judgements for the two-sided sign test of P(win) = 1/2.

    `normal`: n = ((z_{1-alpha/2} / 2 + z_{power} sqrt(p (1 - p))) / (p - 1/2))^2, rounded up.
    `exact`: the first n at which the exact binomial test reaches the power. Its power is
    saw-toothed, so slightly more judgements can have slightly less of it.
    """
    check_win_rate(win_rate)
    check_share("alpha", alpha)
    check_power(power, alpha)
    check_choice("method", method, get_args(SignTest))
    spread = math.sqrt(win_rate * (1 - win_rate))
    about = ((z(1 - alpha / 2) / 2 + z(power) * spread) / (win_rate - 0.5)) ** 2
    if about > LARGEST_SAMPLE:
        raise ConfigError(
            f"a win rate of {win_rate} at power {power} takes more than {LARGEST_SAMPLE:.0e} "
            "judgements; plan for a larger effect"
        )
    if method == "normal":
        return max(math.ceil(about), 1)
    return _first_exact(win_rate, about, alpha, power)


def paired_t_sample_size(
    difference: float, sd_difference: float, *, alpha: float = 0.05, power: float = 0.8
) -> int:
    """The fewest pairs with which the paired t-test reaches `power`; see `paired_t_power`."""
    check_power(power, alpha)
    return _smallest(
        lambda n: paired_t_power(difference, sd_difference, n, alpha=alpha) >= power, 2
    )


def two_sample_t_sample_size(
    difference: float, sd: float, *, alpha: float = 0.05, power: float = 0.8
) -> int:
    """The fewest values per group with which the t-test of two groups reaches `power`."""
    check_power(power, alpha)
    return _smallest(lambda n: two_sample_t_power(difference, sd, n, alpha=alpha) >= power, 2)


def round_robin_sample_size(
    n_items: int,
    gap: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    correction: Correction = "none",
) -> int:
    """Judgements per pair in a round robin: r = 8 (c + z_{power})^2 / (n gap^2), rounded up.

    c is z_{1-alpha/2} or the stricter value of `critical_value`; see `round_robin_power`.
    """
    check_items(n_items)
    check_positive("gap", gap)
    check_power(power, alpha)
    critical = critical_value(n_items, alpha, correction)
    return math.ceil(8 * (critical + z(power)) ** 2 / (n_items * gap**2))


def check_power(power: float, alpha: float) -> None:
    """Raise `ConfigError` for a power that no test of this size can be asked for."""
    check_share("power", power)
    if power <= alpha:
        raise ConfigError(f"power must exceed alpha = {alpha}, got {power}")


def _first_exact(win_rate: float, about: float, alpha: float, power: float) -> int:
    # Far from the approximation no tooth of the saw reaches the power.
    first = 1 if about < SMALL_SAMPLE else int(0.9 * about)
    n = np.arange(first, int(1.3 * about) + 100)
    reached = exact_sign_powers(win_rate, n, alpha) >= power
    return int(n[reached.argmax()])


def _smallest(enough: Callable[[int], bool], least: int) -> int:
    """The smallest n from `least` on that is enough, where more is never less."""
    high = least
    while not enough(high):
        high *= 2
        if high > LARGEST_SAMPLE:
            raise NotConvergedError(
                f"more than {LARGEST_SAMPLE:.0e} observations are needed; plan for a larger effect"
            )
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if middle >= least and enough(middle) else (middle, high)
    return high
