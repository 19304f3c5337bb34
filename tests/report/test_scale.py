from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from auralign.report.scale import Scale, round_limits, tick_labels, tick_step, ticks

values = st.floats(-1e6, 1e6)


def test_the_middle_of_the_data_is_the_middle_of_the_axis() -> None:
    assert Scale(0, 1, 20, 320)(0.5) == 170
    assert Scale(-1, 3, 168, 0)(1) == 84


@pytest.mark.parametrize(
    ("span", "at_most", "step"),
    [(1, 5, 0.2), (10, 5, 2), (300, 5, 100), (0.3, 3, 0.1), (7, 5, 2), (45, 5, 10), (21, 5, 5)],
)
def test_steps_are_one_two_or_five(span: float, at_most: int, step: float) -> None:
    assert tick_step(span, at_most) == pytest.approx(step)


@given(values, values)
def test_ticks_lie_inside_and_are_few(low: float, high: float) -> None:
    assume(high - low > 1e-3)
    inside = ticks(low, high)
    assert 1 <= len(inside) <= 6
    slack = 1e-6 * (high - low)
    assert all(low - slack <= tick <= high + slack for tick in inside)


@given(values, values)
def test_round_limits_hold_the_data(low: float, high: float) -> None:
    assume(low == high or high - low > 1e-3)
    wide_low, wide_high = round_limits(low, high)
    slack = 1e-6 * (1 + abs(low) + abs(high))
    assert wide_low <= low + slack
    assert wide_high >= high - slack
    assert wide_low < wide_high


def test_a_single_value_gets_a_range_around_it() -> None:
    for value in (0.0, 4.0, -0.3, 5e-324):
        low, high = round_limits(value, value)
        assert low < value < high


def test_rounding_noise_is_not_magnified() -> None:
    low, high = round_limits(0.3, 0.1 + 0.2)
    assert high - low > 0.1


def test_tick_labels_share_the_decimals_of_their_step() -> None:
    assert tick_labels([0, 0.5, 1.0]) == ["0.0", "0.5", "1.0"]
    assert tick_labels([0, 100, 200]) == ["0", "100", "200"]
    assert tick_labels([3 * 0.1, 4 * 0.1]) == ["0.3", "0.4"]
