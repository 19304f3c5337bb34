"""What the server refuses, each with the status of HTTP that says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from auralign.errors import AuralignError


class Refusal(AuralignError):
    """A request that is not carried out; `details` are facts for the page."""

    status = 400
    code = "refused"

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.details: Mapping[str, Any] = details


class NotSignedInError(Refusal):
    """There is no token, or it belongs to nobody."""

    status, code = 401, "not_signed_in"


class ForbiddenError(Refusal):
    """The sender is known and may not do this: another site, a withdrawn listener."""

    status, code = 403, "forbidden"


class NotFoundError(Refusal):
    """It does not exist or is not yours; the two are not told apart."""

    status, code = 404, "not_found"


class ConflictError(Refusal):
    """The state of the sitting does not allow it."""

    status, code = 409, "conflict"


class StaleTabError(ConflictError):
    """Another tab or device has taken the sitting over."""

    code = "stale_tab"


class AlreadyAnsweredError(ConflictError):
    """The trial has another answer, which stays; `details` has it."""

    code = "already_answered"


class StudyFullError(ConflictError):
    """Enough people have answered, or the study is closed."""

    code = "study_full"


class TooLargeError(Refusal):
    """The body is larger than anything that this server takes."""

    status, code = 413, "too_large"


class InvalidAnswerError(Refusal):
    """The answer does not fit its trial; nothing of it is stored."""

    status, code = 422, "invalid_answer"


class KeyReusedError(Refusal):
    """An idempotency key came again with another answer; the first one stays."""

    status, code = 422, "key_reused"


class NotHeardError(Refusal):
    """The study wants the clips heard before the answer; `details` says which are not."""

    status, code = 422, "not_heard"


class RateLimitedError(Refusal):
    """Too many requests in too short a time."""

    status, code = 429, "rate_limited"


class BusyError(Refusal):
    """The database did not take the write in time; the same request may be sent again."""

    status, code = 503, "busy"


class DiskFullError(Refusal):
    """There is no room left to store answers."""

    status, code = 507, "disk_full"
