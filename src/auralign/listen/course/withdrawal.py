"""A listener takes everything back: what was said, who it was, what was heard."""

from __future__ import annotations

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from auralign.listen.course.sessions import WITHDRAWN, hash_token
from auralign.listen.course.trials import ANSWERED, LIVE, RELEASED, set_state, trials_of
from auralign.listen.refusals import NotFoundError
from auralign.listen.store.tables import (
    AnswerRow,
    AuditRow,
    EventBatchRow,
    PlatformIdRow,
    SessionRow,
    VerdictRow,
)
from auralign.listen.study import ListenStudy, lock_study


def withdraw(study: ListenStudy, withdrawal_token: str) -> int:
    """Erase a listener's answers, events and identifiers; returns how many answers there were.

    That somebody withdrew, and how many answers, stays on record; the trials go back to the design.
    Raises NotFoundError for a token that is nobody's. Withdrawing again changes nothing.
    """

    def work(db: Session) -> int:
        lock_study(db)
        query = select(SessionRow).where(SessionRow.withdrawal_hash == hash_token(withdrawal_token))
        sitting = db.execute(query).scalar_one_or_none()
        if sitting is None:
            raise NotFoundError("there is no listener with this link")
        if sitting.state == WITHDRAWN:
            return 0
        return _erase(db, study, sitting)

    return study.database.write(work)


def _erase(db: Session, study: ListenStudy, sitting: SessionRow) -> int:
    trials = trials_of(db, sitting)
    n_answers = sum(trial.state == ANSWERED for trial in trials)
    for trial in trials:
        if trial.state in LIVE:
            set_state(db, trial, RELEASED)
    ids = [trial.id for trial in trials]
    db.execute(delete(EventBatchRow).where(EventBatchRow.trial_id.in_(ids)))
    db.execute(delete(VerdictRow).where(VerdictRow.session_id == sitting.id))
    db.execute(delete(PlatformIdRow).where(PlatformIdRow.session_id == sitting.id))
    empty = {"replies": {}, "listening": {}, "flags": [], "payload_hash": "", "client_ms": 0.0}
    db.execute(update(AnswerRow).where(AnswerRow.session_id == sitting.id).values(empty))
    sitting.state, sitting.tab, sitting.locale, sitting.device = WITHDRAWN, None, "", {}
    detail = {"answers": n_answers}
    db.add(AuditRow(what="withdrawn", detail=detail, at=study.clock()))
    return n_answers
