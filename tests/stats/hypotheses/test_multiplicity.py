import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from auralign.errors import ConfigError, DataError
from auralign.stats.hypotheses import (
    HypothesisTest,
    benjamini_hochberg,
    benjamini_hochberg_adjusted,
    holm,
    holm_adjusted,
)

# Fifteen comparisons of two treatments (Benjamini & Hochberg 1995, section 4).
FIFTEEN = [
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240),
    *(0.4262, 0.5719, 0.6528, 0.7590, 1.0000),
]


def family_of(p_values):
    return {f"t{k}": HypothesisTest("z", 0.0, p, 10) for k, p in enumerate(p_values)}


def test_the_published_family_has_three_certain_and_four_likely_differences():
    assert holm(family_of(FIFTEEN), family="15 outcomes").rejected() == ("t0", "t1", "t2")
    found = benjamini_hochberg(family_of(FIFTEEN), family="15 outcomes")
    assert found.rejected() == ("t0", "t1", "t2", "t3")
    assert (found.family, found.adjustment) == ("15 outcomes", "Benjamini-Hochberg")


def test_a_worked_example_of_holm():
    # In order .005 .01 .03 .04: 4 * .005, 3 * .01, 2 * .03, and 1 * .04 raised to .06.
    np.testing.assert_allclose(holm_adjusted([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_benjamini_and_hochbergs_p_values_equal_scipy(p_values):
    expected = stats.false_discovery_control(p_values)
    np.testing.assert_allclose(benjamini_hochberg_adjusted(p_values), expected, atol=1e-12)


@given(st.lists(st.floats(0.001, 1), min_size=1, max_size=8), st.floats(0.01, 0.99))
def test_holm_rejects_what_his_steps_reject(p_values, alpha):
    """Smallest first, each against alpha over the number of those left, until one fails."""
    order = np.argsort(p_values)
    passes = [p_values[k] * (len(p_values) - step) <= alpha for step, k in enumerate(order)]
    steps = passes.index(False) if False in passes else len(passes)
    assert set(np.flatnonzero(holm_adjusted(p_values) <= alpha)) == set(order[:steps])


def test_a_family_of_one_is_not_adjusted():
    assert holm(family_of([0.03]), family="one").tests[0].p_adjusted == 0.03


def test_bad_input_is_named():
    with pytest.raises(ConfigError, match="a family of tests needs a name"):
        holm(family_of([0.1]), family=" ")
    with pytest.raises(DataError, match="at least one test"):
        benjamini_hochberg({}, family="none")
    with pytest.raises(DataError, match="between 0 and 1, got nan"):
        holm(family_of([0.1, float("nan")]), family="broken")
