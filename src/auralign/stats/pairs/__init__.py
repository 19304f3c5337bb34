"""Worths of items from pair comparisons: the Bradley-Terry family."""

from auralign.stats.pairs.bootstrap import BootstrapWorths, bootstrap_worths
from auralign.stats.pairs.bradley_terry import (
    fit_bradley_terry,
    fit_components,
    fit_within_blocks,
)
from auralign.stats.pairs.bradley_terry_fit import BradleyTerryFit
from auralign.stats.pairs.connectivity import Connectivity, diagnose_connectivity
from auralign.stats.pairs.goodness_of_fit import GoodnessOfFit, goodness_of_fit
from auralign.stats.pairs.quasi_variances import QuasiVariances, quasi_variances
from auralign.stats.pairs.significance_groups import SignificanceGroups, significance_groups
from auralign.stats.pairs.standard_errors import Errors

__all__ = [
    "BootstrapWorths",
    "BradleyTerryFit",
    "Connectivity",
    "Errors",
    "GoodnessOfFit",
    "QuasiVariances",
    "SignificanceGroups",
    "bootstrap_worths",
    "diagnose_connectivity",
    "fit_bradley_terry",
    "fit_components",
    "fit_within_blocks",
    "goodness_of_fit",
    "quasi_variances",
    "significance_groups",
]
