"""SVG elements as text: one element, a label, a straight line, a titled picture."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape


def tag(name: str, *children: str, **attributes: object) -> str:
    """One element; `class_` and `stroke_width` become `class` and `stroke-width`."""
    pairs = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(plain(value))}"'
        for key, value in attributes.items()
    )
    return f"<{name}{pairs}>{''.join(children)}</{name}>"


def plain(value: object) -> str:
    """A number with two decimals at most, which is finer than a screen shows."""
    return f"{round(value, 2):.10g}" if isinstance(value, float) else str(value)


def percent(share: float) -> str:
    """A share of the width as an SVG length: 0.5 is "50%"."""
    return f"{plain(100.0 * share)}%"


def text(content: str, x: object, y: object, anchor: str = "start", class_: str = "label") -> str:
    return tag("text", escape(content), x=x, y=y, text_anchor=anchor, class_=class_)


def rule(x1: object, y1: object, x2: object, y2: object, class_: str) -> str:
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, stroke="currentColor", class_=class_)


def picture(title: str, description: str, body: Iterable[str], **attributes: object) -> str:
    """An outer `svg`, with a title and a description for those who do not see it."""
    words = tag("title", escape(title)) + tag("desc", escape(description))
    return tag("svg", words, *body, role="img", **attributes)
