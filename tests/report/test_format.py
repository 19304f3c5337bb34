from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auralign.report.format import (
    MISSING,
    decimals_for,
    format_basis,
    format_fixed,
    format_interval,
    format_name,
    format_percent,
    format_seconds,
    format_signed,
    format_signed_interval,
    format_value,
)
from auralign.types import Estimate


def plain(text: str) -> str:
    """No-break spaces as spaces and U+2212 as a hyphen, to write expectations by hand."""
    return text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{MINUS SIGN}", "-")


def estimate(value: float, low: float, high: float) -> Estimate:
    return Estimate(value, low, high, 0.95, 480, 40, "bootstrap over prompts")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.5, "50.0 %"),
        (0.0004, "< 0.1 %"),
        (0.9996, "> 99.9 %"),
        (1.0004, "< 100.1 %"),
        (-0.0004, "> -0.1 %"),
        (0.0006, "0.1 %"),
    ],
)
def test_percent_is_0_or_100_only_where_exact(value: float, text: str) -> None:
    assert plain(format_percent(value)) == text


@given(st.floats(0, 1), st.integers(0, 3))
def test_no_inexact_proportion_ever_reads_0_or_100(value: float, decimals: int) -> None:
    number = float(plain(format_percent(value, decimals)).strip("<> %"))
    if number in (0, 100) and not plain(format_percent(value, decimals)).startswith(("<", ">")):
        assert 100 * value == number


@given(st.floats(-1e6, 1e6), st.integers(0, 4))
def test_a_printed_zero_has_no_sign(value: float, decimals: int) -> None:
    text = plain(format_fixed(value, decimals))
    assert (text[0] == "-") == (float(text) < 0)
    assert abs(float(text) - value) <= 0.5 * 10**-decimals + 1e-9


@pytest.mark.parametrize(
    ("values", "decimals"),
    [((123.4,), 0), ((61.7, -48.2), 1), ((2.4, 0.1), 2), ((0.46,), 2), ((0.0123,), 3), ((), 0)],
)
def test_the_largest_value_of_a_row_sets_its_decimals(
    values: tuple[float, ...], decimals: int
) -> None:
    assert decimals_for(*values) == decimals


def test_missing_and_non_finite_values_are_a_dash() -> None:
    assert format_value(None, "dB") == format_value(math.nan) == format_signed(None) == MISSING
    assert decimals_for(None, math.inf) == 0


def test_values_carry_their_unit() -> None:
    assert plain(format_value(-61.7, "dBFS")) == "-61.7 dBFS"
    assert plain(format_value(0.31, "%")) == "31.0 %"


def test_differences_of_proportions_are_points_and_have_a_sign() -> None:
    assert plain(format_signed(-0.186, "%")) == "-18.6 points"
    assert plain(format_signed(0.021, "%")) == "+2.1 points"
    assert format_signed(0.0001, "%").startswith("0.0")


def test_intervals_name_their_unit_once() -> None:
    assert plain(format_interval(estimate(0.684, 0.636, 0.732), "%")) == "63.6 to 73.2 %"
    assert plain(format_interval(estimate(0.999, 0.99, 1), "%")) == "99.0 to 100 %"
    assert plain(format_interval(estimate(0.46, 0.4, 0.52), "", 2)) == "0.40 to 0.52"
    difference = estimate(-0.03, -0.11, 0.05)
    assert plain(format_signed_interval(difference, "%")) == "-11.0 to +5.0 points"


def test_the_basis_of_an_interval_says_what_it_clusters_over() -> None:
    basis = plain(format_basis(estimate(0.5, 0.4, 0.6)))
    assert basis == "95 % interval, bootstrap over prompts, n = 480 in 40 clusters"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(8.41, "8.4 s"), (59.96, "1 min 00 s"), (95.5, "1 min 36 s"), (3725, "1 h 02 min")],
)
def test_seconds_read_as_a_clock_would(seconds: float, text: str) -> None:
    assert plain(format_seconds(seconds)) == text


def test_identifiers_become_words() -> None:
    assert format_name("content_preservation") == "Content preservation"
