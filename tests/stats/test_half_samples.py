import numpy as np
import pytest

from auralign.errors import ConfigError, DataError
from auralign.stats.half_samples import half_sampled


def sampled(statistic, n, n_splits=100):
    return half_sampled(
        lambda counts: np.atleast_1d(statistic(counts)),
        n,
        rng=np.random.default_rng(0),
        n_splits=n_splits,
    )


@pytest.mark.parametrize("n", [12, 13])
def test_the_error_of_a_mean_is_its_standard_error(n):
    values = np.random.default_rng(1).normal(size=n)
    found = sampled(lambda counts: counts @ values / counts.sum(), n, n_splits=20_000)
    assert found.values == pytest.approx([values.mean()])
    assert found.errors == pytest.approx([values.std(ddof=1) / np.sqrt(n)], rel=0.02)


def test_the_interval_is_students_and_cut_at_its_bounds():
    found = sampled(lambda counts: counts @ np.arange(12.0) / counts.sum(), 12)
    estimate = found.estimate(0, "mean", n=12, level=0.95)
    # The 97.5 % point of Student's t on 11 degrees of freedom is 2.201.
    assert estimate.high - estimate.value == pytest.approx(2.201 * found.errors[0], rel=1e-3)
    assert estimate.method == "mean; 200 half-samples of 12 raters, Student's t"
    assert found.estimate(0, "mean", n=12, level=0.95, bounds=(5.4, 5.6)).low == 5.4


def test_a_halfs_rater_counts_once_or_not_at_all():
    seen = []
    sampled(lambda counts: float(seen.append(counts.copy()) or counts[0]), 7)
    assert {tuple(np.unique(counts)) for counts in seen[1:]} == {(0.0, 1.0)}
    assert {int(counts.sum()) for counts in seen[1:]} == {3, 4}


def test_one_value_in_all_halves_gives_no_interval():
    estimate = sampled(lambda counts: 1.0, 8).estimate(0, "rho", n=3, level=0.95)
    assert np.isnan([estimate.low, estimate.high]).all()
    assert "all of one value: no interval" in estimate.method


def test_halves_without_a_value_are_counted_and_too_many_leave_no_interval():
    values = np.arange(8.0)

    def with_first(counts):
        return counts @ values / counts.sum() if counts[0] else np.nan

    found = sampled(with_first, 8).estimate(0, "mean", n=8, level=0.95)
    assert "(100 without a value)" in found.method
    rare = sampled(lambda c: with_first(c) if c[1] and c[2] else np.nan, 8)
    assert "too few with a value: no interval" in rare.estimate(0, "mean", n=8, level=0.95).method


def test_bad_input_is_refused():
    with pytest.raises(DataError, match="at least 2 raters"):
        sampled(lambda counts: 1.0, 1)
    with pytest.raises(ConfigError, match="n_splits must be at least 2"):
        sampled(lambda counts: 1.0, 5, n_splits=1)
