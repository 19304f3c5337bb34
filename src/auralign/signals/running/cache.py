"""Answers that were given before: by what the clip sounds like, not by where it lies.

The key is the hash of the clip's samples, the signal with its version and options, and whatever the
clip was compared with. One SQLite file holds it; processes of one machine may share it.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from auralign.errors import DataError, StorageError
from auralign.signals.running.results import Row, from_line, to_line

_BUSY_S = 60.0


def cache_key(
    clip_id: str,
    signal: str,
    version: int,
    options: Mapping[str, Any],
    reference_id: str | None = None,
    text: str | None = None,
    label: str | None = None,
) -> str:
    """SHA-256 (hex) over all that an answer depends on."""
    parts = [clip_id, signal, version, dict(options), reference_id, text, label]
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


class Cache:
    """A handle on the file; every process opens its own."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Raises DataError when the file is no cache, StorageError when it cannot be made."""
        self.path = Path(path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None)
            # Readers and writers do not wait for each other; what a power cut loses is made again.
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, row BLOB) WITHOUT ROWID"
            )
        except sqlite3.DatabaseError as error:
            raise _refused(self.path, error) from error
        except OSError as error:
            raise StorageError(f"cannot write {self.path}: {error.strerror}") from error

    def get(self, key: str) -> Row | None:
        found = self._connection.execute("SELECT row FROM answers WHERE key = ?", (key,)).fetchone()
        return None if found is None else from_line(found[0])

    def put(self, rows: Mapping[str, Row]) -> None:
        """Keep the rows under their keys, all or none."""
        lines = [(key, to_line(row)) for key, row in rows.items()]
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?)", lines)
        self._connection.execute("COMMIT")

    def close(self) -> None:
        self._connection.close()


def _refused(path: Path, error: sqlite3.DatabaseError) -> DataError | StorageError:
    if isinstance(error, sqlite3.OperationalError):
        return StorageError(f"cannot write {path}: {error}")
    return DataError(
        f"{path}: expected a cache of `auralign score`, got another file ({error}): "
        "choose another name or remove it"
    )
