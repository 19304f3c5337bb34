import numpy as np
import pytest
from scipy import special
from scipy.sparse.csgraph import connected_components

from auralign.errors import ConfigError, DataError
from auralign.stats.pairs import fit_bradley_terry
from auralign.stats.planning.active import information_gain, next_pairs
from auralign.types import Comparisons


def comparisons(first, second, outcome, n_items):
    n = len(first)
    return Comparisons(
        first=np.array(first),
        second=np.array(second),
        outcome=np.array(outcome, dtype=float),
        weight=np.ones(n),
        rater=np.arange(n) % 3,
        cluster=np.zeros(n, dtype=int),
        items=tuple(f"item{k}" for k in range(n_items)),
        raters=("ann", "bob", "cai"),
    )


@pytest.fixture
def asked():
    rng = np.random.default_rng(4)
    first, second = rng.integers(6, size=(2, 40))
    keep = first != second
    first, second = first[keep], second[keep]
    won = rng.random(len(first)) < special.expit((first - second) / 2)
    return comparisons(first, second, won, 7)  # item 6 was never asked


def spans(first, second, n):
    adjacency = np.zeros((n, n))
    adjacency[first, second] = 1
    return connected_components(adjacency, directed=False)[0] == 1


def test_gain_is_the_fall_of_the_entropy_of_a_normal_posterior():
    rng = np.random.default_rng(0)
    a, theta = rng.normal(size=(4, 4)), rng.normal(size=4)
    covariance = a @ a.T + np.eye(4)
    gain = information_gain(theta, covariance)
    contrast = np.array([0, 1, 0, -1.0])
    p = special.expit(theta[1] - theta[3])
    after = np.linalg.inv(covariance) + p * (1 - p) * np.outer(contrast, contrast)
    fall = (np.linalg.slogdet(covariance)[1] + np.linalg.slogdet(after)[1]) / 2
    assert gain[1, 3] == pytest.approx(fall)
    np.testing.assert_allclose(gain, gain.T)


def test_each_full_batch_connects_all_items(asked):
    found = next_pairs(asked, 12)
    assert spans(found.first[:6], found.second[:6], 7)
    assert spans(found.first[6:], found.second[6:], 7)
    assert len(found.gain) == 12
    assert (found.gain > 0).all()


def test_the_first_pair_has_the_largest_gain_and_asks_about_the_unknown_item(asked):
    for n_pairs in (1, 6):
        found = next_pairs(asked, n_pairs)
        assert 6 in (found.first[0], found.second[0])
    # Of one pair and of a tree alike: the greedy choice is the maximum.
    one = next_pairs(asked, 1)
    covariance = fit_bradley_terry(asked, prior=0.5).covariance()
    gain = information_gain(one.log_worth, covariance)
    assert one.gain[0] == pytest.approx(gain.max())


def test_a_pair_is_worth_less_once_it_has_been_chosen():
    even = comparisons([0, 1], [1, 0], [1, 1], 2)
    found = next_pairs(even, 5)
    assert (np.diff(found.gain) < 0).all()


def test_informative_pairs_beat_random_ones():
    rng = np.random.default_rng(8)
    truth = np.linspace(-3, 3, 12)

    def error(choose):
        first, second, won = list(range(11)), list(range(1, 12)), []
        won = list(rng.random(11) < special.expit(truth[first] - truth[second]))
        for _ in range(15):
            a, b = choose(comparisons(first, second, won, 12))
            answer = rng.random(len(a)) < special.expit(truth[a] - truth[b])
            first, second = [*first, *a], [*second, *b]
            won = [*won, *answer]
        fit = fit_bradley_terry(comparisons(first, second, won, 12), prior=0.5)
        return np.mean((fit.log_worth - truth) ** 2)

    def by_gain(data):
        found = next_pairs(data, 11)
        return found.first, found.second

    def at_random(data):
        first = rng.integers(12, size=11)
        return first, (first + rng.integers(1, 12, size=11)) % 12

    assert np.mean([error(by_gain) for _ in range(4)]) < np.mean(
        [error(at_random) for _ in range(4)]
    )


def test_nothing_to_choose_is_refused(asked):
    with pytest.raises(ConfigError, match="at least 1 pair"):
        next_pairs(asked, 0)
    with pytest.raises(ConfigError, match="prior > 0"):
        next_pairs(asked, 3, prior=0)
    with pytest.raises(DataError, match="at least 2 items"):
        next_pairs(comparisons([0], [0], [1], 1), 3)
