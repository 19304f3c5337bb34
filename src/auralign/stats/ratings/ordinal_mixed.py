"""Ordinal ratings with effects of items and raters: the cumulative-link mixed model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from auralign.errors import ConfigError, DataError, did_you_mean
from auralign.stats.arrays import FloatArray, IntArray
from auralign.stats.ascent import Bounds, climb
from auralign.stats.comparisons import encode, index_of
from auralign.stats.intervals import check_level
from auralign.stats.ratings.cumulative_links import CumulativeLink, logit, probit
from auralign.stats.ratings.ordinal_likelihood import (
    VAGUE_SD,
    EffectMode,
    OrdinalModel,
    effect_mode,
    laplace,
)
from auralign.types import Estimate

Link = Literal["logit", "probit"]
Effects = Literal["random", "fixed"]
Labels = Sequence[str] | NDArray[np.str_]

LEAST_SD = 1e-3
TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class OrdinalMixedFit:
    """Effects on the scale of the link (logits or probits), and how much they vary.

    item_effect         `[items]`, mean 0: conditional modes
    item_covariance     `[items, items]` of the effects, the uncertainty of thresholds and
                        deviations included
    rater_effect        `[raters]`: positive rates higher; `rater_errors` take the rest as known
    categories          the distinct ratings, ascending
    threshold           `[categories - 1]`, ascending: P(rating <= c) is F(threshold_c - item -
                        rater)
    threshold_errors    standard errors from the curvature of the log-likelihood
    item_sd, rater_sd   standard deviations of the effects; `item_sd` is None for fixed items
    item_sd_error, rater_sd_error
                        NaN at the edge of what is possible
    log_likelihood      effects integrated out (Laplace)
    """

    items: tuple[str, ...]
    raters: tuple[str, ...]
    categories: tuple[float, ...]
    link: Link
    item_effect: FloatArray
    item_covariance: FloatArray
    rater_effect: FloatArray
    rater_errors: FloatArray
    threshold: FloatArray
    threshold_errors: FloatArray
    item_sd: float | None
    item_sd_error: float
    rater_sd: float
    rater_sd_error: float
    log_likelihood: float
    n: int
    iterations: int
    gradient_max: float
    status: Literal["maximum likelihood (Laplace)"]
    warnings: tuple[str, ...]

    @property
    def item_errors(self) -> FloatArray:
        """Standard errors of the item effects, `[items]`."""
        errors: FloatArray = np.sqrt(np.diag(self.item_covariance))
        return errors

    @property
    def expected_rating(self) -> FloatArray:
        """Mean rating of each item by a rater of effect zero, `[items]`."""
        below = _CDF[self.link](self.threshold - self.item_effect[:, None])
        steps = np.diff(np.asarray(self.categories))
        expected: FloatArray = self.categories[-1] - below @ steps
        return expected

    def difference(self, first: str, second: str, *, level: float = 0.95) -> Estimate:
        """Effect of item `first` minus that of `second`, normal interval.

        Raises `DataError` for an unknown item.
        """
        check_level(level)
        i, j = (index_of(self.items, item) for item in (first, second))
        c = self.item_covariance
        half = float(special.ndtri((1 + level) / 2) * np.sqrt(c[i, i] + c[j, j] - 2 * c[i, j]))
        value = float(self.item_effect[i] - self.item_effect[j])
        method = f"cumulative-{self.link} mixed model (Laplace), difference of item effects; normal"
        n_raters = len(self.raters)
        return Estimate(value, value - half, value + half, level, self.n, n_raters, method)


def fit_ordinal_mixed(
    item: Labels,
    rater: Labels,
    rating: ArrayLike,
    *,
    link: Link = "logit",
    items: Effects = "random",
) -> OrdinalMixedFit:
    """Maximum likelihood of the cumulative-link model with crossed random effects.

    `item`, `rater` (labels) and `rating` (numbers of which only the order counts) are `[n]`. The
    model is P(rating <= c) = F(threshold_c - item - rater), F logistic or normal, with normal
    effects of items and raters (McCullagh 1980; Christensen's `ordinal` for R). Effects are
    integrated out by the Laplace approximation around their joint mode; its gradient is exact.
    With `items="fixed"` their effects are not drawn together: they get a normal prior of standard
    deviation `VAGUE_SD`, wide enough to say nothing.

    Raises `DataError` for unequal lengths, ratings that are not finite, fewer than two items,
    raters or categories, `ConfigError` for an unknown option, `NotConvergedError` when the ascent
    does not reach a maximum.
    """
    _check_options(link, items)
    item_names, item_code = encode([str(name) for name in item])
    rater_names, rater_code = encode([str(name) for name in rater])
    categories, category = _categories(rating, len(item_code), len(rater_code))
    _check_sizes(len(item_names), len(rater_names), len(categories))
    model = OrdinalModel(
        item_code,
        rater_code,
        category,
        len(item_names),
        len(rater_names),
        len(categories),
        _LINKS[link],
        items == "fixed",
    )
    start, bounds = _start(model)
    best = climb(partial(laplace, model), start, TOLERANCE * len(category), bounds=bounds)
    mode = effect_mode(model, best.parameters)
    parameter_covariance, follows = _parameter_covariance(model, best.parameters, bounds)
    threshold_errors, sd_errors = _errors(model, best.parameters, parameter_covariance)
    item_sd, rater_sd = model.deviations(best.parameters)
    centre = mode.of_item.mean()
    return OrdinalMixedFit(
        items=item_names,
        raters=rater_names,
        categories=tuple(categories.tolist()),
        link=link,
        item_effect=mode.of_item - centre,
        item_covariance=_item_covariance(mode, parameter_covariance, follows),
        rater_effect=mode.of_rater,
        rater_errors=np.sqrt(mode.inverse.raters),
        threshold=model.thresholds(best.parameters) - centre,
        threshold_errors=threshold_errors,
        item_sd=None if model.fixed_items else item_sd,
        item_sd_error=float("nan") if model.fixed_items else float(sd_errors[0]),
        rater_sd=rater_sd,
        rater_sd_error=float(sd_errors[-1]),
        log_likelihood=best.value,
        n=len(category),
        iterations=best.iterations,
        gradient_max=best.gradient_max,
        status="maximum likelihood (Laplace)",
        warnings=_warnings(model, item_sd, rater_sd, threshold_errors),
    )


def _start(model: OrdinalModel) -> tuple[FloatArray, Bounds]:
    """Thresholds of the pooled ratings, and deviations of one half."""
    share = np.cumsum(np.bincount(model.category)) / len(model.category)
    threshold = special.logit(share[:-1])
    steps = np.append(threshold[:1], np.log(np.diff(threshold)))
    n_deviations = 1 if model.fixed_items else 2
    bounds: list[tuple[float | None, float | None]] = [(None, None)] * len(steps)
    bounds += [(float(np.log(LEAST_SD)), None)] * n_deviations
    return np.append(steps, np.full(n_deviations, np.log(0.5))), bounds


def _parameter_covariance(
    model: OrdinalModel, parameters: FloatArray, bounds: Bounds
) -> tuple[FloatArray, FloatArray]:
    """`[parameters, parameters]`, and how the item effects follow the parameters `[items, ...]`.

    From differences of the exact gradient and of the modes; NaN and 0 for parameters at a bound.
    """
    free = np.array(
        [low is None or x > low for x, (low, _) in zip(parameters, bounds, strict=True)]
    )
    size, h = len(parameters), 1e-4
    sides = [(parameters + s, parameters - s) for s in h * np.eye(size)[free]]
    slopes = [(laplace(model, down)[1] - laplace(model, up)[1]) / (2 * h) for up, down in sides]
    modes = [
        (effect_mode(model, up).of_item - effect_mode(model, down).of_item) / (2 * h)
        for up, down in sides
    ]
    information = np.array(slopes)[:, free]
    covariance = np.full((size, size), np.nan)
    if np.linalg.eigvalsh(information + information.T)[0] > 0:
        covariance[np.ix_(free, free)] = np.linalg.inv((information + information.T) / 2)
    follows = np.zeros((model.n_items, size))
    follows[:, free] = np.array(modes).T
    return covariance, follows


def _item_covariance(mode: EffectMode, covariance: FloatArray, follows: FloatArray) -> FloatArray:
    """Of centred item effects: given the parameters, and what not knowing these adds."""
    known = np.isfinite(np.diag(covariance))
    total = mode.inverse.item_covariance()
    total = total + follows[:, known] @ covariance[np.ix_(known, known)] @ follows[:, known].T
    total -= total.mean(axis=0)
    centred: FloatArray = total - total.mean(axis=1, keepdims=True)
    return centred


def _errors(
    model: OrdinalModel, parameters: FloatArray, covariance: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Of the thresholds and of the standard deviations of the effects."""
    n_steps = model.n_categories - 1
    lengths = np.append(1.0, np.exp(parameters[1:n_steps]))
    jacobian = np.tril(np.ones((n_steps, n_steps))) * lengths
    of_threshold = np.diag(jacobian @ covariance[:n_steps, :n_steps] @ jacobian.T)
    if model.fixed_items:
        # Thresholds are reported relative to the mean item, which the vague prior lets move.
        of_threshold = of_threshold - VAGUE_SD**2 / model.n_items
    deviations = np.exp(parameters[n_steps:])
    return np.sqrt(of_threshold), deviations * np.sqrt(np.diag(covariance)[n_steps:])


def _warnings(
    model: OrdinalModel, item_sd: float, rater_sd: float, threshold_errors: FloatArray
) -> tuple[str, ...]:
    extreme = _at_one_end(model)
    remarks = {
        "raters do not differ measurably: their standard deviation is at its lower edge": (
            rater_sd <= 1.01 * LEAST_SD
        ),
        "items do not differ measurably: their standard deviation is at its lower edge": (
            item_sd <= 1.01 * LEAST_SD
        ),
        f"{extreme} items got only the lowest or only the highest rating: their fixed effects are "
        f"held back by the vague prior (standard deviation {VAGUE_SD:g}) alone": (
            model.fixed_items and extreme > 0
        ),
        f"{model.n_raters} raters: their standard deviation is hardly known": model.n_raters < 10,
        "no standard errors: the point is not a strict maximum": bool(
            np.isnan(threshold_errors).any()
        ),
    }
    return tuple(text for text, applies in remarks.items() if applies)


def _at_one_end(model: OrdinalModel) -> int:
    given = np.bincount(model.item)
    ends = (0, model.n_categories - 1)
    return sum(int((np.bincount(model.item, model.category == end) == given).sum()) for end in ends)


def _categories(rating: ArrayLike, n_items: int, n_raters: int) -> tuple[FloatArray, IntArray]:
    values = np.asarray(rating, dtype=np.float64)
    if values.ndim != 1 or not len(values) == n_items == n_raters or not len(values):
        raise DataError(
            f"expected an item, a rater and a rating in each row, got {n_items} items, {n_raters} "
            f"raters and ratings of shape {values.shape}"
        )
    if not np.isfinite(values).all():
        raise DataError(
            f"expected finite ratings, got {values[~np.isfinite(values)][0]} in row "
            f"{np.flatnonzero(~np.isfinite(values))[0]}; leave missing ratings out"
        )
    categories, code = np.unique(values, return_inverse=True)
    return categories, code


def _check_sizes(n_items: int, n_raters: int, n_categories: int) -> None:
    if n_categories < 2:
        raise DataError("all ratings are equal: there is nothing to model")
    if n_items < 2 or n_raters < 2:
        raise DataError(
            f"crossed effects need at least 2 items and 2 raters, got {n_items} and {n_raters}"
        )


def _check_options(link: str, items: str) -> None:
    for name, value, known in (("link", link, get_args(Link)), ("items", items, get_args(Effects))):
        if value not in known:
            raise ConfigError(
                f"{name} must be one of {', '.join(known)}, got '{value}'"
                f"{did_you_mean(value, known)}"
            )


_LINKS: dict[str, CumulativeLink] = {"logit": logit, "probit": probit}
_CDF = {"logit": special.expit, "probit": special.ndtr}
