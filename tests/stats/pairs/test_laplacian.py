import numpy as np
import pytest

from auralign.stats.pairs.laplacian import MAX_DENSE_SOLVE, PairGraph, centre

N = MAX_DENSE_SOLVE + 100  # large enough for the sparse solvers


def chain(n):
    return np.arange(n - 1), np.arange(1, n)


def ring(n):
    return np.arange(n), (np.arange(n) + 1) % n


def star(n):
    return np.zeros(n - 1, dtype=np.int64), np.arange(1, n)


def two_clusters_and_a_bridge(n):
    half = n // 2
    generator = np.random.default_rng(0)
    first = generator.integers(0, half, 12 * half)
    second = (first + generator.integers(1, half, 12 * half)) % half
    return np.r_[first, first + half, 0], np.r_[second, second + half, half]


def random_pairs(n):
    generator = np.random.default_rng(1)
    first = generator.integers(0, n, 20 * n)
    return np.r_[first, chain(n)[0]], np.r_[
        (first + generator.integers(1, n, 20 * n)) % n, chain(n)[1]
    ]


def laplacian(first, second, weights, n):
    """The definition, edge by edge."""
    matrix = np.zeros((n, n))
    for i, j, w in zip(first, second, weights, strict=True):
        matrix[[i, j], [i, j]] += w
        matrix[[i, j], [j, i]] -= w
    return matrix


@pytest.mark.parametrize("edges", [chain, ring, star, two_clusters_and_a_bridge, random_pairs])
@pytest.mark.parametrize("n", [40, N])
def test_solutions_satisfy_the_system_on_every_topology(edges, n):
    generator = np.random.default_rng(2)
    first, second = edges(n)
    weights = generator.uniform(0.1, 10, len(first))
    right = generator.normal(size=(n, 3))
    right -= right.mean(axis=0)
    x = PairGraph(first, second, np.zeros(n, dtype=np.int64)).solve(weights, right)
    np.testing.assert_allclose(laplacian(first, second, weights, n) @ x, right, atol=1e-6)
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-10)


def graph_of_uneven_blocks():
    """A triangle, a pair, and another triangle, their items mixed; the third block is alone."""
    first, second = np.array([0, 2, 4, 1, 3, 5, 7]), np.array([2, 4, 0, 6, 5, 7, 3])
    return PairGraph(first, second, np.array([0, 1, 0, 3, 0, 3, 1, 3, 2]))


def test_the_pseudo_inverse_of_uneven_blocks_is_the_dense_one():
    graph = graph_of_uneven_blocks()
    weights = np.random.default_rng(3).uniform(1e-3, 1e3, 7)
    dense = np.linalg.pinv(laplacian(graph.first, graph.second, weights, 9))
    inverse = graph.pseudo_inverse(weights)
    np.testing.assert_allclose(inverse @ np.eye(9), dense, atol=1e-9)
    np.testing.assert_allclose(inverse.diagonal(), np.diag(dense), atol=1e-9)


def test_dropping_the_last_item_of_each_block_recentres_the_rest():
    first, second = np.array([0, 1, 2, 0]), np.array([1, 2, 3, 3])
    graph = PairGraph(first, second, np.zeros(4, dtype=np.int64))
    weights = np.array([1.0, 2, 3, 4])
    centring = np.eye(3, 4) - np.c_[np.full((3, 3), 1 / 3), np.zeros(3)]
    expected = centring @ np.linalg.pinv(laplacian(first, second, weights, 4)) @ centring.T
    np.testing.assert_allclose(
        graph.pseudo_inverse(weights).without_last() @ np.eye(3), expected, atol=1e-12
    )


def test_centring_is_by_block():
    values = np.array([[1.0], [10.0], [3.0]])
    np.testing.assert_allclose(centre(values, np.array([0, 1, 0])), [[-1], [0], [1]])
