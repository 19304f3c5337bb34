import numpy as np
import pytest
from scipy import stats

from auralign.errors import ConfigError, DataError
from auralign.stats.proportions import clopper_pearson, clustered_share


@pytest.mark.parametrize(("won", "n"), [(0, 10), (3, 10), (10, 10), (81, 263)])
def test_clopper_pearson_is_the_exact_interval(won, n):
    ours = clopper_pearson(won, n)
    theirs = stats.binomtest(won, n).proportion_ci(method="exact")
    assert (ours.value, ours.low, ours.high) == pytest.approx((won / n, theirs.low, theirs.high))


def test_clopper_pearson_of_the_published_example():
    """81 of 263 (Newcombe 1998, Stat. Med. 17:857, table I): 0.2527 to 0.3676."""
    ours = clopper_pearson(81, 263)
    assert (ours.low, ours.high) == pytest.approx((0.2527, 0.3676), abs=5e-5)


def test_a_share_of_single_trials_has_nearly_the_exact_interval():
    won = np.repeat([1.0, 0.0], [30, 70])
    clustered = clustered_share(won, np.ones(100), np.arange(100))
    plain = clopper_pearson(30, 100)
    assert (clustered.low, clustered.high) == pytest.approx((plain.low, plain.high), abs=0.002)


def test_answers_that_move_together_count_once():
    """Ten copies of each answer carry no more than one."""
    won = np.random.default_rng(1).integers(0, 2, 40).astype(float)
    once = clustered_share(won, np.ones(40), np.arange(40))
    copies = clustered_share(np.repeat(won, 10), np.ones(400), np.repeat(np.arange(40), 10))
    assert copies.value == once.value
    assert (copies.low, copies.high) == pytest.approx((once.low, once.high), abs=0.006)
    assert (copies.n, copies.n_clusters) == (400, 40)


def test_unanimous_clusters_are_taken_as_the_trials():
    estimate = clustered_share(np.ones(50), np.ones(50), np.repeat(np.arange(5), 10))
    assert (estimate.low, estimate.high) == pytest.approx((0.025 ** (1 / 5), 1))


def test_the_interval_covers_the_share_that_made_clustered_answers():
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(300):
        taste = rng.beta(6, 4, 30)
        won = rng.binomial(20, taste)
        estimate = clustered_share(won, np.full(30, 20), np.arange(30))
        covered += estimate.low <= 0.6 <= estimate.high
    assert 0.92 <= covered / 300 <= 0.985


def test_one_cluster_says_next_to_nothing():
    estimate = clustered_share([3.0, 4.0], [5.0, 5.0], ["ann", "ann"])
    assert (estimate.value, estimate.n_clusters) == (0.7, 1)
    assert estimate.high - estimate.low > 0.9


def test_bad_input_is_named():
    with pytest.raises(DataError, match="got 5 of 4"):
        clopper_pearson(5, 4)
    with pytest.raises(ConfigError, match="got 95"):
        clopper_pearson(1, 4, level=95)
    with pytest.raises(DataError, match="at least one trial"):
        clustered_share([], [], [])
    with pytest.raises(DataError, match="one length, got 2, 1 and 2"):
        clustered_share([1, 1], [1], ["a", "b"])
