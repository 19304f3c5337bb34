"""What happened that somebody may ask about later."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any

from auralign.listen.refusals import Refusal
from auralign.listen.store.database import Database
from auralign.listen.store.tables import AuditRow


def note(database: Database, what: str, detail: Mapping[str, Any]) -> None:
    """Write one line of the record; a database that is busy or full does not get in the way."""
    row = {"what": what, "detail": dict(detail), "at": time.time()}
    with contextlib.suppress(Refusal):
        database.write(lambda db: db.add(AuditRow(**row)))
