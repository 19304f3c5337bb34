"""The code that a listener takes back: made once, when everything is stored."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from sqlalchemy.orm import Session

from auralign.listen.course.sessions import ENDED, FINISHED, session_of
from auralign.listen.refusals import ConflictError
from auralign.listen.store.tables import CompletionRow, PlatformIdRow
from auralign.listen.study import ListenStudy, lock_study

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Without the signs that are mistaken for each other."""
CODE_LENGTH = 10
PROLIFIC = "https://app.prolific.com/submissions/complete?cc="
MTURK_PATH = "/mturk/externalSubmit"


@dataclass(frozen=True, slots=True)
class Completion:
    """`outcome` is finished, screened_out or too_late; a form is what MTurk wants posted."""

    outcome: str
    code: str
    link: str | None = None
    form: dict[str, str] | None = None


def complete(study: ListenStudy, session_id: str) -> Completion:
    """The sitting's code, the same one each time; ConflictError before its last answer."""

    def work(db: Session) -> Completion:
        lock_study(db)
        sitting = session_of(db, session_id)
        if sitting.state not in ENDED:
            raise ConflictError("there are trials left: the code comes after the last answer")
        row = db.get(CompletionRow, session_id)
        if row is None:
            code = _code(study, sitting.state)
            row = CompletionRow(
                session_id=session_id, code=code, outcome=sitting.state, made_at=study.clock()
            )
            db.add(row)
        ids = db.get(PlatformIdRow, session_id)
        return _completion(study, row, ids.ids if ids else {})

    return study.database.write(work)


def _code(study: ListenStudy, state: str) -> str:
    recruitment = study.settings.recruitment
    if recruitment.platform == "prolific":
        given = (
            recruitment.prolific_complete
            if state == FINISHED
            else recruitment.prolific_screened_out
        )
        if given:
            return given
    return "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))


def _completion(study: ListenStudy, row: CompletionRow, ids: dict[str, str]) -> Completion:
    platform = study.settings.recruitment.platform
    if platform == "prolific":
        return Completion(row.outcome, row.code, link=PROLIFIC + row.code)
    if platform == "mturk" and ids.get("turkSubmitTo"):
        form = {
            "action": ids["turkSubmitTo"].rstrip("/") + MTURK_PATH,
            "assignmentId": ids.get("assignmentId", ""),
            "code": row.code,
        }
        return Completion(row.outcome, row.code, form=form)
    return Completion(row.outcome, row.code)
