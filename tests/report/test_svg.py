from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import pytest

from auralign.report import LineChart, ListenerRate, Marker, ScatterChart, Series, WinRate
from auralign.report.svg import WIDTH, dot_strip, forest, line_chart, scatter
from auralign.types import Estimate


def chart(*series: Series, markers: tuple[Marker, ...] = ()) -> LineChart:
    return LineChart("Reward", "step", "reward", series, markers)


def found(svg: str, name: str, class_: str = "") -> list[ET.Element]:
    wanted = set(class_.split())
    elements = ET.fromstring(svg).iter(name)
    return [e for e in elements if wanted <= set(e.get("class", "").split())]


def polyline(element: ET.Element) -> list[tuple[float, float]]:
    pairs = [pair.split(",") for pair in element.get("points", "").split()]
    return [(float(x), float(y)) for x, y in pairs]


def rate(value: float, low: float, high: float, dimension: str = "overall") -> WinRate:
    return WinRate(dimension, Estimate(value, low, high, 0.95, 80, 20, "bootstrap over prompts"))


def test_a_win_rate_of_one_half_is_in_the_middle_of_the_axis() -> None:
    svg = forest([rate(0.5, 0.25, 0.75)], "before", "after")
    assert [dot.get("cx") for dot in found(svg, "circle", "estimate")] == ["50%"]
    (interval,) = found(svg, "line", "interval")
    assert (interval.get("x1"), interval.get("x2")) == ("25%", "75%")
    assert {line.get("x1") for line in found(svg, "line", "middle-line")} == {"50%"}


def test_the_forest_has_a_row_for_each_win_rate_and_says_it_in_words() -> None:
    rows = [rate(0.6, 0.5, 0.7), rate(0.4, 0.3, 0.5, "production_quality")]
    svg = forest(rows, "before", "after")
    heights = [float(dot.get("cy", "")) for dot in found(svg, "circle", "estimate")]
    assert len(heights) == 2
    assert heights[0] < heights[1]
    (words,) = found(svg, "desc")
    assert "Production quality: 40.0" in str(words.text)


def test_line_chart_maps_data_linearly_between_its_axes() -> None:
    svg = line_chart(chart(Series("a", (0, 50, 100), (0.0, 0.5, 1.0))))
    (left, bottom), (centre, middle), (right, top) = polyline(found(svg, "polyline", "s0")[0])
    assert WIDTH - 20 < right < WIDTH
    assert centre == pytest.approx((left + right) / 2, abs=0.01)
    assert middle == pytest.approx((bottom + top) / 2, abs=0.01)
    assert bottom - top == 168


@pytest.mark.parametrize("gap", [None, math.nan])
def test_a_missing_value_interrupts_the_line(gap: float | None) -> None:
    svg = line_chart(chart(Series("a", (0, 1, 2, 3, 4), (1.0, 2.0, gap, 2.0, 1.0))))
    assert [len(polyline(line)) for line in found(svg, "polyline")] == [2, 2]


def test_a_lone_point_is_a_dot() -> None:
    assert len(found(line_chart(chart(Series("a", (3,), (7.0,)))), "circle", "line")) == 1


def test_two_series_get_a_legend_and_one_does_not_need_it() -> None:
    one, two = Series("aligned", (0, 1), (0.0, 1.0)), Series("no anchor", (0, 1), (0.0, 2.0))
    names = [e.text for e in found(line_chart(chart(one, two)), "text", "label")]
    assert {"aligned", "no anchor"} <= set(names)
    assert "aligned" not in [e.text for e in found(line_chart(chart(one)), "text", "label")]


def test_long_legends_wrap_inside_the_drawing() -> None:
    names = [f"a rather long series name {k}" for k in range(3)]
    svg = line_chart(chart(*(Series(name, (0, 1), (0.0, 1.0)) for name in names)))
    labels = [e for e in found(svg, "text", "label") if e.text in names]
    assert len({e.get("y") for e in labels}) == 3


def test_a_marker_stands_at_its_step_and_widens_the_axis_if_needed() -> None:
    series = Series("a", (0, 100), (0.0, 1.0))
    svg = line_chart(chart(series, markers=(Marker(50, "chosen"), Marker(200, "end"))))
    left = polyline(found(svg, "polyline")[0])[0][0]
    first, second = (float(m.get("x1", "")) for m in found(svg, "line", "marker"))
    assert second == float(found(svg, "line", "axis")[-1].get("x2", ""))
    assert first - left == pytest.approx((second - left) / 4, abs=0.02)


def test_a_chart_without_values_says_so() -> None:
    assert "no values to draw" in line_chart(chart(Series("a", (0, 1), (None, None))))
    assert "no values to draw" in scatter(ScatterChart("t", "x", "y", (), ()))


def test_scatter_leaves_out_pairs_that_are_not_finite() -> None:
    svg = scatter(ScatterChart("t", "x", "y", (1.0, 2.0, 3.0), (1.0, math.nan, 3.0)))
    (x0, y0), (x1, y1) = (
        (float(d.get("cx", "")), float(d.get("cy", ""))) for d in found(svg, "circle")
    )
    assert x0 < x1
    assert y0 > y1


def test_dots_of_equal_listeners_are_stacked_and_distant_ones_are_not() -> None:
    rows = [ListenerRate(f"l{k}", value, 10) for k, value in enumerate((0.5, 0.5, 0.9))]
    dots = found(dot_strip(rows, "before", "after"), "circle", "dot")
    assert [dot.get("cx") for dot in dots] == ["50%", "50%", "90%"]
    heights = [dot.get("cy") for dot in dots]
    assert heights[0] != heights[1]
    assert heights[2] == heights[0]


def test_hostile_names_are_text() -> None:
    name = '<script>"&'
    svgs = [
        line_chart(chart(Series(name, (0, 1), (0.0, 1.0)), Series("b", (0, 1), (0.0, 1.0)))),
        forest([rate(0.5, 0.4, 0.6, name)], name, name),
        dot_strip([ListenerRate(name, 0.5, 3)], name, name),
    ]
    for svg in svgs:
        assert not found(svg, "script")
        assert name in "".join(ET.fromstring(svg).itertext())
