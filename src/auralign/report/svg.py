"""Charts as SVG text: pure functions of records, drawn in `currentColor` and CSS classes.

Line and scatter charts have a fixed drawing size and scale with the page. Charts that only need
horizontal positions use percentages instead, so that their text keeps its size on any screen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from auralign.report.element import percent, picture, plain, rule, tag, text
from auralign.report.format import format_interval, format_name, format_percent
from auralign.report.records import LineChart, ListenerRate, Marker, ScatterChart, Series, WinRate
from auralign.report.scale import Scale, round_limits, tick_labels, ticks

WIDTH = 320
_PLOT_HEIGHT = 168
_CHAR = 6.3
"""Mean width of a character of the chart font (12 units), for room left to labels."""

_Points = list[tuple[float, float]]


def line_chart(chart: LineChart) -> str:
    """Several named series over one pair of axes, with a legend if there are two or more."""
    points = [p for series in chart.series for piece in _pieces(series) for p in piece]
    legend, top = _legend([s.name for s in chart.series]) if len(chart.series) > 1 else ("", 0)
    if not points:
        return _empty(chart.title)
    at_markers = [(marker.x, points[0][1]) for marker in chart.markers]
    x, y = _scales(points + at_markers, top + 24)
    return picture(
        chart.title,
        ". ".join(_describe(series) for series in chart.series),
        [
            legend,
            _axes(x, y, chart.x_label, chart.y_label),
            *(_marker(marker, k, x, y) for k, marker in enumerate(chart.markers)),
            *(_line(series, k, x, y) for k, series in enumerate(chart.series)),
        ],
        viewBox=f"0 0 {WIDTH} {_height(y)}",
        class_="chart",
    )


def scatter(chart: ScatterChart) -> str:
    """One dot for each pair of values; a pair with a non-finite value is left out."""
    points = [p for p in zip(chart.x, chart.y, strict=True) if _finite(*p)]
    if not points:
        return _empty(chart.title)
    x, y = _scales(points, 24, round_x=True)
    dots = [tag("circle", cx=x(a), cy=y(b), r=3.5, class_="dot") for a, b in points]
    return picture(
        chart.title,
        f"{len(points)} clips, {chart.x_label} across, {chart.y_label} up",
        [_axes(x, y, chart.x_label, chart.y_label), *dots],
        viewBox=f"0 0 {WIDTH} {_height(y)}",
        class_="chart",
    )


def _finite(*values: float | None) -> bool:
    return all(v is not None and math.isfinite(v) for v in values)


def _pieces(series: Series) -> list[_Points]:
    """The runs of points between gaps."""
    pieces: list[_Points] = [[]]
    for a, b in zip(series.x, series.y, strict=True):
        if b is not None and _finite(a, b):
            pieces[-1].append((a, b))
        elif pieces[-1]:
            pieces.append([])
    return [piece for piece in pieces if piece]


def _scales(points: _Points, top: float, *, round_x: bool = False) -> tuple[Scale, Scale]:
    xs, ys = zip(*points, strict=True)
    y_low, y_high = round_limits(min(ys), max(ys))
    x_low, x_high = min(xs), max(xs)
    if round_x or x_low == x_high:
        x_low, x_high = round_limits(x_low, x_high)
    left = 12 + _CHAR * max(map(len, tick_labels(ticks(y_low, y_high))))
    right = WIDTH - 2 - _CHAR / 2 * max(map(len, tick_labels(ticks(x_low, x_high))))
    return Scale(x_low, x_high, left, right), Scale(y_low, y_high, top + _PLOT_HEIGHT, top)


def _height(y: Scale) -> int:
    return round(y.start) + 40


def _axes(x: Scale, y: Scale, x_label: str, y_label: str) -> str:
    parts = [text(y_label, 0, y.end - 12), text(x_label, x.end, y.start + 35, "end")]
    y_ticks, x_ticks = ticks(y.low, y.high), ticks(x.low, x.high)
    for value, label in zip(y_ticks, tick_labels(y_ticks), strict=True):
        parts.append(rule(x.start, y(value), x.end, y(value), "grid"))
        parts.append(text(label, x.start - 7, y(value) + 4, "end", "tick"))
    for value, label in zip(x_ticks, tick_labels(x_ticks), strict=True):
        parts.append(rule(x(value), y.start, x(value), y.start + 4, "axis"))
        parts.append(text(label, x(value), y.start + 18, "middle", "tick"))
    return "".join([*parts, rule(x.start, y.start, x.end, y.start, "axis")])


def _line(series: Series, index: int, x: Scale, y: Scale) -> str:
    style = f"line s{index % 6}"
    parts = []
    for piece in _pieces(series):
        if len(piece) == 1:
            parts.append(tag("circle", cx=x(piece[0][0]), cy=y(piece[0][1]), r=3, class_=style))
        path = " ".join(f"{plain(x(a))},{plain(y(b))}" for a, b in piece)
        parts.append(tag("polyline", points=path, fill="none", stroke="currentColor", class_=style))
    return "".join(parts)


def _marker(marker: Marker, row: int, x: Scale, y: Scale) -> str:
    """The label stands on the side that has more room, each marker's in a row of its own."""
    at, label_y = x(marker.x), y.end + 11 + 14 * row
    left = at < (x.start + x.end) / 2
    label = text(marker.label, at + (5 if left else -5), label_y, "start" if left else "end")
    return rule(at, y.end, at, y.start, "marker") + label


