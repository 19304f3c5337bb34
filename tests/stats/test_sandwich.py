import numpy as np
import pytest
from scipy import stats

from auralign.errors import ConfigError, NotConvergedError
from auralign.stats.sandwich import clustered_errors, clustered_interval, few_clusters_warning


def test_the_sandwich_of_a_mean_is_its_standard_error():
    """Each of n values moves the mean by (value - mean) / n."""
    values = np.random.default_rng(0).normal(size=9)
    influence = (values - values.mean()) / 9
    assert clustered_errors(influence) == pytest.approx(values.std(ddof=1) / 3)


def test_one_cluster_has_no_error():
    assert np.isnan(clustered_errors(np.ones((3, 1)))).all()
    with pytest.raises(NotConvergedError, match="at least 2 raters, got 1"):
        clustered_interval(0.0, np.ones(1), 0.95, 5, "m")


def test_the_interval_is_students_t_on_clusters_minus_one():
    influence = np.array([0.3, -0.1, -0.2])
    found = clustered_interval(1.0, influence, 0.9, 12, "a method")
    half = stats.t.ppf(0.95, 2) * clustered_errors(influence)
    assert (found.low, found.high) == pytest.approx((1 - half, 1 + half))
    assert (found.n, found.n_clusters) == (12, 3)
    with pytest.raises(ConfigError, match="level must be"):
        clustered_interval(1.0, influence, 1.0, 12, "a method")


def test_few_raters_are_warned_about():
    assert few_clusters_warning(20) == ()
    assert "19 raters" in few_clusters_warning(19)[0]
    assert "do not exist" in few_clusters_warning(1)[0]
