"""The application: routes, what stands before them, and how errors are told."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import AsyncIterator

from anyio import to_thread
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import Response

from auralign.listen.refusals import NotFoundError, Refusal
from auralign.listen.store.audit import note
from auralign.listen.study import ListenStudy
from auralign.listen.web import api, organiser, pages
from auralign.listen.web.guards import Guard, RateLimiter, content_policy
from auralign.listen.web.refused import is_for_a_person, refused

MTURK = ("https://www.mturk.com", "https://workersandbox.mturk.com")

THREADS = 4
"""Requests worked on at once: more of them wait for the interpreter and for the one writer."""


def create_app(study: ListenStudy, *, organiser_token: str | None = None) -> FastAPI:
    """The server of one open study; with a token it has the organiser's page."""
    limits = study.settings.limits
    targets = MTURK if study.settings.recruitment.platform == "mturk" else ()
    guard = Middleware(
        Guard,
        max_body=limits.max_body_kb * 1024,
        limiter=RateLimiter(limits.requests_per_minute),
        policy=content_policy(targets),
        tell=functools.partial(refused, study),
    )
    app = FastAPI(
        title=study.settings.name,
        docs_url=None,
        redoc_url=None,
        middleware=[guard],
        lifespan=_few_threads,
    )
    app.state.study = study
    app.state.sittings = {}
    app.state.session_limiter = RateLimiter(limits.sessions_per_minute)
    app.add_exception_handler(Refusal, _refuse)
    for router in (api.router, api.media, pages.router):
        app.include_router(router)
    if organiser_token is not None:
        app.state.organiser_token = organiser_token
        app.include_router(organiser.router)
    app.mount("/static", StaticFiles(packages=[("auralign.listen.web", "static")]))
    app.add_exception_handler(HTTPException, _refuse_unrouted)
    return app


@contextlib.asynccontextmanager
async def _few_threads(app: FastAPI) -> AsyncIterator[None]:
    to_thread.current_default_thread_limiter().total_tokens = THREADS
    yield


def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal), "registered for refusals only"
    study = request.app.state.study
    if isinstance(error, NotFoundError):
        # A path that was made up is worth knowing about; whose it was is not kept.
        note(study.database, "not_found", {"route": _route(request)})
    return refused(study, error, request.headers.get("accept", ""))


def _refuse_unrouted(request: Request, error: Exception) -> Response:
    """An address or a method that no route has."""
    assert isinstance(error, HTTPException), "registered for them only"
    if is_for_a_person(request.headers.get("accept", "")):
        message = "this address leads nowhere: compare it with your link"
        return pages.refusal_page(request.app.state.study, message, error.status_code)
    return JSONResponse({"detail": error.detail}, error.status_code, error.headers)


def _route(request: Request) -> str:
    route = request.scope.get("route")
    return str(getattr(route, "path", ""))
