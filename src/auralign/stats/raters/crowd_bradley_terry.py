"""Worths of items from pair comparisons by raters who are not equally reliable.

Two models. Raters *discriminate* more or less: P(i beats j) = s(a (w_i - w_j)) with s the logistic
function and a > 0 a rater's discrimination. Or raters *flip* answers: P = eta s(w_i - w_j) +
(1 - eta) s(w_j - w_i) with eta a rater's probability of a true answer (Crowd-BT, Chen et al. 2013).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import special

from auralign.errors import ConfigError
from auralign.stats.arrays import FloatArray, IntArray, sum_by
from auralign.stats.ascent import Summit, climb_from
from auralign.stats.comparisons import check_comparisons, index_of
from auralign.stats.intervals import check_level
from auralign.stats.pairs.bradley_terry import fit_bradley_terry
from auralign.stats.pairs.connectivity import require_finite_worths
from auralign.stats.pairs.pair_models import aggregate, row_counts
from auralign.stats.raters.crowd_likelihoods import (
    CrowdSlopes,
    beta_prior,
    discriminate,
    flip,
    ghost_comparisons,
    normal_prior,
)
from auralign.types import Comparisons, Estimate

Model = Literal["discrimination", "flipping"]

TOLERANCE = 1e-7
MAX_DENSE_HESSIAN = 3000
FEW_COMPARISONS = 20


@dataclass(frozen=True, eq=False)
class CrowdBradleyTerryFit:
    """Log-worths that sum to zero `[items]`, and how reliable each rater is `[raters]`.

    covariance          `[items, items]`, from the inverse of the curvature, which includes what
                        not knowing the raters costs; NaN where it does not exist
    reliability         discrimination (geometric mean 1 over raters), or the probability eta of a
                        true answer; below 0.5 a rater answers the opposite
    link_errors         standard errors of the log of the discrimination, or of the logit of eta
    log_likelihood      of the comparisons, without the priors' part
    """

    model: Model
    items: tuple[str, ...]
    raters: tuple[str, ...]
    log_worth: FloatArray
    covariance: FloatArray
    reliability: FloatArray
    link_errors: FloatArray
    log_likelihood: float
    n: int
    iterations: int
    gradient_max: float
    status: Literal["regularised"]
    warnings: tuple[str, ...]

    @property
    def standard_errors(self) -> FloatArray:
        """Of the log-worths, `[items]`."""
        errors: FloatArray = np.sqrt(np.diag(self.covariance))
        return errors

    def difference(self, first: str, second: str, *, level: float = 0.95) -> Estimate:
        """Log-worth of `first` minus that of `second`, normal interval from the curvature.

        Raises `DataError` for an unknown item.
        """
        check_level(level)
        i, j = index_of(self.items, first, "item"), index_of(self.items, second, "item")
        variance = self.covariance[i, i] + self.covariance[j, j] - 2 * self.covariance[i, j]
        half = float(special.ndtri((1 + level) / 2) * np.sqrt(variance))
        value = float(self.log_worth[i] - self.log_worth[j])
        method = f"difference of log-worths, raters' {self.model}; normal, from the curvature"
        return Estimate(value, value - half, value + half, level, self.n, len(self.raters), method)

    def reliability_of(self, rater: str, *, level: float = 0.95) -> Estimate:
        """The reliability of one rater; the interval is normal on the scale of its link.

        Raises `DataError` for an unknown rater.
        """
        check_level(level)
        k = index_of(self.raters, rater, "rater")
        to_link, back = _LINKS[self.model]
        half = float(special.ndtri((1 + level) / 2) * self.link_errors[k])
        low, high = (float(back(to_link(self.reliability[k]) + s * half)) for s in (-1, 1))
        method = f"raters' {self.model}; normal on the link scale, from the curvature"
        return Estimate(float(self.reliability[k]), low, high, level, self.n, 1, method)


@dataclass(frozen=True, eq=False)
class _Cells:
    """Comparisons summed by pair as presented and rater, all `[cells]`; ties count half."""

    first: IntArray
    second: IntArray
    rater: IntArray
    score: FloatArray
    total: FloatArray
    n_items: int
    n_raters: int


@dataclass(frozen=True, eq=False)
class _Posterior:
    """A model with its priors: the function to climb, and its curvature."""

    cells: _Cells
    slopes: Callable[[FloatArray, FloatArray, FloatArray, FloatArray], CrowdSlopes]
    rater_prior: Callable[[FloatArray], tuple[float, FloatArray, FloatArray]]
    ghost: float
    centred: bool

    def split(self, parameters: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Log-worths, the ghost's last; and links of raters, centred where only ratios count."""
        worth, link = np.split(parameters, [self.cells.n_items + 1])
        return worth, link - link.mean() if self.centred else link

    def at_cells(self, parameters: FloatArray) -> CrowdSlopes:
        cells, (worth, link) = self.cells, self.split(parameters)
        margin = worth[cells.first] - worth[cells.second]
        return self.slopes(margin, link[cells.rater], cells.score, cells.total)

    def __call__(self, parameters: FloatArray) -> tuple[float, FloatArray]:
        """The log-posterior without constants, and its gradient."""
        cells, (worth, link), slopes = self.cells, self.split(parameters), self.at_cells(parameters)
        ghost_value, by_worth, _ = ghost_comparisons(worth, self.ghost)
        by_worth += sum_by(cells.first, slopes.d, len(worth))
        by_worth -= sum_by(cells.second, slopes.d, len(worth))
        prior_value, by_link, _ = self.rater_prior(link)
        by_link = by_link + sum_by(cells.rater, slopes.u, cells.n_raters)
        by_link -= by_link.mean() if self.centred else 0.0
        value = float(slopes.value.sum()) + ghost_value + prior_value
        return value, np.concatenate([by_worth, by_link])

    def information(self, parameters: FloatArray) -> FloatArray:
        """Negative second derivatives, `[items + 1 + raters, items + 1 + raters]`."""
        cells, (worth, link) = self.cells, self.split(parameters)
        dd, du, uu = self.at_cells(parameters).second()
        n, size = len(worth), len(parameters)
        place = n + cells.rater
        entries = [
            (cells.first, cells.first, dd),
            (cells.second, cells.second, dd),
            (cells.first, cells.second, -dd),
            (cells.second, cells.first, -dd),
            (cells.first, place, du),
            (place, cells.first, du),
            (cells.second, place, -du),
            (place, cells.second, -du),
            (place, place, uu),
        ]
        total = sum(sum_by(row * size + column, v, size * size) for row, column, v in entries)
        hessian = np.reshape(total, (size, size))
        hessian[:n, :n] += ghost_comparisons(worth, self.ghost)[2]
        hessian[n:, n:] += np.diag(self.rater_prior(link)[2])
        if self.centred:
            hessian[n:] -= hessian[n:].mean(axis=0)
            hessian[:, n:] -= hessian[:, n:].mean(axis=1, keepdims=True)
        information: FloatArray = -hessian
        return information


