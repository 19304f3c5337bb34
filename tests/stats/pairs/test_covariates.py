import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from auralign.errors import ConfigError, DataError, NotConvergedError
from auralign.stats.pairs.bradley_terry import fit_bradley_terry
from auralign.stats.pairs.covariates import fit_covariates, logistic_slopes
from auralign.stats.pairs.separation import separating_direction
from auralign.types import Comparisons

TEAMS = ("Milwaukee", "Detroit", "Toronto", "New York", "Boston", "Cleveland", "Baltimore")
# Home wins and away wins of row against column, baseball 1987 (Agresti 2002, section 10.6).
BASEBALL = (
    "- 4:3 4:2 4:3 6:1 4:2 6:0|3:3 - 4:2 4:3 6:0 6:1 4:3|2:5 4:3 - 2:4 4:3 4:2 6:0|"
    "3:3 5:1 2:5 - 4:3 4:2 6:1|5:1 2:5 3:3 4:2 - 5:2 6:0|2:5 3:3 3:4 4:3 4:2 - 2:4|"
    "2:5 1:5 1:6 2:4 1:6 3:4 -"
)


def comparisons(first, second, outcome, n_items, weight=None, rater=None):
    n = len(first)
    rater = np.arange(n) if rater is None else np.asarray(rater)
    return Comparisons(
        first=np.asarray(first),
        second=np.asarray(second),
        outcome=np.asarray(outcome, dtype=float),
        weight=np.ones(n) if weight is None else np.asarray(weight, dtype=float),
        rater=rater,
        cluster=np.zeros(n, dtype=np.int64),
        items=tuple(f"i{k}" for k in range(n_items)),
        raters=tuple(f"r{k}" for k in range(rater.max() + 1)),
    )


def baseball():
    rows = [
        (home, away, outcome, int(count))
        for home, row in enumerate(BASEBALL.split("|"))
        for away, cell in enumerate(row.split())
        if cell != "-"
        for outcome, count in zip((1, 0), cell.split(":"), strict=True)
        if int(count)
    ]
    first, second, outcome, weight = map(np.array, zip(*rows, strict=True))
    return comparisons(first, second, outcome, len(TEAMS), weight)


def simulated(seed=0, n=400, n_items=12, k=3, with_ties=True):
    rng = np.random.default_rng(seed)
    attributes = rng.normal(size=(n_items, k))
    first = rng.integers(0, n_items, n)
    second = (first + rng.integers(1, n_items, n)) % n_items
    of_trial = np.c_[np.ones(n), rng.normal(size=n)]
    margin = (attributes[first] - attributes[second]) @ [0.8, -0.5, 0.0][:k] + of_trial @ [0.3, 1.0]
    outcome = (rng.uniform(size=n) < 1 / (1 + np.exp(-margin))).astype(float)
    if with_ties:
        outcome[rng.uniform(size=n) < 0.15] = 0.5
    data = comparisons(
        first, second, outcome, n_items, rng.uniform(0.5, 2, n), rng.integers(0, 30, n)
    )
    return data, attributes, of_trial


def test_free_worths_and_the_order_effect_of_baseball_are_the_published_ones():
    """Agresti 2002, section 10.6; R BradleyTerry2 prints at.home 0.302."""
    data, free = baseball(), np.eye(7)[:, :6]
    plain = fit_covariates(data, attributes=free)
    full = fit_covariates(
        data,
        attributes=free,
        trial_covariates=np.ones((len(data.first), 1)),
        names=[*TEAMS[:6], "at home"],
    )
    by_team = dict(zip(full.names, full.coefficients, strict=True))
    assert by_team["at home"] == pytest.approx(0.302261, abs=1e-6)
    assert full.standard_errors[-1] == pytest.approx(0.130944, abs=1e-6)
    order = ["Boston", "Cleveland", "Detroit", "Milwaukee", "New York", "Toronto"]
    np.testing.assert_allclose(
        [by_team[team] for team in order],
        [1.143803, 0.704694, 1.475357, 1.619555, 1.281340, 1.327110],
        atol=1e-6,
    )
    assert 2 * (full.log_likelihood - plain.log_likelihood) == pytest.approx(5.411, abs=5e-4)


