"""The application: routes, what stands before them, and how errors are told."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.middleware import Middleware

from auralign.listen.refusals import NotFoundError, Refusal
from auralign.listen.store.audit import note
from auralign.listen.study import ListenStudy
from auralign.listen.web import api, pages
from auralign.listen.web.guards import Guard, RateLimiter, content_policy, refusal_document

MTURK = ("https://www.mturk.com", "https://workersandbox.mturk.com")


def create_app(study: ListenStudy) -> FastAPI:
    """The server of one open study."""
    limits = study.settings.limits
    targets = MTURK if study.settings.recruitment.platform == "mturk" else ()
    guard = Middleware(
        Guard,
        max_body=limits.max_body_kb * 1024,
        limiter=RateLimiter(limits.requests_per_minute),
        policy=content_policy(targets),
    )
    app = FastAPI(title=study.settings.name, docs_url=None, redoc_url=None, middleware=[guard])
    app.state.study = study
    app.state.session_limiter = RateLimiter(limits.sessions_per_minute)
    app.add_exception_handler(Refusal, _refuse)
    for router in (api.router, api.media, pages.router):
        app.include_router(router)
    return app


def _refuse(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refusal), "registered for refusals only"
    if isinstance(error, NotFoundError):
        # A path that was made up is worth knowing about; whose it was is not kept.
        note(request.app.state.study.database, "not_found", {"route": _route(request)})
    headers = {"Retry-After": "2"} if error.status in (429, 503) else None
    return JSONResponse(refusal_document(error), error.status, headers)


def _route(request: Request) -> str:
    route = request.scope.get("route")
    return str(getattr(route, "path", ""))
