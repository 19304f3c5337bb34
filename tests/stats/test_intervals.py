import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from auralign.errors import ConfigError, DataError, NotConvergedError
from auralign.stats.intervals import cluster_bootstrap, difference_interval, win_rate


def rng():
    return np.random.default_rng(7)


def weighted_mean(values):
    return lambda counts: float(np.average(values, weights=counts))


def crossed_votes(generator, n_listeners, n_prompts, log_odds, listener_sd, prompt_sd):
    """One vote per listener and prompt from a probit model with crossed random effects."""
    score = (
        log_odds
        + generator.normal(0, listener_sd, (n_listeners, 1))
        + generator.normal(0, prompt_sd, (1, n_prompts))
        + generator.normal(0, 1, (n_listeners, n_prompts))
    )
    listener, prompt = np.indices(score.shape)
    return (score > 0).astype(float).ravel(), listener.ravel(), prompt.ravel()


def test_two_way_interval_covers_the_true_win_rate_under_crossed_random_effects():
    generator, shift, sd = np.random.default_rng(20), 0.4, 0.5
    # A probit with normal effects stays a probit: P = Phi(shift / sqrt(1 + sd^2 + sd^2)).
    truth = norm.cdf(shift / np.sqrt(1 + 2 * sd**2))
    covered = 0
    for _ in range(200):
        votes, listener, prompt = crossed_votes(generator, 20, 30, shift, sd, sd)
        e = win_rate(votes, listener, prompt, rng=generator, n_resamples=400)
        covered += e.low <= truth <= e.high
    assert 0.90 <= covered / 200 <= 1.0


def test_cluster_interval_covers_where_a_row_interval_would_not():
    generator = np.random.default_rng(21)
    cluster = np.repeat(np.arange(40), 5)
    covered = {"clusters": 0, "rows": 0}
    for _ in range(60):
        values = 2 * generator.normal(size=40)[cluster] + generator.normal(size=200)
        for name, unit in (("clusters", cluster), ("rows", np.arange(200))):
            e = cluster_bootstrap(weighted_mean(values), unit, rng=generator, n_resamples=150)
            covered[name] += e.low <= 0 <= e.high
    assert covered["clusters"] / 60 >= 0.87
    assert covered["rows"] / 60 < 0.80  # true coverage is 0.66


def test_cluster_bootstrap_spread_is_the_standard_error_of_a_mean_of_clusters():
    cluster_means = np.random.default_rng(1).normal(size=50)
    e = cluster_bootstrap(
        weighted_mean(np.repeat(cluster_means, 4)),
        np.repeat(np.arange(50), 4),
        rng=rng(),
        n_resamples=8_000,
    )
    half_width = 1.96 * cluster_means.std() / np.sqrt(50)
    assert (e.high - e.low) / 2 == pytest.approx(half_width, rel=0.05)
    assert (e.n, e.n_clusters) == (200, 50)


def test_two_way_resampling_equals_a_loop_over_votes():
    generator = np.random.default_rng(3)
    votes = generator.choice([0, 0.5, 1], 60)
    listener, prompt = generator.integers(0, 5, 60), generator.integers(0, 6, 60)
    e = win_rate(votes, listener, prompt, rng=rng(), n_resamples=500)

    twin = rng()
    by_listener = twin.multinomial(5, np.full(5, 1 / 5), 500)
    by_prompt = twin.multinomial(6, np.full(6, 1 / 6), 500)
    draws = []
    for w, v in zip(by_listener, by_prompt, strict=True):
        weight = [w[i] * v[j] for i, j in zip(listener, prompt, strict=True)]
        draws.append(np.average(votes, weights=weight))
    np.testing.assert_allclose((e.low, e.high), np.quantile(draws, [0.025, 0.975]))


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=12, max_size=12))
def test_swapping_the_systems_mirrors_the_win_rate(votes):
    listener, prompt = np.repeat(range(3), 4), np.tile(range(4), 3)
    straight = win_rate(votes, listener, prompt, rng=rng(), n_resamples=200)
    mirrored = win_rate(1 - np.array(votes), listener, prompt, rng=rng(), n_resamples=200)
    assert mirrored.value == pytest.approx(1 - straight.value)
    assert mirrored.low == pytest.approx(1 - straight.high)
    assert mirrored.high == pytest.approx(1 - straight.low)


