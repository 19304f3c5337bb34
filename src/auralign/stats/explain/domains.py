"""Attributes that matter differently in speech, music and sound: partial pooling over domains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import special

from auralign.errors import ConfigError, DataError, NotConvergedError
from auralign.stats.arrays import FloatArray, IntArray
from auralign.stats.explain.attributes import (
    AttributedComparisons,
    Attributes,
    Ties,
    attribute_comparisons,
    require_attributes,
    stack_comparisons,
)
from auralign.stats.intervals import check_level
from auralign.stats.newton import Slopes, maximise_dense
from auralign.stats.pairs.covariates import logistic_slopes
from auralign.stats.pairs.separation import require_finite_coefficients
from auralign.stats.sandwich import few_clusters_warning
from auralign.types import Comparisons, Estimate

MAX_UPDATES = 500
SPREAD_TOLERANCE = 1e-4
SMALLEST_SPREAD = 1e-3
LARGEST_SPREAD = 10.0
FEW_DOMAINS = 5
GRADIENT_TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class DomainFactors:
    """Coefficients of attributes in each domain, drawn towards common ones.

    common      `[k]`, mean coefficients over domains, in log-odds per standard deviation
    by_domain   `[domains, k]`, and `common_errors`, `domain_errors` their standard errors
    spread      `[k]`, standard deviation of coefficients between domains
    scale       `[k]`, one standard deviation over all compared clips, in the attribute's own unit
    updates     of the spread until it settled
    warnings    sentences that belong next to the numbers
    """

    domains: tuple[str, ...]
    names: tuple[str, ...]
    common: FloatArray
    common_errors: FloatArray
    by_domain: FloatArray
    domain_errors: FloatArray
    spread: FloatArray
    scale: FloatArray
    level: float
    n: int
    n_raters: int
    updates: int
    gradient_max: float
    warnings: tuple[str, ...]

    def coefficient(self, attribute: str, domain: str | None = None) -> Estimate:
        """One coefficient with its interval; of the mean over domains when `domain` is None.

        Student's t on raters - 1; for the mean on domains - 1 where that is less, since it is for
        domains like these.
        """
        if attribute not in self.names or (domain is not None and domain not in self.domains):
            raise DataError(f"no coefficient of '{attribute}' in '{domain}' in this fit")
        k, n_sampled = self.names.index(attribute), self.n_raters
        if domain is None:
            value, error = float(self.common[k]), float(self.common_errors[k])
            n_sampled = min(n_sampled, len(self.domains)) if n_sampled > 1 else len(self.domains)
        else:
            d = self.domains.index(domain)
            value, error = float(self.by_domain[d, k]), float(self.domain_errors[d, k])
        half = _critical(n_sampled - 1, self.level) * error
        method = "partially pooled Bradley-Terry coefficient; sandwich over raters"
        return Estimate(
            value, value - half, value + half, self.level, self.n, self.n_raters, method
        )


@dataclass(frozen=True, eq=False)
class _Data:
    """Rows by domain: differences `[n_d, k]`, answers, weights and raters `[n_d]`."""

    design: list[FloatArray]
    outcome: list[FloatArray]
    weight: list[FloatArray]
    rater: list[IntArray]
    n_raters: int

    @property
    def n_domains(self) -> int:
        return len(self.design)

    @property
    def n_attributes(self) -> int:
        return int(self.design[0].shape[1])


def fit_factors_by_domain(
    comparisons: Mapping[str, Comparisons],
    attributes: Attributes,
    *,
    spread: float | None = None,
    ties: Ties = "leave out",
    level: float = 0.95,
) -> DomainFactors:
    """Coefficients b_d = mu + u_d of each domain, u_dj normal with variance s_j^2.

    `comparisons` maps domain -> comparisons (see `comparisons_by_context`); items and raters are
    matched by name, attributes standardised over all domains together. Coefficients maximise the
    penalised likelihood; s_j is set by restricted maximum likelihood in the normal approximation
    (penalised quasi-likelihood: Breslow & Clayton 1993, JASA 88:9), by the fixed point s_j^2 =
    sum_d u_dj^2 / (domains - sum_d Var(u_dj) / s_j^2) (Schall 1991, Biometrika 78:719). With few
    answers per domain that is known to be too small. `spread` fixes all s_j instead: near 0 is
    complete pooling, large is none. Errors are H^-1 (S + P) H^-1, S the cross-products of raters'
    scores and P the precision of the u: they take s as known.

    Raises `NotConvergedError` when no finite common coefficients exist or the spread does not
    settle, `DataError` for fewer than two domains and as `attribute_comparisons` does.
    """
    check_level(level)
    require_attributes(attributes)
    if len(comparisons) < 2:
        raise DataError(f"partial pooling needs at least 2 domains, got {len(comparisons)}")
    if spread is not None and not (np.isfinite(spread) and spread > 0):
        raise ConfigError(f"spread must be a positive standard deviation, got {spread}")
    stacked, domain = stack_comparisons(comparisons)
    joined = attribute_comparisons(stacked, attributes, ties=ties)
    data = _data(joined, domain, len(comparisons))
    fixed = None if spread is None else np.full(len(joined.names), float(spread))
    parameters, slopes, sd, updates = _settle(data, fixed)
    effects = parameters.reshape(-1, data.n_attributes)
    errors = _errors(data, parameters, slopes, sd)
    return DomainFactors(
        domains=tuple(comparisons),
        names=joined.names,
        common=effects[0],
        common_errors=errors[0],
        by_domain=effects[0] + effects[1:],
        domain_errors=errors[1:],
        spread=sd,
        scale=joined.scale,
        level=level,
        n=len(joined.used),
        n_raters=data.n_raters,
        updates=updates,
        gradient_max=slopes.steepest,
        warnings=joined.warnings + _warnings(data, sd, spread),
    )


def _data(joined: AttributedComparisons, domain: IntArray, n_domains: int) -> _Data:
    used, c = joined.used, joined.comparisons
    differences, outcome, weight = joined.differences[used], c.outcome[used], c.weight[used]
    require_finite_coefficients(differences, outcome, joined.names)
    raters, rater = np.unique(c.rater[used], return_inverse=True)
    parts = [domain[used] == d for d in range(n_domains)]
    return _Data(
        design=[differences[part] for part in parts],
        outcome=[outcome[part] for part in parts],
        weight=[weight[part] for part in parts],
        rater=[rater[part] for part in parts],
        n_raters=len(raters),
    )


def _settle(data: _Data, fixed: FloatArray | None) -> tuple[FloatArray, Slopes, FloatArray, int]:
    """Parameters [mu, u_1, u_2, ...] `[(1 + domains) k]`, slopes there, spread `[k]`, updates."""
    sd = np.full(data.n_attributes, 0.5) if fixed is None else fixed
    parameters = np.zeros((1 + data.n_domains) * data.n_attributes)
    last_step = np.zeros_like(sd)
    for update in range(MAX_UPDATES):
        parameters, slopes = _maximise(data, parameters, sd)
        if fixed is not None:
            return parameters, slopes, sd, 0
        renewed = _renewed_spread(data, parameters, slopes, sd)
        if (renewed > LARGEST_SPREAD).any():
            raise NotConvergedError(
                "the spread of coefficients between domains grows without end: some domain has no "
                "finite coefficients of its own and nothing holds it; pass spread, for example 1"
            )
        step = np.log(renewed / sd)
        if np.abs(step).max() <= SPREAD_TOLERANCE:
            return parameters, slopes, sd, update
        leap = _leap(step, last_step) if update % 3 == 2 else step
        sd, last_step = np.clip(sd * np.exp(leap), SMALLEST_SPREAD, LARGEST_SPREAD), step
    raise NotConvergedError(
        f"the spread between domains did not settle in {MAX_UPDATES} updates; pass spread"
    )


def _leap(step: FloatArray, last_step: FloatArray) -> FloatArray:
    """Where geometric steps would end (Aitken): a spread near zero is reached slowly otherwise."""
    rate = np.divide(step, last_step, out=np.zeros_like(step), where=last_step != 0)
    return np.asarray(step / (1 - np.clip(rate, 0.0, 0.95)))


def _maximise(data: _Data, start: FloatArray, sd: FloatArray) -> tuple[FloatArray, Slopes]:
    largest = max(
        float((w[:, None] * np.abs(x)).sum(axis=0).max(initial=0.0))
        for w, x in zip(data.weight, data.design, strict=True)
    )
    best = maximise_dense(
        lambda parameters: _penalised(data, parameters, sd), start, GRADIENT_TOLERANCE * largest
    )
    return best.parameters, best.slopes


def _penalised(data: _Data, parameters: FloatArray, sd: FloatArray) -> Slopes:
    """The log-likelihood minus sum_dj u_dj^2 / (2 s_j^2), and its slopes."""
    k = data.n_attributes
    effects = parameters.reshape(-1, k)
    gradient = np.zeros_like(effects)
    information = np.zeros((len(effects), k, len(effects), k))
    value = 0.0
    for d in range(data.n_domains):
        here = logistic_slopes(
            effects[0] + effects[d + 1], data.design[d], data.outcome[d], data.weight[d], 0.0
        )
        value += here.log_likelihood - float(((effects[d + 1] / sd) ** 2).sum()) / 2
        gradient[0] += here.gradient
        gradient[d + 1] = here.gradient - effects[d + 1] / sd**2
        for row, column in ((0, 0), (0, d + 1), (d + 1, 0), (d + 1, d + 1)):
            information[row, :, column, :] += here.information
        information[d + 1, :, d + 1, :] += np.diag(sd**-2)
    size = parameters.size
    return Slopes(value, gradient.ravel(), information.reshape(size, size))


def _renewed_spread(
    data: _Data, parameters: FloatArray, slopes: Slopes, sd: FloatArray
) -> FloatArray:
    k = data.n_attributes
    variance = np.diagonal(np.linalg.inv(slopes.information)).reshape(-1, k)[1:]
    squares = (parameters.reshape(-1, k)[1:] ** 2).sum(axis=0)
    freedom = data.n_domains - (variance / sd**2).sum(axis=0)
    renewed = np.sqrt(squares / np.maximum(freedom, 1e-12))
    return np.asarray(np.maximum(renewed, SMALLEST_SPREAD), dtype=np.float64)


def _errors(data: _Data, parameters: FloatArray, slopes: Slopes, sd: FloatArray) -> FloatArray:
    """Standard errors of mu and of mu + u_d, `[1 + domains, k]`."""
    k = data.n_attributes
    inverse = np.linalg.inv(slopes.information)
    covariance = inverse
    if data.n_raters > 1:
        scores = _rater_scores(data, parameters)
        correction = data.n_raters / (data.n_raters - 1)
        prior = np.diag(np.concatenate([np.zeros(k), np.tile(sd**-2, data.n_domains)]))
        covariance = inverse @ (correction * scores @ scores.T + prior) @ inverse
    total = np.eye(len(parameters))
    total[k:, :k] = np.tile(np.eye(k), (data.n_domains, 1))
    errors: FloatArray = np.sqrt(np.diagonal(total @ covariance @ total.T)).reshape(-1, k)
    return errors


def _rater_scores(data: _Data, parameters: FloatArray) -> FloatArray:
    """Gradient of each rater's answers, `[(1 + domains) k, raters]`."""
    effects = parameters.reshape(-1, data.n_attributes)
    scores = np.zeros((len(effects), data.n_attributes, data.n_raters))
    for d in range(data.n_domains):
        p = special.expit(data.design[d] @ (effects[0] + effects[d + 1]))
        residual = data.weight[d] * (data.outcome[d] - p)
        np.add.at(scores[d + 1].T, data.rater[d], data.design[d] * residual[:, None])
    scores[0] = scores[1:].sum(axis=0)
    return scores.reshape(-1, data.n_raters)


def _critical(freedom: int, level: float) -> float:
    tail = (1 + level) / 2
    return float(special.stdtrit(freedom, tail) if freedom > 0 else special.ndtri(tail))


def _warnings(data: _Data, sd: FloatArray, fixed: float | None) -> tuple[str, ...]:
    pooled = (sd <= SMALLEST_SPREAD).any() and fixed is None
    remarks = {
        f"{data.n_domains} domains say little about the spread between domains": (
            data.n_domains < FEW_DOMAINS and fixed is None
        ),
        "some attributes show no spread between domains: their coefficients are fully pooled": (
            bool(pooled)
        ),
        f"the spread between domains was given, not estimated: {fixed}": fixed is not None,
    }
    applying = tuple(text for text, applies in remarks.items() if applies)
    return applying + few_clusters_warning(data.n_raters)
