"""Square tables of items against items, coloured by how far each cell is from even."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from auralign.report.element import picture, tag, text
from auralign.report.format import format_fixed
from auralign.report.plots.records import MatrixCell, MatrixPlot

_CELL = 40
_CHAR = 7.0
_TOP = 26
_MAX_LABEL = 22
FULL_COLOUR_Z = 3.0
"""Standardised residuals from here on have the full colour."""


def win_matrix(plot: MatrixPlot) -> str:
    """The share of answers that the row wins over the column, and their number below it."""
    return _heat_map(plot, _share_text, lambda share: 2 * share - 1, "wins over")


def residual_matrix(plot: MatrixPlot) -> str:
    """By how many standard errors the row wins more often over the column than the model says."""
    return _heat_map(plot, _residual_text, lambda z: z / FULL_COLOUR_Z, "against")


def _share_text(share: float) -> str:
    return format_fixed(100 * share, 0)


def _residual_text(z: float) -> str:
    shown = format_fixed(z, 1)
    return f"+{shown}" if z > 0 and float(shown) != 0 else shown


def _heat_map(
    plot: MatrixPlot, words: Callable[[float], str], lean: Callable[[float], float], verb: str
) -> str:
    """`lean` maps a value to [-1, 1]: full colour of the column's side to that of the row's."""
    labels = [f"{k}  {_shorten(item)}" for k, item in enumerate(plot.items, start=1)]
    left = 14 + _CHAR * max(map(len, labels))
    parts = [
        tag(
            "text",
            str(k + 1),
            x=left + _CELL * (k + 0.5),
            y=16,
            text_anchor="middle",
            class_="tick",
        )
        for k in range(len(labels))
    ]
    parts += [text(label, 0, _TOP + _CELL * (k + 0.6)) for k, label in enumerate(labels)]
    for i, row in enumerate(plot.cells):
        for j, cell in enumerate(row):
            at = left + _CELL * j, _TOP + _CELL * i
            what = f"{plot.items[i]} {verb} {plot.items[j]}"
            parts.append(_blank(at) if i == j else _cell(cell, at, what, words, lean))
    width = round(left + _CELL * len(labels))
    return picture(
        plot.title,
        _description(plot, words, verb),
        parts,
        viewBox=f"0 0 {width} {_TOP + _CELL * len(labels)}",
        class_="matrix",
        # Below this width its numbers could not be read: a narrow page scrolls it instead.
        style=f"min-width: {width}px; max-width: {1.15 * width:.0f}px",
    )


def _cell(
    cell: MatrixCell,
    at: tuple[float, float],
    what: str,
    words: Callable[[float], str],
    lean: Callable[[float], float],
) -> str:
    x, y = at
    if cell.value is None:
        return tag("g", tag("title", escape(f"{what}: never compared")), _frame(at, "none", 0.0))
    strength = min(abs(lean(cell.value)), 1.0)
    side = "more" if lean(cell.value) > 0 else "less"
    count = f"n {format_fixed(cell.n, 0)}"
    centre = x + _CELL / 2
    return tag(
        "g",
        tag("title", escape(f"{what}: {words(cell.value)}, {count}")),
        _frame(at, side, round(0.06 + 0.62 * strength, 3)),
        tag("text", words(cell.value), x=centre, y=y + 19, text_anchor="middle", class_="strong"),
        tag("text", count, x=centre, y=y + 32, text_anchor="middle", class_="count"),
    )


def _blank(at: tuple[float, float]) -> str:
    return tag("rect", x=at[0], y=at[1], width=_CELL - 2, height=_CELL - 2, rx=3, class_="diagonal")


def _frame(at: tuple[float, float], side: str, strength: float) -> str:
    return tag(
        "rect",
        x=at[0],
        y=at[1],
        width=_CELL - 2,
        height=_CELL - 2,
        rx=3,
        fill_opacity=str(strength),
        class_=f"cell {side}",
    )


def _description(plot: MatrixPlot, words: Callable[[float], str], verb: str) -> str:
    pairs = [
        f"{plot.items[i]} {verb} {plot.items[j]}: {words(cell.value)}"
        for i, row in enumerate(plot.cells)
        for j, cell in enumerate(row)
        if i < j and cell.value is not None
    ]
    return ". ".join(pairs)


def _shorten(name: str) -> str:
    return name if len(name) <= _MAX_LABEL else f"…{name[1 - _MAX_LABEL :]}"
