"""Items with their intervals, one below the other."""

from __future__ import annotations

import math
from html import escape

from auralign.report.element import percent, picture, rule, tag, text
from auralign.report.format import format_fixed, format_value
from auralign.report.plots.records import CaterpillarPlot, CaterpillarRow
from auralign.report.scale import Scale, round_limits, tick_labels, ticks

_ROW = 44
_HEAD = 8
_LETTER = 11
_MARGIN = 0.02


def caterpillar(plot: CaterpillarPlot) -> str:
    """A dot and a line for each item, with its value and its letters; as wide as its frame.

    An item whose interval does not exist has only a dot.
    """
    x = _scale(plot)
    bottom = _HEAD + _ROW * len(plot.rows) + 8
    return picture(
        plot.title,
        ". ".join(f"{row.name}: {_words(row, plot.decimals)}" for row in plot.rows),
        [
            _axis(plot, x, bottom),
            *(_row(row, x, _HEAD + _ROW * k, plot) for k, row in enumerate(plot.rows)),
        ],
        width="100%",
        height=bottom + 44,
        class_="wide",
    )


def _scale(plot: CaterpillarPlot) -> Scale:
    shown = [v for row in plot.rows for v in (row.value.low, row.value.value, row.value.high)]
    if plot.reference is not None:
        shown.append(plot.reference)
    finite = [v for v in shown if math.isfinite(v)]
    low, high = round_limits(min(finite), max(finite))
    return Scale(low, high, _MARGIN, 1 - _MARGIN)


def _axis(plot: CaterpillarPlot, x: Scale, bottom: int) -> str:
    at = ticks(x.low, x.high)
    parts = [rule(0, bottom, "100%", bottom, "axis")]
    for value, label in zip(at, tick_labels(at), strict=True):
        where = percent(x(value))
        parts.append(rule(where, _HEAD, where, bottom, "grid"))
        parts.append(rule(where, bottom, where, bottom + 4, "axis"))
        parts.append(text(label, where, bottom + 18, "middle", "tick"))
    if plot.reference is not None:
        where = percent(x(plot.reference))
        parts.append(rule(where, _HEAD, where, bottom, "middle-line"))
    return "".join([*parts, text(plot.x_label, "100%", bottom + 37, "end")])


def _row(row: CaterpillarRow, x: Scale, top: int, plot: CaterpillarPlot) -> str:
    e, y = row.value, top + 31
    known = sorted({letter for other in plot.rows for letter in other.letters})
    room = _LETTER * len(known) + 10 if known else 0
    parts = [
        text(row.name, 0, top + 18, class_="label strong halo"),
        _at_right(_words(row, plot.decimals), room, top + 18, "label halo"),
        # Each letter has a column of its own, so that a group is a straight line of letters.
        *(
            _at_right(letter, _LETTER * (len(known) - 1 - k), top + 18, "letters halo")
            for k, letter in enumerate(known)
            if letter in row.letters
        ),
    ]
    if math.isfinite(e.low):
        parts.append(rule(percent(x(e.low)), y, percent(x(e.high)), y, "interval"))
    dot = tag("circle", cx=percent(x(e.value)), cy=y, r=5, class_="estimate")
    return "".join([*parts, dot])


def _at_right(words: str, room: int, y: int, class_: str) -> str:
    """Text that ends `room` pixels before the right edge."""
    where = {"x": "100%", "dx": -room, "y": y}
    return tag("text", escape(words), **where, text_anchor="end", class_=class_)


def _words(row: CaterpillarRow, decimals: int) -> str:
    value = format_value(row.value.value, decimals=decimals)
    if not math.isfinite(row.value.low):
        return value
    low, high = (format_fixed(v, decimals) for v in (row.value.low, row.value.high))
    return f"{value} ({low} to {high})"
