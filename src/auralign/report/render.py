"""From `ReportData` to one HTML file that needs nothing but itself."""

from __future__ import annotations

import hashlib
import os
from base64 import b64encode
from collections.abc import Callable
from functools import lru_cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from auralign.files import write_text
from auralign.report import format as formats
from auralign.report import svg
from auralign.report.data_uri import wav_uri
from auralign.report.records import ReportData
from auralign.report.spectrogram import palette, spectrogram


def render_report(data: ReportData) -> str:
    """The whole page: style, script, sound and pictures are inside it."""
    environment = template_environment()
    style, script = template_source("report.css"), template_source("report.js")
    return environment.get_template("report.html.jinja").render(
        data=data,
        style=Markup(style),
        script=Markup(script),
        script_hash=_content_hash(script),
        gradient=_gradient(),
    )


def write_report(data: ReportData, path: str | os.PathLike[str]) -> None:
    """Write the page aside and rename it, so that `path` is never half a report.

    Raises AudioError for a clip whose samples are not finite, StorageError if the disk refuses.
    """
    write_text(path, render_report(data))


@lru_cache(maxsize=1)
def template_environment() -> Environment:
    """The templates of this room, with its number formats as filters."""
    environment = Environment(
        loader=PackageLoader("auralign.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    numbers = (name for name in vars(formats) if name.startswith("format_"))
    environment.filters.update({name: getattr(formats, name) for name in numbers})
    environment.filters["wav_uri"] = wav_uri
    environment.globals["decimals_for"] = formats.decimals_for
    drawings = (svg.line_chart, svg.scatter, svg.forest, svg.dot_strip, spectrogram)
    environment.globals.update({draw.__name__: _trusted(draw) for draw in drawings})
    return environment


def template_source(name: str) -> str:
    """The text of a file in `templates`."""
    return resources.files("auralign.report").joinpath("templates", name).read_text("utf-8")


def _trusted(draw: Callable[..., str]) -> Callable[..., Markup]:
    """Drawings escape their own text, so the template must not do it again."""
    return lambda *args, **options: Markup(draw(*args, **options))


def _content_hash(script: str) -> str:
    """Lets the page run this script and no other (CSP level 3, section 2.3.1)."""
    return "sha256-" + b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")


def _gradient() -> str:
    """The colour map of the spectrograms as a CSS gradient, for their key."""
    stops = [f"rgb({r} {g} {b})" for r, g, b in palette()[::9].tolist()]
    return f"linear-gradient(to right, {', '.join(stops)})"
