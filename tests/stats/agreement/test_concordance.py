import numpy as np
import pytest
from scipy import stats

from auralign.errors import DataError, NotConvergedError
from auralign.stats.agreement import kendall_w


def test_w_of_anxiety_with_and_without_ties(anxiety):
    concordance = kendall_w(anxiety)
    assert concordance.w == pytest.approx(0.501921, abs=5e-7)
    assert concordance.tie_corrected == pytest.approx(0.539657, abs=5e-7)
    assert (concordance.n_raters, concordance.n_units, concordance.df) == (3, 20, 19)


def test_the_test_of_w_is_friedmans(anxiety):
    theirs = stats.friedmanchisquare(*anxiety.T)
    concordance = kendall_w(anxiety)
    assert (concordance.chi2, concordance.p_value) == pytest.approx(theirs)


def test_w_is_the_mean_rank_correlation_rescaled():
    ratings = np.random.default_rng(1).normal(size=(5, 12))
    rho = [stats.spearmanr(a, b)[0] for i, a in enumerate(ratings) for b in ratings[:i]]
    assert kendall_w(ratings).w == pytest.approx((np.mean(rho) * 4 + 1) / 5)


def test_equal_orders_have_w_one():
    assert kendall_w([[1, 2, 3, 4], [10, 20, 21, 90]]).w == 1


def test_units_that_a_rater_missed_are_left_out():
    concordance = kendall_w([[1, 2, 3, np.nan], [1, 2, 3, 0]])
    assert (concordance.w, concordance.n_units) == (1, 3)
    assert "1 of 4 units incomplete" in concordance.method


def test_what_does_not_exist_is_refused():
    with pytest.raises(NotConvergedError, match="each rater rates all units alike"):
        kendall_w([[1, 1, 1], [2, 2, 2]])
    with pytest.raises(DataError, match="at least 2 raters and 2 units"):
        kendall_w([[1, 2, 3]])
