from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auralign.errors import ConfigError, DataError, NotConvergedError
from auralign.stats.rankings import BestWorst, best_worst_counts, fit_best_worst
from auralign.stats.rankings.best_worst import ordered_pair_choices
from auralign.stats.rankings.choices import choice_slopes


def answers(candidates, best, worst, weight=None, rater=None, n_items=None):
    n = len(candidates)
    rater = np.arange(n) if rater is None else np.asarray(rater)
    n_items = n_items or int(np.max(candidates)) + 1
    return BestWorst(
        candidates=np.asarray(candidates),
        best=np.asarray(best),
        worst=np.asarray(worst),
        weight=np.ones(n) if weight is None else np.asarray(weight, dtype=float),
        rater=rater,
        items=tuple(f"i{k}" for k in range(n_items)),
        raters=tuple(f"r{k}" for k in range(rater.max() + 1)),
    )


def simulated(seed=0, n=300, n_items=8, width=4, n_raters=15):
    """Draws from the MaxDiff model, some answers with one candidate less."""
    rng = np.random.default_rng(seed)
    worth = rng.normal(0, 1, n_items)
    candidates = np.array([rng.permutation(n_items)[:width] for _ in range(n)])
    candidates[: n // 3, -1] = -1
    best, worst = np.empty((2, n), dtype=int)
    for k, row in enumerate(candidates):
        pairs = list(permutations(range((row >= 0).sum()), 2))
        p = np.exp([worth[row[i]] - worth[row[j]] for i, j in pairs])
        best[k], worst[k] = pairs[rng.choice(len(pairs), p=p / p.sum())]
    data = answers(candidates, best, worst, None, np.arange(n) % n_raters, n_items)
    return data, worth - worth.mean()


def test_two_candidates_are_bradley_terry_with_twice_the_difference():
    """Won 6:2, so the log-worths are ln(3) / 2 apart."""
    fit = fit_best_worst(answers([[0, 1], [1, 0]], [0, 0], [1, 1], weight=[6, 2]))
    assert fit.log_worth[0] - fit.log_worth[1] == pytest.approx(np.log(3) / 2)


def test_equal_answers_about_three_items_have_the_worths_of_the_formula():
    """Counts of the six ordered pairs that are the model's own expectation give back its worths."""
    worth = np.array([0.9, -0.2, -0.7])
    pairs = list(permutations(range(3), 2))
    p = np.exp([worth[i] - worth[j] for i, j in pairs])
    best, worst = zip(*pairs, strict=True)
    fit = fit_best_worst(answers(np.tile([0, 1, 2], (6, 1)), best, worst, weight=p / p.sum()))
    np.testing.assert_allclose(fit.log_worth, worth, atol=1e-8)
    assert fit.log_likelihood == pytest.approx((p / p.sum()) @ np.log(p / p.sum()))


@given(seed=st.integers(0, 1000))
@settings(max_examples=20)
def test_slopes_are_finite_differences(seed):
    data, _ = simulated(seed, n=9)
    groups = ordered_pair_choices(data, data.weight > 0, data.rater)
    at, step = np.random.default_rng(seed).normal(size=8), 1e-5
    here = choice_slopes(at, groups)
    for k, e in enumerate(step * np.eye(8)):
        up, down = choice_slopes(at + e, groups), choice_slopes(at - e, groups)
        gradient = (up.log_likelihood - down.log_likelihood) / (2 * step)
        assert here.gradient[k] == pytest.approx(gradient, abs=1e-6)
        curvature = -(up.gradient - down.gradient) / (2 * step)
        np.testing.assert_allclose(here.information[k], curvature, atol=1e-6)


def test_simulated_worths_are_recovered_within_their_errors():
    data, truth = simulated(1, n=1500)
    fit = fit_best_worst(data)
    assert np.abs((fit.log_worth - truth) / fit.standard_errors).max() < 3
    np.testing.assert_allclose(fit.clustered_standard_errors, fit.standard_errors, rtol=0.6)


@pytest.mark.parametrize("prior", [0.0, 0.5])
def test_influence_is_the_derivative_of_the_fit_by_the_weight_of_each_rater(prior):
    data, _ = simulated(2)
    step = 1e-4
    up, down = (
        fit_best_worst(
            answers(
                data.candidates, data.best, data.worst, 1 + s * (data.rater == 3), data.rater, 8
            ),
            prior=prior,
        ).log_worth
        for s in (step, -step)
    )
    fit = fit_best_worst(data, prior=prior)
    np.testing.assert_allclose(fit.influence[:, 3], (up - down) / (2 * step), atol=1e-6)


def test_exchanging_best_and_worst_turns_the_worths_round():
    data, _ = simulated(3)
    turned = answers(data.candidates, data.worst, data.best, None, data.rater, 8)
    a, b = fit_best_worst(data), fit_best_worst(turned)
    np.testing.assert_allclose(a.log_worth, -b.log_worth, atol=1e-9)


def test_an_item_that_is_always_best_is_refused_and_a_prior_makes_it_finite():
    data = answers([[0, 1, 2], [0, 1, 2]], [0, 0], [1, 2])
    with pytest.raises(NotConvergedError, match="'i0' never loses"):
        fit_best_worst(data)
    fit = fit_best_worst(data, prior=0.5)
    assert fit.log_worth[0] > fit.log_worth[1] == pytest.approx(fit.log_worth[2])
    assert "0.5 wins" in fit.warnings[0]


def test_count_scores_are_best_minus_worst_over_shown():
    data = answers([[0, 1, 2], [0, 1, 2], [1, 2, 3]], [0, 0, 0], [2, 1, 1], n_items=5)
    counts = best_worst_counts(data)
    assert counts.best.tolist() == [2, 1, 0, 0, 0]
    assert counts.worst.tolist() == [0, 1, 2, 0, 0]
    assert counts.shown.tolist() == [2, 3, 3, 1, 0]
    np.testing.assert_allclose(counts.score, [1, 0, -2 / 3, 0, np.nan])


def test_errors_of_count_scores_are_those_of_a_ratio_over_raters():
    """Three raters, each shown item 0 once: the error of a mean of -1, 0 and 1."""
    data = answers([[0, 1, 2]] * 3, [0, 1, 1], [1, 0, 2])
    counts = best_worst_counts(data)
    expected = np.std([1, -1, 0], ddof=1) / np.sqrt(3)
    assert counts.clustered_standard_errors[0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("best", "worst", "match"),
    [
        ([0], [0], "one candidate as best and worst"),
        ([0], [3], "not shown"),
        ([-1], [0], "not shown"),
    ],
)
def test_broken_answers_are_refused(best, worst, match):
    for method in (fit_best_worst, best_worst_counts):
        with pytest.raises(DataError, match=match):
            method(answers([[0, 1, 2]], best, worst))


def test_a_negative_prior_is_refused():
    with pytest.raises(ConfigError, match="prior must be"):
        fit_best_worst(simulated()[0], prior=-1)
