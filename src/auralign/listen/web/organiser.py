"""The organiser's page: read only, under an address that nobody can guess, on this machine only.

It is off unless the server is started with it. Who wins is shown on request alone, and every such
look is recorded.
"""

from __future__ import annotations

import hmac
import ipaddress

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from auralign.listen.outcome.live import live
from auralign.listen.outcome.results import Peek, peek
from auralign.listen.outcome.screening import screen
from auralign.listen.refusals import NotFoundError
from auralign.listen.study import ListenStudy
from auralign.listen.web.dependencies import StudyDep
from auralign.listen.web.guards import sender_of
from auralign.listen.web.pages import page

FORWARDED = ("forwarded", "x-forwarded-for")
"""What a proxy adds: whoever comes through one is not on this machine."""


async def organiser_only(request: Request, token: str) -> None:
    """Raise NotFoundError for a wrong token, and for every sender on another machine."""
    wanted: str = request.app.state.organiser_token
    here = _is_loopback(sender_of(request.scope))
    through_proxy = any(name in request.headers for name in FORWARDED)
    if not here or through_proxy or not hmac.compare_digest(token.encode(), wanted.encode()):
        raise NotFoundError("there is no such page")


router = APIRouter(
    prefix="/organiser",
    default_response_class=HTMLResponse,
    dependencies=[Depends(organiser_only)],
)


@router.get("/{token}")
def watch(token: str, study: StudyDep) -> HTMLResponse:
    return _page(token, study, None)


@router.post("/{token}/peek/{dimension}")
def look(token: str, study: StudyDep, dimension: str) -> HTMLResponse:
    names = [question.id for question in study.settings.test.questions()]
    if dimension not in names:
        raise NotFoundError("there is no such dimension")
    return _page(token, study, peek(study, dimension))


def _page(token: str, study: ListenStudy, seen: Peek | None) -> HTMLResponse:
    screen(study)
    values = {"base": f"/organiser/{token}", "live": live(study), "peek": seen}
    return page("organiser.html.jinja", study, **values)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
