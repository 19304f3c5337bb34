"""The pages of a listener: consent, the test, the code, and the way to withdraw."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.datastructures import FormData

from auralign.listen.course.completion import complete
from auralign.listen.course.sessions import (
    ENDED,
    StartIn,
    find_session,
    session_of,
    start_session,
)
from auralign.listen.course.withdrawal import withdraw
from auralign.listen.study import ListenStudy
from auralign.listen.web.dependencies import (
    COOKIE,
    SittingDep,
    StudyDep,
    csrf_token,
    limit_sessions,
    set_token,
)

router = APIRouter(default_response_class=HTMLResponse)
PLATFORM_IDS = (
    "PROLIFIC_PID",
    "STUDY_ID",
    "SESSION_ID",
    "assignmentId",
    "hitId",
    "workerId",
    "turkSubmitTo",
)
MAX_ID = 200
REFUSED = {
    401: ("This link is not known", "/"),
    403: ("This is closed", None),
    404: ("There is nothing here", "/"),
    409: ("This is not possible now", "/listen"),
    429: ("One moment", "/listen"),
    503: ("One moment", "/listen"),
}
"""Title and way back of the page for a refusal, by its status."""

templates = Environment(
    loader=PackageLoader("auralign.listen.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


async def _form(request: Request) -> FormData:
    return await request.form(max_fields=20, max_files=0)


FormDep = Annotated[FormData, Depends(_form)]


@router.get("/")
def welcome(request: Request, study: StudyDep) -> HTMLResponse:
    ids = {
        name: request.query_params[name] for name in PLATFORM_IDS if name in request.query_params
    }
    return page("consent.html.jinja", study, ids=ids)


@router.post("/start", dependencies=[Depends(limit_sessions)])
def start(request: Request, study: StudyDep, form: FormDep) -> RedirectResponse:
    ids = {name: str(form[name])[:MAX_ID] for name in PLATFORM_IDS if name in form}
    version = str(form.get("consent_version", ""))
    started = start_session(study, StartIn(consent_version=version, agreed=True, platform_ids=ids))
    response = RedirectResponse(f"/begin/{started.withdrawal_token}", status_code=303)
    set_token(request, response, started.token)
    return response


@router.get("/begin/{withdrawal_token}")
def instructions(
    request: Request, withdrawal_token: str, study: StudyDep, session: SittingDep
) -> HTMLResponse:
    links = {"token": request.cookies[COOKIE], "withdrawal_token": withdrawal_token}
    return page("instructions.html.jinja", study, **links)


@router.get("/listen")
def listen(study: StudyDep, session: SittingDep) -> Response:
    state = study.database.read(lambda db: session_of(db, session).state)
    if state in ENDED:
        return RedirectResponse("/done", status_code=303)
    return page("trial.html.jinja", study, csrf=csrf_token(study, session))


@router.get("/done")
def done(study: StudyDep, session: SittingDep) -> HTMLResponse:
    return page("done.html.jinja", study, completion=complete(study, session))


@router.get("/resume/{token}")
def resume(request: Request, token: str, study: StudyDep) -> RedirectResponse:
    study.database.read(lambda db: find_session(db, token).id)
    response = RedirectResponse("/listen", status_code=303)
    set_token(request, response, token)
    return response


@router.get("/withdraw/{token}")
def ask_to_withdraw(token: str, study: StudyDep) -> HTMLResponse:
    return page("withdraw.html.jinja", study, token=token, n_answers=None)


@router.post("/withdraw/{token}")
def withdraw_now(token: str, study: StudyDep) -> HTMLResponse:
    n_answers = withdraw(study, token)
    response = page("withdraw.html.jinja", study, token=token, n_answers=n_answers)
    response.delete_cookie(COOKIE)
    return response


def refusal_page(study: ListenStudy, message: str, status: int) -> HTMLResponse:
    """What a person sees in place of a page; it leads back where something can be done."""
    title, way_back = REFUSED.get(status, ("This did not work", "/"))
    values = {"title": title, "message": message, "way_back": way_back}
    response = page("refusal.html.jinja", study, **values)
    response.status_code = status
    return response


def page(name: str, study: ListenStudy, **values: object) -> HTMLResponse:
    """A template with what every page may need of the study."""
    settings = study.settings
    text = templates.get_template(name).render(
        study=settings.name,
        language=settings.language,
        contact=settings.contact,
        consent=settings.consent,
        instructions=settings.instructions,
        **values,
    )
    return HTMLResponse(text)