def fit_rater_discrimination(
    comparisons: Comparisons, *, spread: float = 1.0, prior: float = 0.0
) -> CrowdBradleyTerryFit:
    """P(i beats j | rater) = 1 / (1 + exp(-a (w_i - w_j))), a tie counting half for each.

    The discriminations a are positive, with geometric mean 1 (which fixes the scale of the worths)
    and a normal prior of standard deviation `spread` on log a, which decides for raters with few
    comparisons. `prior` > 0 adds that many wins and losses of each item against a ghost item.
    The ascent starts at the Bradley-Terry fit with all a = 1; the maximum is local.

    Raises `NotConvergedError` when no finite maximum exists (Ford's condition) or the ascent does
    not reach one, `DataError` for broken arrays, `ConfigError` for an option out of range.
    """
    check_comparisons(comparisons)
    _check_positive("spread", spread)
    if prior == 0:
        counts = aggregate(row_counts(comparisons), len(comparisons.items))
        require_finite_worths(counts, comparisons.items, np.zeros(len(comparisons.items), int))
    posterior = _Posterior(
        _cells(comparisons), discriminate, lambda link: normal_prior(link, spread), prior, True
    )
    start = _start(comparisons, prior, np.zeros(len(comparisons.raters)))
    best = climb_from(posterior, [start], _tolerance(posterior.cells))
    words = f"normal prior of standard deviation {spread:g} on the log of the discrimination"
    return _result("discrimination", comparisons, posterior, best, words)