def test_the_likelihood_ratio_test_of_the_order_effect_is_the_published_one():
    data, free = baseball(), np.eye(7)[:, :6]
    ones = np.ones((len(data.first), 1))
    full = fit_covariates(data, attributes=free, trial_covariates=ones, names=[*TEAMS[:6], "home"])
    test = full.likelihood_ratio(fit_covariates(data, attributes=free, names=TEAMS[:6]))
    assert (round(test.statistic, 3), test.df, round(test.p_value, 4)) == (5.411, 1, 0.0200)


def test_the_test_against_no_covariates_is_that_of_even_odds():
    data = comparisons([0] * 8, [1] * 8, [1] * 6 + [0] * 2, 2)
    test = fit_covariates(data, attributes=[[1.0], [0.0]]).likelihood_ratio()
    expected = 2 * (6 * np.log(6 / 8) + 2 * np.log(2 / 8) - 8 * np.log(1 / 2))
    assert test.statistic == pytest.approx(expected)
    assert test.p_value == pytest.approx(stats.chi2.sf(expected, 1))


def test_dummies_of_items_give_bradley_terry():
    data, _, _ = simulated()
    free = fit_covariates(data, attributes=np.eye(12)[:, 1:])
    bradley_terry = fit_bradley_terry(data)
    np.testing.assert_allclose(free.log_worth, bradley_terry.log_worth, atol=1e-8)
    assert free.log_likelihood == pytest.approx(bradley_terry.log_likelihood)


@pytest.mark.parametrize("seed", range(3))
def test_estimates_errors_and_likelihood_equal_those_of_a_generalised_linear_model(seed):
    data, attributes, of_trial = simulated(seed, with_ties=False)
    fit = fit_covariates(data, attributes=attributes, trial_covariates=of_trial)
    design = np.hstack([attributes[data.first] - attributes[data.second], of_trial])
    glm = sm.GLM(data.outcome, design, sm.families.Binomial(), freq_weights=data.weight)
    reference = glm.fit(tol=1e-14, maxiter=100)
    np.testing.assert_allclose(fit.coefficients, reference.params, atol=1e-8)
    np.testing.assert_allclose(fit.standard_errors, reference.bse, atol=1e-8)
    assert fit.log_likelihood == pytest.approx(reference.llf, abs=1e-8)


def test_the_sandwich_over_raters_equals_cluster_robust_errors_of_statsmodels():
    data, attributes, of_trial = simulated(1, with_ties=False)
    data = comparisons(data.first, data.second, data.outcome, 12, rater=data.rater)
    fit = fit_covariates(data, attributes=attributes, trial_covariates=of_trial)
    design = np.hstack([attributes[data.first] - attributes[data.second], of_trial])
    reference = sm.Logit(data.outcome, design).fit(
        disp=0, cov_type="cluster", cov_kwds={"groups": data.rater, "use_correction": False}
    )
    small_sample = np.sqrt(30 / 29)
    np.testing.assert_allclose(
        fit.clustered_standard_errors, reference.bse * small_sample, rtol=1e-6
    )


def test_slopes_are_finite_differences():
    rng = np.random.default_rng(0)
    design, outcome, weight = (
        rng.normal(size=(9, 3)),
        rng.choice([0, 0.5, 1], 9),
        rng.uniform(size=9),
    )
    at, step = rng.normal(size=3), 1e-5

    def slopes(b):
        return logistic_slopes(b, design, outcome, weight, np.array([0.7, 0.0, 2.0]))

    for k, e in enumerate(step * np.eye(3)):
        up, down = slopes(at + e), slopes(at - e)
        gradient = (up.log_likelihood - down.log_likelihood) / (2 * step)
        curvature = -(up.gradient - down.gradient) / (2 * step)
        assert slopes(at).gradient[k] == pytest.approx(gradient, abs=1e-7)
        np.testing.assert_allclose(slopes(at).information[k], curvature, atol=1e-7)


