"""Over-optimisation: how a gold reward rises and falls while a proxy is optimised.

With d = sqrt(KL from the initial policy, nats) the gold reward, less that of the initial policy,
follows (Gao, Schulman & Hilton, arXiv 2210.10760, section 3.1)

    best_of_n    R(d) = d (alpha - beta d)       highest at alpha / (2 beta)
    rl           R(d) = d (alpha - beta log d)   highest at exp(alpha / beta - 1)

The proxy's own curve has the same form with a smaller beta; the gap between the two is what was
gained on paper only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from auralign.errors import ConfigError, DataError

Form = Literal["best_of_n", "rl"]
Float = NDArray[np.float64]

FEWEST_POINTS = 6
FARTHEST = 1e3
"""Beyond this sqrt(KL) no peak of a curve is told: no policy was ever there."""


@dataclass(frozen=True, slots=True)
class CurveFit:
    """Parameters of a curve with standard errors; the peak is None where the curve has none.

    peak_kl, peak_gain   KL [nats] at the highest point, and the reward there above the initial one
    residual             root mean square of what the curve leaves, with n - 2 degrees of freedom
    """

    form: Form
    alpha: float
    alpha_error: float
    beta: float
    beta_error: float
    peak_kl: float | None
    peak_kl_error: float | None
    peak_gain: float | None
    residual: float
    n: int

    def __call__(self, kl: ArrayLike) -> Float:
        """The curve at these divergences [nats]."""
        a, b = _columns(_distance(kl), self.form).T
        return np.asarray(self.alpha * a + self.beta * b)


def fit_curve(
    kl: ArrayLike, gain: ArrayLike, form: Form, *, errors: ArrayLike | None = None
) -> CurveFit:
    """Least squares for alpha and beta, in which both forms are linear.

    kl        of each point, nats, >= 0: exact, or by an estimator that is never negative
    gain      the reward less that of the initial policy, the same unit for all points
    errors    standard errors of the gains; without them the points weigh alike and their scatter
              about the curve gives the errors of the parameters

    The errors take points for independent, which the checkpoints of one run are not: then they are
    too small. Raises DataError for fewer than 6 points with a KL above 0, for negative KL and for
    values that are not finite; ConfigError for an unknown form.
    """
    d, y = _distance(kl), np.asarray(gain, dtype=np.float64)
    if form not in ("best_of_n", "rl"):
        raise ConfigError(f"expected the form 'best_of_n' or 'rl', got '{form}'")
    sigma = np.ones_like(y) if errors is None else np.asarray(errors, dtype=np.float64)
    _check(d, y, sigma)
    x = _columns(d, form) / sigma[:, None]
    inverse = np.linalg.inv(x.T @ x)
    alpha, beta = inverse @ x.T @ (y / sigma)
    left = y / sigma - x @ (alpha, beta)
    scatter = float(left @ left) / (len(y) - 2)
    covariance = np.asarray(inverse * (scatter if errors is None else 1.0), dtype=np.float64)
    peak = _peak(form, float(alpha), float(beta), covariance)
    raw = left * sigma
    return CurveFit(
        form=form,
        alpha=float(alpha),
        alpha_error=math.sqrt(covariance[0, 0]),
        beta=float(beta),
        beta_error=math.sqrt(covariance[1, 1]),
        peak_kl=peak.kl,
        peak_kl_error=peak.kl_error,
        peak_gain=peak.gain,
        residual=math.sqrt(float(raw @ raw) / (len(y) - 2)),
        n=len(y),
    )


def best_of_n_kl(n: int | ArrayLike) -> Float:
    """KL of the best of n from the policy that was sampled: log n - (n - 1) / n [nats].

    Exact for rewards without ties; with ties (short clips of few codes) an upper bound (Beirami et
    al., arXiv 2401.01879). Raises ConfigError for n below 1.
    """
    count = np.asarray(n, dtype=np.float64)
    if (count < 1).any():
        raise ConfigError(f"expected the best of at least 1, got {count.min():g}")
    return np.asarray(np.log(count) - (count - 1) / count)


def best_of_n_gold(proxy: ArrayLike, gold: ArrayLike, n: int) -> float:
    """Expected gold reward of the best of n by proxy, from N >= n scored clips of one prompt.

    Unbiased: the mean over all subsets of n, sum_i C(i-1, n-1) / C(N, n) gold_(i) with clips in
    rising order of the proxy (WebGPT, arXiv 2112.09332). Clips that tie on the proxy
    share their mean gold reward. Raises DataError for n outside 1..N.
    """
    scores, values = np.asarray(proxy, dtype=np.float64), np.asarray(gold, dtype=np.float64)
    total = len(scores)
    if not 1 <= n <= total or len(values) != total:
        raise DataError(
            f"expected 1 <= n <= the number of clips, and as many gold rewards; got n = {n}, "
            f"{total} clips and {len(values)} gold rewards"
        )
    _, tie = np.unique(scores, return_inverse=True)
    shared = (np.bincount(tie, values) / np.bincount(tie))[tie]
    rank = np.arange(1, total + 1)
    with np.errstate(invalid="ignore"):
        log_weights = _log_choose(rank - 1, n - 1) - _log_choose(np.array(total), n)
    weights = np.where(rank >= n, np.exp(log_weights), 0.0)
    return float(weights @ shared[np.argsort(scores, kind="stable")])


def _log_choose(n: NDArray[np.int64], k: int) -> Float:
    return np.asarray(gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(np.maximum(n - k, 0) + 1.0))


def _distance(kl: ArrayLike) -> Float:
    values = np.asarray(kl, dtype=np.float64)
    if not (np.isfinite(values) & (values >= 0)).all():
        raise DataError(
            "expected finite divergences of at least 0 nats: take kl_exact or kl_k3, which are "
            "never negative"
        )
    return np.sqrt(values)


def _columns(d: Float, form: Form) -> Float:
    """What alpha and beta multiply, `[..., 2]`; d log d is 0 at 0."""
    if form == "best_of_n":
        return np.stack([d, -(d**2)], axis=-1)
    return np.stack([d, -d * np.log(np.where(d > 0, d, 1.0))], axis=-1)


def _check(d: Float, y: Float, sigma: Float) -> None:
    if not d.shape == y.shape == sigma.shape or d.ndim != 1:
        raise DataError(
            f"expected one gain (and error) for each divergence, got {y.shape} (and "
            f"{sigma.shape}) for {d.shape}"
        )
    if not np.isfinite(y).all() or not (np.isfinite(sigma) & (sigma > 0)).all():
        raise DataError("expected finite gains and errors above 0: leave out what was not measured")
    n_distinct = len(np.unique(d[d > 0]))
    if n_distinct < FEWEST_POINTS:
        raise DataError(
            f"a curve needs points at {FEWEST_POINTS} divergences above 0, got {n_distinct}: "
            "evaluate more often, or take more values of n"
        )


class _Peak(NamedTuple):
    kl: float | None = None
    kl_error: float | None = None
    gain: float | None = None


def _peak(form: Form, alpha: float, beta: float, covariance: Float) -> _Peak:
    """The highest point, its error by the delta method; nothing where the curve goes on rising."""
    if beta <= 0 or (form == "best_of_n" and alpha <= 0):
        return _Peak()
    if form == "best_of_n":
        kl, gain = (alpha / (2 * beta)) ** 2, alpha**2 / (4 * beta)
        slope = 2 * kl * np.array([1 / alpha, -1 / beta])
    else:
        exponent = alpha / beta - 1
        if exponent > math.log(FARTHEST):
            return _Peak()
        kl, gain = math.exp(2 * exponent), beta * math.exp(exponent)
        slope = 2 * kl * np.array([1 / beta, -alpha / beta**2])
    return _Peak(kl, math.sqrt(float(slope @ covariance @ slope)), gain)


def curve_of(evaluations: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Points and fits of a training, from the figures of its evaluations.

    kl, proxy, gold      of the evaluations in which all three are known: the divergence [nats], and
                         the changes of the reward that is trained on and of the held-out one
    proxy_fit, gold_fit  `CurveFit` of the form `rl`, or None where there are too few points
    """
    rows = [row for row in map(_point, evaluations) if row is not None]
    kl, proxy, gold = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])
    fits: dict[str, CurveFit | None] = {"proxy_fit": None, "gold_fit": None}
    if len({value for value in kl if value > 0}) >= FEWEST_POINTS:
        fits = {"proxy_fit": fit_curve(kl, proxy, "rl"), "gold_fit": fit_curve(kl, gold, "rl")}
    return {"kl": kl, "proxy": proxy, "gold": gold, **fits}


def _point(figures: Mapping[str, float]) -> tuple[float, float, float] | None:
    kl = next((figures[n] for n in ("kl_exact", "kl_k3") if n in figures), math.nan)
    proxy = figures.get("proxy_change", figures.get("reward_change", math.nan))
    gold = figures.get("held_out_change", math.nan)
    point = (max(kl, 0.0), proxy, gold)
    return point if all(map(math.isfinite, (kl, *point))) else None
