"""Do intervals hold? Simulated studies with repeated raters, against the truth they estimate.

Each rater has tastes of her own: log-worths plus N(0, 0.7) per item, the same in all her answers.
What a study estimates is then not the mean log-worth but the Bradley-Terry fit to the shares that
the population of raters would give (mixing over tastes draws worths together), computed here by
Gauss-Hermite quadrature. Raters judge random pairs, some of them five times as many as others; a
study with ties adds them at random and counts them half. Coverage is over all differences of all
studies.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import special

from auralign.stats.comparisons import comparisons_of
from auralign.stats.pairs import (
    BootstrapWorths,
    BradleyTerryFit,
    bootstrap_worths,
    fit_bradley_terry,
)
from auralign.stats.pairs.logistic_newton import TableContests, maximise_logistic
from auralign.stats.pairs.standard_errors import Errors, degrees_of_freedom
from benchmarks.claims import Claim, Report

SEED = 0
LOG_WORTH = np.linspace(-1.2, 1.2, 6)
TASTE_SD = 0.7
PAIRS_PER_RATER = (10, 51)
LEVEL = 0.95
ERRORS: tuple[Errors, ...] = ("information", "comparisons", "raters", "jackknife")
DEFAULT, FEW = "raters", "jackknife"


@dataclass(frozen=True)
class Design:
    n_raters: int
    p_tie: float
    recommended: str

    def __str__(self) -> str:
        return f"{self.n_raters} raters, {self.p_tie:.0%} ties"


DESIGNS = (
    Design(30, 0.0, DEFAULT),
    Design(30, 0.3, DEFAULT),
    Design(10, 0.0, FEW),
)


def measure(*, quick: bool, runs_dir: Path | None) -> Report:
    started = time.perf_counter()
    n_studies, n_resamples = (100, 200) if quick else (500, 1000)
    claims, details = [], {}
    for design in DESIGNS:
        coverage = _coverage(design, n_studies, n_resamples)
        details[str(design)] = coverage
        value = coverage[design.recommended]
        how = f"errors='{design.recommended}', {n_studies} studies; others in details"
        claims += [
            Claim(f"95 % interval covers at least, {design}", ">=", 0.93, value, how),
            Claim(f"95 % interval covers at most, {design}", "<=", 0.97, value, how),
        ]
    return Report(
        claims=claims,
        seeds=[SEED],
        seconds=time.perf_counter() - started,
        sizes={"studies": n_studies, "resamples": n_resamples},
        details=details,
    )


def _coverage(design: Design, n_studies: int, n_resamples: int) -> dict[str, float]:
    rng = np.random.default_rng(SEED)
    truth = _population_worths(design.p_tie)
    hits: dict[str, list[float]] = {}
    for _ in range(n_studies):
        fit = _study(design, rng)
        intervals: dict[str, Any] = {kind: _by_errors(fit, kind) for kind in ERRORS}
        for weights in ("multinomial", "dirichlet"):
            drawn = bootstrap_worths(fit, rng=rng, weights=weights, n_resamples=n_resamples)
            intervals[f"bootstrap over raters, {weights}, t"] = _by_t(drawn)
            intervals[f"bootstrap over raters, {weights}, percentile"] = _by_percentile(drawn)
        for name, (low, high) in intervals.items():
            hits.setdefault(name, []).append(_share_inside(truth, low, high))
    return {name: float(np.mean(shares)) for name, shares in hits.items()}


def _study(design: Design, rng: np.random.Generator) -> BradleyTerryFit:
    n = len(LOG_WORTH)
    taste = LOG_WORTH + rng.normal(0, TASTE_SD, (design.n_raters, n))
    judged = rng.integers(*PAIRS_PER_RATER, size=design.n_raters)
    rater = np.repeat(np.arange(design.n_raters), judged)
    first = rng.integers(n, size=len(rater))
    second = (first + rng.integers(1, n, size=len(rater))) % n
    p = special.expit(taste[rater, first] - taste[rater, second])
    outcome = (rng.random(len(p)) < p).astype(np.float64)
    outcome[rng.random(len(p)) < design.p_tie] = 0.5
    return fit_bradley_terry(comparisons_of(first, second, outcome, rater=rater))


def _population_worths(p_tie: float) -> np.ndarray:
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    gap = LOG_WORTH[:, None] - LOG_WORTH
    mixed = special.expit(gap[..., None] + np.sqrt(2) * TASTE_SD * nodes) @ weights
    share = p_tie / 2 + (1 - p_tie) * mixed / weights.sum()
    np.fill_diagonal(share, 0)
    return maximise_logistic(TableContests(share))[0]


def _by_errors(fit: BradleyTerryFit, kind: Errors) -> tuple[np.ndarray, np.ndarray]:
    df = degrees_of_freedom(fit.model, kind)
    tail = (1 + LEVEL) / 2
    quantile = special.ndtri(tail) if np.isinf(df) else special.stdtrit(df, tail)
    gap, half = fit.log_worth[:, None] - fit.log_worth, quantile * fit.difference_errors(kind)
    return gap - half, gap + half


def _by_t(drawn: BootstrapWorths) -> tuple[np.ndarray, np.ndarray]:
    n, gap = drawn.n_units, drawn.log_worth[:, None] - drawn.log_worth
    spread = _gaps(drawn).std(axis=0, ddof=1) * np.sqrt(n / (n - 1))
    half = special.stdtrit(n - 1, (1 + LEVEL) / 2) * spread
    return gap - half, gap + half


def _by_percentile(drawn: BootstrapWorths) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.quantile(_gaps(drawn), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return low, high


def _gaps(drawn: BootstrapWorths) -> np.ndarray:
    return drawn.draws[:, :, None] - drawn.draws[:, None, :]


def _share_inside(truth: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    pairs = np.triu_indices(len(truth), 1)
    gap = (truth[:, None] - truth)[pairs]
    return float(np.mean((low[pairs] <= gap) & (gap <= high[pairs])))
