"""Rows of CSV, TSV and JSON Lines files, each with the line where it began."""

from __future__ import annotations

import csv
import io
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auralign.errors import DataError

SUFFIXES = (".csv", ".tsv", ".jsonl")
_DELIMITERS = ",;\t"


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One record of a source file; `line` counts from 1, as editors do."""

    file: Path
    line: int
    values: Mapping[str, Any]

    def error(self, sentence: str) -> DataError:
        """The error that says where this row is."""
        return DataError(f"{self.file} line {self.line}: {sentence}")


def source_files(path: str | os.PathLike[str], pattern: str = "*") -> list[Path]:
    """The file at `path`, or in name order those tables in the folder that match `pattern`.

    Raises DataError when there are none.
    """
    path = Path(path)
    if path.is_file():
        return [path]
    files = sorted(f for f in path.glob(pattern) if f.suffix.lower() in SUFFIXES and f.is_file())
    if not files:
        wanted = ", ".join(f"*{suffix}" for suffix in SUFFIXES) if pattern == "*" else pattern
        what = "holds none" if path.is_dir() else "does not exist"
        raise DataError(f"{path}: expected {wanted} in this folder, but it {what}: check the path")
    return files


def read_lines(file: Path) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, with their numbers; DataError when it is not UTF-8 text."""
    for line, text in enumerate(_read_text(file).split("\n"), start=1):
        if text.strip():
            yield line, text


def read_json_lines(file: Path) -> Iterator[SourceRow]:
    """One JSON object a line; DataError names the first line that is something else."""
    for line, text in read_lines(file):
        yield SourceRow(file, line, _json_object(file, line, text))


def read_text_rows(file: Path) -> list[SourceRow]:
    """The rows of a table with every value as text, "" where there is none.

    The delimiter of a CSV file is the comma, semicolon or tab that its head has most of. Raises
    DataError for a file that is not UTF-8 text, and names the first broken line.
    """
    if file.suffix.lower() == ".jsonl":
        rows = read_json_lines(file)
        return [SourceRow(r.file, r.line, _as_texts(r.values)) for r in rows]
    return list(_read_delimited(file))


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{file}: expected text in UTF-8, got byte {error.object[error.start]:#04x} at "
            f"{error.start}: save it with that encoding"
        ) from None
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror}): check the path") from None


def _json_object(file: Path, line: int, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise DataError(f"{file} line {line}: expected a JSON object, got {error}") from None
    if not isinstance(value, dict):
        raise DataError(f"{file} line {line}: expected a JSON object, got {text.strip()[:40]}")
    return value


def _as_texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {key: "" if value is None else str(value).strip() for key, value in values.items()}


def _read_delimited(file: Path) -> Iterator[SourceRow]:
    text = _read_text(file)
    head = text.partition("\n")[0]
    if not head.strip():
        raise DataError(f"{file}: expected column names in its first line, got an empty one")
    delimiter = max(_DELIMITERS, key=head.count)
    try:
        yield from _rows_below_head(file, io.StringIO(text, newline=""), delimiter)
    except csv.Error as error:
        raise DataError(f"{file}: expected text separated by '{delimiter}', got {error}") from None


def _rows_below_head(file: Path, lines: Iterable[str], delimiter: str) -> Iterator[SourceRow]:
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    head = [name.strip() for name in next(reader)]
    _check_head(file, head)
    line = reader.line_num
    for cells in reader:
        row = SourceRow(file, line + 1, {})
        line = reader.line_num
        if not any(map(str.strip, cells)):
            continue
        if len(cells) != len(head):
            raise row.error(f"expected {len(head)} values as in the first line, got {len(cells)}")
        yield SourceRow(file, row.line, dict(zip(head, map(str.strip, cells), strict=True)))


def _check_head(file: Path, head: list[str]) -> None:
    repeated = [name for name, count in Counter(head).items() if count > 1]
    if repeated:
        what = f"'{repeated[0]}' twice" if repeated[0] else "more than one without a name"
        raise DataError(f"{file} line 1: expected different column names, got {what}: rename one")
