import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from auralign.errors import NotConvergedError
from auralign.stats.comparisons import comparisons_of
from auralign.stats.pairs import fit_bradley_terry, fit_within_blocks, quasi_variances
from auralign.stats.pairs.quasi_variances import quasi_variances_of

CITATIONS = np.array([[0, 730, 498, 221], [33, 0, 68, 17], [320, 813, 0, 142], [284, 276, 325, 0]])


def citations():
    first, second = np.nonzero(CITATIONS)
    return comparisons_of(first, second, np.ones(12), weight=CITATIONS[first, second])


def differences(covariance):
    own = np.diag(covariance)
    return own[:, None] + own - 2 * covariance


def test_independent_estimates_have_their_own_variances():
    own = np.array([0.5, 1.0, 2.0, 0.1])
    shared = 0.3  # a part that all estimates share drops out of differences
    np.testing.assert_allclose(quasi_variances_of(differences(np.diag(own) + shared)), own)


def test_three_items_are_exact():
    squared = np.array([[0, 2.0, 3.0], [2.0, 0, 4.0], [3.0, 4.0, 0]])
    np.testing.assert_allclose(quasi_variances_of(squared), [0.5, 1.5, 2.5])


def test_a_quasi_variance_may_be_negative():
    squared = np.array([[0, 1.0, 1.0], [1.0, 0, 3.0], [1.0, 3.0, 0]])
    np.testing.assert_allclose(quasi_variances_of(squared), [-0.5, 1.5, 1.5])


def test_two_items_share_their_variance():
    np.testing.assert_allclose(quasi_variances_of(np.array([[0, 3.0], [3.0, 0]])), [1.5, 1.5])


@settings(max_examples=15)
@given(st.integers(0, 1000))
def test_it_is_the_least_squares_solution_on_the_log_scale(seed):
    generator = np.random.default_rng(seed)
    root = generator.normal(size=(6, 9))
    squared = differences(root @ root.T)
    i, j = np.triu_indices(6, 1)

    def misfit(q):
        both = q[i] + q[j]
        return (np.log(both / squared[i, j]) ** 2).sum() if (both > 0).all() else np.inf

    q = quasi_variances_of(squared)
    best = minimize(misfit, q, method="Nelder-Mead", options={"xatol": 1e-9, "maxiter": 4000})
    assert misfit(q) <= best.fun + 1e-9


def test_citations_are_described_within_a_few_percent():
    fit = fit_bradley_terry(citations())
    found = quasi_variances(fit, errors="information")
    exact = fit.difference_errors("information")
    made = np.sqrt(found.variances[:, None] + found.variances)
    off = ~np.eye(4, dtype=bool)
    np.testing.assert_allclose(made[off], exact[off], rtol=found.worst_error + 1e-12)
    assert 0 < found.worst_error < 0.05


def test_blocks_are_described_each_alone_and_single_items_not():
    c = comparisons_of([0, 0, 2, 2], [1, 1, 3, 3], [1.0, 0, 1, 0], items="abcde")
    fit = fit_within_blocks(c, dict(zip("abcde", "xxyyz", strict=True)))
    found = quasi_variances(fit, errors="information")
    np.testing.assert_allclose(found.variances, [1, 1, 1, 1, np.nan])
    assert found.worst_error == pytest.approx(0, abs=1e-12)


def test_variances_that_do_not_exist_are_refused():
    with pytest.raises(NotConvergedError, match="a positive variance for each difference"):
        quasi_variances_of(np.array([[0, 1.0, np.nan], [1, 0, 1], [np.nan, 1, 0]]))
