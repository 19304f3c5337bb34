"""Records as Parquet tables that pandas, DuckDB and a reader's eye understand.

One row is one record; enumerations are their text, a missing value is a null (never NaN, never
zero), a judgement's context is a JSON object. Row numbers in messages count from 0, as pandas does.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Generic, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from auralign.errors import DataError, did_you_mean
from auralign.files import write_bytes

SCHEMA_VERSION = 1

Record = TypeVar("Record")
Row = dict[str, Any]
Enumeration = TypeVar("Enumeration", bound=StrEnum)

_TABLE_KEY, _VERSION_KEY = b"auralign.table", b"auralign.schema_version"


@dataclass(frozen=True)
class TableFormat(Generic[Record]):
    """How one kind of record lies in a table; columns not `optional` have a value in every row."""

    name: str
    schema: pa.Schema
    optional: frozenset[str]
    to_row: Callable[[Record], Row]
    from_row: Callable[[Row], Record]


def write_table(
    format_: TableFormat[Record], records: Iterable[Record], path: str | os.PathLike[str]
) -> None:
    """Replace the Parquet file at `path` by these records, atomically.

    Raises DataError for a record with NaN or without a required value, StorageError when the disk
    refuses.
    """
    sink = pa.BufferOutputStream()
    pq.write_table(to_table(format_, records), sink)
    write_bytes(path, sink.getvalue().to_pybytes())


def read_table(
    format_: TableFormat[Record],
    path: str | os.PathLike[str],
    *,
    where: Mapping[str, str] | None = None,
) -> list[Record]:
    """The records in the Parquet file at `path`; DataError names the first broken row.

    `where` maps columns to the text that rows have to hold in them; other rows are passed over.
    """
    table = _read_arrow(format_, path)
    numbers: Sequence[int] = range(table.num_rows)
    if where:
        masks = (pc.equal(table.column(column), text) for column, text in where.items())
        places = pc.indices_nonzero(functools.reduce(pc.and_, masks))
        numbers, table = places.to_pylist(), table.take(places)
    rows: list[Row] = table.to_pylist()
    # Looking at columns is much faster than at every value; rows are looked at to find the one.
    convert = _from_complete_row if _is_complete(format_, table) else _record
    return [
        _located(convert, format_, row, f"{path} row {number}")
        for number, row in zip(numbers, rows, strict=True)
    ]


def to_table(format_: TableFormat[Record], records: Iterable[Record]) -> pa.Table:
    """Records as an Arrow table that carries its name and schema version."""
    rows = [format_.to_row(record) for record in records]
    columns = [_column(field, rows, format_.name) for field in format_.schema]
    metadata = {_TABLE_KEY: format_.name.encode(), _VERSION_KEY: str(SCHEMA_VERSION).encode()}
    table = pa.table(columns, schema=format_.schema.with_metadata(metadata))
    if not _is_complete(format_, table):
        for i, row in enumerate(rows):
            _located(_require_complete, format_, row, f"{format_.name} row {i}")
    return table


def read_rows(format_: TableFormat[Any], path: str | os.PathLike[str]) -> list[Row]:
    """The rows as plain dictionaries, whatever their values are; for looking for what is broken.

    Raises DataError when the file is no Parquet table of this kind and version, or a column is
    missing or of another type.
    """
    rows: list[Row] = _read_arrow(format_, path).to_pylist()
    return rows


def _read_arrow(format_: TableFormat[Any], path: str | os.PathLike[str]) -> pa.Table:
    """The columns of the format in its order and types."""
    path = Path(path)
    try:
        table = pq.ParquetFile(path).read()
    except FileNotFoundError:
        raise DataError(f"{path}: expected a table of {format_.name}, but there is none") from None
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path}: expected a Parquet table, got a file with '{reason}'") from None
    _require_format(format_, table.schema.metadata or {}, str(path))
    columns = [_cast(table, field, str(path)) for field in format_.schema]
    return pa.table(columns, schema=format_.schema)


def _is_complete(format_: TableFormat[Any], table: pa.Table) -> bool:
    """No column that must have values has a null, and none has a NaN."""
    required = (name for name in format_.schema.names if name not in format_.optional)
    if any(table.column(name).null_count for name in required):
        return False
    return not any(_holds_nan(column.combine_chunks()) for column in table.columns)


def _holds_nan(values: pa.Array) -> bool:
    if pa.types.is_floating(values.type):
        return bool(pc.any(pc.is_nan(values)).as_py())
    if pa.types.is_list(values.type):
        return _holds_nan(values.flatten())
    return pa.types.is_struct(values.type) and any(map(_holds_nan, values.flatten()))


def to_enum(kind: type[Enumeration], value: Any, field: str) -> Enumeration:
    """The member that `value` spells; DataError lists the members and suggests the near one."""
    try:
        return kind(value)
    except ValueError:
        by_case = {member.casefold(): str(member) for member in kind}
        hint = did_you_mean(by_case.get(str(value).casefold(), str(value)), list(kind))
        known = ", ".join(kind)
        raise DataError(f"{field} '{value}' is not one of {known}{hint}") from None


def _located(
    convert: Callable[[TableFormat[Any], Row], Any], format_: TableFormat[Any], row: Row, where: str
) -> Any:
    try:
        return convert(format_, row)
    except DataError as error:
        raise DataError(f"{where}: {error}") from None


def _record(format_: TableFormat[Record], row: Row) -> Record:
    _require_complete(format_, row)
    return format_.from_row(row)


def _from_complete_row(format_: TableFormat[Record], row: Row) -> Record:
    return format_.from_row(row)


def _require_complete(format_: TableFormat[Any], row: Row) -> None:
    for field, value in row.items():
        if value is None and field not in format_.optional:
            raise DataError(f"{field} is missing: every one of the {format_.name} needs it")
        if has_nan(value):
            raise DataError(f"{field} is NaN: leave it empty where there is no value")


def has_nan(value: Any) -> bool:
    """True when a NaN is the value or lies within its lists and mappings."""
    if isinstance(value, (list, tuple)):
        return any(has_nan(item) for item in value)
    if isinstance(value, dict):
        return any(has_nan(item) for item in value.values())
    return isinstance(value, float) and math.isnan(value)


def _column(field: pa.Field, rows: Sequence[Row], table: str) -> pa.Array:
    try:
        return pa.array([row[field.name] for row in rows], field.type)
    except (pa.ArrowException, OverflowError, TypeError, UnicodeError) as error:
        raise DataError(
            f"{table}: {field.name} cannot be stored as {field.type}: {error}"
        ) from None


def _cast(table: pa.Table, field: pa.Field, where: str) -> pa.ChunkedArray:
    if field.name not in table.column_names:
        hint = did_you_mean(field.name, table.column_names)
        raise DataError(f"{where}: the column '{field.name}' is missing{hint}")
    column = table.column(field.name)
    try:
        return column.cast(field.type)
    except pa.ArrowException as error:
        raise DataError(
            f"{where}: expected the column '{field.name}' as {field.type}, "
            f"got {column.type}: {error}"
        ) from None


def _require_format(format_: TableFormat[Any], metadata: Mapping[bytes, bytes], where: str) -> None:
    name = metadata.get(_TABLE_KEY, b"").decode()
    version = metadata.get(_VERSION_KEY, b"").decode()
    if not name or not version.isdecimal():
        raise DataError(
            f"{where}: expected a table with auralign's schema version, got one without: "
            "write it with auralign.data.write_table"
        )
    if name != format_.name:
        raise DataError(f"{where}: expected a table of {format_.name}, got one of {name}")
    if int(version) > SCHEMA_VERSION:
        raise DataError(
            f"{where}: expected schema version {SCHEMA_VERSION} or older, got {version}: "
            "upgrade auralign to read it"
        )
