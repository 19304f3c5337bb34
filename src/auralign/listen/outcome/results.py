"""Results while a test runs: how listeners agree, and who wins, looked at on the record."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from auralign.errors import DataError
from auralign.listen.outcome.records import judgements
from auralign.listen.store.tables import AuditRow, StimulusRow, VerdictRow
from auralign.listen.study import ListenStudy, lock_study
from auralign.stats.means import mean_over_clusters
from auralign.stats.raters.checks import without_checks
from auralign.types import Estimate, Judgement, Outcome, TrialProtocol

PEEK = "peek"


@dataclass(frozen=True, slots=True)
class Contest:
    """Two systems: the share of answers for the first one, ties half."""

    first: str
    second: str
    win_rate: Estimate


@dataclass(frozen=True, slots=True)
class Peek:
    """Interim results on one dimension, and how often they have been looked at.

    contests     of pairs
    means        of ratings, by system
    first_side   share of decisive answers for the first side; None without pairs
    """

    dimension: str
    peeks: int
    contests: tuple[Contest, ...]
    means: Mapping[str, Estimate]
    first_side: Estimate | None


def peek(study: ListenStudy, dimension: str, *, level: float = 0.95) -> Peek:
    """Look at who wins, before the end, and write down that somebody looked.

    Intervals are over listeners (Student's t on their means). They hold for one look that was
    planned: who looks again and again, and stops when it pleases, finds differences that are not
    there. Raises DataError for a dimension that is not asked.
    """
    names = [question.id for question in study.settings.test.questions()]
    if dimension not in names:
        raise DataError(f"'{dimension}' is not one of the dimensions {', '.join(names)}")

    def work(db: Session) -> tuple[list[Judgement], dict[str, str], int]:
        lock_study(db)
        db.add(AuditRow(what=PEEK, detail={"dimension": dimension}, at=study.clock()))
        db.flush()
        peeks = db.execute(select(AuditRow.id).where(AuditRow.what == PEEK)).all()
        rows = db.execute(select(StimulusRow.clip_id, StimulusRow.system))
        systems = {row.clip_id: row.system for row in rows}
        return list(judgements(db, study, with_text=False)), systems, len(peeks)

    said, systems, peeks = study.database.write(work)
    said = [j for j in without_checks(said) if j.dimension == dimension]
    # Which clip is the same as X says nothing about which one is better.
    judges = not study.settings.test.descriptive
    pairs = [j for j in said if j.protocol is TrialProtocol.PAIR]
    return Peek(
        dimension=dimension,
        peeks=peeks,
        contests=tuple(_contests(pairs, systems, level)) if judges else (),
        means=_means(said, systems, level),
        first_side=first_side(pairs, level),
    )


def failed_rules(study: ListenStudy) -> dict[str, int]:
    """How many listeners each screening rule marks."""
    rows = study.database.read(
        lambda db: db.execute(select(VerdictRow.rule).where(~VerdictRow.passed)).scalars().all()
    )
    return {rule: list(rows).count(rule) for rule in dict.fromkeys(rows)}


def first_side(pairs: Sequence[Judgement], level: float) -> Estimate | None:
    """Share of decisive answers for the clip that was presented first; None without any."""
    decisive = [j for j in pairs if j.outcome is not None and j.outcome.is_decisive]
    return _estimate([(j.rater, _share(j, 0)) for j in decisive], level)


def _contests(
    pairs: Sequence[Judgement], systems: Mapping[str, str], level: float
) -> Iterable[Contest]:
    names = sorted({systems[c.clip_id] for j in pairs for c in j.candidates})
    for first, second in combinations(names, 2):
        values: list[tuple[str, float]] = []
        for judgement in pairs:
            sides = [systems[candidate.clip_id] for candidate in judgement.candidates]
            if set(sides) == {first, second} and judgement.outcome is not Outcome.SKIP:
                values.append((judgement.rater, _share(judgement, sides.index(first))))
        estimate = _estimate(values, level)
        if estimate is not None:
            yield Contest(first, second, estimate)


def _share(judgement: Judgement, place: int) -> float:
    """1 where the candidate at `place` won, 0 where the other one did, 0.5 for a tie."""
    if judgement.outcome is None or not judgement.outcome.is_decisive:
        return 0.5
    return float((Outcome.A, Outcome.B).index(judgement.outcome) == place)


def _means(
    said: Sequence[Judgement], systems: Mapping[str, str], level: float
) -> dict[str, Estimate]:
    values: defaultdict[str, list[tuple[str, float]]] = defaultdict(list)
    for judgement in said:
        if judgement.rating is not None:
            system = systems[judgement.candidates[0].clip_id]
            values[system].append((judgement.rater, judgement.rating))
    found = {system: _estimate(own, level) for system, own in sorted(values.items())}
    return {system: estimate for system, estimate in found.items() if estimate is not None}


def _estimate(values: Sequence[tuple[str, float]], level: float) -> Estimate | None:
    """The mean, with an interval over listeners where there are two or more of them."""
    if not values:
        return None
    raters = [rater for rater, _ in values]
    return mean_over_clusters(np.array([v for _, v in values]), raters, level=level)
