import math

import pytest

from auralign.report.plots import CaterpillarPlot, CaterpillarRow, caterpillar
from auralign.types import Estimate


def row(name, value, half, letters=""):
    return CaterpillarRow(
        name, Estimate(value, value - half, value + half, 0.95, 9, 9, "x"), letters
    )


ROWS = (row("good", 2.0, 0.5, "a"), row("fair", 1.5, 0.5, "ab"), row("poor", 0.0, 0.25, "b"))


def percent(element, name):
    return float(element.get(name).rstrip("%"))


def test_dots_stand_in_the_order_of_their_values_and_within_their_intervals(parse):
    drawing = parse(caterpillar(CaterpillarPlot("t", "x", ROWS)))
    dots = [percent(e, "cx") for e in drawing.of_class("estimate")]
    lines = [(percent(e, "x1"), percent(e, "x2")) for e in drawing.of_class("interval")]
    assert dots == sorted(dots, reverse=True)
    # A symmetric interval has its dot in the middle.
    assert [(a + b) / 2 for a, b in lines] == pytest.approx(dots)
    # Widths are to scale: the last interval is half as wide.
    widths = [b - a for a, b in lines]
    assert widths[2] == pytest.approx(widths[0] / 2, abs=0.02)


def test_everything_stays_within_the_frame(parse):
    drawing = parse(caterpillar(CaterpillarPlot("t", "x", ROWS, reference=-3.0)))
    ends = [percent(e, k) for e in drawing.of_class("interval") for k in ("x1", "x2")]
    assert all(0 <= end <= 100 for end in ends)
    assert 0 <= percent(drawing.of_class("middle-line")[0], "x1") <= 100


def test_a_letter_has_one_column_for_all_items(parse):
    drawing = parse(caterpillar(CaterpillarPlot("t", "x", ROWS)))
    places = {}
    for element in drawing.of_class("letters"):
        places.setdefault(element.text, set()).add(element.get("dx"))
    assert {letter: len(found) for letter, found in places.items()} == {"a": 1, "b": 1}


def test_without_an_interval_there_is_only_a_dot(parse):
    lonely = CaterpillarRow("one", Estimate(1.0, math.nan, math.nan, 0.95, 1, 1, "none"))
    drawing = parse(caterpillar(CaterpillarPlot("t", "x", (lonely, ROWS[0]))))
    assert (len(drawing.of_class("estimate")), len(drawing.of_class("interval"))) == (2, 1)
    assert "1.00" in drawing.words


def test_names_are_text_and_never_markup(parse):
    drawing = parse(caterpillar(CaterpillarPlot("t", "x", (row("<b>&", 1.0, 0.5),))))
    assert "<b>&" in drawing.words


def test_the_numbers_are_told_to_those_who_do_not_see(parse):
    drawing = parse(caterpillar(CaterpillarPlot("t", "x", ROWS)))
    assert drawing.description.startswith("good: 2.00 (1.50 to 2.50). fair: 1.50")
