"""Three items that do not add up: who beats whom beats whom."""

from __future__ import annotations

import math

from auralign.report.element import picture, rule, tag, text
from auralign.report.format import format_fixed, format_percent
from auralign.report.plots.records import TriadPlot
from auralign.report.svg import WIDTH

_HEIGHT = 168
_MAX_LABEL = 20
_CORNERS = ((WIDTH / 2, 30.0), (246.0, 132.0), (74.0, 132.0))
_GAP = 16.0


def triad(plot: TriadPlot) -> str:
    """A triangle with an arrow from the winner to the loser of each pair, and the share it wins."""
    edges = [_winner_first(plot, k) for k in range(3)]
    return picture(
        plot.title,
        ". ".join(
            f"{plot.items[winner]} beats {plot.items[loser]} in {words}"
            for winner, loser, words in edges
        ),
        [
            *(_edge(edge, k) for k, edge in enumerate(edges)),
            *(_corner(plot.items[k], k) for k in range(3)),
        ],
        viewBox=f"0 0 {WIDTH} {_HEIGHT}",
        class_="chart",
    )


def _winner_first(plot: TriadPlot, k: int) -> tuple[int, int, str]:
    """Winner and loser of the k-th pair, and in how many of its answers."""
    share, n, ends = plot.shares[k], plot.counts[k], (k, (k + 1) % 3)
    if share < 0.5:
        share, ends = 1 - share, ends[::-1]
    return *ends, f"{format_percent(share, 0)} of {format_fixed(n, 0)}"


def _corner(name: str, k: int) -> str:
    x, y = _CORNERS[k]
    shown = name if len(name) <= _MAX_LABEL else f"…{name[1 - _MAX_LABEL :]}"
    label = text(shown, x, y - 14 if k == 0 else y + 24, "middle", "label strong")
    return tag("circle", cx=x, cy=y, r=5, class_="estimate") + label


def _edge(edge: tuple[int, int, str], k: int) -> str:
    winner, loser, words = edge
    (x1, y1), (x2, y2) = _CORNERS[winner], _CORNERS[loser]
    length = math.hypot(x2 - x1, y2 - y1)
    ux, uy = (x2 - x1) / length, (y2 - y1) / length
    tip = x2 - _GAP * ux, y2 - _GAP * uy
    line = rule(x1 + _GAP * ux, y1 + _GAP * uy, tip[0] - 6 * ux, tip[1] - 6 * uy, "edge")
    anchor, dx, dy = (("start", 12, 0), ("middle", 0, -8), ("end", -12, 0))[k]
    label = text(words, (x1 + x2) / 2 + dx, (y1 + y2) / 2 + dy, anchor)
    return line + _head(tip, (ux, uy)) + label


def _head(tip: tuple[float, float], towards: tuple[float, float]) -> str:
    (x, y), (ux, uy) = tip, towards
    back, side = 9.0, 4.5
    corners = (
        tip,
        (x - back * ux - side * uy, y - back * uy + side * ux),
        (x - back * ux + side * uy, y - back * uy - side * ux),
    )
    return tag("polygon", points=" ".join(f"{a:.1f},{b:.1f}" for a, b in corners), class_="head")
