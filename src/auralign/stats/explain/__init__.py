"""What explains preferences: attributes, confounders, factorial designs, ratings."""

from auralign.stats.explain.attributes import (
    AttributedComparisons,
    attribute_comparisons,
    comparisons_by_context,
    stack_comparisons,
)
from auralign.stats.explain.confounders import (
    ConfounderCheck,
    ConfounderEffect,
    SystemShift,
    check_confounders,
)
from auralign.stats.explain.conjoint import (
    ConjointEffects,
    Interaction,
    LevelEffect,
    conjoint_effects,
    conjoint_rating_effects,
)
from auralign.stats.explain.consistency import (
    AgreementBin,
    RatingPairConsistency,
    rating_pair_consistency,
)
from auralign.stats.explain.domains import DomainFactors, fit_factors_by_domain
from auralign.stats.explain.effects import Effect
from auralign.stats.explain.factors import (
    FactorFit,
    ScenarioFactors,
    fit_factors,
    fit_factors_per_scenario,
)
from auralign.stats.explain.sparse_factors import SparseFactors, select_factors

__all__ = [
    "AgreementBin",
    "AttributedComparisons",
    "ConfounderCheck",
    "ConfounderEffect",
    "ConjointEffects",
    "DomainFactors",
    "Effect",
    "FactorFit",
    "Interaction",
    "LevelEffect",
    "RatingPairConsistency",
    "ScenarioFactors",
    "SparseFactors",
    "SystemShift",
    "attribute_comparisons",
    "check_confounders",
    "comparisons_by_context",
    "conjoint_effects",
    "conjoint_rating_effects",
    "fit_factors",
    "fit_factors_by_domain",
    "fit_factors_per_scenario",
    "rating_pair_consistency",
    "select_factors",
    "stack_comparisons",
]
