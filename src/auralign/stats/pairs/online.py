"""Running scores for display: Elo, Glicko-2 and TrueSkill.

They depend on the order of the comparisons: the same answers in another order give other scores.
They are for a leaderboard that moves with each answer; for conclusions use `fit_bradley_terry`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from auralign.errors import ConfigError, DataError, NotConvergedError
from auralign.stats.arrays import FloatArray, IntArray, sum_by
from auralign.stats.comparisons import check_comparisons
from auralign.stats.pairs.bradley_terry import ELO_PER_LOGIT
from auralign.types import Comparisons

GLICKO_START = 1500.0
MAX_STEPS = 100
ROOT_TWO = math.sqrt(2.0)


@dataclass(frozen=True, eq=False)
class EloScores:
    """Scores `[items]`; no uncertainty is known."""

    items: tuple[str, ...]
    score: FloatArray
    n: int


@dataclass(frozen=True, eq=False)
class Glicko2Scores:
    """Scores `[items]` around 1500, their standard deviation, and how erratic results are."""

    items: tuple[str, ...]
    score: FloatArray
    deviation: FloatArray
    volatility: FloatArray
    n: int


@dataclass(frozen=True, eq=False)
class TrueSkillScores:
    """Posterior mean and standard deviation `[items]`; `beta` is the noise of one performance."""

    items: tuple[str, ...]
    score: FloatArray
    deviation: FloatArray
    beta: float
    n: int

    @property
    def cautious(self) -> FloatArray:
        """Mean minus three deviations, the usual order of a leaderboard."""
        return self.score - 3 * self.deviation

    def quality(self, first: int, second: int) -> float:
        """Chance of a draw relative to that of two equal and certain items: which pair to ask."""
        noise = 2 * self.beta**2
        spread = noise + self.deviation[first] ** 2 + self.deviation[second] ** 2
        gap = self.score[first] - self.score[second]
        return float(np.sqrt(noise / spread) * np.exp(-(gap**2) / (2 * spread)))


def elo_scores(comparisons: Comparisons, *, k: float, start: float = 1000.0) -> EloScores:
    """Elo (1978, The Rating of Chessplayers): winner + k (1 - p), loser - k (1 - p), in row order.

    p = 1 / (1 + 10^((loser - winner) / 400)); a tie counts half. `k` has no default because
    published scores differ by it (4 to 32). Order-dependent: for display only. Raises `DataError`
    for broken arrays or weights other than 0 and 1, `ConfigError` for a wrong `k`.
    """
    _check_positive(k=k)
    first, second, outcome = _rows(comparisons)
    score = [start] * len(comparisons.items)
    for i, j, won in zip(first.tolist(), second.tolist(), outcome.tolist(), strict=True):
        # A score that is thousands ahead would overflow the power.
        exponent = min(max((score[j] - score[i]) / 400, -300.0), 300.0)
        gain = k * (won - 1 / (1 + 10.0**exponent))
        score[i] += gain
        score[j] -= gain
    return EloScores(comparisons.items, np.array(score), len(first))


def glicko2_scores(
    comparisons: Comparisons,
    *,
    period: ArrayLike | None = None,
    start: Glicko2Scores | None = None,
    tau: float = 0.5,
) -> Glicko2Scores:
    """Glicko-2 (Glickman 2022, Example of the Glicko-2 system), a tie counting half.

    `period` `[n]` labels the rating period of each comparison, taken in sorted order; within one
    the order does not matter. None: one period for all. `start` are earlier scores of the same
    items; new items have 1500, deviation 350, volatility 0.06. `tau` bounds the change of
    volatility (0.3 to 1.2). Across periods order-dependent: for display only.

    Raises `DataError` for broken arrays, weights other than 0 and 1, or other items in `start`,
    `ConfigError` for a wrong `tau`.
    """
    _check_positive(tau=tau)
    first, second, outcome = _rows(comparisons)
    labels = np.zeros(len(comparisons.first)) if period is None else np.asarray(period)
    if labels.shape != comparisons.first.shape:
        raise DataError(
            f"expected one period for each of {len(comparisons.first)} comparisons, "
            f"got {list(labels.shape)}"
        )
    labels = labels[comparisons.weight > 0]
    mu, phi, sigma = _glicko_start(comparisons.items, start)
    for label in np.unique(labels):
        rows = labels == label
        mu, phi, sigma = _glicko_period(
            mu, phi, sigma, first[rows], second[rows], outcome[rows], tau
        )
    score, deviation = GLICKO_START + ELO_PER_LOGIT * mu, ELO_PER_LOGIT * phi
    return Glicko2Scores(comparisons.items, score, deviation, sigma, len(first))


def trueskill_scores(
    comparisons: Comparisons,
    *,
    start: float = 25.0,
    deviation: float = 25 / 3,
    beta: float = 25 / 6,
    drift: float = 25 / 300,
    draw_probability: float = 0.10,
) -> TrueSkillScores:
    """TrueSkill for two (Herbrich, Minka & Graepel 2006, NIPS 19), ties as draws, in row order.

    `drift` is added to each deviation before a comparison; `draw_probability` is that of equal
    items and sets the margin of a draw. Order-dependent: for display only. Raises `DataError` for
    broken arrays, weights other than 0 and 1, or ties that `draw_probability` 0 rules out,
    `ConfigError` for a wrong setting.
    """
    _check_positive(deviation=deviation, beta=beta)
    if drift < 0 or not 0 <= draw_probability < 1:
        raise ConfigError(
            "drift must be 0 or more and draw_probability in [0, 1), "
            f"got {drift} and {draw_probability}"
        )
    first, second, outcome = _rows(comparisons)
    if draw_probability == 0 and (outcome == 0.5).any():
        raise DataError("there are ties, which draw_probability 0 rules out; give their share")
    margin = float(special.ndtri((draw_probability + 1) / 2)) * ROOT_TWO * beta
    mean = [start] * len(comparisons.items)
    variance = [deviation**2] * len(comparisons.items)
    for i, j, won in zip(first.tolist(), second.tolist(), outcome.tolist(), strict=True):
        winner, loser = (i, j) if won >= 0.5 else (j, i)
        of_winner, of_loser = variance[winner] + drift**2, variance[loser] + drift**2
        spread = math.sqrt(2 * beta**2 + of_winner + of_loser)
        gap, half = (mean[winner] - mean[loser]) / spread, margin / spread
        shift, shrink = draw_moments(gap, half) if won == 0.5 else win_moments(gap - half)
        mean[winner] += of_winner / spread * shift
        mean[loser] -= of_loser / spread * shift
        variance[winner] = of_winner * (1 - of_winner / spread**2 * shrink)
        variance[loser] = of_loser * (1 - of_loser / spread**2 * shrink)
    return TrueSkillScores(
        comparisons.items, np.array(mean), np.sqrt(np.array(variance)), beta, len(first)
    )


def win_moments(x: float) -> tuple[float, float]:
    """v and w of a normal truncated below -x: v = phi(x) / Phi(x), w = v (v + x)."""
    v = math.sqrt(2 / math.pi) / float(special.erfcx(-x / ROOT_TWO))
    return v, v * (v + x)


def draw_moments(gap: float, half: float) -> tuple[float, float]:
    """v and w of a normal with mean `gap` truncated to [-half, half], `half` > 0.

    The densities are divided by that at the nearer end, so that large gaps do not underflow.
    """
    near, far = half - abs(gap), -half - abs(gap)
    ratio = math.exp(min((near**2 - far**2) / 2, 0.0))  # phi(far) / phi(near)
    inside = math.sqrt(math.pi / 2) * float(
        special.erfcx(-near / ROOT_TWO) - ratio * special.erfcx(-far / ROOT_TWO)
    )
    v = (ratio - 1) / inside
    w = v**2 + (near - far * ratio) / inside
    return math.copysign(v, -gap) if gap else 0.0, w


def _glicko_start(
    items: tuple[str, ...], start: Glicko2Scores | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Scores and deviations on Glicko-2's own scale, and volatilities."""
    n = len(items)
    if start is None:
        return np.zeros(n), np.full(n, 350 / ELO_PER_LOGIT), np.full(n, 0.06)
    if start.items != items:
        raise DataError("start must be scores of the same items in the same order")
    return (
        (start.score - GLICKO_START) / ELO_PER_LOGIT,
        start.deviation / ELO_PER_LOGIT,
        start.volatility,
    )


