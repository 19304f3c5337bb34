"""What a page asks the server, as calls."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2

from auralign.errors import AuralignError


class ServerError(AuralignError):
    """The server answered with an error; `code` says which."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code = status, code


@dataclass(slots=True)
class ListenClient:
    """One listener's connection; `http` keeps the cookie of the sitting."""

    http: httpx2.Client
    tab: str = field(default_factory=lambda: uuid.uuid4().hex)
    csrf: str = ""
    resume_url: str = ""
    withdrawal_url: str = ""

    def begin(self, consent_version: str, platform_ids: Mapping[str, str] | None = None) -> None:
        """Consent, start a sitting and take it over."""
        sent = {
            "consent_version": consent_version,
            "agreed": True,
            "platform_ids": dict(platform_ids or {}),
        }
        started = self._post("/api/sessions", sent)
        self.csrf = started["csrf"]
        self.resume_url, self.withdrawal_url = started["resume_url"], started["withdrawal_url"]
        self.claim()

    def claim(self) -> None:
        self._post("/api/session/tab", {"tab": self.tab})

    def session(self) -> Any:
        return _read(self.http.get("/api/session"))

    def trial(self) -> Any:
        """The current trial, None at the end."""
        return _read(self.http.get("/api/trial", headers={"X-Tab": self.tab}))

    def clip(self, url: str) -> bytes:
        """The bytes of a clip."""
        response = self.http.get(url)
        if response.status_code != 200:
            raise ServerError(response.status_code, "media", url)
        return bytes(response.content)

    def answer(
        self,
        trial: Mapping[str, Any],
        replies: Mapping[str, Any],
        *,
        ms: float,
        events: Sequence[Mapping[str, Any]] = (),
        key: str | None = None,
    ) -> Any:
        """Send the answer; the same `key` may be sent again."""
        sent = {
            "key": key or uuid.uuid4().hex,
            "replies": dict(replies),
            "events": list(events),
            "ms": ms,
        }
        return self._post(f"/api/trials/{trial['trial']}/answer", sent)

    def complete(self) -> Any:
        return self._post("/api/completion", {})

    def _post(self, path: str, sent: Any) -> Any:
        headers = {"X-CSRF-Token": self.csrf, "X-Tab": self.tab}
        return _read(self.http.post(path, json=sent, headers=headers))


def _read(response: httpx2.Response) -> Any:
    if response.status_code == 204:
        return None
    document = response.json()
    if response.status_code >= 400:
        error = document["error"]
        raise ServerError(response.status_code, error["code"], error["message"])
    return document
