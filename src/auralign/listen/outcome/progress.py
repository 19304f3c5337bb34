"""How far a test has come, without a look at what was answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from auralign.listen.course.sessions import release_abandoned
from auralign.listen.store.tables import AnswerRow, CellRow, SessionRow
from auralign.listen.study import ListenStudy, study_row


@dataclass(frozen=True, slots=True)
class Progress:
    """Counts of sittings by state, of answers, and of answers for each condition."""

    name: str
    simulated: bool
    closed: bool
    sittings: Mapping[str, int]
    answers: int
    conditions: int
    fewest: int
    most: int
    wanted: int | None
    open: int


def progress(study: ListenStudy) -> Progress:
    """The counts now; trials of listeners who have been silent for long are given back first."""

    def work(db: Session) -> Progress:
        row = study_row(db)
        release_abandoned(db, study)
        query = select(func.sum(CellRow.n_answered)).group_by(CellRow.condition_id)
        per_condition = [int(n) for n in db.execute(query).scalars()]
        return Progress(
            name=row.name,
            simulated=row.simulated,
            closed=row.closed_at is not None,
            sittings=dict(Counter(db.execute(select(SessionRow.state)).scalars())),
            answers=db.execute(select(func.count()).select_from(AnswerRow)).scalar_one(),
            conditions=len(per_condition),
            fewest=min(per_condition),
            most=max(per_condition),
            wanted=study.settings.design.answers_per_condition,
            open=int(db.execute(select(func.sum(CellRow.n_open))).scalar_one()),
        )

    return study.database.write(work)


def has_listeners(study: ListenStudy) -> bool:
    """Whether anybody has begun the test."""
    return study.database.read(lambda db: db.execute(select(SessionRow.id)).first() is not None)


def close(study: ListenStudy) -> bool:
    """Let nobody begin any more; who has begun may finish. False when it was closed already."""

    def work(db: Session) -> bool:
        row = study_row(db)
        if row.closed_at is not None:
            return False
        row.closed_at = study.clock()
        return True

    return study.database.write(work)