def _glicko_period(
    mu: FloatArray,
    phi: FloatArray,
    sigma: FloatArray,
    first: IntArray,
    second: IntArray,
    outcome: FloatArray,
    tau: float,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Steps 3 to 8 of the paper for all items at once."""
    me, other = np.r_[first, second], np.r_[second, first]
    won = np.r_[outcome, 1 - outcome]
    weight = 1 / np.sqrt(1 + 3 * phi[other] ** 2 / np.pi**2)
    expected = special.expit(weight * (mu[me] - mu[other]))
    information = sum_by(me, weight**2 * expected * (1 - expected), len(mu))
    gain = sum_by(me, weight * (won - expected), len(mu))
    played = information > 0
    new_sigma = sigma.copy()
    for k in np.flatnonzero(played):
        v = 1 / information[k]
        new_sigma[k] = _volatility(
            float(v * gain[k]), float(v), float(phi[k]), float(sigma[k]), tau
        )
    predicted = phi**2 + new_sigma**2
    new_phi = np.where(played, 1 / np.sqrt(1 / predicted + information), np.sqrt(predicted))
    return mu + np.where(played, new_phi**2 * gain, 0.0), new_phi, new_sigma


def _volatility(delta: float, v: float, phi: float, sigma: float, tau: float) -> float:
    """Step 5: the root of f by the Illinois algorithm."""
    a = math.log(sigma**2)

    def f(x: float) -> float:
        e = math.exp(x)
        excess = delta**2 - phi**2 - v - e
        return e * excess / (2 * (phi**2 + v + e) ** 2) - (x - a) / tau**2

    low, high = a, a - tau
    if delta**2 > phi**2 + v:
        high = math.log(delta**2 - phi**2 - v)
    else:
        while f(high) < 0:
            high -= tau
    at_low, at_high = f(low), f(high)
    for _ in range(MAX_STEPS):
        if abs(high - low) <= 1e-9:
            return math.exp(low / 2)
        x = low + (low - high) * at_low / (at_high - at_low)
        at_x = f(x)
        if at_x * at_high <= 0:
            low, at_low = high, at_high
        else:
            at_low /= 2
        high, at_high = x, at_x
    raise NotConvergedError(f"Glicko-2's volatility was not found in {MAX_STEPS} steps")


def _rows(comparisons: Comparisons) -> tuple[IntArray, IntArray, FloatArray]:
    check_comparisons(comparisons)
    used = comparisons.weight > 0
    if (comparisons.weight[used] != 1).any():
        raise DataError(
            "running scores take one comparison at a time, so weights must be 0 or 1, "
            f"got {comparisons.weight[used][comparisons.weight[used] != 1][0]:g}"
        )
    return comparisons.first[used], comparisons.second[used], comparisons.outcome[used]


def _check_positive(**settings: float) -> None:
    for name, value in settings.items():
        if not (np.isfinite(value) and value > 0):
            raise ConfigError(f"{name} must be a positive number, got {value}")