def fit_crowd_bradley_terry(
    comparisons: Comparisons,
    *,
    rng: np.random.Generator,
    n_starts: int = 3,
    eta_prior: tuple[float, float] = (10.0, 1.0),
    prior: float = 0.5,
) -> CrowdBradleyTerryFit:
    """Crowd-BT (Chen et al. 2013, WSDM): raters flip each answer with probability 1 - eta.

    `eta_prior` is the paper's Beta(10, 1): it breaks the symmetry between all raters lying and all
    worths reversed. The maximum is taken over the logit of eta, so a rater without comparisons
    gets the prior's mean. `prior` is the paper's virtual node: that many wins and losses of each
    item against a ghost item. It has to be positive, because flips explain every upset and worths
    alone would run to infinity.

    The prior counts like ten true answers and a flipped one, so it holds back raters who mostly
    flip. For intervals of how reliable raters are `fit_rater_discrimination` is the better model.

    The log-posterior has several maxima: the ascent starts at the Bradley-Terry fit and at
    `n_starts` - 1 random reliabilities, and the highest is returned; `warnings` says how many
    starts reached it.

    Raises `NotConvergedError` when the ascent does not reach a maximum, `DataError` for broken
    arrays, `ConfigError` for an option out of range.
    """
    check_comparisons(comparisons)
    _check_positive("prior", prior)
    for name, count in zip(("true", "flipped"), eta_prior, strict=True):
        _check_positive(f"the prior's count of {name} answers", count)
    if n_starts < 1:
        raise ConfigError(f"n_starts must be at least 1, got {n_starts}")
    posterior = _Posterior(
        _cells(comparisons), flip, lambda link: beta_prior(link, eta_prior), prior, False
    )
    usual = float(np.log(eta_prior[0] / eta_prior[1]))
    links = [np.full(len(comparisons.raters), usual)]
    links += [rng.normal(usual / 2, 2, len(comparisons.raters)) for _ in range(n_starts - 1)]
    starts = [_start(comparisons, prior, link) for link in links]
    best = climb_from(posterior, starts, _tolerance(posterior.cells))
    words = f"Beta({eta_prior[0]:g}, {eta_prior[1]:g}) prior on the probability of a true answer"
    return _result("flipping", comparisons, posterior, best, words)


def _result(
    model: Model, comparisons: Comparisons, posterior: _Posterior, best: Summit, words: str
) -> CrowdBradleyTerryFit:
    worth, link = posterior.split(best.parameters)
    covariance, link_errors = _curvature(posterior, best.parameters)
    return CrowdBradleyTerryFit(
        model=model,
        items=comparisons.items,
        raters=comparisons.raters,
        log_worth=worth[:-1] - worth[:-1].mean(),
        covariance=covariance,
        reliability=_LINKS[model][1](link),
        link_errors=link_errors,
        log_likelihood=float(posterior.at_cells(best.parameters).value.sum()),
        n=int((comparisons.weight > 0).sum()),
        iterations=best.iterations,
        gradient_max=best.gradient_max,
        status="regularised",
        warnings=_warnings(posterior, best, words, covariance),
    )


