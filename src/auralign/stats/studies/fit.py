"""From a study folder to a ranked table in one call."""

from __future__ import annotations

import os
from typing import get_args

import numpy as np

from auralign.errors import ConfigError
from auralign.stats.studies.clustering import ClusterBy
from auralign.stats.studies.models import (
    Ties,
    WorthOptions,
    between_items,
    pair_worths,
    ranking_worths,
)
from auralign.stats.studies.ranking import ItemEstimates, StudyRanking, ranking_of
from auralign.stats.studies.rating_models import RatingModel, rating_estimates
from auralign.stats.studies.selection import ItemKind, Selection, select_judgements
from auralign.types import TrialProtocol

RATED = (TrialProtocol.RATING, TrialProtocol.THUMBS)


def rank_study(
    study: str | os.PathLike[str],
    dimension: str,
    *,
    item: ItemKind = "system",
    protocol: str | None = None,
    condition: str | None = None,
    ties: Ties = "half",
    order_effect: bool = False,
    prior: float = 0.0,
    ratings: RatingModel = "mean",
    cluster: ClusterBy = "auto",
    level: float = 0.95,
    rng: np.random.Generator,
) -> StudyRanking:
    """The systems or clips of a study folder, best first, with intervals that know clusters.

    Comparisons give Bradley-Terry log-worths (options `ties`, `order_effect` and `prior`), rankings
    Plackett-Luce's and best-worst answers MaxDiff's (`prior`). Ratings give their means, means
    without the raters' severity, or effects in an ordinal model (`ratings`), whose intervals are
    its own and know no clusters. `rng` is for the test of cycles among votes. Raises `DataError` or
    `ConfigError` for input that cannot be used, `NotConvergedError` where an estimate or interval
    does not exist.
    """
    if ratings not in get_args(RatingModel):
        known = ", ".join(get_args(RatingModel))
        raise ConfigError(f"ratings must be one of {known}, got '{ratings}'")
    selection = select_judgements(
        study, dimension, item=item, protocol=protocol, condition=condition
    )
    options = WorthOptions(ties, order_effect, prior)
    if selection.protocol not in RATED:
        selection = between_items(selection)
    estimates = _estimates(selection, options, ratings)
    return ranking_of(selection, estimates, cluster=cluster, level=level, rng=rng)


def _estimates(selection: Selection, options: WorthOptions, ratings: RatingModel) -> ItemEstimates:
    if selection.protocol not in RATED and ratings != "mean":
        raise ConfigError(
            f"a model of raters' scales belongs to ratings; this study has "
            f"{selection.protocol.value} judgements on '{selection.dimension}'"
        )
    if selection.protocol is TrialProtocol.PAIR:
        return pair_worths(selection, options)
    if options.ties != "half" or options.order_effect:
        raise ConfigError(
            "a model of ties and an order effect belong to comparisons; this study has "
            f"{selection.protocol.value} judgements on '{selection.dimension}'"
        )
    if selection.protocol not in RATED:
        return ranking_worths(selection, options)
    if options.prior:
        raise ConfigError("a prior belongs to worths; ratings have means")
    return rating_estimates(selection, ratings)
