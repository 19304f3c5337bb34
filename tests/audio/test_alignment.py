import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auralign.audio.alignment import warp


def slow_cost(distance: np.ndarray) -> float:
    """The recursion of Sakoe and Chiba, cell by cell."""
    total = np.full(distance.shape, np.inf)
    total[0, 0] = distance[0, 0]
    for i in range(distance.shape[0]):
        for j in range(distance.shape[1]):
            before = [
                total[a, b] for a, b in ((i - 1, j - 1), (i - 1, j), (i, j - 1)) if min(a, b) >= 0
            ]
            if before:
                total[i, j] = min(before) + distance[i, j]
    return total[-1, -1]


@given(n=st.integers(1, 9), m=st.integers(1, 9), seed=st.integers(0, 10_000))
def test_the_cost_is_that_of_the_recursion_and_of_the_path(n, m, seed):
    distance = np.random.default_rng(seed).random((n, m))
    warping = warp(distance)
    assert warping.cost == pytest.approx(slow_cost(distance))
    assert distance[warping.first, warping.second].sum() == pytest.approx(warping.cost)


@given(n=st.integers(1, 9), m=st.integers(1, 9), seed=st.integers(0, 10_000))
def test_the_path_leads_from_corner_to_corner_in_single_steps(n, m, seed):
    warping = warp(np.random.default_rng(seed).integers(0, 3, (n, m)).astype(float))
    path = np.stack([warping.first, warping.second])
    assert path[:, 0].tolist() == [0, 0]
    assert path[:, -1].tolist() == [n - 1, m - 1]
    steps = np.diff(path)
    assert ((steps >= 0) & (steps <= 1)).all()
    assert (steps.sum(axis=0) >= 1).all()


def test_a_slowed_sequence_is_followed_without_cost():
    x = np.array([3.0, 1.0, 4.0, 1.5, 9.0])
    slowed = np.repeat(x, [1, 3, 2, 1, 2])
    warping = warp(np.abs(x[:, None] - slowed))
    assert warping.cost == 0
    assert (x[warping.first] == slowed[warping.second]).all()


def test_a_sequence_is_aligned_with_itself_frame_by_frame():
    x = np.zeros(6)
    warping = warp(np.abs(x[:, None] - x))
    assert warping.first.tolist() == warping.second.tolist() == list(range(6))
