import numpy as np
import pytest
from scipy import stats

from auralign.errors import ConfigError, DataError, NotConvergedError
from auralign.stats.agreement import intraclass_correlation, intraclass_correlations

FORMS = ("ICC(1,1)", "ICC(2,1)", "ICC(3,1)", "ICC(1,k)", "ICC(2,k)", "ICC(3,k)")


def test_the_family_of_shrout_and_fleiss(four_judges):
    values = [icc.estimate.value for icc in intraclass_correlations(four_judges).values()]
    published = [0.165742, 0.289764, 0.714841, 0.442797, 0.620051, 0.909316]
    assert values == pytest.approx(published, abs=5e-7)


def test_intervals_and_f_tests_as_in_the_r_package_psych(four_judges):
    family = intraclass_correlations(four_judges)
    ends = [(icc.estimate.low, icc.estimate.high) for icc in family.values()]
    published = [
        (-0.13, 0.72),
        (0.02, 0.76),
        (0.34, 0.95),
        (-0.88, 0.91),
        (0.07, 0.93),
        (0.68, 0.99),
    ]
    np.testing.assert_allclose(ends, published, atol=0.005)
    assert family["ICC(1,1)"].f == pytest.approx(1.79, abs=0.005)
    assert family["ICC(1,1)"].df == (5, 18)
    assert family["ICC(3,k)"].f == pytest.approx(11.03, abs=0.005)
    assert family["ICC(3,k)"].df == (5, 15)
    assert family["ICC(3,1)"].p_value == pytest.approx(stats.f.sf(family["ICC(3,1)"].f, 5, 15))
    assert "ICC(2,1) = ICC(A,1)" in family["ICC(2,1)"].estimate.method


def test_severity_of_a_rater_lowers_agreement_and_leaves_consistency(four_judges):
    severe = four_judges - np.array([[0], [5], [0], [2]])
    for form in FORMS:
        before = intraclass_correlation(four_judges, form=form).estimate.value
        after = intraclass_correlation(severe, form=form).estimate.value
        if form.startswith("ICC(3"):
            assert after == pytest.approx(before)
        else:
            assert after < before


@pytest.mark.parametrize("form", ["ICC(1,1)", "ICC(2,1)", "ICC(3,1)"])
def test_averages_follow_spearman_and_brown(four_judges, form):
    single = intraclass_correlation(four_judges, form=form).estimate
    average = intraclass_correlation(four_judges, form=form.replace("1)", "k)")).estimate
    for one, many in ((single.value, average.value), (single.low, average.low)):
        assert many == pytest.approx(4 * one / (1 + 3 * one))


@pytest.mark.parametrize("form", ["ICC(1,1)", "ICC(2,1)", "ICC(3,1)"])
def test_intervals_cover_the_reliability_that_made_the_ratings(form):
    rng = np.random.default_rng(4)
    covered = 0
    for _ in range(200):
        units, raters = rng.normal(size=20), rng.normal(size=(8, 1)) * (form[4] == "2")
        ratings = units + raters + rng.normal(size=(8, 20))
        estimate = intraclass_correlation(ratings, form=form).estimate
        truth = 1 / 3 if form[4] == "2" else 1 / 2
        covered += estimate.low <= truth <= estimate.high
    assert 0.92 <= covered / 200 <= 0.98


def test_incomplete_units_are_left_out_and_counted(four_judges):
    holes = np.concatenate([four_judges, [[5], [np.nan], [4], [4]]], axis=1)
    estimate = intraclass_correlation(holes, form="ICC(2,1)").estimate
    assert estimate.value == pytest.approx(0.289764, abs=5e-7)
    assert "1 of 7 units incomplete, left out" in estimate.method


def test_perfect_agreement_is_one():
    ratings = np.tile([1.0, 4.0, 2.0], (3, 1))
    for icc in intraclass_correlations(ratings).values():
        assert (icc.estimate.value, icc.estimate.low, icc.p_value) == (1, 1, 0)


def test_what_does_not_exist_is_refused():
    with pytest.raises(NotConvergedError, match="all ratings are equal"):
        intraclass_correlation(np.full((3, 4), 0.1), form="ICC(1,1)")
    only_raters = np.tile([[1.1], [2.2], [3.3]], (1, 4))
    with pytest.raises(NotConvergedError, match="only raters differ"):
        intraclass_correlation(only_raters, form="ICC(3,1)")
    assert intraclass_correlation(only_raters, form="ICC(2,1)").estimate.value == 0
    with pytest.raises(NotConvergedError, match="all units have the same mean"):
        intraclass_correlation([[1, 2], [2, 1]], form="ICC(1,k)")


def test_bad_input_is_named(four_judges):
    with pytest.raises(ConfigError, match=r"ICC\(3,k\), got 'ICC2'"):
        intraclass_correlation(four_judges, form="ICC2")
    with pytest.raises(DataError, match="got 1 raters and 6 such units"):
        intraclass_correlation(four_judges[:1], form="ICC(1,1)")
