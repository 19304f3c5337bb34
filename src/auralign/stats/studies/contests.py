"""Item against item: who wins how often, how far from the model, and who goes in circles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from auralign.errors import DataError, NotConvergedError
from auralign.stats.arrays import FloatArray, sum_by
from auralign.stats.comparisons import encode
from auralign.stats.pairs.bradley_terry import BradleyTerryFit
from auralign.stats.pairs.goodness_of_fit import GoodnessOfFit, goodness_of_fit
from auralign.stats.pairs.hodge import CycleTest, Triad, cycle_test, worst_triads
from auralign.stats.ratings.table import rating_value
from auralign.stats.studies.selection import Selection
from auralign.types import TrialProtocol

MAX_TRIADS = 3


@dataclass(frozen=True, eq=False)
class Contests:
    """Row against column, all `[items, items]`; NaN where two items never met.

    unit       what is counted: votes, or prompts that both items answered
    shares     of what was counted that the row wins, ties half
    counts     how often the two met
    model      how well the ranking describes votes; None for ratings, and where so few pairs met
               that it cannot fail
    """

    items: tuple[str, ...]
    unit: str
    shares: FloatArray
    counts: FloatArray
    model: ModelCheck | None


@dataclass(frozen=True, eq=False)
class ModelCheck:
    """Where one scale fails to describe votes.

    residuals  `[items, items]`, by how much the row does better than the model says, in standard
               errors of independent answers (score over the root of its information)
    fit        deviance and Pearson's X2
    triads     three items whose log-odds fail most clearly to add up
    cycles     are there more cycles than noise makes? None where no test exists
    """

    residuals: FloatArray
    fit: GoodnessOfFit
    triads: tuple[Triad, ...]
    cycles: CycleTest | None


def contests_of(
    selection: Selection,
    items: Sequence[str],
    fit: BradleyTerryFit | None,
    rng: np.random.Generator,
) -> Contests | None:
    """Contests between `items`: the votes of a fit, or ratings of one prompt; None without both."""
    if fit is not None:
        return _of_votes(fit, items, rng)
    if selection.protocol is TrialProtocol.RATING and selection.item == "system":
        return _of_ratings(selection, items)
    return None


def _of_votes(fit: BradleyTerryFit, items: Sequence[str], rng: np.random.Generator) -> Contests:
    model, n = fit.model, len(items)
    place = np.array([items.index(name) for name in fit.items])
    first, second = place[model.rows.first], place[model.rows.second]
    cell = np.concatenate([first * n + second, second * n + first])

    def table(of_first: FloatArray, of_second: FloatArray) -> FloatArray:
        return sum_by(cell, np.concatenate([of_first, of_second]), n * n).reshape(n, n)

    rows, slopes = model.rows, model.at_rows.slopes
    counts = table(rows.total, rows.total)
    shares = _ratio(table(rows.score, rows.total - rows.score), counts)
    score, information = slopes.score, slopes.information
    residuals = _ratio(table(score, -score), np.sqrt(table(information, information)))
    return Contests(tuple(items), "votes", shares, counts, _model_check(fit, residuals, rng))


def _model_check(
    fit: BradleyTerryFit, residuals: FloatArray, rng: np.random.Generator
) -> ModelCheck | None:
    distance = goodness_of_fit(fit)
    if distance.df <= 0:
        return None
    triads = worst_triads(fit.model.comparisons, n=MAX_TRIADS)
    return ModelCheck(residuals, distance, triads, _cycles(fit, rng) if triads else None)


def _cycles(fit: BradleyTerryFit, rng: np.random.Generator) -> CycleTest | None:
    try:
        return cycle_test(fit.model.comparisons, rng=rng)
    except (DataError, NotConvergedError):
        return None


def _of_ratings(selection: Selection, items: Sequence[str]) -> Contests:
    """Each prompt that two systems answered is one contest of their mean ratings."""
    prompts, prompt = encode([j.prompt_id for j in selection.judgements])
    item = np.array([items.index(selection.items(j)[0]) for j in selection.judgements])
    rating = np.array([rating_value(j) for j in selection.judgements])
    cell, n_cells = item * len(prompts) + prompt, len(items) * len(prompts)
    total, size = sum_by(cell, rating, n_cells), sum_by(cell, np.ones(len(cell)), n_cells)
    means = _ratio(total, size).reshape(len(items), len(prompts))
    met = np.isfinite(means).astype(np.float64)
    counts = met @ met.T * (1 - np.eye(len(items)))
    above = np.array([((row > means) + 0.5 * (row == means)).sum(axis=1) for row in means])
    return Contests(tuple(items), "prompts", _ratio(above, counts), counts, None)


def _ratio(values: FloatArray, by: FloatArray) -> FloatArray:
    ratio = np.full(values.shape, np.nan)
    np.divide(values, by, out=ratio, where=by > 0)
    return ratio
