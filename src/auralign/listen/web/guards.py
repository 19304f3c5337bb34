"""What every request passes before it reaches a route: limits of size and rate, and the same site.

Pure ASGI, so that a body is counted while it arrives and never held when it is too large.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from auralign.listen.refusals import ForbiddenError, RateLimitedError, Refusal, TooLargeError

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
MAX_SENDERS = 10_000
"""Senders whose rates are remembered at once."""

BASE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}


def content_policy(form_targets: tuple[str, ...] = ()) -> str:
    """Everything from this server, nothing inline; forms may go to `form_targets` too."""
    forms = " ".join(("'self'", *form_targets))
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "media-src 'self'; connect-src 'self'; font-src 'self'; base-uri 'none'; "
        f"form-action {forms}; frame-ancestors 'none'"
    )


@dataclass(slots=True)
class RateLimiter:
    """A bucket of tokens for each sender, refilled at `per_minute`.

    Senders are known by a keyed hash that lives as long as the process; no address is kept.
    """

    per_minute: float
    clock: Callable[[], float] = time.monotonic
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    buckets: dict[bytes, tuple[float, float]] = field(default_factory=dict)

    def take(self, sender: str) -> None:
        """Take one token; RateLimitedError when there is none."""
        name = hmac.new(self.key, sender.encode(), hashlib.sha256).digest()
        now = self.clock()
        tokens, since = self.buckets.pop(name, (self.per_minute, now))
        tokens = min(self.per_minute, tokens + (now - since) * self.per_minute / 60)
        self.buckets[name] = (max(0.0, tokens - 1), now)
        if len(self.buckets) > MAX_SENDERS:
            del self.buckets[next(iter(self.buckets))]
        if tokens < 1:
            raise RateLimitedError("too many requests: wait a minute and go on")


@dataclass(frozen=True, slots=True)
class Guard:
    """The middleware; `tell` makes a response of what it refuses and the header Accept."""

    app: ASGIApp
    max_body: int
    limiter: RateLimiter
    policy: str
    tell: Callable[[Refusal, str], ASGIApp]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        send = self._with_headers(send)
        try:
            self.limiter.take(sender_of(scope))
            _require_same_site(scope)
            _require_small(scope, self.max_body)
            await self.app(scope, _counted(receive, self.max_body), send)
        except Refusal as refusal:
            accept = Headers(scope=scope).get("accept", "")
            await self.tell(refusal, accept)(scope, receive, send)

    def _with_headers(self, send: Send) -> Send:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in BASE_HEADERS.items():
                    headers.setdefault(name, value)
                headers["Content-Security-Policy"] = self.policy
            await send(message)

        return send_with_headers


def sender_of(scope: Scope) -> str:
    """The address of the peer; headers such as X-Forwarded-For are not believed here.

    Behind a proxy uvicorn replaces it, for the proxies that it is told to trust.
    """
    client = scope.get("client")
    return str(client[0]) if client else ""


def _require_same_site(scope: Scope) -> None:
    """Raise ForbiddenError for a change that another site asks for (Fetch Metadata, Origin)."""
    if scope["method"] in SAFE_METHODS:
        return
    headers = Headers(scope=scope)
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site not in (None, "same-origin", "none"):
        raise ForbiddenError("this request comes from another site")
    if origin is not None and urlsplit(origin).netloc != headers.get("host"):
        raise ForbiddenError("this request comes from another site")


def _require_small(scope: Scope, most: int) -> None:
    length = Headers(scope=scope).get("content-length", "0")
    if not length.isdecimal() or int(length) > most:
        raise TooLargeError(f"expected a body of at most {most // 1024} kB")


def _counted(receive: Receive, most: int) -> Receive:
    n_bytes = 0

    async def receive_counted() -> Message:
        nonlocal n_bytes
        message = await receive()
        n_bytes += len(message.get("body", b""))
        if n_bytes > most:
            raise TooLargeError(f"expected a body of at most {most // 1024} kB")
        return message

    return receive_counted
