"""How a refusal is told: to a script as JSON, to a person as a page."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from auralign.listen.refusals import Refusal
from auralign.listen.study import ListenStudy
from auralign.listen.web.pages import refusal_page

RETRY_AFTER_S = {429: "2", 503: "2"}


def refused(study: ListenStudy, refusal: Refusal, accept: str) -> Response:
    """The response to a request that takes `accept`, the header of that name."""
    if is_for_a_person(accept):
        return refusal_page(study, str(refusal), refusal.status)
    after = RETRY_AFTER_S.get(refusal.status)
    headers = {"Retry-After": after} if after else None
    return JSONResponse(_document(refusal), refusal.status, headers)


def is_for_a_person(accept: str) -> bool:
    """Whether a browser asks for a page; its scripts ask for anything."""
    return "text/html" in accept


def _document(refusal: Refusal) -> dict[str, object]:
    """What a script is told: a code to act on, a sentence to show, and facts."""
    return {"error": {"code": refusal.code, "message": str(refusal), **refusal.details}}
