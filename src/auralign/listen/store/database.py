"""Transactions in SQLite or PostgreSQL: bounded waiting, one retry, and errors that say what to do.

SQLite writes ahead (WAL) and flushes every commit (synchronous=FULL); a write begins with BEGIN
IMMEDIATE, because a read that turns into a write fails at once when another one is faster.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, OperationalError
from sqlalchemy.orm import Session

from auralign.errors import ConfigError
from auralign.listen.refusals import BusyError, DiskFullError

BUSY_S = 5.0
"""Longest wait for another writer [s]."""

Answer = TypeVar("Answer")
_DISK_FULL = ("database or disk is full", "No space left on device", "could not extend file")


@dataclass(frozen=True, slots=True)
class Database:
    """An engine with the rules of its kind.

    `lock` puts the writers of this process in a queue, because SQLite lets waiting ones starve; in
    PostgreSQL they queue for the row of the study.
    """

    engine: Engine
    file: Path | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    busy_s: float = BUSY_S

    @classmethod
    def open(cls, url: str, *, busy_s: float = BUSY_S) -> Database:
        """The database at an SQLAlchemy URL; ConfigError for a kind that is not supported."""
        try:
            parts = make_url(url)
        except ArgumentError:
            raise ConfigError(f"expected the URL of a database, got '{url}'") from None
        if parts.get_backend_name() == "sqlite":
            file = Path(parts.database or "")
            engine = create_engine(parts, connect_args={"timeout": busy_s})
            _apply_sqlite_rules(engine)
            return cls(engine, file, busy_s=busy_s)
        if parts.drivername != "postgresql+psycopg":
            raise ConfigError(
                f"expected sqlite:///FILE or postgresql+psycopg://..., got '{parts.drivername}'"
            )
        return cls(create_engine(parts, pool_pre_ping=True), busy_s=busy_s)

    def write(self, work: Callable[[Session], Answer]) -> Answer:
        """Run `work` in a transaction and commit it; once more where that may help.

        Nothing of `work` is stored unless it returns. It may run twice, so it must not do anything
        but read and write the session. Raises BusyError when the database is locked or gone,
        DiskFullError when it has no room.
        """
        try:
            return self._write_once(work)
        except (IntegrityError, OperationalError) as error:
            if _is_full(error):
                raise _refusal(error) from error
        try:
            return self._write_once(work)
        except OperationalError as error:
            raise _refusal(error) from error

    def read(self, work: Callable[[Session], Answer]) -> Answer:
        """Run `work` on one consistent state of the database, without changing it."""
        engine = self.engine.execution_options(**_snapshot(self.engine))
        try:
            with Session(engine) as session:
                return work(session)
        except OperationalError as error:
            raise _refusal(error) from error

    def free_mb(self) -> float | None:
        """Free space beside an SQLite file [MB]; None where the database is elsewhere."""
        if self.file is None:
            return None
        return shutil.disk_usage(self.file.parent).free / 1e6

    def _write_once(self, work: Callable[[Session], Answer]) -> Answer:
        with self._turn(), Session(self.engine, expire_on_commit=False) as session, session.begin():
            return work(session)

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        if self.file is None:
            yield
            return
        if not self.lock.acquire(timeout=self.busy_s):
            raise BusyError("the database is busy: nothing was stored, send it again")
        try:
            yield
        finally:
            self.lock.release()


def _snapshot(engine: Engine) -> dict[str, Any]:
    if engine.dialect.name == "sqlite":
        return {"read_only": True}
    return {"isolation_level": "REPEATABLE READ"}


def _apply_sqlite_rules(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _set_pragmas(connection: Any, record: Any) -> None:
        # The driver would begin transactions by itself, and too late.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        read_only = connection.get_execution_options().get("read_only", False)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def _is_full(error: DBAPIError) -> bool:
    return any(words in str(error.orig) for words in _DISK_FULL)


def _refusal(error: DBAPIError) -> BusyError | DiskFullError:
    if _is_full(error):
        return DiskFullError("the disk is full: nothing was stored; free some space")
    return BusyError("the database cannot be written now: nothing was stored, send it again")
