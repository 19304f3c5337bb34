"""Agreement against the length of what was heard."""

from __future__ import annotations

import math

from auralign.report.element import picture, rule, tag, text
from auralign.report.format import format_percent
from auralign.report.plots.records import LengthInterval, LengthPlot
from auralign.report.scale import Scale, round_limits, tick_labels, ticks
from auralign.report.svg import WIDTH

_HEIGHT = 168
_TOP = 24
_LEFT = 46
_SIDE = 8


def agreement_by_length(plot: LengthPlot) -> str:
    """One dot for each bin of lengths, its interval upright and its range of lengths across."""
    x, y = _scales(plot)
    chance = []
    if plot.chance is not None:
        at = y(plot.chance)
        chance = [rule(x.start, at, x.end, at, "marker"), text("guessing", x.end, at - 5, "end")]
    return picture(
        plot.title,
        ". ".join(f"{b.low:g} to {b.high:g} s: {_words(b)}" for b in plot.bins),
        [_axes(plot, x, y), *chance, *(_bin(b, x, y) for b in plot.bins)],
        viewBox=f"0 0 {WIDTH} {_TOP + _HEIGHT + 40}",
        class_="chart",
    )


def _scales(plot: LengthPlot) -> tuple[Scale, Scale]:
    ends = [v for b in plot.bins for v in (b.agreement.low, b.agreement.value, b.agreement.high)]
    shown = [v for v in [*ends, plot.chance] if v is not None and math.isfinite(v)]
    low, high = round_limits(min(shown), max(shown))
    first, last = plot.bins[0].low, plot.bins[-1].high
    margin = 0.02 * (last - first) or 0.5
    across = Scale(first - margin, last + margin, _LEFT, WIDTH - _SIDE)
    return across, Scale(low, high, _TOP + _HEIGHT, _TOP)


def _axes(plot: LengthPlot, x: Scale, y: Scale) -> str:
    parts = [text(plot.y_label, 0, 12), text("seconds", x.end, y.start + 35, "end")]
    for value in ticks(y.low, y.high):
        parts.append(rule(x.start, y(value), x.end, y(value), "grid"))
        parts.append(text(format_percent(value, 0), x.start - 7, y(value) + 4, "end", "tick"))
    at = ticks(x.low, x.high)
    for value, label in zip(at, tick_labels(at), strict=True):
        parts.append(rule(x(value), y.start, x(value), y.start + 4, "axis"))
        parts.append(text(label, x(value), y.start + 18, "middle", "tick"))
    return "".join([*parts, rule(x.start, y.start, x.end, y.start, "axis")])


def _bin(found: LengthInterval, x: Scale, y: Scale) -> str:
    e, middle = found.agreement, x((found.low + found.high) / 2)
    parts = [rule(x(found.low), y(e.value), x(found.high), y(e.value), "range")]
    if math.isfinite(e.low):
        parts.append(rule(middle, y(e.low), middle, y(e.high), "interval"))
    words = f"{found.low:.2f} to {found.high:.2f} s: {_words(found)}"
    dot = tag("circle", tag("title", words), cx=middle, cy=y(e.value), r=4.5, class_="estimate")
    return "".join([*parts, dot])


def _words(found: LengthInterval) -> str:
    return f"{format_percent(found.agreement.value)} of {found.agreement.n} pairs"
