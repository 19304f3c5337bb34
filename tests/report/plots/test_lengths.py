import math

from auralign.report.plots import LengthInterval, LengthPlot, agreement_by_length
from auralign.types import Estimate


def bin_(low, high, value, half=0.05):
    return LengthInterval(low, high, Estimate(value, value - half, value + half, 0.95, 80, 9, "x"))


def test_agreement_goes_up_and_length_goes_right(parse):
    bins = (bin_(1, 2, 0.9), bin_(2, 4, 0.7), bin_(4, 9, 0.6))
    drawing = parse(agreement_by_length(LengthPlot("t", "agreement", bins)))
    dots = [(float(e.get("cx")), float(e.get("cy"))) for e in drawing.of_class("estimate")]
    assert [x for x, _ in dots] == sorted(x for x, _ in dots)
    assert [y for _, y in dots] == sorted(y for _, y in dots)
    for dot, line in zip(dots, drawing.of_class("interval"), strict=True):
        assert float(line.get("y2")) < dot[1] < float(line.get("y1"))


def test_chance_is_a_line_within_the_axes(parse):
    plot = LengthPlot("t", "agreement", (bin_(1, 2, 0.9), bin_(2, 3, 0.8)), chance=0.5)
    drawing = parse(agreement_by_length(plot))
    (line,) = drawing.of_class("marker")
    assert line.get("y1") == line.get("y2")
    assert "guessing" in drawing.words
    assert all(float(line.get("y1")) > float(e.get("cy")) for e in drawing.of_class("estimate"))


def test_one_bin_without_an_interval_is_drawn(parse):
    drawing = parse(agreement_by_length(LengthPlot("t", "a", (bin_(2, 2, 0.7, math.nan),))))
    assert (len(drawing.of_class("estimate")), len(drawing.of_class("interval"))) == (1, 0)
