"""Rating judgements as a table, and mean opinion scores."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from auralign.errors import DataError
from auralign.stats.comparisons import protocol_judgements
from auralign.stats.intervals import check_level
from auralign.types import Estimate, Judgement, TrialProtocol


@dataclass(frozen=True, eq=False)
class RatingTable:
    """Ratings `[rater, clip]`; NaN where a rater did not rate a clip, the mean where often."""

    raters: tuple[str, ...]
    clips: tuple[str, ...]
    values: NDArray[np.float64]


def rating_table(judgements: Iterable[Judgement], dimension: str) -> RatingTable:
    """The rating judgements of one dimension as a table.

    Raises `DataError` when there are none, one has no value, or scales differ between them.
    """
    cells: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for j in rating_judgements(judgements, dimension):
        cells[j.rater, j.candidates[0].clip_id].append(rating_value(j))
    raters, clips = (tuple(sorted(set(names))) for names in zip(*cells, strict=True))
    values = np.full((len(raters), len(clips)), np.nan)
    row, column = ({name: k for k, name in enumerate(names)} for names in (raters, clips))
    for (rater, clip), ratings in cells.items():
        values[row[rater], column[clip]] = np.mean(ratings)
    return RatingTable(raters, clips, values)


def mean_opinion_scores(
    judgements: Iterable[Judgement], dimension: str, *, level: float = 0.95
) -> dict[str, Estimate]:
    """For each clip id the mean rating with Student's t interval over raters.

    A rater who rated a clip more than once counts once, with the mean. The interval holds for new
    raters of the same clip. One rater gives no interval: its ends are NaN and `method` says so.
    Raises `DataError` as `rating_table` does.
    """
    check_level(level)
    table = rating_table(judgements, dimension)
    columns = zip(table.clips, table.values.T, strict=True)
    return {
        clip: _mean_over_raters(ratings[np.isfinite(ratings)], level) for clip, ratings in columns
    }


def _mean_over_raters(ratings: NDArray[np.float64], level: float) -> Estimate:
    n, mean = len(ratings), float(ratings.mean())
    if n == 1:
        return Estimate(mean, np.nan, np.nan, level, 1, 1, "rating of one rater; no interval")
    half = special.stdtrit(n - 1, (1 + level) / 2) * float(ratings.std(ddof=1)) / n**0.5
    method = "mean opinion score; Student's t over raters"
    return Estimate(mean, float(mean - half), float(mean + half), level, n, n, method)


def rating_judgements(judgements: Iterable[Judgement], dimension: str) -> list[Judgement]:
    """The rating judgements of one dimension; raises `DataError` for none or mixed scales."""
    found = protocol_judgements(judgements, TrialProtocol.RATING, dimension)
    _check_one_scale(found, dimension)
    return found


def rating_value(judgement: Judgement) -> float:
    """The rating of one candidate; raises `DataError` when there is none."""
    if judgement.rating is None or len(judgement.candidates) != 1:
        raise DataError(
            f"trial '{judgement.trial}' by '{judgement.rater}': a rating judgement needs one "
            f"candidate and a rating, got {len(judgement.candidates)} and {judgement.rating}"
        )
    return judgement.rating


def _check_one_scale(judgements: Iterable[Judgement], dimension: str) -> None:
    scales = {j.scale for j in judgements}
    if len(scales) > 1:
        raise DataError(
            f"the ratings on '{dimension}' are on different scales "
            f"({', '.join(sorted(map(str, scales)))}); rescale them or analyse them apart"
        )
