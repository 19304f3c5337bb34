"""Files of examples for a trainer: JSON Lines to write by hand, Parquet for many."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from auralign.data.example_checks import check_example, check_together
from auralign.data.example_rows import from_row, to_row
from auralign.data.examples import Example, TokenPair
from auralign.data.tables import Row
from auralign.errors import DataError
from auralign.files import write_bytes


def read_examples(path: str | os.PathLike[str]) -> list[Example]:
    """The examples in a file ending in `.jsonl` or `.parquet`, all of one kind.

    The keys tell pairs (chosen, rejected), feedback (clip, desirable) and lists (clips) apart.
    Lines count from 1, rows of a table from 0. Raises DataError, naming file, line or row and
    field, for the first that cannot be trained on.
    """
    path = Path(path)
    rows = _json_lines(path) if _suffix(path) == ".jsonl" else _parquet_rows(path)
    examples, places = [], []
    for place, row in rows:
        try:
            example = from_row(row)
            check_example(example)
        except DataError as error:
            raise DataError(f"{place}: {error}") from None
        examples.append(example)
        places.append(place)
    if not examples:
        raise DataError(f"{path}: expected at least one example, got none: check what wrote it")
    check_together(examples, places.__getitem__)
    return examples


def write_examples(examples: Sequence[Example], path: str | os.PathLike[str]) -> None:
    """Replace the file at `path`, ending in `.jsonl` or `.parquet`, by these examples, atomically.

    Raises DataError for examples that `read_examples` would refuse, StorageError when the disk
    refuses; then nothing is written.
    """
    path = Path(path)
    to_bytes = _to_json_lines if _suffix(path) == ".jsonl" else _to_parquet
    for i, example in enumerate(examples):
        try:
            check_example(example)
        except DataError as error:
            raise DataError(f"example {i}: {error}") from None
    check_together(examples, "example {}".format)
    write_bytes(path, to_bytes(examples))


def _suffix(path: Path) -> str:
    if path.suffix not in (".jsonl", ".parquet"):
        raise DataError(
            f"{path}: expected a file name ending in .jsonl or .parquet, got '{path.suffix}': "
            "convert the file to one of them"
        )
    return path.suffix


def _json_lines(path: Path) -> Iterator[tuple[str, Row]]:
    """Each object with its place."""
    with _opened(path) as stream:
        for number, line in enumerate(stream, 1):
            if line.strip():
                place = f"{path} line {number}"
                yield place, _json_object(line, place)


def _json_object(line: bytes, place: str) -> Row:
    try:
        row = json.loads(line, object_pairs_hook=_unique_keys)
    except DataError as error:
        raise DataError(f"{place}: {error}") from None
    except ValueError as error:
        raise DataError(
            f"{place}: expected a whole JSON object, got a torn or broken line ({error}): "
            "write the file again"
        ) from None
    if not isinstance(row, dict):
        raise DataError(
            f"{place}: expected a JSON object, got a {type(row).__name__}: write one object a line"
        )
    return row


def _unique_keys(pairs: list[tuple[str, Any]]) -> Row:
    row = dict(pairs)
    if len(row) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise DataError(f"expected each key once, got '{twice}' twice: keep one")
    return row


def _opened(path: Path) -> Any:
    try:
        return path.open("rb")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DataError(
            f"{path}: expected a file of examples, got '{reason}': check the path"
        ) from None


def _parquet_rows(path: Path) -> Iterator[tuple[str, Row]]:
    """Each row with its place."""
    number = 0
    for batch in _parquet_table(path).to_batches():
        columns = [_cells(column) for column in batch.columns]
        for cells in zip(*columns, strict=True):
            yield f"{path} row {number}", dict(zip(batch.schema.names, cells, strict=True))
            number += 1


def _parquet_table(path: Path) -> pa.Table:
    with _opened(path) as stream:
        try:
            return pq.ParquetFile(stream).read()
        except (OSError, pa.ArrowException) as error:
            reason = str(error).splitlines()[0]
            raise DataError(
                f"{path}: expected a Parquet table, got a file with '{reason}': write it again"
            ) from None


def _cells(column: pa.Array) -> Any:
    """One cell for each row. Lists of numbers are arrays, far faster than lists of Python's."""
    if pa.types.is_struct(column.type):
        names = [field.name for field in column.type]
        parts = zip(*map(_cells, column.flatten()), strict=True)
        return _with_nulls(column, [dict(zip(names, part, strict=True)) for part in parts])
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        items, ends = _items(column.values), column.offsets.to_pylist()
        return _with_nulls(column, [items[a:b] for a, b in pairwise(ends)])
    return column.to_pylist()


def _items(values: pa.Array) -> Any:
    numeric = pa.types.is_integer(values.type) or pa.types.is_floating(values.type)
    return values.to_numpy() if numeric and not values.null_count else _cells(values)


def _with_nulls(column: pa.Array, cells: list[Any]) -> list[Any]:
    if not column.null_count:
        return cells
    return [
        cell if valid else None
        for cell, valid in zip(cells, column.is_valid().to_pylist(), strict=True)
    ]


def _to_json_lines(examples: Iterable[Example]) -> bytes:
    lines = (
        json.dumps(to_row(example), ensure_ascii=False, default=lambda array: array.tolist())
        for example in examples
    )
    return "".join(line + "\n" for line in lines).encode()


def _to_parquet(examples: Sequence[Example]) -> bytes:
    rows = [to_row(example) for example in examples]
    used = {key for row in rows for key in row}
    names = [field.name for field in fields(examples[0]) if field.name in used]
    columns = [pa.array([row.get(name) for row in rows], _TYPES[name]) for name in names]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns, names=names), sink)
    data: bytes = sink.getvalue().to_pybytes()
    return data


_TEXT, _NUMBER = pa.string(), pa.float64()
_CODES = pa.list_(pa.list_(pa.int64()))
_WEIGHTS = pa.list_(pa.list_(pa.float32()))
_PROMPT = pa.struct(
    {"id": _TEXT, "text": _TEXT, "condition": _TEXT, "reference_clip": _TEXT, "split": _TEXT}
)
_TYPES: dict[str, pa.DataType] = {
    "prompt": _PROMPT,
    "chosen": _CODES,
    "rejected": _CODES,
    "clip": _CODES,
    "clips": pa.list_(_CODES),
    "desirable": pa.bool_(),
    "weight": _NUMBER,
    "p_chosen": _NUMBER,
    "chosen_score": _NUMBER,
    "rejected_score": _NUMBER,
    "scores": pa.list_(_NUMBER),
    "chosen_weights": _WEIGHTS,
    "rejected_weights": _WEIGHTS,
    "gold": _CODES,
    "mismatched": _PROMPT,
    "rationale": pa.struct({"prompt": _PROMPT, "tokens": _CODES}),
    "prompt_embedding": pa.list_(pa.float32()),
    "dimension": _TEXT,
}
_TYPES["lesser"] = pa.struct(
    {f.name: _TYPES[f.name] for f in fields(TokenPair) if f.name in _TYPES}
)
