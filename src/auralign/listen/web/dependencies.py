"""What routes need of a request: the study, the sitting, and a body that fits its model."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

from fastapi import Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ValidationError

from auralign.listen.course.sessions import find_session
from auralign.listen.refusals import ForbiddenError, InvalidAnswerError
from auralign.listen.study import ListenStudy
from auralign.listen.web.guards import sender_of

COOKIE = "auralign_listen"
CSRF_HEADER = "X-CSRF-Token"
TAB_HEADER = "X-Tab"
MAX_KNOWN = 10_000
"""Tokens that are remembered at once."""

Model = TypeVar("Model", bound=BaseModel)


async def study_of(request: Request) -> ListenStudy:
    study: ListenStudy = request.app.state.study
    return study


StudyDep = Annotated[ListenStudy, Depends(study_of)]


async def sitting_of(request: Request, study: StudyDep) -> str:
    """The id of the sitting that the cookie belongs to.

    That never changes, so it is looked up once; whether the listener has withdrawn since is looked
    at with the sitting.
    """
    token, known = request.cookies.get(COOKIE), request.app.state.sittings
    if token not in known:
        found = await run_in_threadpool(study.database.read, lambda db: find_session(db, token).id)
        if len(known) >= MAX_KNOWN:
            known.clear()
        known[token] = found
    session: str = known[token]
    return session


async def own_sitting_of(
    request: Request, study: StudyDep, session: Annotated[str, Depends(sitting_of)]
) -> str:
    """The sitting, for requests that change something: they carry the token of the page."""
    given = request.headers.get(CSRF_HEADER, "")
    if not hmac.compare_digest(given.encode(), csrf_token(study, session).encode()):
        raise ForbiddenError("this request does not come from the page: load it again")
    return session


async def tab_of(request: Request) -> str:
    return request.headers.get(TAB_HEADER, "")[:64]


async def limit_sessions(request: Request) -> None:
    """Raise RateLimitedError where one sender begins too many sittings."""
    request.app.state.session_limiter.take(sender_of(request.scope))


SittingDep = Annotated[str, Depends(sitting_of)]
OwnSittingDep = Annotated[str, Depends(own_sitting_of)]
TabDep = Annotated[str, Depends(tab_of)]


def csrf_token(study: ListenStudy, session: str) -> str:
    """What a page of the sitting sends back with every change; other sites cannot read it."""
    message = f"csrf:{session}".encode()
    return hmac.new(bytes.fromhex(study.secret), message, hashlib.sha256).hexdigest()


def set_token(request: Request, response: Response, token: str) -> None:
    """Into a cookie that scripts cannot read and other sites do not send."""
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, token, httponly=True, samesite="lax", path="/", secure=secure)


def body_of(model: type[Model]) -> Callable[[Request], Awaitable[Model]]:
    """A dependency that reads the body as a `model`, strictly; InvalidAnswerError otherwise."""

    async def read(request: Request) -> Model:
        try:
            return model.model_validate_json(await request.body())
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"])) or "body"
            raise InvalidAnswerError(f"{place}: {first['msg']}") from None

    return read
