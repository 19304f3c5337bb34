"""Ratings on a scale: tables of them, and what they say about items and raters."""

from auralign.stats.ratings.table import RatingTable, mean_opinion_scores, rating_table

__all__ = ["RatingTable", "mean_opinion_scores", "rating_table"]
