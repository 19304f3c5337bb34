"""Conjoint (factorial) designs: what each level of each attribute does to the chance of a win."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from auralign.errors import ConfigError, DataError, NotConvergedError, did_you_mean
from auralign.stats.arrays import BoolArray, FloatArray, IntArray
from auralign.stats.comparisons import check_comparisons, encode
from auralign.stats.intervals import check_level
from auralign.stats.pairs.separation import COLLINEAR
from auralign.stats.sandwich import FEW_CLUSTERS
from auralign.types import Comparisons, Estimate

Levels = Mapping[str, Mapping[str, str]]

ASSOCIATED = 0.1


@dataclass(frozen=True)
class LevelEffect:
    """One level of one attribute.

    effect         average marginal component effect against the `baseline` level; None for it
    marginal_mean  mean outcome of profiles with this level, whatever their other attributes
    n              profiles shown with this level
    """

    attribute: str
    level: str
    baseline: str
    effect: Estimate | None
    p_value: float | None
    marginal_mean: Estimate
    n: int


@dataclass(frozen=True)
class Interaction:
    """By how much the effect of one level differs where another attribute has its level.

    Both against their baselines: the average component interaction effect.
    """

    first: tuple[str, str]
    second: tuple[str, str]
    effect: Estimate
    p_value: float


@dataclass(frozen=True, eq=False)
class ConjointEffects:
    """Effects of all levels, interactions that were asked for, and sentences for next to them."""

    levels: tuple[LevelEffect, ...]
    interactions: tuple[Interaction, ...]
    warnings: tuple[str, ...]

    def effect(self, attribute: str, level: str) -> LevelEffect:
        for found in self.levels:
            if (found.attribute, found.level) == (attribute, level):
                return found
        raise DataError(f"no level '{level}' of '{attribute}' in these effects")


@dataclass(frozen=True, eq=False)
class _Profiles:
    """Shown profiles as arrays `[n]`: codes of levels of each attribute, outcomes and raters."""

    levels: dict[str, tuple[str, ...]]
    codes: dict[str, IntArray]
    outcome: FloatArray
    weight: FloatArray
    rater: IntArray
    n_raters: int


def conjoint_effects(
    comparisons: Comparisons,
    levels: Levels,
    *,
    baselines: Mapping[str, str] | None = None,
    interactions: Sequence[tuple[str, str]] = (),
    level: float = 0.95,
) -> ConjointEffects:
    """Average marginal component effects from forced choices (Hainmueller et al. 2014).

    `levels` maps attribute -> {item: level}. Each comparison shows two profiles; a profile's
    outcome is 1 if it was chosen, 0 if not, 0.5 for a tie. See `conjoint_rating_effects` for the
    estimator; a marginal mean of 0.5 is indifference.

    Raises `DataError` for items without a level, attributes with one level, or collinear ones.
    """
    check_comparisons(comparisons)
    c = comparisons
    used = c.weight > 0
    items = np.concatenate([c.first[used], c.second[used]])
    labels = {name: _labels(name, of_item, c.items, items) for name, of_item in levels.items()}
    return conjoint_rating_effects(
        labels,
        np.concatenate([c.outcome[used], 1 - c.outcome[used]]),
        [c.raters[k] for k in np.tile(c.rater[used], 2)],
        weights=np.tile(c.weight[used], 2),
        baselines=baselines,
        interactions=interactions,
        level=level,
    )


def conjoint_rating_effects(
    labels: Mapping[str, Sequence[str]],
    outcomes: ArrayLike,
    raters: Sequence[str],
    *,
    weights: ArrayLike | None = None,
    baselines: Mapping[str, str] | None = None,
    interactions: Sequence[tuple[str, str]] = (),
    level: float = 0.95,
) -> ConjointEffects:
    """Average marginal component effects on any outcome, such as ratings.

    `labels` maps attribute -> its level in each shown profile `[n]`, `outcomes` `[n]`, `raters`
    `[n]`. With levels drawn independently of each other, the difference of mean outcomes between
    two levels, averaged over the other attributes, is the least-squares coefficient of the level's
    dummy (Hainmueller, Hopkins & Yamamoto 2014, Political Analysis 22:1), here with all
    attributes together and errors clustered by rater: CR1, G / (G - 1) x (n - 1) / (n - k), with
    Student's t on G - 1. `baselines` names the reference levels (default: the first in alphabetical
    order). Marginal means do not depend on a baseline (Leeper, Hobolt & Tilley 2020, Political
    Analysis 28:207). `interactions` are pairs of attributes whose products are added in a model of
    their own (average component interaction effects).

    Raises `DataError` for lists of unequal length, an attribute with one level, collinear
    attributes, an empty combination or too few profiles, `ConfigError` for unknown names,
    `NotConvergedError` with fewer than two raters.
    """
    check_level(level)
    profiles = _profiles(labels, outcomes, raters, weights, baselines or {})
    crossed = [_interactions(profiles, pair, level) for pair in interactions]
    return ConjointEffects(
        levels=_level_effects(profiles, level),
        interactions=tuple(interaction for of_pair in crossed for interaction in of_pair),
        warnings=_warnings(profiles),
    )


@dataclass(frozen=True, eq=False)
class _LeastSquares:
    coefficients: FloatArray
    errors: FloatArray
    n: int
    n_raters: int

    def estimate(self, k: int, level: float, what: str) -> Estimate:
        value = float(self.coefficients[k])
        half = float(special.stdtrit(self.n_raters - 1, (1 + level) / 2) * self.errors[k])
        method = f"{what}; least squares, clustered by rater (CR1), Student's t"
        return Estimate(value, value - half, value + half, level, self.n, self.n_raters, method)

    def p_value(self, k: int) -> float:
        if self.errors[k] == 0:
            return 0.0 if self.coefficients[k] else 1.0
        t = -abs(float(self.coefficients[k])) / float(self.errors[k])
        return 2 * float(special.stdtr(self.n_raters - 1, t))


def _least_squares(design: FloatArray, profiles: _Profiles, names: Sequence[str]) -> _LeastSquares:
    """Weighted least squares with cluster-robust errors; the first column is the constant."""
    weighted = design * profiles.weight[:, None]
    gram = design.T @ weighted
    _require_full_rank(gram, names)
    inverse = np.linalg.inv(gram)
    coefficients = inverse @ (weighted.T @ profiles.outcome)
    residual = profiles.outcome - design @ coefficients
    scores = np.zeros((profiles.n_raters, design.shape[1]))
    np.add.at(scores, profiles.rater, weighted * residual[:, None])
    n, k, g = len(design), design.shape[1], profiles.n_raters
    if n <= k:
        raise DataError(f"{n} profiles are too few for {k} coefficients; show more profiles")
    correction = g / (g - 1) * (n - 1) / (n - k)
    covariance = correction * inverse @ scores.T @ scores @ inverse
    return _LeastSquares(coefficients, np.sqrt(np.diagonal(covariance)), n, g)


def _level_effects(profiles: _Profiles, level: float) -> tuple[LevelEffect, ...]:
    names, design = _dummies(profiles, tuple(profiles.levels))
    fit = _least_squares(design, profiles, names)
    found = []
    for attribute, known in profiles.levels.items():
        for k, label in enumerate(known):
            shown = profiles.codes[attribute] == k
            at = names.index(f"{attribute}={label}") if k else None
            effect = None if at is None else fit.estimate(at, level, "marginal component effect")
            p_value = None if at is None else fit.p_value(at)
            mean = _marginal_mean(profiles, shown, level)
            found.append(
                LevelEffect(attribute, label, known[0], effect, p_value, mean, int(shown.sum()))
            )
    return tuple(found)


def _marginal_mean(profiles: _Profiles, rows: BoolArray, level: float) -> Estimate:
    part = _Profiles(
        {},
        {},
        profiles.outcome[rows],
        profiles.weight[rows],
        *_recoded(profiles.rater[rows]),
    )
    if part.n_raters < 2 or len(part.outcome) < 2:
        value = float(np.average(part.outcome, weights=part.weight))
        method = "marginal mean; one rater, no interval"
        return Estimate(value, np.nan, np.nan, level, len(part.outcome), part.n_raters, method)
    fit = _least_squares(np.ones((len(part.outcome), 1)), part, ["constant"])
    return fit.estimate(0, level, "marginal mean")


def _interactions(
    profiles: _Profiles, pair: tuple[str, str], level: float
) -> tuple[Interaction, ...]:
    a, b = (_known(name, tuple(profiles.levels)) for name in pair)
    if a == b:
        raise ConfigError(f"an interaction needs two different attributes, got '{a}' twice")
    names, design = _dummies(profiles, tuple(profiles.levels))
    products: dict[str, tuple[str, str]] = {}
    columns = []
    for i, of_a in enumerate(profiles.levels[a][1:], start=1):
        for j, of_b in enumerate(profiles.levels[b][1:], start=1):
            products[f"{a}={of_a} with {b}={of_b}"] = (of_a, of_b)
            columns.append((profiles.codes[a] == i) & (profiles.codes[b] == j))
    full = np.hstack([design, np.array(columns, dtype=np.float64).T])
    fit = _least_squares(full, profiles, [*names, *products])
    return tuple(
        Interaction(
            first=(a, of_a),
            second=(b, of_b),
            effect=fit.estimate(len(names) + k, level, "component interaction effect"),
            p_value=fit.p_value(len(names) + k),
        )
        for k, (of_a, of_b) in enumerate(products.values())
    )


def _profiles(
    labels: Mapping[str, Sequence[str]],
    outcomes: ArrayLike,
    raters: Sequence[str],
    weights: ArrayLike | None,
    baselines: Mapping[str, str],
) -> _Profiles:
    if not labels:
        raise ConfigError("expected at least one attribute, got none")
    outcome = np.asarray(outcomes, dtype=np.float64)
    weight = np.ones(len(outcome)) if weights is None else np.asarray(weights, dtype=np.float64)
    lengths = {len(outcome), len(raters), len(weight), *(len(column) for column in labels.values())}
    if len(lengths) != 1:
        raise DataError(f"expected lists of one length, got {sorted(lengths)}")
    if not (np.isfinite(outcome).all() and (np.isfinite(weight) & (weight > 0)).all()):
        raise DataError("expected finite outcomes and positive weights")
    for name in baselines:
        _known(name, tuple(labels))
    coded = {name: _coded(name, column, baselines.get(name)) for name, column in labels.items()}
    names, rater = encode(list(raters))
    if len(names) < 2:
        raise NotConvergedError(f"effects clustered by rater need at least 2, got {len(names)}")
    return _Profiles(
        levels={name: known for name, (known, _) in coded.items()},
        codes={name: code for name, (_, code) in coded.items()},
        outcome=outcome,
        weight=weight,
        rater=rater,
        n_raters=len(names),
    )


def _coded(
    name: str, labels: Sequence[str], baseline: str | None
) -> tuple[tuple[str, ...], IntArray]:
    """The levels, baseline first, and the code of each label."""
    known, code = encode(list(labels))
    if len(known) < 2:
        raise DataError(f"the attribute '{name}' has one level, '{known[0]}': leave it out")
    if baseline is None:
        return known, code
    if baseline not in known:
        raise ConfigError(
            f"no level '{baseline}' of '{name}'{did_you_mean(baseline, known)}; "
            f"levels: {', '.join(known)}"
        )
    order = (baseline, *(label for label in known if label != baseline))
    return order, np.array([order.index(label) for label in known])[code]


def _dummies(profiles: _Profiles, attributes: Sequence[str]) -> tuple[list[str], FloatArray]:
    names, columns = ["constant"], [np.ones(len(profiles.outcome))]
    for attribute in attributes:
        for k, label in enumerate(profiles.levels[attribute][1:], start=1):
            names.append(f"{attribute}={label}")
            columns.append((profiles.codes[attribute] == k).astype(np.float64))
    return names, np.array(columns).T


def _require_full_rank(gram: FloatArray, names: Sequence[str]) -> None:
    scale = np.sqrt(np.diagonal(gram))
    if (scale == 0).any():
        raise DataError(f"'{names[int(np.argmin(scale))]}' was never shown: leave it out")
    values, directions = np.linalg.eigh(gram / np.outer(scale, scale))
    if values[0] <= COLLINEAR * values[-1]:
        involved = ", ".join(
            f"'{name}'"
            for name, part in zip(names, directions[:, 0], strict=True)
            if abs(part) > 1e-6
        )
        raise DataError(
            f"{involved} always occur together in these profiles, so their effects cannot be told "
            "apart; leave one out"
        )


def _labels(
    name: str, of_item: Mapping[str, str], items: Sequence[str], shown: IntArray
) -> list[str]:
    missing = [items[k] for k in np.unique(shown) if items[k] not in of_item]
    if missing:
        raise DataError(f"expected a level of '{name}' for each item, none for '{missing[0]}'")
    return [of_item[items[k]] for k in shown]


def _known(name: str, known: Sequence[str]) -> str:
    if name not in known:
        raise ConfigError(f"no attribute '{name}'{did_you_mean(name, known)}")
    return name


def _recoded(codes: IntArray) -> tuple[IntArray, int]:
    names, code = np.unique(codes, return_inverse=True)
    return code, len(names)


def _warnings(profiles: _Profiles) -> tuple[str, ...]:
    remarks = []
    attributes = list(profiles.levels)
    for i, a in enumerate(attributes):
        for b in attributes[i + 1 :]:
            v = _cramers_v(profiles.codes[a], profiles.codes[b])
            if v > ASSOCIATED:
                remarks.append(
                    f"'{a}' and '{b}' were not shown independently (Cramer's V {v:.2f}): effects "
                    "are averages over unequal mixes of the other attribute"
                )
    if profiles.n_raters < FEW_CLUSTERS:
        remarks.append(
            f"{profiles.n_raters} raters: clustered errors tend to be too narrow below "
            f"{FEW_CLUSTERS}"
        )
    return tuple(remarks)


def _cramers_v(a: IntArray, b: IntArray) -> float:
    """Association of two codings: Cramer's V with the bias correction of Bergsma (2013)."""
    n, rows, columns = len(a), int(a.max()) + 1, int(b.max()) + 1
    table = np.bincount(a * columns + b, minlength=rows * columns).reshape(rows, columns)
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / n
    phi = float(((table - expected) ** 2 / expected).sum()) / n
    corrected = max(phi - (rows - 1) * (columns - 1) / (n - 1), 0.0)
    smaller = min(rows - (rows - 1) ** 2 / (n - 1), columns - (columns - 1) ** 2 / (n - 1)) - 1
    return float(np.sqrt(corrected / smaller)) if smaller > 0 else 0.0
