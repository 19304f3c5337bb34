"""What being presented first adds to a margin: positive favours the item presented first."""

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from auralign.errors import NotConvergedError
from auralign.stats.comparisons import comparisons_of
from auralign.stats.pairs import fit_bradley_terry, goodness_of_fit

# Home wins : away wins of baseball in 1987 (Agresti 2002, Categorical Data Analysis, table 10.10),
# rows at home: Milwaukee, Detroit, Toronto, New York, Boston, Cleveland, Baltimore.
BASEBALL = [
    "-:- 4:3 4:2 4:3 6:1 4:2 6:0",
    "3:3 -:- 4:2 4:3 6:0 6:1 4:3",
    "2:5 4:3 -:- 2:4 4:3 4:2 6:0",
    "3:3 5:1 2:5 -:- 4:3 4:2 6:1",
    "5:1 2:5 3:3 4:2 -:- 5:2 6:0",
    "2:5 3:3 3:4 4:3 4:2 -:- 2:4",
    "2:5 1:5 1:6 2:4 1:6 3:4 -:-",
]
BALTIMORE = 6
BOS_CLE_DET_MIL_NY_TOR = [4, 5, 1, 0, 3, 2]


def baseball():
    home, away, won, games = [], [], [], []
    for i, row in enumerate(BASEBALL):
        for j, cell in enumerate(row.split()):
            for outcome, n in zip((1, 0), cell.split(":"), strict=True):
                if n not in "-0":
                    home, away = [*home, i], [*away, j]
                    won, games = [*won, outcome], [*games, int(n)]
    return comparisons_of(home, away, won, weight=games)


def against_baltimore(fit):
    return fit.log_worth[BOS_CLE_DET_MIL_NY_TOR] - fit.log_worth[BALTIMORE]


def test_baseball_without_and_with_a_home_advantage():
    plain, home = (fit_bradley_terry(baseball(), order_effect=on) for on in (False, True))
    np.testing.assert_allclose(
        against_baltimore(plain),
        [1.107698, 0.683853, 1.436408, 1.581356, 1.247618, 1.294485],
        atol=1e-6,
    )
    np.testing.assert_allclose(
        against_baltimore(home),
        [1.143803, 0.704694, 1.475357, 1.619555, 1.281340, 1.327110],
        atol=1e-6,
    )
    assert plain.order_effect is None
    assert home.order_effect == pytest.approx(0.302261, abs=1e-6)
    assert home.order_effect_error == pytest.approx(0.130944, abs=1e-6)


def test_baseball_deviances_and_their_difference():
    plain, home = (fit_bradley_terry(baseball(), order_effect=on) for on in (False, True))
    without, with_effect = goodness_of_fit(plain, ordered=True), goodness_of_fit(home)
    assert (without.deviance, without.df) == (pytest.approx(44.053, abs=5e-4), 36)
    assert (with_effect.deviance, with_effect.df) == (pytest.approx(38.643, abs=5e-4), 35)
    assert without.deviance - with_effect.deviance == pytest.approx(5.411, abs=1e-3)


def test_baseball_worths_as_published():
    worth = np.exp(fit_bradley_terry(baseball(), order_effect=True).log_worth)
    np.testing.assert_allclose(
        (worth / worth.sum())[[BALTIMORE, *BOS_CLE_DET_MIL_NY_TOR]],
        [0.0436, 0.1367, 0.0881, 0.1905, 0.2200, 0.1569, 0.1642],
        atol=5.1e-5,
    )


def simulated(seed, n_items=6, n_rows=240, order=0.5, p_tie=0.0):
    generator = np.random.default_rng(seed)
    first = generator.integers(n_items, size=n_rows)
    second = (first + generator.integers(1, n_items, size=n_rows)) % n_items
    log_worth = np.linspace(-0.8, 0.8, n_items)
    outcome = generator.random(n_rows) < expit(log_worth[first] - log_worth[second] + order)
    outcome = np.where(generator.random(n_rows) < p_tie, 0.5, outcome)
    return first, second, outcome, generator.uniform(0.2, 3, n_rows)


def design(first, second, n_items, *, order):
    rows = np.arange(len(first))
    x = np.zeros((len(first), n_items + order))
    x[rows, first], x[rows, second] = 1, -1
    if order:
        x[:, -1] = 1
    return x[:, 1:]  # the first item is the reference


