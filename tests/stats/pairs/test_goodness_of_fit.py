import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import chi2, chisquare

from auralign.errors import ConfigError
from auralign.stats.comparisons import comparisons_of
from auralign.stats.pairs import fit_bradley_terry, fit_within_blocks, goodness_of_fit

# Citations between four journals of statistics (Stigler 1994), wins of row over column.
CITATIONS = np.array([[0, 730, 498, 221], [33, 0, 68, 17], [320, 813, 0, 142], [284, 276, 325, 0]])
# Tastes (David 1988, The Method of Paired Comparisons), 15 judgements a pair.
TASTES = np.array([[0, 3, 2, 2], [12, 0, 11, 3], [13, 4, 0, 5], [13, 12, 10, 0]])


def from_wins(wins):
    first, second = np.nonzero(wins)
    return comparisons_of(first, second, np.ones(len(first)), weight=wins[first, second])


@pytest.mark.parametrize(
    ("wins", "deviance"), [(CITATIONS, 4.293384), (TASTES, 4.23990)], ids=["citations", "tastes"]
)
def test_published_deviances_on_three_degrees_of_freedom(wins, deviance):
    found = goodness_of_fit(fit_bradley_terry(from_wins(wins)))
    assert found.deviance == pytest.approx(deviance, abs=1e-5)
    assert found.df == 3
    assert found.deviance_p == pytest.approx(chi2.sf(found.deviance, 3))


def test_tastes_as_published():
    log_worth = fit_bradley_terry(from_wins(TASTES)).log_worth
    np.testing.assert_allclose(
        log_worth[1:] - log_worth[0], [1.61304, 1.30099, 2.35712], atol=5.1e-6
    )


def test_pearson_is_the_sum_over_both_outcomes_of_each_pair():
    fit = fit_bradley_terry(from_wins(CITATIONS))
    p = expit(fit.log_worth[:, None] - fit.log_worth)
    expected = (CITATIONS + CITATIONS.T) * p
    off = ~np.eye(4, dtype=bool)
    found = goodness_of_fit(fit)
    assert found.pearson == pytest.approx(
        chisquare(CITATIONS[off], expected[off], sum_check=False).statistic
    )
    assert (found.residual**2).sum() == pytest.approx(found.pearson)


def test_residuals_name_the_pair_that_breaks_the_order():
    """Equal items, but the last beats the first: a cycle that no worths describe."""
    first, second = np.triu_indices(4, 1)
    wins = np.where((first == 0) & (second == 3), 5, 20)
    c = comparisons_of(np.r_[first, first], np.r_[second, second], np.repeat([1.0, 0.0], 6),
                       weight=np.r_[wins, 40 - wins])  # fmt: skip
    found = goodness_of_fit(fit_bradley_terry(c))
    worst = np.abs(found.residual).argmax()
    assert (found.first[worst], found.second[worst]) == (0, 3)
    assert found.residual[worst] < -2
    assert found.deviance_p < 0.01


@pytest.mark.parametrize("ties", ["davidson", "rao_kupper"])
def test_models_of_ties_spend_one_parameter_on_two_free_shares_a_pair(ties):
    first, second = np.repeat(np.triu_indices(4, 1), 3, axis=1)
    outcome, weight = np.tile([1.0, 0.0, 0.5], 6), np.random.default_rng(0).integers(8, 30, 18)
    fit = fit_bradley_terry(comparisons_of(first, second, outcome, weight=weight), ties=ties)
    found = goodness_of_fit(fit)
    assert found.df == 2 * 6 - 3 - 1
    share = weight.reshape(6, 3) / weight.reshape(6, 3).sum(axis=1, keepdims=True)
    saturated = (weight * np.log(share.ravel())).sum()
    assert found.deviance == pytest.approx(2 * (saturated - fit.log_likelihood))


def test_a_fit_that_cannot_fail_has_no_p_value():
    found = goodness_of_fit(fit_bradley_terry(from_wins(np.array([[0, 6], [2, 0]]))))
    assert found.deviance == pytest.approx(0, abs=1e-9)
    assert (found.df, np.isnan(found.deviance_p)) == (0, True)
    assert "no degrees of freedom" in found.warnings[-1]


def test_thin_pairs_and_half_ties_are_warned_about():
    c = comparisons_of([0, 1, 2, 0], [1, 2, 0, 1], [1, 1, 1, 0.5])
    warnings = " ".join(goodness_of_fit(fit_bradley_terry(c)).warnings)
    assert "of expected counts are below 5" in warnings
    assert "ties count half" in warnings


def test_each_block_has_a_mean_of_its_own():
    wins = np.zeros((8, 8), dtype=int)
    wins[:4, :4], wins[4:, 4:] = CITATIONS, TASTES
    fit = fit_within_blocks(from_wins(wins), {str(k): str(k // 4) for k in range(8)})
    found = goodness_of_fit(fit)
    assert (found.df, found.deviance) == (6, pytest.approx(4.293384 + 4.23990, abs=2e-5))


def test_orders_that_the_fit_tells_apart_are_not_joined():
    c = comparisons_of([0, 1, 0, 1], [1, 0, 1, 0], [1.0, 1, 0, 0])
    with pytest.raises(ConfigError, match="the fit has an order effect"):
        goodness_of_fit(fit_bradley_terry(c, order_effect=True), ordered=False)
