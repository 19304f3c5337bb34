"""What is known of clips, systems or raters beside the answers, from a table."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Mapping
from pathlib import Path

from auralign.data.importers.source_rows import SourceRow, read_text_rows
from auralign.errors import DataError

Attributes = dict[str, dict[str, float]]
"""Attribute -> {clip id or system: value}; a name without a value is left out."""

Levels = dict[str, dict[str, str]]
"""Attribute -> {clip id or system: level}, likewise."""

KEYS = ("clip", "system")


def read_attributes(path: str | os.PathLike[str]) -> Attributes:
    """Every numeric column of a CSV, TSV or JSON Lines file, by its column `clip` or `system`.

    An empty cell is a missing value. Raises DataError for a table without such a column or without
    numbers, and names the line of a name that is there twice or a value that is no number.
    """
    rows, key, names = _read_table(path, "numbers")
    return {name: _numbers(rows, key, name) for name in names}


def read_levels(path: str | os.PathLike[str]) -> Levels:
    """Every column of such a table as it stands: the levels of a factorial design.

    Raises DataError as `read_attributes` does, but takes any text for a value.
    """
    rows, key, names = _read_table(path, "levels")
    return {name: _texts(rows, key, name) for name in names}


def read_rater_groups(path: str | os.PathLike[str]) -> dict[str, str]:
    """Rater -> group, from a table with the columns `rater` and `group`.

    An empty cell is no group. Raises DataError for a table without these columns or without a
    group, and names the line of a rater who is there twice.
    """
    rows = read_text_rows(Path(path))
    there = list(rows[0].values) if rows else []
    if not {"rater", "group"} <= set(there):
        found = ", ".join(there) or "nothing"
        raise DataError(f"{path}: expected the columns 'rater' and 'group', found {found}")
    _check_once(rows, "rater")
    return _texts(rows, "rater", "group")


def _read_table(path: str | os.PathLike[str], what: str) -> tuple[list[SourceRow], str, list[str]]:
    """The rows, their column of clips or systems, and the other columns."""
    rows = read_text_rows(Path(path))
    keys = [key for key in KEYS if rows and key in rows[0].values]
    if not keys:
        there = ", ".join(rows[0].values) if rows else "nothing"
        raise DataError(f"{path}: expected a column 'clip' or 'system' and {what}, found {there}")
    names = [name for name in rows[0].values if name not in KEYS]
    if not names:
        raise DataError(f"{path}: expected columns of {what} beside '{keys[0]}', found none")
    _check_once(rows, keys[0])
    return rows, keys[0], names


def _check_once(rows: Collection[SourceRow], key: str) -> None:
    seen = set()
    for row in rows:
        if row.values[key] in seen:
            raise row.error(f"'{row.values[key]}' is there twice: keep one line of each {key}")
        seen.add(row.values[key])


def _numbers(rows: Collection[SourceRow], key: str, name: str) -> dict[str, float]:
    found = {row.values[key]: _number(row, name) for row in rows if row.values.get(name)}
    _check_any(found, name)
    return found


def _texts(rows: Collection[SourceRow], key: str, name: str) -> dict[str, str]:
    found = {row.values[key]: row.values[name] for row in rows if row.values.get(name)}
    _check_any(found, name)
    return found


def _check_any(found: Mapping[str, object], name: str) -> None:
    if not found:
        raise DataError(f"the column '{name}' has no values: leave it out")


def _number(row: SourceRow, name: str) -> float:
    try:
        value = float(row.values[name])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise row.error(f"expected {name} as a number, got '{row.values[name]}'")
    return value
