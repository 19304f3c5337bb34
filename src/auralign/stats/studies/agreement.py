"""Do the raters of a study agree? Every coefficient that its answers allow, by name."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from auralign.errors import DataError, NotConvergedError
from auralign.stats.agreement.ceiling import pair_ceiling, rating_ceiling
from auralign.stats.agreement.clip_length import (
    AgreementByLength,
    agreement_by_clip_length,
    rating_agreement_by_clip_length,
)
from auralign.stats.agreement.concordance import kendall_w
from auralign.stats.agreement.intraclass import IccForm, intraclass_correlation
from auralign.stats.agreement.krippendorff import LevelOfMeasurement, krippendorff_interval
from auralign.stats.agreement.pairwise import pairwise_agreement
from auralign.stats.agreement.repeats import rating_repeats, repeat_consistency
from auralign.stats.agreement.stimuli import canonical_answers, stimulus
from auralign.stats.arrays import FloatArray
from auralign.stats.comparisons import TIES, encode
from auralign.stats.ratings.table import RatingTable, rating_table, rating_value
from auralign.stats.studies.selection import Selection, select_judgements
from auralign.types import Estimate, Outcome, TrialProtocol

AGREEING = (TrialProtocol.PAIR, TrialProtocol.RATING)


@dataclass(frozen=True, slots=True)
class Coefficient:
    """One coefficient of agreement; without an estimate `reason` says why."""

    name: str
    meaning: str
    estimate: Estimate | None
    reason: str = ""


@dataclass(frozen=True, eq=False)
class StudyAgreement:
    """How far the raters of a study agree on one dimension, with each other and themselves.

    n_units     clips that were rated, or pairs of clips that were compared
    by_length   None where clips have no lengths to tell apart; `length_reason` says why
    """

    study: str
    simulated: bool
    dimension: str
    protocol: str
    n: int
    n_raters: int
    n_units: int
    level: float
    coefficients: tuple[Coefficient, ...]
    by_length: AgreementByLength | None
    length_reason: str
    warnings: tuple[str, ...]


def study_agreement(
    study: str | os.PathLike[str],
    dimension: str,
    *,
    protocol: Literal["pair", "rating"] | None = None,
    condition: str | None = None,
    level: float = 0.95,
    rng: np.random.Generator,
) -> StudyAgreement:
    """Agreement of the raters of a study folder, from comparisons or from ratings.

    A coefficient that needs to know who rated is computed only where raters answered more than
    once. Raises `DataError` for a study without such judgements.
    """
    selection = select_judgements(study, dimension, protocol=protocol, condition=condition)
    if selection.protocol not in AGREEING:
        raise DataError(
            f"agreement needs pair or rating judgements, '{dimension}' has "
            f"{selection.protocol.value} ones"
        )
    of_pairs = selection.protocol is TrialProtocol.PAIR
    measure = _pair_agreement if of_pairs else _rating_agreement
    coefficients, n_units = measure(selection, level, rng)
    by_length, reason = _by_length(selection, level, rng)
    return StudyAgreement(
        study=selection.study,
        simulated=selection.simulated,
        dimension=dimension,
        protocol=selection.protocol.value,
        n=len(selection.judgements),
        n_raters=selection.n_raters,
        n_units=n_units,
        level=level,
        coefficients=coefficients,
        by_length=by_length,
        length_reason=reason,
        warnings=(*selection.warnings, *_remarks(selection)),
    )


def _rating_agreement(
    selection: Selection, level: float, rng: np.random.Generator
) -> tuple[tuple[Coefficient, ...], int]:
    matrix = _columns_of_ratings(selection)

    def alpha(kind: LevelOfMeasurement) -> Estimate:
        return krippendorff_interval(matrix, level_of_measurement=kind, rng=rng, level=level)

    def icc(form: IccForm, ratings: FloatArray) -> Estimate:
        return intraclass_correlation(ratings, form=form, level=level).estimate

    found = [
        _coefficient("Krippendorff's alpha, interval", _ALPHA, lambda: alpha("interval")),
        _coefficient("Krippendorff's alpha, ordinal", _ALPHA, lambda: alpha("ordinal")),
        _coefficient("ICC(1,1)", "reliability of one rating", lambda: icc("ICC(1,1)", matrix)),
        _coefficient("ICC(1,k)", "of a clip's mean rating", lambda: icc("ICC(1,k)", matrix)),
    ]
    if selection.raters_repeat:
        found += _identified_raters(rating_table(selection.judgements, selection.dimension), level)
        found += _ceilings(selection, level, rng)
        found += [_rating_repeats(selection, level)]
    return tuple(found), matrix.shape[1]


def _identified_raters(table: RatingTable, level: float) -> list[Coefficient]:
    def icc(form: IccForm) -> Estimate:
        return intraclass_correlation(table.values, form=form, level=level).estimate

    def concordance() -> Estimate:
        w = kendall_w(table.values)
        return Estimate(
            w.tie_corrected, np.nan, np.nan, level, w.n_raters * w.n_units, w.n_units, w.method
        )

    return [
        _coefficient("ICC(2,1)", "one rating, raters drawn", lambda: icc("ICC(2,1)")),
        _coefficient("ICC(2,k)", "mean, raters drawn", lambda: icc("ICC(2,k)")),
        _coefficient("Kendall's W", "raters rank clips alike", concordance),
    ]


def _ceilings(selection: Selection, level: float, rng: np.random.Generator) -> list[Coefficient]:
    table = rating_table(selection.judgements, selection.dimension)
    return [
        _coefficient(
            "ceiling, leave one out",
            "one rater, mean of others",
            lambda: rating_ceiling(table, rng=rng, level=level).leave_one_out,
        )
    ]


def _rating_repeats(selection: Selection, level: float) -> Coefficient:
    return _coefficient(
        "repeated ratings",
        "mean difference of repeats",
        lambda: (
            rating_repeats(
                selection.judgements, selection.dimension, level=level
            ).mean_absolute_difference
        ),
    )


def _pair_agreement(
    selection: Selection, level: float, rng: np.random.Generator
) -> tuple[tuple[Coefficient, ...], int]:
    judgements, dimension = selection.judgements, selection.dimension
    matrix = _answers_of_raters(selection)
    found = (
        _coefficient(
            "pairwise agreement",
            "guessing gives 0.5",
            lambda: pairwise_agreement(judgements, dimension, rng=rng, level=level),
        ),
        _coefficient(
            "Krippendorff's alpha, nominal",
            _ALPHA,
            lambda: krippendorff_interval(
                matrix, level_of_measurement="nominal", rng=rng, level=level
            ),
        ),
        _coefficient(
            "ceiling, leave one out",
            "majority of others right",
            lambda: pair_ceiling(judgements, dimension, rng=rng, level=level).leave_one_out,
        ),
        _coefficient(
            "ceiling, all raters",
            "majority right",
            lambda: pair_ceiling(judgements, dimension, rng=rng, level=level).all_raters,
        ),
        _coefficient(
            "repeat consistency",
            "same answer to a repeat",
            lambda: repeat_consistency(judgements, dimension, level=level).overall,
        ),
    )
    return found, matrix.shape[1]


_ALPHA = "0 is chance, 1 perfect"


def _coefficient(name: str, meaning: str, compute: Callable[[], Estimate]) -> Coefficient:
    try:
        return Coefficient(name, meaning, compute())
    except (DataError, NotConvergedError) as error:
        return Coefficient(name, meaning, None, str(error))


def _columns_of_ratings(selection: Selection) -> FloatArray:
    """Ratings `[k-th of its clip, clip]`, NaN below the last: a row is no rater."""
    columns: defaultdict[str, list[float]] = defaultdict(list)
    for judgement in selection.judgements:
        columns[judgement.candidates[0].clip_id].append(rating_value(judgement))
    matrix = np.full((max(map(len, columns.values())), len(columns)), np.nan)
    for column, ratings in enumerate(columns.values()):
        matrix[: len(ratings), column] = ratings
    return matrix


def _answers_of_raters(selection: Selection) -> FloatArray:
    """Answers `[rater, pair of clips]`: 0 the first of the alphabet, 1 the second, 2 a tie.

    NaN where a rater did not answer; of repeated answers the first counts.
    """
    answers = canonical_answers(selection.judgements, selection.dimension)
    if not answers:
        raise DataError(f"all comparisons on '{selection.dimension}' are of a clip with itself")
    raters, row = encode([j.rater for j in answers])
    pairs, column = encode([stimulus(j) for j in answers])
    matrix = np.full((len(raters), len(pairs)), np.nan)
    for i, k, judgement in zip(row[::-1], column[::-1], answers[::-1], strict=True):
        tied = judgement.outcome in TIES
        matrix[i, k] = 2.0 if tied else float(judgement.outcome is Outcome.B)
    return matrix


def _by_length(
    selection: Selection, level: float, rng: np.random.Generator
) -> tuple[AgreementByLength | None, str]:
    if not selection.has_audio:
        return None, "the study has no audio, so lengths are not known"
    durations = {name: clip.duration_s for name, clip in selection.clips.items()}
    judgements, dimension = selection.judgements, selection.dimension
    try:
        if selection.protocol is TrialProtocol.PAIR:
            return agreement_by_clip_length(
                judgements, dimension, durations, rng=rng, level=level
            ), ""
        scale = judgements[0].scale or (0.0, 1.0)
        table = rating_table(judgements, dimension)
        return rating_agreement_by_clip_length(table, scale, durations, rng=rng, level=level), ""
    except (DataError, NotConvergedError) as error:
        return None, str(error)


def _remarks(selection: Selection) -> tuple[str, ...]:
    remarks = {
        "all listeners are simulated: programs, not people": selection.simulated,
        "every rater answered once: nothing can be said about single raters": (
            not selection.raters_repeat
        ),
    }
    return tuple(text for text, applies in remarks.items() if applies)
