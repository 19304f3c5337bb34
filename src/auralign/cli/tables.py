"""Tables of text that read well in 80 columns."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auralign.types import Estimate

WIDTH = 80
GAP = "  "
SHORTEST_NAME = 16


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Aligned columns; the first character of a head says how: ">" numbers, "<" names, else text.

    Numbers stand right. Names are cut until a line fits, at their left, because names of recordings
    differ at their end.
    """
    cells = [[name.lstrip("<>") for name in head], *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for k, name in enumerate(head):
        over = sum(widths) + len(GAP) * (len(widths) - 1) - WIDTH
        if over > 0 and name.startswith("<"):
            widths[k] = max(widths[k] - over, min(widths[k], SHORTEST_NAME))
    return "\n".join(_line(row, head, widths) for row in cells)


def number(value: float | None, decimals: int = 2) -> str:
    """A number with fixed decimals; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "-"
    text = f"{value:.{decimals}f}"
    return text if float(text) else text.lstrip("-")


def interval(estimate: Estimate, decimals: int = 2) -> str:
    """The limits, as "6.54 to 6.89"."""
    if not math.isfinite(estimate.low):
        return "-"
    return f"{number(estimate.low, decimals)} to {number(estimate.high, decimals)}"


def p_value(p: float) -> str:
    """Three decimals; "<.001" below."""
    return "<.001" if p < 0.001 else f"{p:.3f}".lstrip("0") if p < 1 else "1"


def paragraphs(lines: Iterable[str]) -> str:
    """Sentences, each on lines of its own of at most 80 characters."""
    return "\n".join(textwrap.fill(line, WIDTH, subsequent_indent=GAP) for line in lines)


def page(*parts: str, notes: Sequence[str] = ()) -> str:
    """The parts that are not empty, and the notes, with an empty line between them."""
    remarks = paragraphs(f"note: {sentence}" for sentence in notes)
    return "\n\n".join(part for part in (*parts, remarks) if part)


def _line(row: Sequence[str], head: Sequence[str], widths: Sequence[int]) -> str:
    cells = []
    for text, name, width in zip(row, head, widths, strict=True):
        shown = text if len(text) <= width else "..." + text[len(text) - width + 3 :]
        cells.append(shown.rjust(width) if name.startswith(">") else shown.ljust(width))
    return GAP.join(cells).rstrip()
