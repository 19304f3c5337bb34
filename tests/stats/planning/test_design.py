import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auralign.errors import ConfigError, NotConvergedError
from auralign.stats.pairs import fit_bradley_terry
from auralign.stats.planning.design import (
    ComparisonDesign,
    add_comparison,
    balanced_design,
    contrast_variance,
    design_efficiency,
    design_of,
    laplacian,
    optimal_design,
    random_design,
    ring_design,
    round_robin_design,
    star_design,
)
from auralign.types import Comparisons


@pytest.mark.parametrize(("n", "r"), [(3, 4), (6, 40), (9, 1)])
def test_a_round_robin_has_variance_eight_over_n_r_and_is_fully_efficient(n, r):
    found = design_efficiency(round_robin_design(n, r))
    assert found.worst_variance == pytest.approx(8 / (n * r))
    assert found.mean_variance == pytest.approx(8 / (n * r))
    assert (found.d_efficiency, found.a_efficiency) == (pytest.approx(1), pytest.approx(1))


@pytest.mark.parametrize("n", [3, 7, 20])
def test_against_a_baseline_two_systems_differ_by_variance_eight_over_m(n):
    m = 30
    variance = design_efficiency(star_design(n, m)).variance
    assert variance[1, 2] == pytest.approx(8 / m)
    assert variance[0, 1] == pytest.approx(4 / m)


def test_resistances_of_a_ring_are_series_in_parallel():
    n, r = 8, 10
    variance = design_efficiency(ring_design(n, r)).variance
    for k in range(1, n):
        assert variance[0, k] == pytest.approx(4 / r * k * (n - k) / n)


def test_d_efficiency_counts_spanning_trees():
    # Kirchhoff: the positive eigenvalues of a Laplacian multiply to n times the spanning trees;
    # a ring has n of them, the complete graph n^(n-2) (Cayley).
    n = 7
    ring_value = (n * n) ** (1 / (n - 1)) / n
    complete_value = (n * n ** (n - 2)) ** (1 / (n - 1)) / (n * (n - 1) / 2)
    found = design_efficiency(ring_design(n)).d_efficiency
    assert found == pytest.approx(ring_value / complete_value)


def test_items_far_apart_say_little():
    near, far = (design_efficiency(round_robin_design(2, 10), log_worth=[0, gap]) for gap in (0, 2))
    assert near.worst_variance == pytest.approx(1 / (10 * 0.25))
    assert far.worst_variance == pytest.approx(1 / (10 * 0.105), rel=1e-2)


@settings(max_examples=30)
@given(n=st.integers(3, 15), extra=st.integers(0, 60), seed=st.integers(0, 99))
def test_no_design_is_more_efficient_than_the_bound(n, extra, seed):
    rng = np.random.default_rng(seed)
    design = random_design(n, n - 1 + extra, rng=rng)
    assert design.is_connected
    assert design.n_comparisons == n - 1 + extra
    found = design_efficiency(design, log_worth=rng.normal(0, 1, n))
    assert found.a_efficiency <= found.d_efficiency * (1 + 1e-9)
    assert found.d_efficiency <= 1 + 1e-9


@settings(max_examples=30)
@given(n=st.integers(2, 16), extra=st.integers(0, 80))
def test_balanced_designs_are_balanced(n, extra):
    design = balanced_design(n, n - 1 + extra)
    assert np.ptp(design.appearances) <= 1 + n % 2
    assert design.appearances.sum() == 2 * (n - 1 + extra)
    pairs = n * (n - 1) // 2
    assert design.count.max() == -(-(n - 1 + extra) // pairs)


@pytest.mark.parametrize("n", range(3, 20))
def test_two_rounds_connect_all_items(n):
    assert balanced_design(n, 2 * (n // 2) + (n % 2)).is_connected


def test_greedy_designs_beat_random_ones_and_reach_the_round_robin():
    assert design_efficiency(optimal_design(6, 30)).d_efficiency == pytest.approx(1)
    greedy = design_efficiency(optimal_design(9, 20)).d_efficiency
    random = design_efficiency(random_design(9, 20, rng=np.random.default_rng(3))).d_efficiency
    assert greedy > random


def test_greedy_designs_avoid_hopeless_pairs():
    design = optimal_design(3, 30, log_worth=[0, 0.1, 5])
    pairs = set(zip(design.first.tolist(), design.second.tolist(), strict=True))
    by_pair = dict(
        zip(
            zip(design.first.tolist(), design.second.tolist(), strict=True),
            design.count.tolist(),
            strict=True,
        )
    )
    assert (1, 2) in pairs
    assert by_pair[1, 2] > by_pair.get((0, 2), 0)


def test_one_more_comparison_is_the_inverse_of_one_more_edge():
    rng = np.random.default_rng(5)
    ridge = laplacian(round_robin_design(5, 3)) + np.eye(5)
    added = laplacian(ComparisonDesign(5, np.array([1]), np.array([4]), np.array([1])))
    updated = add_comparison(np.linalg.inv(ridge), 1, 4, 0.25)
    np.testing.assert_allclose(updated, np.linalg.inv(ridge + added), atol=1e-12)
    a = rng.normal(size=(4, 4))
    covariance = a @ a.T
    assert contrast_variance(covariance)[0, 2] == pytest.approx(
        np.array([1, 0, -1, 0]) @ covariance @ [1, 0, -1, 0]
    )


def test_relabelling_items_relabels_the_variances():
    rng = np.random.default_rng(6)
    design, order = random_design(7, 15, rng=rng), rng.permutation(7)
    relabelled = ComparisonDesign(7, order[design.first], order[design.second], design.count)
    here, there = design_efficiency(design), design_efficiency(relabelled)
    assert there.d_efficiency == pytest.approx(here.d_efficiency)
    np.testing.assert_allclose(there.variance[np.ix_(order, order)], here.variance, atol=1e-10)


def test_the_design_of_a_study_predicts_its_standard_errors():
    rng = np.random.default_rng(2)
    planned = round_robin_design(5, 400)
    first, second = np.repeat(planned.first, 400), np.repeat(planned.second, 400)
    flipped = rng.random(len(first)) < 0.5
    study = Comparisons(
        first=np.where(flipped, second, first),
        second=np.where(flipped, first, second),
        outcome=(rng.random(len(first)) < 0.5).astype(float),
        weight=np.ones(len(first)),
        rater=np.zeros(len(first), dtype=int),
        cluster=np.zeros(len(first), dtype=int),
        items=tuple("abcde"),
        raters=("ann",),
    )
    done = design_of(study)
    np.testing.assert_array_equal(done.count, planned.count)
    errors = fit_bradley_terry(study).difference_errors("information")
    expected = np.sqrt(design_efficiency(done).variance)
    np.testing.assert_allclose(errors, expected, rtol=0.01)


def test_designs_that_cannot_work_are_refused():
    apart = ComparisonDesign(4, np.array([0, 2]), np.array([1, 3]), np.array([5, 5]))
    assert not apart.is_connected
    with pytest.raises(NotConvergedError, match="add comparisons between the parts"):
        design_efficiency(apart)
    with pytest.raises(ConfigError, match="at least 4"):
        balanced_design(5, 3)
    with pytest.raises(ConfigError, match="at least 3 items"):
        ring_design(2)
    with pytest.raises(ConfigError, match="at least 2 items"):
        round_robin_design(1)
    with pytest.raises(ConfigError, match="3 finite log-worths"):
        design_efficiency(round_robin_design(3), log_worth=[0, 1])
