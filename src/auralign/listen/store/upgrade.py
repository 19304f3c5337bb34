"""The schema of a database brought up to date, or refused when it is newer than this program."""

from __future__ import annotations

import contextlib
import sqlite3
from importlib import resources
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from auralign.errors import DataError
from auralign.listen.store.database import Database

LOCK = 0x6175_7261
"""The number of the lock that migrations hold, in PostgreSQL's space of advisory locks."""


def upgrade_schema(database: Database) -> None:
    """Apply the migrations that are missing, in one transaction; an SQLite file is copied before.

    Raises DataError when the database was written by a newer auralign.
    """
    with database.engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    scripts = ScriptDirectory.from_config(_config())
    newest = scripts.get_current_head()
    if found == newest:
        return
    if found is not None and found not in {script.revision for script in scripts.walk_revisions()}:
        raise DataError(
            f"the database has the schema '{found}', which is newer than this auralign knows "
            f"('{newest}'): upgrade auralign to open it"
        )
    if found is not None and database.file is not None:
        _back_up(database, database.file, found)
    with database.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            # Of several workers that start at once, the first one does it.
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
        command.upgrade(_config(connection), "head")


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    folder = resources.files("auralign.listen.store").joinpath("migrations")
    config.set_main_option("script_location", str(folder))
    config.attributes["connection"] = connection
    return config


def _back_up(database: Database, file: Path, revision: str) -> None:
    """SQLite's own backup, which also has what is still in the log."""
    copy = file.with_suffix(f".{revision}.backup")
    with (
        contextlib.closing(sqlite3.connect(file)) as source,
        contextlib.closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
