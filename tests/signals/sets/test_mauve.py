"""MAUVE and the frontier integral: closed forms over distributions, clusters, invariants."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import beta

from auralign.errors import DataError
from auralign.signals.sets.mauve import divergence_area, frontier_integral, k_means, mauve


def kl(p, r):
    some = p > 0
    return float(np.sum(p[some] * np.log(p[some] / r[some])))


distributions = st.lists(st.integers(0, 5), min_size=4, max_size=4).filter(any)


@given(distributions, distributions)
def test_the_frontier_integral_is_the_integral_of_its_definition(p, q):
    p, q = np.array(p) / sum(p), np.array(q) / sum(q)

    def linear_cost(w):
        r = w * p + (1 - w) * q
        return w * kl(p, r) + (1 - w) * kl(q, r)

    slow = 2 * quad(linear_cost, 0, 1)[0]
    assert frontier_integral(p, q) == pytest.approx(slow, abs=1e-6)


@given(distributions, distributions)
def test_both_are_symmetric_and_within_their_ranges(p, q):
    p, q = np.array(p) / sum(p), np.array(q) / sum(q)
    for measure in (divergence_area, frontier_integral):
        assert measure(p, q) == pytest.approx(measure(q, p), abs=1e-9)
        assert -1e-9 <= measure(p, q) <= 1 + 1e-9


def test_equal_distributions_have_the_whole_area_and_no_frontier():
    p = np.array([0.2, 0.3, 0.5])
    assert divergence_area(p, p) == pytest.approx(1)
    assert frontier_integral(p, p) == 0


def test_disjoint_distributions_have_a_beta_function_of_the_scale():
    """KL(q | r) = -ln(1 - w), KL(p | r) = -ln w, so the area is c B(c + 1, c)."""
    p, q = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    fine = divergence_area(p, q, scale=5.0, n_weights=2_000)
    assert fine == pytest.approx(5 * beta(6, 5), rel=1e-4)
    assert frontier_integral(p, q) == 1


def test_clusters_that_are_far_apart_are_found():
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(5), 20)
    points = 10 * np.eye(5)[truth] + rng.standard_normal((100, 5))
    labels = k_means(points, 5, rng=rng)
    assert len({(a, b) for a, b in zip(truth, labels, strict=True)}) == 5


def test_samples_of_one_distribution_overlap_more_than_those_of_two():
    rng = np.random.default_rng(0)
    reference = rng.standard_normal((300, 6))
    near, far = (
        mauve(rng.standard_normal((300, 6)) + shift, reference, rng=rng) for shift in (0.0, 1.5)
    )
    assert near.mauve > 0.9 > far.mauve
    assert near.mauve_star > far.mauve_star
    assert near.frontier_integral < far.frontier_integral
    assert near.n_clusters == 30


def test_the_length_of_embeddings_does_not_matter():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 50, 4))
    first, scaled = (
        mauve(x * scale, y, rng=np.random.default_rng(1), n_clusters=4) for scale in (1.0, 8.0)
    )
    assert scaled.mauve == pytest.approx(first.mauve)


def test_embeddings_that_are_all_alike_are_one_cluster():
    same = np.ones((20, 3))
    assert mauve(same, same, rng=np.random.default_rng(0)).mauve == pytest.approx(1)


def test_fewer_clips_than_clusters_are_refused():
    x = np.eye(4)
    with pytest.raises(DataError, match="each of 9 clusters in both sets, got 4"):
        mauve(x, x, rng=np.random.default_rng(0), n_clusters=9)
