import math

from auralign.cli.tables import interval, number, p_value, paragraphs, table
from auralign.types import Estimate


def test_numbers_stand_right_and_text_left():
    assert table(["name", ">n"], [["a", "1"], ["bcd", "100"]]) == (
        "name    n\n"
        "a       1\n"
        "bcd   100"
    )  # fmt: skip


def test_names_are_cut_at_their_left_until_a_line_fits():
    rows = [["x" * 70 + "/take-7", "0.123", "to the right"]]
    lines = table(["<clip", ">value", "meaning"], rows).splitlines()
    assert len(lines[1]) == 80
    assert lines[1].startswith("...xx")
    assert "/take-7  0.123  to the right" in lines[1]


def test_a_number_that_is_missing_is_a_dash_and_zero_has_no_sign():
    assert [number(x) for x in (None, math.nan, -0.001, -0.5)] == ["-", "-", "0.00", "-0.50"]
    assert interval(Estimate(1.0, math.nan, math.nan, 0.95, 1, 1, "")) == "-"
    assert interval(Estimate(1.0, -0.001, 2.0, 0.95, 9, 9, ""), 1) == "0.0 to 2.0"


def test_p_values_are_never_rounded_to_zero():
    assert [p_value(p) for p in (0.0, 0.0004, 0.0421, 1.0)] == ["<.001", "<.001", ".042", "1"]


def test_sentences_are_broken_at_80_characters():
    lines = paragraphs(["word " * 40]).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[1].startswith("  word")
