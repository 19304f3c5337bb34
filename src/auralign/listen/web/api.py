"""The routes that pages and simulated listeners call; docs/listen-api.md describes them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import FileResponse
from pydantic import Field
from sqlalchemy.orm import Session

from auralign.data import StrictModel
from auralign.listen.course.answers import (
    AnswerIn,
    Receipt,
    record_answer,
    record_events,
    replace_failed,
)
from auralign.listen.course.completion import Completion, complete
from auralign.listen.course.events import EventsIn
from auralign.listen.course.media import media_file
from auralign.listen.course.presentation import Presentation, present, progress_of
from auralign.listen.course.sessions import (
    StartIn,
    claim_tab,
    require_tab,
    session_of,
    start_session,
)
from auralign.listen.course.trials import trials_of
from auralign.listen.study import lock_study
from auralign.listen.web.dependencies import (
    OwnSittingDep,
    SittingDep,
    StudyDep,
    TabDep,
    body_of,
    csrf_token,
    limit_sessions,
    set_token,
)

router = APIRouter(prefix="/api")
media = APIRouter()
UNCHANGING = "Thu, 01 Jan 1970 00:00:00 GMT"
"""The age of every clip, so that nobody tells them apart by it."""


class TabIn(StrictModel):
    tab: str = Field(pattern="^[A-Za-z0-9_-]{8,64}$")
    device: dict[str, str | int | float | bool | None] = Field(default_factory=dict, max_length=20)


class FailureIn(StrictModel):
    reason: str = Field(max_length=200)


@router.post("/sessions", status_code=201, dependencies=[Depends(limit_sessions)])
def begin(
    request: Request,
    response: Response,
    study: StudyDep,
    sent: Annotated[StartIn, Depends(body_of(StartIn))],
) -> dict[str, str]:
    started = start_session(study, sent)
    set_token(request, response, started.token)
    return {
        "session": started.session,
        "csrf": csrf_token(study, started.session),
        "resume_url": f"/resume/{started.token}",
        "withdrawal_url": f"/withdraw/{started.withdrawal_token}",
    }


@router.get("/session")
def describe(study: StudyDep, session: SittingDep) -> dict[str, Any]:
    def work(db: Session) -> dict[str, Any]:
        sitting = session_of(db, session)
        answered, of = progress_of(sitting, trials_of(db, sitting))
        return {"session": sitting.id, "state": sitting.state, "answered": answered, "of": of}

    return {**study.database.read(work), "csrf": csrf_token(study, session)}


@router.post("/session/tab", status_code=204)
def take_over(
    study: StudyDep, session: OwnSittingDep, sent: Annotated[TabIn, Depends(body_of(TabIn))]
) -> None:
    claim_tab(study, session, sent.tab, sent.device)


@router.get("/trial")
def current(study: StudyDep, session: SittingDep, tab: TabDep) -> Presentation | None:
    """The trial to answer now, or null when there is none left."""

    def work(db: Session) -> Presentation | None:
        lock_study(db)
        sitting = session_of(db, session)
        require_tab(sitting, tab)
        return present(db, study, sitting)

    return study.database.write(work)


@router.post("/trials/{trial}/answer")
def answer(
    trial: str,
    study: StudyDep,
    session: OwnSittingDep,
    tab: TabDep,
    sent: Annotated[AnswerIn, Depends(body_of(AnswerIn))],
) -> Receipt:
    return record_answer(study, session, trial, sent, tab=tab)


@router.post("/trials/{trial}/events")
def events(
    trial: str,
    study: StudyDep,
    session: OwnSittingDep,
    sent: Annotated[EventsIn, Depends(body_of(EventsIn))],
) -> dict[str, int]:
    return {"stored": record_events(study, session, trial, sent)}


@router.post("/trials/{trial}/failure")
def failure(
    trial: str,
    study: StudyDep,
    session: OwnSittingDep,
    sent: Annotated[FailureIn, Depends(body_of(FailureIn))],
) -> dict[str, bool]:
    return {"replaced": replace_failed(study, session, trial, sent.reason)}


@router.post("/completion")
def completion(study: StudyDep, session: OwnSittingDep) -> Completion:
    return complete(study, session)


@media.get("/media/{trial}/{name}")
def clip(trial: str, name: str, study: StudyDep, session: SittingDep) -> FileResponse:
    file = study.database.read(lambda db: media_file(db, study, session, trial, name))
    headers = {"etag": f'"{name}"', "last-modified": UNCHANGING}
    return FileResponse(file, media_type="audio/wav", headers=headers)
