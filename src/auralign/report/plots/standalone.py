"""A drawing as a file of its own: with its style, its paper and a fixed width."""

from __future__ import annotations

import re
from functools import lru_cache

from auralign.report.element import tag
from auralign.report.render import template_source

_MARGIN = 16


def standalone(svg: str, *, width: int = 640) -> str:
    """The drawing as an SVG file, light or dark as the reader's system is.

    A drawing that fills its frame becomes `width` pixels wide; one with a size of its own keeps it.
    """
    across, down = _size(svg, width)
    inner = re.sub(r"^<svg", f'<svg x="{_MARGIN}" y="{_MARGIN}"', svg, count=1)
    inner = _with_size(inner, across, down)
    total = f"{across + 2 * _MARGIN:g}", f"{down + 2 * _MARGIN:g}"
    return tag(
        "svg",
        tag("style", _style()),
        tag("rect", width="100%", height="100%", style="fill: var(--paper)"),
        inner,
        xmlns="http://www.w3.org/2000/svg",
        width=total[0],
        height=total[1],
        viewBox=f"0 0 {total[0]} {total[1]}",
    )


def _size(svg: str, width: int) -> tuple[float, float]:
    """Width and height in pixels, from the view box or the height that the drawing says."""
    head = svg[: svg.index(">")]
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', head)
    if box:
        scale = 1.25
        return scale * float(box[1]), scale * float(box[2])
    height = re.search(r'height="([\d.]+)"', head)
    assert height is not None, "a drawing has a view box or a height"
    return float(width), float(height[1])


def _with_size(svg: str, width: float, height: float) -> str:
    head, rest = svg.split(">", 1)
    head = re.sub(r' (width|height|style)="[^"]*"', "", head)
    return f'{head} width="{width:g}" height="{height:g}">{rest}'


@lru_cache(maxsize=1)
def _style() -> str:
    """The colours and the chart rules of the page's own style."""
    css = template_source("report.css")
    colours = css[: css.index("* { box-sizing")]
    charts = css[css.index("/* Charts */") : css.index("/* Reading */")]
    return colours + charts
