"""Ratings on a scale: tables of them, and what they say about items and raters."""

from auralign.stats.ratings.acr import AcrResult, AcrSystem, analyse_acr
from auralign.stats.ratings.cmos import CmosResult, analyse_cmos
from auralign.stats.ratings.mushra import (
    SCREENING_RULES,
    MushraResult,
    MushraSystem,
    Screening,
    ScreeningRules,
    analyse_mushra,
    screen_listeners,
)
from auralign.stats.ratings.ordinal_mixed import OrdinalMixedFit, fit_ordinal_mixed
from auralign.stats.ratings.severity import SeverityFit, fit_severity, severity_corrected_mos
from auralign.stats.ratings.system_ratings import SystemRatings, system_ratings
from auralign.stats.ratings.table import RatingTable, mean_opinion_scores, rating_table

__all__ = [
    "SCREENING_RULES",
    "AcrResult",
    "AcrSystem",
    "CmosResult",
    "MushraResult",
    "MushraSystem",
    "OrdinalMixedFit",
    "RatingTable",
    "Screening",
    "ScreeningRules",
    "SeverityFit",
    "SystemRatings",
    "analyse_acr",
    "analyse_cmos",
    "analyse_mushra",
    "fit_ordinal_mixed",
    "fit_severity",
    "mean_opinion_scores",
    "rating_table",
    "screen_listeners",
    "severity_corrected_mos",
    "system_ratings",
]
