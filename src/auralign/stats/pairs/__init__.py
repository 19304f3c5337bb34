"""Worths of items from pair comparisons: the Bradley-Terry family."""

from auralign.stats.pairs.bradley_terry import (
    BradleyTerryFit,
    fit_bradley_terry,
    fit_within_blocks,
)

__all__ = ["BradleyTerryFit", "fit_bradley_terry", "fit_within_blocks"]
