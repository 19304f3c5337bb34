"""Results as one flat table, CSV or Parquet: a line for each clip and measure."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from auralign.errors import ConfigError, StorageError
from auralign.files import write_bytes
from auralign.signals.running.results import Row, read_results

COLUMNS = pa.schema(
    {
        "clip": pa.string(),
        "clip_id": pa.string(),
        "measure": pa.string(),
        "value": pa.float64(),
        "status": pa.string(),
        "reason": pa.string(),
        "signal": pa.string(),
        "version": pa.int64(),
        "options": pa.string(),
        "seconds": pa.float64(),
        "licence": pa.string(),
    }
)
_AT_ONCE = 10_000


def _csv_writer(sink: Any) -> Any:
    options = pa_csv.WriteOptions(quoting_style="needed")
    return pa_csv.CSVWriter(sink, COLUMNS, write_options=options)


def _parquet_writer(sink: Any) -> Any:
    return pq.ParquetWriter(sink, COLUMNS)


_WRITERS: dict[str, Callable[[Any], Any]] = {".csv": _csv_writer, ".parquet": _parquet_writer}


def export_results(
    results: str | os.PathLike[str], out: str | os.PathLike[str], *, force: bool = False
) -> int:
    """Write the results in the JSON Lines file `results` to the table `out`; the number of lines.

    The suffix of `out` says which table, `.csv` or `.parquet`. A value that is missing is empty,
    and its status and reason say why. Raises ConfigError for another suffix, DataError for a file
    without results, StorageError when `out` is there already and not `force`.
    """
    out = Path(out)
    check_table(out, force=force)
    sink = pa.BufferOutputStream()
    n_lines = 0
    with _WRITERS[out.suffix](sink) as writer:
        for lines in _parts(_lines(read_results(results))):
            writer.write_table(pa.Table.from_pylist(lines, COLUMNS))
            n_lines += len(lines)
    write_bytes(out, sink.getvalue().to_pybytes())
    return n_lines


def check_table(out: Path, *, force: bool) -> None:
    """Raise what `export_results` would raise about the name of its table."""
    if out.suffix not in _WRITERS:
        raise ConfigError(
            f"expected {' or '.join(_WRITERS)} at the end of {out}, got '{out.suffix}'"
        )
    if out.exists() and not force:
        raise StorageError(f"{out} is there already; choose another name or use --force")


def _lines(rows: Iterable[Row]) -> Iterator[dict[str, Any]]:
    for row in rows:
        shared = {
            "clip": row.clip,
            "clip_id": row.clip_id,
            "signal": row.signal,
            "version": row.version,
            "options": json.dumps(dict(row.options), sort_keys=True),
            "seconds": row.seconds,
            "licence": row.licence,
        }
        for score in row.scores:
            said = {"value": score.value, "status": str(score.status), "reason": score.reason}
            yield {**shared, "measure": score.signal, **said}


def _parts(lines: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while part := list(islice(lines, _AT_ONCE)):
        yield part
