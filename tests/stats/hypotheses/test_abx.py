import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from auralign.errors import ConfigError, DataError
from auralign.stats.hypotheses import abx_d_prime, abx_share_correct, abx_test, minimum_correct

MODELS = ("differencing", "independent")


@pytest.mark.parametrize(
    ("n", "fewest"), [(10, 9), (12, 10), (16, 12), (20, 15), (25, 18), (30, 20), (50, 32)]
)
def test_the_usual_numbers_of_correct_answers(n, fewest):
    assert minimum_correct(n) == fewest


def test_four_trials_cannot_be_significant():
    with pytest.raises(DataError, match=r"4 ABX trials cannot be significant at 0.05"):
        minimum_correct(4)
    assert minimum_correct(5) == 5


@pytest.mark.parametrize("d_prime", [0.5, 1.5, 3.0])
def test_the_models_are_the_listeners_they_describe(d_prime):
    """Simulated listeners: the nearer observation, and the side of each observation."""
    noise = np.random.default_rng(1).normal(size=(3, 400_000))
    a, b, x = noise + d_prime * np.array([[0], [1], [0]])
    nearer_a = np.abs(x - a) < np.abs(x - b)
    one_side = (x < d_prime / 2) == (a < b)
    for model, right in (("differencing", nearer_a), ("independent", one_side)):
        assert abx_share_correct(d_prime, model=model) == pytest.approx(right.mean(), abs=0.003)


def test_the_formulas_of_macmillan_and_creelman():
    d = 2.0
    expected = ndtr(d / 2**0.5) * ndtr(d / 6**0.5) + ndtr(-d / 2**0.5) * ndtr(-d / 6**0.5)
    assert abx_share_correct(d, model="differencing") == pytest.approx(expected)
    expected = ndtr(d / 2**0.5) * ndtr(d / 2) + ndtr(-d / 2**0.5) * ndtr(-d / 2)
    assert abx_share_correct(d, model="independent") == pytest.approx(expected)


@pytest.mark.parametrize("model", MODELS)
def test_d_prime_undoes_the_share_of_correct_answers(model):
    for d_prime in (0.01, 0.7, 2.3, 5.0):
        share = float(abx_share_correct(d_prime, model=model))
        assert abx_d_prime(share, model=model) == pytest.approx(d_prime, rel=1e-9)
    assert abx_d_prime(0.5, model=model) == abx_d_prime(0.3, model=model) == 0
    assert abx_d_prime(1.0, model=model) == float("inf")


def test_comparing_wastes_information():
    """The same share correct needs a larger distance when the answer is found by differences."""
    for share in (0.6, 0.75, 0.9):
        d = {model: abx_d_prime(share, model=model) for model in MODELS}
        assert d["differencing"] > d["independent"]


def test_pooled_and_single_listeners():
    correct = [True] * 9 + [False] + [True] * 5 + [False] * 5
    result = abx_test(correct, ["ann"] * 10 + ["bob"] * 10, model="differencing")
    assert result.pooled.p_value == pytest.approx(0.0576591, abs=5e-8)
    ann, bob = result.by_listener.tests
    assert (ann.name, ann.test.p_value, ann.p_adjusted) == ("ann", 11 / 1024, 22 / 1024)
    assert bob.p_adjusted == pytest.approx(0.623046875)
    assert result.d_prime.value == abx_d_prime(0.7, model="differencing")
    low, high = result.pooled.effect.low, result.pooled.effect.high
    assert result.d_prime.low == abx_d_prime(low, model="differencing") == 0
    assert result.d_prime.high == abx_d_prime(high, model="differencing")


def test_a_preference_for_one_side_is_taken_out_of_d_prime():
    """Nearly always answering A: all A right, half of B right. 75 % correct say too little."""
    x_is_a = np.repeat([True, False], 100)
    correct = np.concatenate([np.ones(100, bool), np.repeat([True, False], 50)])
    biased = abx_test(correct, ["ann"] * 200, model="independent").d_prime
    fair = abx_test(correct, ["ann"] * 200, model="independent", x_is_a=x_is_a).d_prime
    hits, false_alarms = 100.5 / 101, 50.5 / 101
    share = ndtr((ndtri(hits) - ndtri(false_alarms)) / 2)
    assert fair.value == pytest.approx(abx_d_prime(share, model="independent"))
    assert fair.value > biased.value
    assert fair.low < fair.value < fair.high


def test_without_bias_both_ways_give_nearly_the_same_d_prime():
    x_is_a = np.repeat([True, False], 100)
    correct = np.tile(np.repeat([True, False], [80, 20]), 2)
    plain = abx_test(correct, ["ann"] * 200, model="differencing").d_prime
    unbiased = abx_test(correct, ["ann"] * 200, model="differencing", x_is_a=x_is_a).d_prime
    assert unbiased.value == pytest.approx(plain.value, rel=0.02)
    assert (unbiased.low, unbiased.high) == pytest.approx((plain.low, plain.high), rel=0.05)


def test_all_correct_has_a_lower_bound_only():
    d_prime = abx_test([True] * 10, ["ann"] * 10, model="differencing").d_prime
    assert d_prime.value == d_prime.high == float("inf")
    assert d_prime.low == pytest.approx(abx_d_prime(0.025**0.1, model="differencing"))


def test_bad_input_is_named():
    with pytest.raises(ConfigError, match="differencing, independent, got 'optimal'"):
        abx_test([True], ["ann"], model="optimal")
    with pytest.raises(DataError, match="a listener for each trial, got 1 for 2"):
        abx_test([True, False], ["ann"], model="differencing")
    with pytest.raises(DataError, match="some true and some false"):
        abx_test([True, False], ["ann"] * 2, model="differencing", x_is_a=[True, True])
    with pytest.raises(DataError, match="between 0 and 1, got 75"):
        abx_d_prime(75, model="differencing")