def test_a_tie_is_half_a_win():
    e = win_rate([1, 0.5, 0.5, 0], ["x", "x", "y", "y"], ["p", "q", "p", "q"], rng=rng())
    assert (e.value, e.n, e.n_clusters) == (0.5, 4, 2)


def test_unanimous_votes_do_not_claim_certainty():
    e = win_rate(np.ones(40), np.repeat(range(4), 10), np.tile(range(10), 4), rng=rng())
    # Clopper-Pearson for 4 of 4: the lower limit solves p^4 = 0.025.
    assert (e.value, e.low, e.high) == (1.0, pytest.approx(0.025 ** (1 / 4)), 1.0)
    assert "all votes equal" in e.method


def test_one_listener_is_resampled_over_prompts_only_and_says_so():
    votes = np.tile([1.0, 0.0, 1.0], 20)
    e = win_rate(votes, np.zeros(60, int), np.arange(60), rng=rng(), n_resamples=20_000)
    assert "one listener (the interval holds for it only)" in e.method
    assert e.n_clusters == 60
    assert (e.high - e.low) / 2 == pytest.approx(1.96 * votes.std() / np.sqrt(60), rel=0.05)


def test_resamples_without_a_single_vote_are_left_out_and_counted():
    e = win_rate([1, 0, 1], ["x", "y", "z"], ["p", "q", "r"], rng=rng(), n_resamples=500)
    assert "without a value, left out" in e.method
    assert 0 <= e.low <= e.high <= 1


def test_difference_is_paired_and_missing_values_are_not_zero():
    before = np.array([1.0, 2.0, 3.0, np.nan])
    e = difference_interval(before, before + 0.5, ["p", "q", "r", "s"], rng=rng())
    assert (e.value, e.low, e.high) == pytest.approx((0.5, 0.5, 0.5))
    assert (e.n, e.n_clusters) == (3, 3)
    assert "1 of 4 pairs incomplete" in e.method


def test_same_seed_same_interval():
    votes, listener, prompt = crossed_votes(np.random.default_rng(0), 6, 7, 0.3, 0.5, 0.5)
    assert win_rate(votes, listener, prompt, rng=rng()) == win_rate(
        votes, listener, prompt, rng=rng()
    )


def test_one_cluster_has_no_interval():
    with pytest.raises(DataError, match="at least 2 clusters, got 1"):
        cluster_bootstrap(weighted_mean(np.arange(3.0)), ["p", "p", "p"], rng=rng())
    with pytest.raises(DataError, match="at least 2 listeners or about 2 prompts"):
        win_rate([1, 0], ["x", "x"], ["p", "p"], rng=rng())


def test_a_statistic_that_does_not_exist_is_refused():
    with pytest.raises(NotConvergedError, match="exists on 0 of 100 resamples"):
        cluster_bootstrap(lambda counts: float("nan"), [0, 1], rng=rng(), n_resamples=100)


@pytest.mark.parametrize(
    ("votes", "listener", "message"),
    [([1, 2], ["x", "y"], "got 2.0"), ([1, 0], ["x"], "one listener for each of 2 rows, got 1")],
)
def test_broken_votes_are_refused(votes, listener, message):
    with pytest.raises(DataError, match=message):
        win_rate(votes, listener, ["p", "q"], rng=rng())


def test_impossible_settings_are_refused():
    arguments = ([1, 0], ["x", "y"], ["p", "q"])
    with pytest.raises(ConfigError, match="level must be between 0 and 1, got 95"):
        win_rate(*arguments, rng=rng(), level=95)
    with pytest.raises(ConfigError, match="n_resamples must be at least 2, got 0"):
        win_rate(*arguments, rng=rng(), n_resamples=0)
