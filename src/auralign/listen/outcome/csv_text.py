"""CSV that a spreadsheet does not mistake for formulas."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows under the names of the first one; text that looks like a formula gets a quote.

    Lines end as RFC 4180 says: the writer then also quotes a carriage return within a text.
    """
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, list(rows[0]) if rows else [], lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({key: _safe(value) for key, value in row.items()} for row in rows)
    return stream.getvalue()


def _safe(value: Any) -> Any:
    """Numbers stay as they are, and so does text without one of the starts (OWASP)."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value
