import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from auralign.errors import ConfigError, DataError, NotConvergedError
from auralign.stats.pairs.thurstone import (
    JOD_PER_UNIT,
    Pairs,
    case_v_slopes,
    fit_thurstone,
    probit,
    thurstone_least_squares,
)
from auralign.types import Comparisons

# Four tastes, wins of row over column (David 1988, The Method of Paired Comparisons, p. 116).
TASTES = np.array([[0, 3, 2, 2], [12, 0, 11, 3], [13, 4, 0, 5], [13, 12, 10, 0]])
# Share that chose the column, a worked example of the classical solution.
COURSE = np.array(
    [
        [0.50, 0.75, 0.85, 0.80, 0.90],
        [0.25, 0.50, 0.55, 0.60, 0.65],
        [0.15, 0.45, 0.50, 0.70, 0.70],
        [0.20, 0.40, 0.30, 0.50, 0.80],
        [0.10, 0.35, 0.30, 0.20, 0.50],
    ]
)
# Nine vegetables, upper triangle by row: share that chose the column (Guilford 1954, p. 160).
VEGETABLES = (
    ".818 .770 .811 .878 .892 .899 .892 .926 .601 .723 .743 .736 .811 .845 .858 .561 .736 .676 "
    ".845 .797 .818 .561 .588 .676 .601 .730 .493 .574 .709 .764 .628 .682 .628 .527 .642 .628"
)


def from_wins(wins, rater=None):
    first, second = np.nonzero(wins)
    n = len(first)
    rater = np.arange(n) if rater is None else rater
    return Comparisons(
        first=first,
        second=second,
        outcome=np.ones(n),
        weight=wins[first, second].astype(float),
        rater=rater,
        cluster=np.zeros(n, dtype=np.int64),
        items=tuple(f"i{k}" for k in range(len(wins))),
        raters=tuple(f"r{k}" for k in range(n)),
    )


def rows_of(wins, rng, n_raters):
    """Single comparisons in random presentation order, by random raters."""
    first, second = np.nonzero(wins)
    times = wins[first, second]
    first, second = np.repeat(first, times), np.repeat(second, times)
    swap = rng.uniform(size=len(first)) < 0.5
    return Comparisons(
        first=np.where(swap, second, first),
        second=np.where(swap, first, second),
        outcome=1.0 - swap,
        weight=np.ones(len(first)),
        rater=rng.integers(0, n_raters, len(first)),
        cluster=np.zeros(len(first), dtype=np.int64),
        items=tuple(f"i{k}" for k in range(len(wins))),
        raters=tuple(f"r{k}" for k in range(n_raters)),
    )


def test_the_tastes_of_david_by_maximum_likelihood():
    fit = fit_thurstone(from_wins(TASTES))
    # Recomputed with a probit generalised linear model; deviance 4.53266 on 3 degrees of freedom.
    np.testing.assert_allclose(fit.scale[1:] - fit.scale[0], [0.94526, 0.76821, 1.38737], atol=1e-5)
    contrast = np.c_[-np.ones(3), np.eye(3)]
    errors = np.sqrt(np.diag(contrast @ fit.covariance @ contrast.T))
    np.testing.assert_allclose(errors, [0.26573, 0.26149, 0.28329], atol=1e-5)
    assert (fit.deviance, fit.df) == (pytest.approx(4.53266, abs=1e-5), 3)


def test_estimates_equal_a_probit_generalised_linear_model():
    rng = np.random.default_rng(0)
    wins = rng.integers(1, 30, (7, 7))
    np.fill_diagonal(wins, 0)
    fit = fit_thurstone(from_wins(wins))
    i, j = np.triu_indices(7, 1)
    design = np.eye(7)[i] - np.eye(7)[j]
    family = sm.families.Binomial(sm.families.links.Probit())
    reference = sm.GLM(np.c_[wins[i, j], wins[j, i]], design[:, 1:], family).fit(tol=1e-14)
    np.testing.assert_allclose(fit.scale[1:] - fit.scale[0], reference.params, atol=1e-8)
    assert fit.deviance == pytest.approx(reference.deviance, abs=1e-8)


def test_two_items_give_the_normal_deviate_and_jod_counts_three_quarters_as_one():
    fit = fit_thurstone(from_wins(np.array([[0, 3], [1, 0]])))
    assert fit.scale[0] - fit.scale[1] == pytest.approx(stats.norm.ppf(0.75))
    assert fit.jod[0] - fit.jod[1] == pytest.approx(1)
    assert pytest.approx(1.4826, abs=5e-5) == JOD_PER_UNIT


@pytest.mark.parametrize("prior", [0.0, 0.5])
def test_rows_in_any_order_and_presentation_equal_the_table(prior):
    table = fit_thurstone(from_wins(TASTES), prior=prior)
    rows = fit_thurstone(rows_of(TASTES, np.random.default_rng(1), 30), prior=prior)
    np.testing.assert_allclose(rows.scale, table.scale, atol=1e-9)
    np.testing.assert_allclose(rows.covariance, table.covariance, atol=1e-9)
    assert rows.log_likelihood == pytest.approx(table.log_likelihood)


def test_the_sandwich_is_near_the_information_for_independent_answers():
    wins = 20 * np.array([[0, 12, 15], [8, 0, 11], [5, 9, 0]])
    rows = rows_of(wins, np.random.default_rng(2), 400)
    fit = fit_thurstone(rows)
    np.testing.assert_allclose(fit.clustered_standard_errors, fit.standard_errors, rtol=0.15)
    estimate = fit.difference("i0", "i2")
    assert estimate.low < estimate.value < estimate.high
    assert estimate.n_clusters == len(np.unique(rows.rater))