def _legend(names: Sequence[str]) -> tuple[str, int]:
    """Sample line and name of each series, in as many rows as they need; and the height."""
    parts, at, row = [], 0.0, 0
    for index, name in enumerate(names):
        width = 26 + _CHAR * len(name) + 14
        if at and at + width > WIDTH:
            at, row = 0.0, row + 1
        y = 12 + 18 * row
        parts.append(rule(at, y - 4, at + 20, y - 4, f"line s{index % 6}"))
        parts.append(text(name, at + 26, y))
        at += width
    return "".join(parts), 18 * (row + 1) + 8


def _describe(series: Series) -> str:
    points = [p for piece in _pieces(series) for p in piece]
    if not points:
        return f"{series.name}: no values"
    (x0, y0), (x1, y1) = points[0], points[-1]
    return f"{series.name}: {y0:.3g} at {x0:g}, {y1:.3g} at {x1:g}"


def _empty(title: str) -> str:
    body = text("no values to draw", WIDTH / 2, 40, "middle")
    return picture(title, "No values", [body], viewBox=f"0 0 {WIDTH} 72", class_="chart")


def forest(rows: Sequence[WinRate], before: str, after: str) -> str:
    """One row for each win rate: interval as a line, estimate as a dot, 0.5 as the middle line."""
    bottom = 50 * len(rows) + 8
    return picture(
        f"Win rates of {after} over {before}",
        ". ".join(f"{format_name(r.dimension)}: {_rate_text(r)}" for r in rows),
        [
            *(_forest_row(row, 50 * k) for k, row in enumerate(rows)),
            *(_forest_estimate(row, 50 * k) for k, row in enumerate(rows)),
            _share_axis(bottom, before, after),
        ],
        width="100%",
        height=bottom + 44,
        class_="wide",
    )


def _forest_row(row: WinRate, top: int) -> str:
    return "".join(
        [
            text(format_name(row.dimension), 0, top + 20, class_="label strong"),
            text(_rate_text(row), "100%", top + 20, "end"),
            rule(0, top + 34, "100%", top + 34, "grid"),
            rule("50%", top + 25, "50%", top + 43, "middle-line"),
        ]
    )


def _forest_estimate(row: WinRate, top: int) -> str:
    e, y = row.estimate, top + 34
    interval = rule(percent(e.low), y, percent(e.high), y, "interval")
    return interval + tag("circle", cx=percent(e.value), cy=y, r=5, class_="estimate")


def _rate_text(row: WinRate) -> str:
    return f"{format_percent(row.estimate.value)} ({format_interval(row.estimate, '%')})"


def _share_axis(y: int, before: str, after: str) -> str:
    """An axis from 0 to 100 % with the meaning of its two ends below."""
    anchors = ["start", "middle", "middle", "middle", "end"]
    parts = [rule(0, y, "100%", y, "axis")]
    for share, anchor in zip((0, 0.25, 0.5, 0.75, 1), anchors, strict=True):
        parts.append(rule(percent(share), y, percent(share), y + 4, "axis"))
        parts.append(text(format_percent(share, 0), percent(share), y + 18, anchor, "tick"))
    ends = [text(f"← {before}", 0, y + 36), text(f"{after} →", "100%", y + 36, "end")]
    return "".join([*parts, *ends])


def dot_strip(rows: Sequence[ListenerRate], before: str, after: str) -> str:
    """One dot for each listener's win rate, stacked where dots would hide one another."""
    levels = _stack([row.value for row in rows])
    base = 12 * max(levels, default=0) + 22
    dots = [
        tag(
            "circle",
            tag("title", escape(f"{row.listener}: {format_percent(row.value)} of {row.n}")),
            cx=percent(row.value),
            cy=base - 10 - 12 * level,
            r=5,
            class_="dot",
        )
        for row, level in zip(rows, levels, strict=True)
    ]
    n_above = sum(row.value > 0.5 for row in rows)
    return picture(
        "Win rate of each listener",
        f"{n_above} of {len(rows)} listeners prefer {after} more often than not",
        [rule("50%", 0, "50%", base, "middle-line"), _share_axis(base, before, after), *dots],
        width="100%",
        height=base + 44,
        class_="wide",
    )


def _stack(values: Sequence[float], apart: float = 0.035) -> list[int]:
    """The lowest level for each value on which no value is closer than `apart`.

    A dot of 10 pixels takes 0.035 of the narrowest drawing, 290 pixels.
    """
    levels = [0] * len(values)
    last: list[float] = []
    for index in sorted(range(len(values)), key=lambda i: values[i]):
        free = (k for k, v in enumerate(last) if values[index] - v >= apart - 1e-9)
        level = next(free, len(last))
        last[level : level + 1] = [values[index]]
        levels[index] = level
    return levels
