"""The Laplace likelihood of ordinal ratings with crossed normal effects of items and raters.

Effects are integrated out around their joint mode, which Newton's method finds; the gradient of
the result by thresholds and standard deviations is exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from auralign.errors import NotConvergedError
from auralign.stats.arrays import FloatArray, IntArray, sum_by
from auralign.stats.ratings.crossed import CrossedInverse, invert_crossed
from auralign.stats.ratings.cumulative_links import CategoryTerms, CumulativeLink

FAR = 1e3
VAGUE_SD = 10.0
MAX_NEWTON_STEPS = 100
MAX_HALVINGS = 40


@dataclass(frozen=True, eq=False)
class OrdinalModel:
    """Rows `[n]`: codes of item, rater and category; and how the parameters are laid out."""

    item: IntArray
    rater: IntArray
    category: IntArray
    n_items: int
    n_raters: int
    n_categories: int
    link: CumulativeLink
    fixed_items: bool

    def thresholds(self, parameters: FloatArray) -> FloatArray:
        """The first threshold, then the logs of the steps to the next ones."""
        steps = parameters[: self.n_categories - 1]
        rising: FloatArray = np.cumsum(np.append(steps[:1], np.exp(steps[1:])))
        return rising

    def deviations(self, parameters: FloatArray) -> tuple[float, float]:
        """Standard deviations of items and raters."""
        rater = float(np.exp(parameters[-1]))
        return (VAGUE_SD if self.fixed_items else float(np.exp(parameters[-2]))), rater

    def terms(
        self, threshold: FloatArray, of_item: FloatArray, of_rater: FloatArray
    ) -> CategoryTerms:
        padded = np.concatenate([[-FAR], threshold, [FAR]])
        eta = of_item[self.item] + of_rater[self.rater]
        return self.link(padded[self.category] - eta, padded[self.category + 1] - eta)

    def by_effect(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Sum `[n]` values over the rows of each item and of each rater."""
        return sum_by(self.item, values, self.n_items), sum_by(self.rater, values, self.n_raters)

    def cells(self, values: FloatArray) -> FloatArray:
        """Sum `[n]` values over the rows of each item and rater: `[items, raters]`."""
        cell = self.item * self.n_raters + self.rater
        return sum_by(cell, values, self.n_items * self.n_raters).reshape(self.n_items, -1)


@dataclass(frozen=True, eq=False)
class EffectMode:
    """The most probable effects for given parameters, and the curvature there."""

    of_item: FloatArray
    of_rater: FloatArray
    terms: CategoryTerms
    inverse: CrossedInverse
    value: float


def laplace(model: OrdinalModel, parameters: FloatArray) -> tuple[float, FloatArray]:
    """The Laplace log-likelihood and its gradient, that of the moving mode included.

    With H the curvature at the mode u, d/dx log det H = tr(H^-1 (dH/dx + dH/du du/dx)), where
    du/dx = H^-1 d(gradient by u)/dx.
    """
    mode = effect_mode(model, parameters)
    item_sd, rater_sd = model.deviations(parameters)
    inverse, terms = mode.inverse, mode.terms
    value = mode.value - model.n_items * np.log(item_sd) - model.n_raters * np.log(rater_sd)
    spread = inverse.items[model.item] + inverse.raters[model.rater]
    spread += 2 * inverse.cross[model.item, model.rater]
    pull = inverse.solve(*model.by_effect(terms.weight_eta * spread / 2))
    moved = pull[0][model.item] + pull[1][model.rater]
    by_a = terms.a - terms.weight_a * spread / 2 - moved * terms.eta_a
    by_b = terms.b - terms.weight_b * spread / 2 - moved * terms.eta_b
    size = model.n_categories + 1
    by_threshold = (sum_by(model.category, by_a, size) + sum_by(model.category + 1, by_b, size))[
        1:-1
    ]
    # A step moves its threshold and all above it.
    by_step = np.cumsum(by_threshold[::-1])[::-1]
    by_step[1:] *= np.exp(parameters[1 : model.n_categories - 1])
    by_item = _by_log_sd(mode.of_item, inverse.items, pull[0], item_sd)
    by_rater = _by_log_sd(mode.of_rater, inverse.raters, pull[1], rater_sd)
    by_sd = [by_rater] if model.fixed_items else [by_item, by_rater]
    return float(value - inverse.log_determinant / 2), np.append(by_step, by_sd)


def _by_log_sd(effect: FloatArray, variance: FloatArray, pull: FloatArray, sd: float) -> float:
    squares = effect @ effect + variance.sum() - 2 * (pull @ effect)
    return float(squares / sd**2 - len(effect))


def effect_mode(model: OrdinalModel, parameters: FloatArray) -> EffectMode:
    """Newton's method with step halving on the effects; the target is concave."""
    threshold, deviations = model.thresholds(parameters), model.deviations(parameters)
    here = _at(model, threshold, deviations, np.zeros(model.n_items), np.zeros(model.n_raters))
    for _ in range(MAX_NEWTON_STEPS):
        of_item, of_rater = model.by_effect(here.terms.eta)
        of_item -= here.of_item / deviations[0] ** 2
        of_rater -= here.of_rater / deviations[1] ** 2
        step = here.inverse.solve(of_item, of_rater)
        if of_item @ step[0] + of_rater @ step[1] < 1e-18 * len(model.item):
            return here
        here = _uphill(model, threshold, deviations, here, step)
    raise NotConvergedError(
        f"the modes of the effects were not found in {MAX_NEWTON_STEPS} steps of Newton's method"
    )


def _uphill(
    model: OrdinalModel,
    threshold: FloatArray,
    deviations: tuple[float, float],
    here: EffectMode,
    step: tuple[FloatArray, FloatArray],
) -> EffectMode:
    floor = here.value - 1e-12 * abs(here.value)
    for halving in range(MAX_HALVINGS):
        size = 0.5**halving
        reached = _at(
            model,
            threshold,
            deviations,
            here.of_item + size * step[0],
            here.of_rater + size * step[1],
        )
        if reached.value >= floor:
            return reached
    raise NotConvergedError("Newton's method found no step towards the modes of the effects")


def _at(
    model: OrdinalModel,
    threshold: FloatArray,
    deviations: tuple[float, float],
    of_item: FloatArray,
    of_rater: FloatArray,
) -> EffectMode:
    terms = model.terms(threshold, of_item, of_rater)
    by_item, by_rater = model.by_effect(terms.weight)
    inverse = invert_crossed(
        by_item + 1 / deviations[0] ** 2,
        by_rater + 1 / deviations[1] ** 2,
        model.cells(terms.weight),
    )
    penalty = (of_item @ of_item) / deviations[0] ** 2 + (of_rater @ of_rater) / deviations[1] ** 2
    return EffectMode(of_item, of_rater, terms, inverse, float(terms.log_p.sum() - penalty / 2))
