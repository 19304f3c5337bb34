import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auralign.stats.pairs.pair_models import PairCounts, aggregate, davidson, half_win

STEP = 1e-5


def counts_of(generator, n):
    wins, losses, ties = generator.uniform(0, 5, (3, n))
    return PairCounts(np.arange(n), np.arange(n) + 1, wins, losses, ties)


def test_half_win_is_the_log_probability_of_each_outcome():
    counts = PairCounts(np.zeros(3, int), np.ones(3, int), *np.eye(3))
    p = 1 / (1 + np.exp(-0.8))
    slopes = half_win(np.full(3, 0.8), np.zeros(0), counts)
    expected = [np.log(p), np.log(1 - p), (np.log(p) + np.log(1 - p)) / 2]
    np.testing.assert_allclose(slopes.log_likelihood, expected)


def test_davidson_is_the_log_probability_of_each_outcome_and_they_sum_to_one():
    counts = PairCounts(np.zeros(3, int), np.ones(3, int), *np.eye(3))
    i, j, nu = 2.0, 3.0, 0.7
    total = i + j + nu * np.sqrt(i * j)
    slopes = davidson(np.full(3, np.log(i / j)), np.log([nu]), counts)
    probability = np.exp(slopes.log_likelihood)
    np.testing.assert_allclose(probability, [i / total, j / total, nu * np.sqrt(i * j) / total])
    assert probability.sum() == pytest.approx(1)


@pytest.mark.parametrize(("model", "shared"), [(half_win, []), (davidson, [-0.4])])
@given(seed=st.integers(0, 1000))
def test_derivatives_are_finite_differences(model, shared, seed):
    generator = np.random.default_rng(seed)
    margin, counts = generator.normal(0, 2, 7), counts_of(generator, 7)
    shared = np.array(shared)

    def by_margin(attribute):
        up, down = (getattr(model(margin + s, shared, counts), attribute) for s in (STEP, -STEP))
        return (up - down) / (2 * STEP)

    slopes = model(margin, shared, counts)
    np.testing.assert_allclose(slopes.score, by_margin("log_likelihood"), atol=1e-6)
    np.testing.assert_allclose(slopes.information, -by_margin("score"), atol=1e-6)
    np.testing.assert_allclose(slopes.cross_information, -by_margin("shared_score"), atol=1e-6)


@given(seed=st.integers(0, 1000))
def test_derivatives_by_log_nu_are_finite_differences(seed):
    generator = np.random.default_rng(seed)
    margin, counts = generator.normal(0, 2, 7), counts_of(generator, 7)
    up, here, down = (davidson(margin, np.array([0.3 + s]), counts) for s in (STEP, 0, -STEP))

    def slope(attribute):
        return (getattr(up, attribute) - getattr(down, attribute)) / (2 * STEP)

    np.testing.assert_allclose(here.shared_score[0], slope("log_likelihood"), atol=1e-6)
    np.testing.assert_allclose(here.cross_information[0], -slope("score"), atol=1e-6)
    np.testing.assert_allclose(
        here.shared_information[0, 0], -slope("shared_score").sum(), atol=1e-5
    )


@pytest.mark.parametrize("model", [half_win, davidson])
def test_enormous_margins_stay_finite(model):
    counts = counts_of(np.random.default_rng(0), 2)
    slopes = model(np.array([800.0, -800.0]), np.zeros(1), counts)
    assert np.isfinite(slopes.log_likelihood).all()
    assert np.isfinite(slopes.score).all()
    assert (slopes.information >= 0).all()


def test_aggregation_adds_equal_pairs_and_keeps_the_order_of_presentation():
    rows = PairCounts(
        np.array([0, 1, 0]), np.array([1, 0, 1]), np.array([1.0, 0, 1]), np.zeros(3), np.ones(3)
    )
    counts = aggregate(rows, n_items=2)
    assert (counts.first.tolist(), counts.second.tolist()) == ([0, 1], [1, 0])
    assert (counts.wins.tolist(), counts.ties.tolist()) == ([2.0, 0.0], [2.0, 1.0])
    assert (counts.score.tolist(), counts.total.tolist()) == ([3.0, 0.5], [4.0, 1.0])