@pytest.mark.parametrize("order", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_estimates_errors_and_likelihood_equal_statsmodels(seed, order):
    first, second, outcome, _ = simulated(seed)
    fit = fit_bradley_terry(comparisons_of(first, second, outcome), order_effect=order)
    glm = sm.GLM(outcome, design(first, second, 6, order=order), family=sm.families.Binomial()).fit(
        tol=1e-14, maxiter=100
    )
    np.testing.assert_allclose(fit.log_worth[1:] - fit.log_worth[0], glm.params[:5], atol=1e-8)
    assert fit.log_likelihood == pytest.approx(glm.llf, abs=1e-8)
    errors = fit.difference_errors("information")[0, 1:]
    np.testing.assert_allclose(errors, glm.bse[:5], rtol=1e-8)
    if order:
        assert fit.order_effect == pytest.approx(glm.params[5], abs=1e-8)
        assert fit.order_effect_error == pytest.approx(glm.bse[5], rel=1e-8)


def test_fractional_weights_equal_statsmodels():
    first, second, outcome, weight = simulated(7)
    fit = fit_bradley_terry(comparisons_of(first, second, outcome, weight=weight))
    glm = sm.GLM(
        outcome,
        design(first, second, 6, order=False),
        family=sm.families.Binomial(),
        freq_weights=weight,
    ).fit(tol=1e-14)
    np.testing.assert_allclose(fit.log_worth[1:] - fit.log_worth[0], glm.params, atol=1e-8)
    np.testing.assert_allclose(fit.difference_errors("information")[0, 1:], glm.bse, rtol=1e-8)


@pytest.mark.parametrize("ties", ["half", "davidson", "rao_kupper"])
@settings(max_examples=20)
@given(seed=st.integers(0, 1000))
def test_swapping_sides_negates_the_order_effect_and_nothing_else(ties, seed):
    first, second, outcome, weight = simulated(seed, p_tie=0.2)
    straight, mirrored = (
        fit_bradley_terry(c, ties=ties, order_effect=True, prior=0.1)
        for c in (
            comparisons_of(first, second, outcome, weight=weight),
            comparisons_of(second, first, 1 - outcome, weight=weight),
        )
    )
    np.testing.assert_allclose(mirrored.log_worth, straight.log_worth, atol=1e-7)
    assert mirrored.order_effect == pytest.approx(-straight.order_effect, abs=1e-7)


@pytest.mark.parametrize("ties", ["davidson", "rao_kupper"])
def test_an_order_effect_is_recovered_beside_ties(ties):
    """Both orders of two equal items: each outcome's share gives the parameters in closed form."""
    won, lost, tied = 50.0, 20.0, 30.0
    first, weight = np.repeat([0, 1], 3), [won, lost, tied] * 2
    c = comparisons_of(first, 1 - first, [1, 0, 0.5] * 2, weight=weight)
    fit = fit_bradley_terry(c, ties=ties, order_effect=True)
    np.testing.assert_allclose(fit.log_worth, 0, atol=1e-9)
    if ties == "davidson":
        assert fit.order_effect == pytest.approx(np.log(won / lost))
        assert fit.nu == pytest.approx(tied / np.sqrt(won * lost))
    else:
        upper, lower = (np.log(x / (100 - x)) for x in (won, won + tied))
        assert fit.order_effect == pytest.approx((upper + lower) / 2)
        assert fit.threshold == pytest.approx((lower - upper) / 2)


def test_an_order_effect_that_explains_every_outcome_is_refused():
    """The first always wins: worths exist, for all are connected, but the effect is infinite."""
    c = comparisons_of([0, 1, 1, 2, 2, 0], [1, 0, 2, 1, 0, 2], np.ones(6))
    assert np.ptp(fit_bradley_terry(c).log_worth) == pytest.approx(0, abs=1e-9)
    with pytest.raises(NotConvergedError, match="no finite order effect exists"):
        fit_bradley_terry(c, order_effect=True)
    with pytest.raises(NotConvergedError, match="no finite order effect exists"):
        fit_bradley_terry(c, order_effect=True, ridge_sd=1.0)


def test_an_order_effect_that_worths_can_stand_for_is_refused():
    """Item 0 is always first, so its worth and the advantage of being first are one number."""
    c = comparisons_of([0, 0, 0, 0], [1, 1, 2, 2], [1, 0, 1, 0])
    with pytest.raises(NotConvergedError, match="cannot be told from the worths"):
        fit_bradley_terry(c, order_effect=True)


def test_cycles_of_mixed_sides_bound_an_order_effect():
    """No cycle holds wins of one side only, but 0 > 1 > 2 > 0 holds two of the first and one of the
    second, 0 > 3 > 4 > 0 the reverse; by that symmetry the effect is zero."""
    first, second = [0, 1, 0, 3, 4, 4], [1, 2, 2, 0, 3, 0]
    outcome = [1.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    fit = fit_bradley_terry(comparisons_of(first, second, outcome), order_effect=True)
    assert fit.order_effect == pytest.approx(0, abs=1e-9)
    with pytest.raises(NotConvergedError, match="no finite order effect exists"):
        fit_bradley_terry(comparisons_of(first[:3], second[:3], outcome[:3]), order_effect=True)