@given(seed=st.integers(0, 1000))
def test_derivatives_of_the_likelihood_are_finite_differences(seed):
    rng = np.random.default_rng(seed)
    won, lost = rng.uniform(0, 5, (2, 6))
    pairs = Pairs(np.array([0, 0, 1, 1, 2, 3]), np.array([1, 2, 2, 3, 3, 0]), won, won + lost)
    scale, step = rng.normal(0, 2, 4), 1e-5
    here = case_v_slopes(scale, pairs)
    for k, e in enumerate(step * np.eye(4)):
        up, down = case_v_slopes(scale + e, pairs), case_v_slopes(scale - e, pairs)
        gradient = (up.log_likelihood - down.log_likelihood) / (2 * step)
        assert here.gradient[k] == pytest.approx(gradient, abs=1e-5)
        curvature = -(up.gradient - down.gradient) / (2 * step)
        np.testing.assert_allclose(here.information[k], curvature, atol=1e-5)


def test_expected_information_is_the_mean_of_the_observed_one():
    """An outcome that is won with its own probability."""
    scale = np.array([0.4, -0.9])
    p = stats.norm.cdf(1.3)
    slopes = probit(scale, Pairs(np.array([0]), np.array([1]), np.array([p]), np.ones(1)))
    assert slopes.expected_information[0] == pytest.approx(slopes.information[0])
    assert slopes.expected_information[0] == pytest.approx(stats.norm.pdf(1.3) ** 2 / p / (1 - p))


def test_enormous_differences_stay_finite():
    slopes = probit(
        np.array([1e3, 0.0]),
        Pairs(np.array([0, 1]), np.array([1, 0]), np.ones(2), np.full(2, 2.0)),
    )
    assert np.isfinite(slopes.log_likelihood).all()
    assert np.isfinite(slopes.score).all()
    assert (slopes.information >= 0).all()


def test_the_classical_solution_of_a_course_example():
    scale = thurstone_least_squares(COURSE.T).scale
    np.testing.assert_allclose(
        scale - scale.min(), [0, 0.74885, 0.78948, 0.92237, 1.37340], atol=1e-5
    )


def test_the_classical_solution_and_fit_of_guilfords_vegetables():
    table = np.full((9, 9), 0.5)
    table[np.triu_indices(9, 1)] = [float(share) for share in VEGETABLES.split()]
    lower = np.tril_indices(9, -1)
    table[lower] = 1 - table.T[lower]
    solution = thurstone_least_squares(table.T)
    np.testing.assert_allclose(
        solution.scale - solution.scale.min(),
        [0, 0.5220, 0.6544, 0.9795, 1.1171, 1.1437, 1.4001, 1.4438, 1.6294],
        atol=5e-5,
    )
    residual, shares = table.T - solution.fitted, table.T
    assert 1 - (residual**2).sum() / (shares**2).sum() == pytest.approx(0.9943, abs=1e-4)
    triangle = np.triu_indices(9, 1)
    assert 1 - (residual[triangle] ** 2).sum() / (shares[triangle] ** 2).sum() == pytest.approx(
        0.9781, abs=1e-4
    )


def test_a_full_table_gives_the_row_means_of_normal_deviates():
    rng = np.random.default_rng(4)
    table = rng.uniform(0.1, 0.9, (5, 5))
    table = np.tril(table, -1) + np.triu(1 - table.T, 1) + np.eye(5) / 2
    np.testing.assert_allclose(
        thurstone_least_squares(table).scale, stats.norm.ppf(table).mean(axis=1), atol=1e-12
    )


def test_proportions_of_a_scale_give_it_back_also_with_pairs_left_out():
    scale = np.array([1.0, 0.3, -0.2, -1.1])
    table = stats.norm.cdf(scale[:, None] - scale)
    table[0, 3] = table[3, 0] = table[1, 2] = table[2, 1] = np.nan
    solution = thurstone_least_squares(table)
    np.testing.assert_allclose(solution.scale, scale, atol=1e-12)
    assert solution.goodness_of_fit == pytest.approx(1)


@pytest.mark.parametrize(
    ("table", "error", "match"),
    [
        ([[0.5, 1.0], [0.0, 0.5]], NotConvergedError, "proportion 1 in row 0, column 1"),
        ([[0.5, 0.7], [0.7, 0.5]], DataError, "must sum to 1"),
        ([[0.5, 0.7]], DataError, r"got shape \[1, 2\]"),
        ([[0.5, np.nan], [np.nan, 0.5]], NotConvergedError, "2 components"),
    ],
)
def test_tables_without_a_solution_are_refused(table, error, match):
    with pytest.raises(error, match=match):
        thurstone_least_squares(table)


def test_an_undefeated_item_is_refused_and_a_prior_makes_it_finite():
    wins = np.array([[0, 4, 4], [0, 0, 2], [0, 2, 0]])
    with pytest.raises(NotConvergedError, match="'i0' never loses"):
        fit_thurstone(from_wins(wins))
    fit = fit_thurstone(from_wins(wins), prior=0.5)
    assert fit.scale[0] > fit.scale[1] == pytest.approx(fit.scale[2])
    assert fit.status == "regularised"
    assert np.isnan(fit.deviance)


def test_wrong_options_and_unknown_items_are_refused():
    with pytest.raises(ConfigError, match="prior must be"):
        fit_thurstone(from_wins(TASTES), prior=-1)
    with pytest.raises(DataError, match="no item 'i9'"):
        fit_thurstone(from_wins(TASTES)).difference("i0", "i9")
