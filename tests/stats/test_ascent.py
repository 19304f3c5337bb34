"""The ascent stops on the gradient, respects bounds, and keeps the highest of several maxima."""

import numpy as np
import pytest
from numpy.typing import NDArray

from auralign.errors import NotConvergedError
from auralign.stats import ascent
from auralign.stats.ascent import climb, climb_from

Floats = NDArray[np.float64]


def hill(x: Floats) -> tuple[float, Floats]:
    """Highest at (1, -2)."""
    away = x - np.array([1.0, -2.0])
    return float(-(away**4).sum() - away @ away), -4 * away**3 - 2 * away


def two_hills(x: Floats) -> tuple[float, Floats]:
    """Maxima near -1 and 1, the right one higher."""
    return float(-((x[0] ** 2 - 1) ** 2) + x[0] / 4), -4 * x * (x**2 - 1) + 0.25


def test_the_gradient_vanishes_at_the_summit() -> None:
    top = climb(hill, np.array([5.0, 5.0]), 1e-8)
    np.testing.assert_allclose(top.parameters, [1, -2], atol=1e-8)
    assert top.gradient_max <= 1e-8
    assert top.value == pytest.approx(0)


def test_a_bound_that_holds_back_the_ascent_counts_as_arrived() -> None:
    top = climb(hill, np.array([0.0, 0.0]), 1e-8, bounds=[(None, 0.5), (-1.0, None)])
    np.testing.assert_allclose(top.parameters, [0.5, -1.0], atol=1e-8)


def test_the_highest_of_several_maxima_is_kept_and_the_starts_that_reached_it_counted() -> None:
    top = climb_from(two_hills, [np.array([-2.0]), np.array([2.0]), np.array([0.5])], 1e-8)
    assert top.parameters[0] > 1
    assert (top.n_starts, top.n_agreeing) == (3, 2)


def test_a_hill_without_a_top_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ascent, "MAX_STEPS", 3)
    with pytest.raises(NotConvergedError, match="the gradient is 1, allowed 1e-06"):
        climb(lambda x: (float(x.sum()), np.ones(1)), np.zeros(1), 1e-6)