def _cells(comparisons: Comparisons) -> _Cells:
    n_items, n_raters = len(comparisons.items), len(comparisons.raters)
    key = (comparisons.rater * n_items + comparisons.first) * n_items + comparisons.second
    used = comparisons.weight > 0
    cells, code = np.unique(key[used], return_inverse=True)
    weight, outcome = comparisons.weight[used], comparisons.outcome[used]
    return _Cells(
        first=cells // n_items % n_items,
        second=cells % n_items,
        rater=cells // n_items**2,
        score=sum_by(code, weight * outcome, len(cells)),
        total=sum_by(code, weight, len(cells)),
        n_items=n_items,
        n_raters=n_raters,
    )


def _start(comparisons: Comparisons, prior: float, link: FloatArray) -> FloatArray:
    """Worths of the Bradley-Terry fit, a ghost in their middle, and these links."""
    worth = fit_bradley_terry(replace(comparisons, rater=comparisons.rater * 0), prior=prior)
    return np.concatenate([worth.log_worth, [0.0], link])


def _tolerance(cells: _Cells) -> float:
    compared = sum_by(cells.first, cells.total, cells.n_items)
    compared += sum_by(cells.second, cells.total, cells.n_items)
    return TOLERANCE * float(compared.max())


def _curvature(posterior: _Posterior, parameters: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Covariance of centred log-worths `[items, items]` and errors of the links `[raters]`."""
    n, n_raters = posterior.cells.n_items, posterior.cells.n_raters
    missing = np.full((n, n), np.nan), np.full(n_raters, np.nan)
    if len(parameters) > MAX_DENSE_HESSIAN:
        return missing
    information = posterior.information(parameters)
    # Directions that change nothing are filled: a constant added to all worths (to the ghost's
    # too; without a ghost its own worth is free), and one added to all links where these are
    # centred. Centring takes the fill out again.
    fill = float(np.abs(np.diag(information)).max())
    information[: n + 1, : n + 1] += fill / (n + 1)
    if posterior.ghost == 0:
        information[n, n] += fill
    if posterior.centred:
        information[n + 1 :, n + 1 :] += fill / n_raters
    try:
        np.linalg.cholesky(information)
    except np.linalg.LinAlgError:
        return missing
    inverse = np.linalg.inv(information)
    of_worth = inverse[:n, :n] - inverse[:n, :n].mean(axis=0)
    of_worth -= of_worth.mean(axis=1, keepdims=True)
    variance = np.diag(inverse[n + 1 :, n + 1 :])
    return of_worth, np.sqrt(variance - (1 / fill / n_raters if posterior.centred else 0.0))


def _warnings(
    posterior: _Posterior, best: Summit, words: str, covariance: FloatArray
) -> tuple[str, ...]:
    cells = posterior.cells
    given = sum_by(cells.rater, cells.total, cells.n_raters)
    few = int((given < FEW_COMPARISONS).sum())
    missing = bool(np.isnan(covariance).any())
    remarks = {
        f"regularised: {words}": True,
        f"regularised: {posterior.ghost:g} wins and losses of each item against a ghost item": (
            posterior.ghost > 0
        ),
        f"{few} raters made fewer than {FEW_COMPARISONS} comparisons: mostly the prior speaks for "
        "them": few > 0,
        f"only {best.n_agreeing} of {best.n_starts} starts reached the highest maximum; use more": (
            best.n_agreeing < min(2, best.n_starts)
        ),
        "no standard errors: the model is too large or the point is not a strict maximum": missing,
        "standard errors take the answers of a rater as independent given the worths": True,
        "flips and the scale of the worths are hard to tell apart: intervals of eta are too narrow "
        "and drawn to the prior, its order of raters is not": not posterior.centred,
    }
    return tuple(text for text, applies in remarks.items() if applies)


def _check_positive(name: str, value: float) -> None:
    if not (np.isfinite(value) and value > 0):
        raise ConfigError(f"{name} must be positive and finite, got {value}")


_LINKS: dict[str, tuple[Callable[[FloatArray], FloatArray], Callable[[FloatArray], FloatArray]]] = {
    "discrimination": (np.log, np.exp),
    "flipping": (special.logit, special.expit),
}
