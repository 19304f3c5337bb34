"""What drives preferences: Bradley-Terry worths that are linear in attributes of clips."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from auralign.errors import DataError, NotConvergedError
from auralign.stats.explain.attributes import (
    AttributedComparisons,
    Attributes,
    Ties,
    attribute_comparisons,
    comparisons_by_context,
    require_attributes,
)
from auralign.stats.explain.effects import Effect, effect_table
from auralign.stats.intervals import check_level
from auralign.stats.pairs.covariates import CovariateFit, fit_covariates
from auralign.types import Comparisons, Judgement

SIDE = "presented first"


@dataclass(frozen=True, eq=False)
class FactorFit:
    """How attributes of clips move the odds of being preferred.

    effects          one for each attribute, in standard deviations; then `presented first`, if
                     it was asked for
    share_explained  1 - log-likelihood / that of coin flips (McFadden 1974); 0 explains nothing
    fit              the model behind
    warnings         sentences that belong next to the numbers
    """

    effects: tuple[Effect, ...]
    share_explained: float
    fit: CovariateFit
    warnings: tuple[str, ...]

    def effect(self, attribute: str) -> Effect:
        for effect in self.effects:
            if effect.attribute == attribute:
                return effect
        raise DataError(f"no attribute '{attribute}' in this fit")


@dataclass(frozen=True, eq=False)
class ScenarioFactors:
    """A fit for each scenario that has one, and for each other scenario the reason."""

    fits: Mapping[str, FactorFit]
    without_fit: Mapping[str, str]


def fit_factors(
    comparisons: Comparisons,
    attributes: Attributes,
    *,
    ties: Ties = "leave out",
    side: bool = False,
    level: float = 0.95,
) -> FactorFit:
    """Maximum likelihood of P(first wins) = expit(b @ (x_first - x_second)).

    `attributes` maps attribute -> {item: value}; they are standardised as in
    `attribute_comparisons`. `side` adds a constant in favour of the clip presented first, which
    needs comparisons in the order of presentation. Intervals are clustered by rater. Attributes of
    clips are not assigned at random: an effect is an association, the other attributes held equal
    (Springall 1973, Appl. Stat. 22:59; style coefficients of arena rankings are the same model).

    Raises `NotConvergedError` when no finite coefficients exist, `DataError` for collinear,
    constant or unknown attributes, `ConfigError` for wrong options.
    """
    check_level(level)
    require_attributes(attributes)
    return _fit(attribute_comparisons(comparisons, attributes, ties=ties), side, level)


def fit_factors_per_scenario(
    judgements: Iterable[Judgement],
    dimension: str,
    attributes: Attributes,
    *,
    key: str = "scenario",
    ties: Ties = "leave out",
    side: bool = False,
    level: float = 0.95,
) -> ScenarioFactors:
    """`fit_factors` apart for each value of the context key, each on its own scale.

    A scenario without finite coefficients, or with an attribute that is constant there, is listed
    with its reason. To share strength between scenarios see `fit_factors_by_domain`.
    """
    fits: dict[str, FactorFit] = {}
    reasons: dict[str, str] = {}
    for name, comparisons in comparisons_by_context(judgements, dimension, key).items():
        try:
            fits[name] = fit_factors(comparisons, attributes, ties=ties, side=side, level=level)
        except (DataError, NotConvergedError) as error:
            reasons[name] = str(error)
    return ScenarioFactors(fits, reasons)


def _fit(data: AttributedComparisons, side: bool, level: float) -> FactorFit:
    ones = np.ones((len(data.comparisons.first), 1)) if side else None
    names = data.names + ((SIDE,) if side else ())
    fit = fit_covariates(
        data.comparisons, attributes=data.values, trial_covariates=ones, names=names
    )
    scale = np.append(data.scale, [1.0] * side)
    return FactorFit(
        effects=effect_table(fit, names, scale, level=level),
        share_explained=1 - fit.log_likelihood / fit.null_log_likelihood,
        fit=fit,
        warnings=data.warnings + fit.warnings,
    )
