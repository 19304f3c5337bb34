import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auralign.stats.pairs.pair_models import (
    PairCounts,
    aggregate,
    condense,
    davidson,
    half_win,
    rao_kupper,
    with_order_effect,
)

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


def test_rao_kupper_is_the_log_probability_of_each_outcome_and_they_sum_to_one():
    counts = PairCounts(np.zeros(3, int), np.ones(3, int), *np.eye(3))
    i, j, eta = 2.0, 3.0, 1.4
    slopes = rao_kupper(np.full(3, np.log(i / j)), np.log([eta]), counts)
    probability = np.exp(slopes.log_likelihood)
    tie = (eta**2 - 1) * i * j / ((i + eta * j) * (j + eta * i))
    np.testing.assert_allclose(probability, [i / (i + eta * j), j / (j + eta * i), tie])
    assert probability.sum() == pytest.approx(1)


def test_a_rao_kupper_threshold_below_zero_is_impossible():
    counts = counts_of(np.random.default_rng(0), 2)
    slopes = rao_kupper(np.zeros(2), np.array([-0.1]), counts)
    assert (slopes.log_likelihood == -np.inf).all()


def test_an_order_effect_shifts_the_margin():
    counts = counts_of(np.random.default_rng(0), 5)
    margin = np.linspace(-2, 2, 5)
    shifted = davidson(margin + 0.3, np.array([-0.4]), counts)
    ordered = with_order_effect(davidson)(margin, np.array([0.3, -0.4]), counts)
    np.testing.assert_allclose(ordered.log_likelihood, shifted.log_likelihood)


MODELS = [
    (half_win, []),
    (davidson, [-0.4]),
    (rao_kupper, [0.6]),
    (with_order_effect(half_win), [0.3]),
    (with_order_effect(davidson), [0.3, -0.4]),
    (with_order_effect(rao_kupper), [0.3, 0.6]),
]
names = ["half", "davidson", "rao_kupper", "half + order", "davidson + order", "rao_kupper + order"]


@pytest.mark.parametrize(("model", "shared"), MODELS, ids=names)
@settings(max_examples=25)
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


@pytest.mark.parametrize(("model", "shared"), MODELS[1:], ids=names[1:])
@settings(max_examples=25)
@given(seed=st.integers(0, 1000))
def test_derivatives_by_shared_parameters_are_finite_differences(model, shared, seed):
    generator = np.random.default_rng(seed)
    margin, counts = generator.normal(0, 2, 7), counts_of(generator, 7)
    here = model(margin, np.array(shared), counts)
    for k, unit in enumerate(np.eye(len(shared))):
        up, down = (model(margin, shared + s * unit, counts) for s in (STEP, -STEP))

        def slope(attribute, up=up, down=down):
            return (getattr(up, attribute) - getattr(down, attribute)) / (2 * STEP)

        np.testing.assert_allclose(here.shared_score[k], slope("log_likelihood"), atol=1e-5)
        np.testing.assert_allclose(here.cross_information[k], -slope("score"), atol=1e-5)
        np.testing.assert_allclose(
            here.shared_information[k], -slope("shared_score").sum(axis=1), atol=1e-4
        )


@pytest.mark.parametrize("model", [half_win, davidson, rao_kupper])
def test_enormous_margins_stay_finite(model):
    counts = counts_of(np.random.default_rng(0), 2)
    slopes = model(np.array([3000.0, -3000.0]), np.ones(1), counts)
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


@pytest.mark.parametrize("n_items", [3, 60])
def test_condensed_rows_hold_the_same_counts_sorted_by_first(n_items):
    generator = np.random.default_rng(1)
    first = generator.integers(n_items, size=90)
    second = (first + generator.integers(1, n_items, size=90)) % n_items
    rows = PairCounts(first, second, *generator.uniform(0, 2, (3, 90)))
    counts = condense(rows, n_items)
    assert (np.diff(counts.first) >= 0).all()
    assert len(counts.first) == (6 if n_items == 3 else 90)
    for name in ("wins", "losses", "ties"):
        tables = [np.zeros((n_items, n_items)) for _ in range(2)]
        for kept, table in zip((rows, counts), tables, strict=True):
            np.add.at(table, (kept.first, kept.second), getattr(kept, name))
        np.testing.assert_allclose(*tables)