def test_exchanging_the_sides_changes_only_the_sign_of_trial_covariates():
    data, attributes, of_trial = simulated()
    turned = Comparisons(
        data.second, data.first, 1 - data.outcome, data.weight, data.rater, data.cluster,
        data.items, data.raters,
    )  # fmt: skip
    fit = fit_covariates(data, attributes=attributes, trial_covariates=of_trial)
    mirror = fit_covariates(turned, attributes=attributes, trial_covariates=-of_trial)
    np.testing.assert_allclose(mirror.coefficients, fit.coefficients, atol=1e-9)


@pytest.mark.parametrize("ridge", [False, True])
def test_units_of_a_covariate_change_only_its_coefficient(ridge):
    data, attributes, _ = simulated()
    unit = np.array([1e6, 1.0, 1e-5])
    fit, other = (
        fit_covariates(data, attributes=attributes[:, :1] * u, ridge_sd=0.5 / u if ridge else None)
        for u in (1.0, 1e6)
    )
    np.testing.assert_allclose(other.coefficients * 1e6, fit.coefficients, rtol=1e-9)
    if not ridge:
        fit, other = (fit_covariates(data, attributes=attributes * u) for u in (1.0, unit))
        np.testing.assert_allclose(other.coefficients * unit, fit.coefficients, rtol=1e-9)
        np.testing.assert_allclose(
            other.clustered_standard_errors * unit, fit.clustered_standard_errors, rtol=1e-9
        )


def test_weight_two_is_a_comparison_made_twice_and_weight_zero_one_not_made():
    data, attributes, _ = simulated(n=100)
    weight = np.resize([0.0, 1.0, 2.0], 100)
    rows = np.repeat(np.arange(100), weight.astype(int))
    weighted = comparisons(data.first, data.second, data.outcome, 12, weight)
    repeated = comparisons(data.first[rows], data.second[rows], data.outcome[rows], 12)
    a, b = (fit_covariates(d, attributes=attributes) for d in (weighted, repeated))
    np.testing.assert_allclose(a.coefficients, b.coefficients, atol=1e-9)
    np.testing.assert_allclose(a.covariance, b.covariance, atol=1e-9)


def test_ridge_is_the_mode_under_a_normal_prior_and_vanishes_when_wide():
    data, attributes, _ = simulated()
    ridge = fit_covariates(data, attributes=attributes, ridge_sd=0.2)
    design = attributes[data.first] - attributes[data.second]
    p = 1 / (1 + np.exp(-design @ ridge.coefficients))
    # The gradient of the likelihood balances that of the prior, b / sd^2.
    np.testing.assert_allclose(
        design.T @ (data.weight * (data.outcome - p)), ridge.coefficients / 0.2**2, atol=1e-6
    )
    plain, wide = (fit_covariates(data, attributes=attributes, ridge_sd=sd) for sd in (None, 1e5))
    np.testing.assert_allclose(wide.coefficients, plain.coefficients, atol=1e-6)
    assert ridge.status == "regularised"
    assert "standard deviation 0.2" in ridge.warnings[0]


def test_simulated_coefficients_are_recovered():
    data, attributes, of_trial = simulated(5, n=20_000, with_ties=False)
    fit = fit_covariates(data, attributes=attributes, trial_covariates=of_trial)
    z = (fit.coefficients - [0.8, -0.5, 0.0, 0.3, 1.0]) / fit.standard_errors
    assert np.abs(z).max() < 3


def test_separation_is_named_although_the_graph_of_wins_is_strongly_connected():
    """a beats b and b beats a, but always the louder of the two."""
    data = comparisons([0, 0, 0, 0], [1, 1, 1, 1], [1, 0, 1, 0], 2)
    louder = np.array([[1.0], [-1], [2], [-3]])
    with pytest.raises(NotConvergedError, match=r"\+1 loudness never points away"):
        fit_covariates(data, trial_covariates=louder, names=["loudness"])
    fit = fit_covariates(data, trial_covariates=louder, names=["loudness"], ridge_sd=1.0)
    assert np.isfinite(fit.coefficients).all()


