import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from auralign.report.plots import (
    CaterpillarPlot,
    CaterpillarRow,
    Figure,
    MatrixCell,
    MatrixPlot,
    StatisticsPage,
    TextTable,
    caterpillar,
    render_statistics,
    standalone,
    win_matrix,
)
from auralign.types import Estimate

ROW = CaterpillarRow("<old>", Estimate(1.0, 0.5, 1.5, 0.95, 9, 9, "x"), "a")
RANKING = caterpillar(CaterpillarPlot("t", "mean", (ROW,)))
MATRIX = win_matrix(MatrixPlot("t", ("a", "b"), ((MatrixCell(None), MatrixCell(0.7, 9)),) * 2))
PAGE = StatisticsPage(
    title="Overall <ranked>",
    kicker="Preference statistics",
    subtitle="9 votes",
    simulated=False,
    figures=[Figure("caterpillar", "Ranking", RANKING, "How to read it.")],
    tables=[TextTable("In numbers", ("system", "mean"), (("<old>", "1.00"),), frozenset({1}))],
    notes=["one <note>"],
)


def test_the_page_shows_figures_tables_and_notes_and_escapes_names():
    html = render_statistics(PAGE)
    assert html.count("<svg") == 1
    assert "<caption" not in html
    for text in ("Overall &lt;ranked&gt;", "one &lt;note&gt;", '<th scope="row">&lt;old&gt;</th>'):
        assert text in html
    assert "<old>" not in html


def test_the_page_loads_nothing_and_runs_nothing():
    html = render_statistics(PAGE)
    assert "<script" not in html
    body = html[html.index("</style>") :]
    assert not re.search(r"(?:src|href)=", body)
    assert "default-src 'none'" in html


def test_simulated_listeners_are_named_so():
    assert "programs, not people" not in render_statistics(PAGE)
    assert "programs, not people" in render_statistics(replace(PAGE, simulated=True))


@pytest.mark.parametrize("svg", [RANKING, MATRIX])
def test_a_drawing_stands_alone_with_its_size_and_style(svg):
    root = ElementTree.fromstring(standalone(svg))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    width, height = float(root.get("width")), float(root.get("height"))
    inner = next(e for e in root if e.tag.endswith("svg"))
    assert float(inner.get("width")) < width
    assert float(inner.get("height")) < height
    style = next(e for e in root if e.tag.endswith("style")).text
    assert "prefers-color-scheme: dark" in style
    for name in re.findall(r'class="([^"]+)"', svg):
        assert all(f".{part}" in style or part in ("label", "wide") for part in name.split())


def test_a_drawing_that_fills_its_frame_gets_the_width_that_is_asked_for():
    root = ElementTree.fromstring(standalone(RANKING, width=500))
    assert next(e for e in root if e.tag.endswith("svg")).get("width") == "500"
