"""What an organiser may watch while a test runs, because it does not tell who wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy.orm import Session

from auralign.errors import DataError
from auralign.listen.outcome.progress import Progress, progress
from auralign.listen.outcome.records import judgements
from auralign.listen.outcome.results import failed_rules, first_side
from auralign.listen.study import ListenStudy
from auralign.stats.agreement.pairwise import pairwise_agreement
from auralign.stats.raters.checks import without_checks
from auralign.types import Estimate, Judgement, TrialProtocol

RESAMPLES = 500


@dataclass(frozen=True, slots=True)
class Watched:
    """One dimension; an estimate is missing where there are no pairs, or too few of them.

    agreement    share of pairs of listeners, both decided, who prefer the same clip
    first_side   share of decided answers for the clip that was presented first
    """

    dimension: str
    agreement: Estimate | None
    first_side: Estimate | None


@dataclass(frozen=True, slots=True)
class Live:
    """The state of a test; `marked` counts listeners by the screening rule that marks them."""

    progress: Progress
    marked: Mapping[str, int]
    dimensions: tuple[Watched, ...]


def live(study: ListenStudy, *, level: float = 0.95) -> Live:
    """Progress, agreement, the side that is chosen and verdicts of screening, as of now."""

    def work(db: Session) -> list[Judgement]:
        return without_checks(judgements(db, study, with_text=False))

    said = study.database.read(work)
    pairs = [j for j in said if j.protocol is TrialProtocol.PAIR]
    names = [question.id for question in study.settings.test.questions()]
    return Live(
        progress=progress(study),
        marked=failed_rules(study),
        dimensions=tuple(_watched(pairs, name, level) for name in names),
    )


def _watched(pairs: Sequence[Judgement], dimension: str, level: float) -> Watched:
    own = [j for j in pairs if j.dimension == dimension]
    return Watched(dimension, _agreement(own, dimension, level), first_side(own, level))


def _agreement(pairs: Sequence[Judgement], dimension: str, level: float) -> Estimate | None:
    rng = np.random.default_rng(0)
    try:
        return pairwise_agreement(pairs, dimension, rng=rng, n_resamples=RESAMPLES, level=level)
    except DataError:
        return None