def test_quasi_separation_by_a_combination_of_covariates_is_found():
    """x1 + x2 >= 0 wherever the first wins, with zeros among them."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(300, 2))
    x[:20] = [1, -1]
    outcome = (x.sum(axis=1) > 0).astype(float)
    outcome[:10] = 1
    data = comparisons([0] * 300, [1] * 300, outcome, 2)
    with pytest.raises(NotConvergedError, match=r"\+1 x0 \+1 x1"):
        fit_covariates(data, trial_covariates=x)


@pytest.mark.parametrize("separated", [True, False])
def test_the_growing_linear_programme_finds_one_row_among_many(separated):
    """All rows agree with +x, but for the last one when they are not separated."""
    rng = np.random.default_rng(3)
    rows = np.abs(rng.normal(size=(5000, 1)))
    rows[17] = 1.0 if separated else -1e-3
    assert (separating_direction(rows) is not None) == separated


@pytest.mark.parametrize("separated", [True, False])
def test_separation_does_not_depend_on_the_size_of_a_difference(separated):
    """An outlier of a million among ones, and a contradiction of a millionth."""
    x = np.array([[1.0], [1.0], [1e6], [1.0 if separated else -1e-6]])
    data = comparisons([0] * 4, [1] * 4, [1] * 4, 2)
    if separated:
        with pytest.raises(NotConvergedError, match="never points away"):
            fit_covariates(data, trial_covariates=x)
    else:
        assert separating_direction(x) is None


def test_a_tie_prevents_separation_along_its_own_difference():
    data = comparisons([0, 0], [1, 1], [1, 0.5], 2)
    assert fit_covariates(data, attributes=[[1], [0]]).coefficients[0] == pytest.approx(np.log(3))


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({}, ConfigError, "at least one column"),
        ({"attributes": np.ones((5, 1))}, DataError, r"must be \[12 items, k\]"),
        ({"attributes": np.full((12, 1), np.nan)}, DataError, "row 0, column 0 is not finite"),
        ({"attributes": np.ones((12, 1))}, DataError, "'x0' is the same on both sides"),
        ({"attributes": np.eye(12)}, DataError, "collinear"),
        ({"attributes": np.eye(12)[:, 1:], "names": ["a"]}, ConfigError, "expected 11 different"),
        ({"attributes": np.eye(12)[:, 1:], "ridge_sd": 0}, ConfigError, "positive standard"),
        ({"trial_covariates": np.ones((3, 1))}, DataError, r"\[400 comparisons, k\]"),
    ],
)
def test_wrong_covariates_are_refused(options, error, match):
    with pytest.raises(error, match=match):
        fit_covariates(simulated()[0], **options)


def test_tests_of_fits_that_are_not_nested_are_refused():
    data, attributes, _ = simulated()
    a = fit_covariates(data, attributes=attributes[:, :1], names=["a"])
    b = fit_covariates(data, attributes=attributes[:, :2], names=["b", "c"])
    ridge = fit_covariates(data, attributes=attributes, ridge_sd=1.0)
    fewer = fit_covariates(simulated(n=300)[0], attributes=attributes[:, :1], names=["b"])
    for full, nested, match in [
        (b, a, "some of the covariates"), (b, b, "some of the covariates"),
        (ridge, None, "without ridge_sd"), (b, fewer, "same comparisons"),
    ]:  # fmt: skip
        with pytest.raises(ConfigError, match=match):
            full.likelihood_ratio(nested)


def test_an_interval_of_one_coefficient_is_students_t_over_raters():
    data, attributes, _ = simulated()
    fit = fit_covariates(data, attributes=attributes, names=["a", "b", "c"])
    estimate = fit.coefficient("b")
    half = stats.t.ppf(0.975, 29) * fit.clustered_standard_errors[1]
    assert estimate.high - estimate.value == pytest.approx(half)
    assert estimate.n_clusters == 30
    with pytest.raises(DataError, match="no covariate 'bb'"):
        fit.coefficient("bb")
    alone = comparisons(data.first, data.second, data.outcome, 12, rater=np.zeros(400, dtype=int))
    with pytest.raises(NotConvergedError, match="at least 2 raters"):
        fit_covariates(alone, attributes=attributes, names=["a", "b", "c"]).coefficient("b")
