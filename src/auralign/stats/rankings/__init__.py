"""Worths of items from rankings and best-worst answers."""

from auralign.stats.rankings.best_worst import BestWorstCounts, best_worst_counts, fit_best_worst
from auralign.stats.rankings.fit import RankingFit
from auralign.stats.rankings.plackett_luce import fit_plackett_luce
from auralign.stats.rankings.records import (
    BestWorst,
    Rankings,
    best_worst_from,
    rankings_from,
    rankings_of,
)

__all__ = [
    "BestWorst",
    "BestWorstCounts",
    "RankingFit",
    "Rankings",
    "best_worst_counts",
    "best_worst_from",
    "fit_best_worst",
    "fit_plackett_luce",
    "rankings_from",
    "rankings_of",
]
