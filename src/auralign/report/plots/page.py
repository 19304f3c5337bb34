"""One HTML page about one analysis: plots, tables and what to know about them."""

from __future__ import annotations

from markupsafe import Markup

from auralign.report.plots.records import StatisticsPage
from auralign.report.render import template_environment, template_source


def render_statistics(page: StatisticsPage) -> str:
    """The whole page; style and drawings are inside it, and it has no script."""
    drawings = [Markup(figure.svg) for figure in page.figures]
    return (
        template_environment()
        .get_template("statistics.html.jinja")
        .render(page=page, drawings=drawings, style=Markup(template_source("report.css")))
    )
