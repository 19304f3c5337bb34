"""An interval for a win rate that may be looked at after every vote."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from auralign.errors import ConfigError, DataError, NotConvergedError
from auralign.stats.arrays import FloatArray
from auralign.stats.intervals import check_level
from auralign.types import Estimate

BISECTIONS = 60
EDGE = 1e-12


@dataclass(frozen=True, eq=False)
class WinRateSequence:
    """After each vote the win rate so far, and its always-valid interval, all float `[n]`."""

    value: FloatArray
    low: FloatArray
    high: FloatArray
    level: float

    @property
    def last(self) -> Estimate:
        """The interval after all votes; raises `NotConvergedError` when it is empty."""
        n = len(self.value)
        if self.low[-1] > self.high[-1]:
            raise NotConvergedError(
                "no constant win rate fits the votes in the order they came: the rate drifted; "
                "look at the early and the late votes apart"
            )
        method = "win rate, ties half; always-valid beta-binomial mixture"
        value, low, high = (float(part[-1]) for part in (self.value, self.low, self.high))
        return Estimate(value, low, high, self.level, n, n, method)

    @property
    def decided_at(self) -> int | None:
        """After how many votes the interval first excludes 1/2; None if it never did."""
        excludes = (self.low > 0.5) | (self.high < 0.5)
        return int(excludes.argmax()) + 1 if excludes.any() else None


def win_rate_sequence(
    votes: ArrayLike, *, level: float = 0.95, prior: tuple[float, float] = (1.0, 1.0)
) -> WinRateSequence:
    """A confidence sequence: with probability `level` it holds the true win rate at *every* n.

    `votes` `[n]` in the order they came, each in [0, 1]: 1 where the first system won, 0.5 for a
    tie, or a listener's mean. The running interval is the intersection of {p: e_n(p) < 1 / (1 -
    level)} with e_n(p) = B(a + s, b + n - s) / (B(a, b) p^s (1 - p)^(n - s)), s the sum of votes
    and (a, b) the `prior`, which decides where the interval is narrow, not whether it holds
    (Robbins 1970, Ann. Math. Stat. 41:1397; Howard et al. 2021, arXiv 1810.08240; Waudby-Smith &
    Ramdas 2020, arXiv 2006.04347). For votes strictly between 0 and 1 e_n is a supermartingale by
    convexity, so the sequence is conservative. Ville's inequality needs each vote to have mean p
    given those before it: several votes of one listener break that, so give each listener's mean.

    Raises `DataError` for votes outside [0, 1] or none, `ConfigError` for a level or prior that
    is none.
    """
    check_level(level)
    found = np.asarray(votes, dtype=np.float64)
    if found.ndim != 1 or len(found) == 0 or not ((found >= 0) & (found <= 1)).all():
        raise DataError("expected a list of votes between 0 and 1, at least one")
    if not min(prior) > 0:
        raise ConfigError(f"the prior's two numbers must be positive, got {prior}")
    won, n = np.cumsum(found), np.arange(1, len(found) + 1)
    threshold = -np.log1p(-level)
    low = _bound(won, n, prior, threshold, np.full(len(n), 0.0))
    high = _bound(won, n, prior, threshold, np.full(len(n), 1.0))
    return WinRateSequence(
        value=won / n,
        low=np.maximum.accumulate(low),
        high=np.minimum.accumulate(high),
        level=level,
    )


def log_evidence(
    rate: FloatArray, won: FloatArray, n: ArrayLike, prior: tuple[float, float]
) -> FloatArray:
    """log e_n(p): evidence against the win rate `rate` after `won` of `n` votes, all `[k]`."""
    a, b = prior
    lost = np.asarray(n) - won
    mixture = special.betaln(a + won, b + lost) - special.betaln(a, b)
    return np.asarray(mixture - special.xlogy(won, rate) - special.xlog1py(lost, -rate))


def _bound(
    won: FloatArray, n: ArrayLike, prior: tuple[float, float], threshold: float, outside: FloatArray
) -> FloatArray:
    """Where the evidence, convex in p, reaches the threshold between the mean and `outside`."""
    outer, inner = outside.copy(), won / np.asarray(n)
    for _ in range(BISECTIONS):
        middle = (outer + inner) / 2
        excluded = log_evidence(np.clip(middle, EDGE, 1 - EDGE), won, n, prior) >= threshold
        outer, inner = np.where(excluded, middle, outer), np.where(excluded, inner, middle)
    # The excluded side of the last bracket would cut the interval short, so take the outer end.
    return outer
