"""Preference statistics: models of comparisons, agreement, and intervals that know clusters."""

from auralign.stats.agreement import krippendorff_alpha, pairwise_agreement
from auralign.stats.comparisons import comparisons_from, outcome_counts
from auralign.stats.correlation import spearman
from auralign.stats.intervals import cluster_bootstrap, difference_interval, win_rate
from auralign.stats.pairs import BradleyTerryFit, fit_bradley_terry, fit_within_blocks
from auralign.stats.ratings import RatingTable, mean_opinion_scores, rating_table

__all__ = [
    "BradleyTerryFit",
    "RatingTable",
    "cluster_bootstrap",
    "comparisons_from",
    "difference_interval",
    "fit_bradley_terry",
    "fit_within_blocks",
    "krippendorff_alpha",
    "mean_opinion_scores",
    "outcome_counts",
    "pairwise_agreement",
    "rating_table",
    "spearman",
    "win_rate",
]
