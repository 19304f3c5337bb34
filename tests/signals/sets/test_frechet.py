"""Frechet distance: closed forms of Gaussians, its bias, and a limit that has none."""

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st

from auralign.errors import DataError
from auralign.signals.sets.frechet import Moments, frechet_distance, frechet_limit, moments


def gaussian(mean, covariance) -> Moments:
    return Moments(np.asarray(mean, float), np.asarray(covariance, float), 0)


def random_covariance(rng, d):
    a = rng.standard_normal((d, d))
    return a @ a.T / d


def test_the_distance_of_gaussians_with_diagonal_covariances_is_that_of_each_axis():
    a = gaussian([0, 1], np.diag([1.0, 4.0]))
    b = gaussian([3, 1], np.diag([9.0, 4.0]))
    assert frechet_distance(a, b) == pytest.approx(3**2 + (3 - 1) ** 2)


@given(st.integers(0, 10_000), st.integers(1, 6))
def test_it_is_the_formula_with_a_matrix_root_symmetric_and_not_negative(seed, d):
    rng = np.random.default_rng(seed)
    a, b = (gaussian(rng.standard_normal(d), random_covariance(rng, d)) for _ in range(2))
    root = scipy.linalg.sqrtm(a.covariance)
    cross = scipy.linalg.sqrtm(root @ b.covariance @ root)
    slow = np.sum((a.mean - b.mean) ** 2) + np.trace(a.covariance + b.covariance - 2 * cross).real
    assert frechet_distance(a, b) == pytest.approx(slow, abs=1e-5)
    assert frechet_distance(b, a) == pytest.approx(frechet_distance(a, b), abs=1e-9)


def test_a_rotation_or_a_shift_of_both_changes_nothing():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((50, 4)), 2 * rng.standard_normal((60, 4)) + 1
    turn = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    before = frechet_distance(moments(x), moments(y))
    after = frechet_distance(moments(x @ turn + 7), moments(y @ turn + 7))
    assert after == pytest.approx(before)


def test_fewer_clips_than_dimensions_still_have_a_distance_and_a_copy_has_none():
    x = np.random.default_rng(0).standard_normal((5, 20))
    assert frechet_distance(moments(x), moments(x)) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(moments(x), moments(x + 1)) == pytest.approx(20)


def test_the_limit_is_unbiased_where_the_distance_is_not():
    """Both sets are drawn from Gaussians whose distance is known, 20 times."""
    rng = np.random.default_rng(1)
    d, n = 8, 200
    covariance = random_covariance(rng, d)
    mixing = np.linalg.cholesky(covariance)
    a, b = gaussian(np.zeros(d), np.eye(d)), gaussian(np.full(d, 0.2), covariance)
    truth = frechet_distance(a, b)
    plain, limits = [], []
    for _ in range(20):
        x = rng.standard_normal((n, d))
        y = rng.standard_normal((n, d)) @ mixing.T + b.mean
        plain.append(frechet_distance(moments(x), moments(y)))
        limits.append(frechet_limit(x, y, rng=rng, min_clips=50).value)
    standard_error = np.std(limits, ddof=1) / np.sqrt(len(limits))
    assert abs(np.mean(limits) - truth) < 3 * standard_error
    assert np.mean(plain) - truth > 3 * np.std(plain, ddof=1) / np.sqrt(len(plain))


def test_the_bias_of_a_copy_of_the_distribution_is_what_the_slope_says():
    """For equal Gaussians with known reference, E[FAD] is about (1 + (d + 1) / 4) d / n."""
    rng = np.random.default_rng(0)
    d = 6
    reference = gaussian(np.zeros(d), np.eye(d))
    slopes = [
        frechet_limit(rng.standard_normal((400, d)), reference, rng=rng, min_clips=50).slope
        for _ in range(20)
    ]
    assert np.mean(slopes) == pytest.approx((1 + (d + 1) / 4) * d, rel=0.15)


def test_the_same_generator_gives_the_same_limit():
    x = np.random.default_rng(0).standard_normal((100, 3))
    first, second = (
        frechet_limit(x, x + 1, rng=np.random.default_rng(5), min_clips=20) for _ in range(2)
    )
    assert first.value == second.value


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda x: moments(x[:1]), r"at least 2 clips, got shape \(1, 3\)"),
        (lambda x: moments(x * np.nan), "finite embeddings"),
        (lambda x: frechet_distance(moments(x), moments(x[:, :2])), "got 3 and 2 dimensions"),
        (
            lambda x: frechet_limit(x, x, rng=np.random.default_rng(0)),
            "at least 1000 clips to extrapolate from",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(call, match):
    with pytest.raises(DataError, match=match):
        call(np.random.default_rng(0).standard_normal((100, 3)))
