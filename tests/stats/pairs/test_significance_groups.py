import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from auralign.errors import ConfigError, NotConvergedError
from auralign.stats.comparisons import comparisons_of
from auralign.stats.pairs import fit_bradley_terry, fit_components, significance_groups
from auralign.stats.pairs.significance_groups import compact_letters, holm


def ladder(strength, n_items=4, n=200):
    """Neighbours and all others by one rule: p = sigmoid(strength * steps apart)."""
    first, second = np.triu_indices(n_items, 1)
    won = np.round(n / (1 + np.exp(-strength * (second - first))))
    outcome = np.repeat([1.0, 0.0], len(first))
    weight = np.r_[won, n - won]
    return comparisons_of(np.r_[first, first], np.r_[second, second], outcome, weight=weight,
                          items="wxyz"[:n_items])  # fmt: skip


def step_down(p_values):
    """For each p the largest (tests left) * p among the p-values up to it."""
    m, ranked = len(p_values), sorted(p_values)
    return [min(1, max((m - k) * q for k, q in enumerate(ranked) if q <= p)) for p in p_values]


def test_clear_steps_get_a_letter_each_and_equal_items_one_together():
    steep = significance_groups(fit_bradley_terry(ladder(1.5)), errors="information")
    assert steep.letters == ("a", "b", "c", "d")
    flat = significance_groups(fit_bradley_terry(ladder(0.0)), errors="information")
    assert (flat.letters, flat.family) == (("a",) * 4, 6)


def test_gradual_steps_overlap():
    found = significance_groups(fit_bradley_terry(ladder(0.2)), errors="information")
    assert found.letters[0][0] == "a"
    assert len(set("".join(found.letters))) > 1
    assert set(found.letters[0]) & set(found.letters[1])


def test_p_values_are_two_sided_and_adjusted_over_all_pairs():
    fit = fit_bradley_terry(ladder(0.3))
    found = significance_groups(fit, errors="information")
    i, j = np.triu_indices(4, 1)
    z = (fit.log_worth[i] - fit.log_worth[j]) / fit.difference_errors("information")[i, j]
    expected = step_down(2 * norm.sf(np.abs(z)))
    np.testing.assert_allclose(found.p_values[i, j], expected, rtol=1e-9)
    np.testing.assert_array_equal(found.p_values, found.p_values.T)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_its_definition(p_values):
    np.testing.assert_allclose(holm(np.array(p_values)), step_down(p_values), atol=1e-15)


def test_holm_worked_by_hand():
    np.testing.assert_allclose(holm(np.array([0.04, 0.01, 0.03])), [0.06, 0.03, 0.06])


@given(st.integers(2, 7), st.integers(0, 10_000))
def test_items_share_a_letter_exactly_when_they_do_not_differ(n, seed):
    generator = np.random.default_rng(seed)
    upper = np.triu(generator.random((n, n)) < 0.5, 1)
    differ = upper | upper.T
    letters = compact_letters(differ, generator.permutation(n))
    for i in range(n):
        for j in range(i):
            assert bool(set(letters[i]) & set(letters[j])) != differ[i, j]
    assert all(letters)


def test_letters_begin_with_the_best():
    differ = ~np.eye(3, dtype=bool)
    assert compact_letters(differ, np.array([2, 0, 1])) == ("b", "c", "a")


def test_what_cannot_be_tested_is_refused():
    fit = fit_bradley_terry(ladder(0.3))
    with pytest.raises(ConfigError, match="alpha must be between 0 and 1, got 5"):
        significance_groups(fit, alpha=5)
    parts = fit_components(comparisons_of([0, 0, 2, 2], [1, 1, 3, 3], [1.0, 0, 1, 0]))
    with pytest.raises(NotConvergedError, match="different blocks"):
        significance_groups(parts)
