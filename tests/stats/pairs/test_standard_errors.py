import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from auralign.errors import ConfigError, DataError, NotConvergedError
from auralign.stats.comparisons import comparisons_of, subset
from auralign.stats.pairs import fit_bradley_terry, fit_within_blocks

N_ITEMS = 5


def study(seed=0, n_raters=12, n_prompts=9, n_rows=300, p_tie=0.15):
    """Raters with tastes of their own judge random pairs."""
    rng = np.random.default_rng(seed)
    first = rng.integers(N_ITEMS, size=n_rows)
    second = (first + rng.integers(1, N_ITEMS, size=n_rows)) % N_ITEMS
    rater, prompt = rng.integers(n_raters, size=n_rows), rng.integers(n_prompts, size=n_rows)
    taste = np.linspace(-1, 1, N_ITEMS) + rng.normal(0, 0.7, (n_raters, N_ITEMS))
    p = expit(taste[rater, first] - taste[rater, second])
    outcome = np.where(rng.random(n_rows) < p_tie, 0.5, rng.random(n_rows) < p)
    return comparisons_of(first, second, outcome, rater=rater, cluster=prompt)


def design(c):
    x = np.zeros((len(c.first), N_ITEMS))
    x[np.arange(len(x)), c.first], x[np.arange(len(x)), c.second] = 1, -1
    return x[:, 1:]


def against_first(covariance):
    """Standard errors of differences to item 0, of a covariance without it."""
    return np.sqrt(np.diag(covariance))


def glm_of(c, kind, **options):
    glm = sm.GLM(c.outcome, design(c), family=sm.families.Binomial())
    return glm.fit(tol=1e-14, cov_type=kind, cov_kwds=options)


@pytest.mark.parametrize("kind", ["raters", "clusters"])
def test_clustered_errors_equal_statsmodels(kind):
    c = study()
    groups = {"raters": c.rater, "clusters": c.cluster}[kind]
    n = len(np.unique(groups))
    # Without its factor (rows - 1) / (rows - k), which belongs to linear regression.
    glm = glm_of(c, "cluster", groups=groups, use_correction=False)
    expected = against_first(glm.cov_params()) * np.sqrt(n / (n - 1))
    fit = fit_bradley_terry(c)
    np.testing.assert_allclose(fit.difference_errors(kind)[0, 1:], expected, rtol=1e-7)


def test_errors_over_comparisons_equal_statsmodels_robust_ones():
    c = study(1)
    n = len(c.first)
    expected = against_first(glm_of(c, "HC0").cov_params()) * np.sqrt(n / (n - 1))
    found = fit_bradley_terry(c).difference_errors("comparisons")[0, 1:]
    np.testing.assert_allclose(found, expected, rtol=1e-7)


def test_two_way_errors_are_the_sum_of_two_less_that_of_both():
    c = study(2)
    both = c.rater * 100 + c.cluster
    parts = []
    for groups in (c.rater, c.cluster, both):
        n = len(np.unique(groups))
        glm = glm_of(c, "cluster", groups=groups, use_correction=False)
        parts.append(np.diag(glm.cov_params()) * n / (n - 1))
    expected = np.maximum(parts[0] + parts[1] - parts[2], np.maximum(parts[0], parts[1]))
    found = fit_bradley_terry(c).difference_errors("raters and clusters")[0, 1:]
    np.testing.assert_allclose(found, np.sqrt(expected), rtol=1e-7)


@pytest.mark.parametrize("ties", ["half", "davidson", "rao_kupper"])
@pytest.mark.parametrize("order_effect", [False, True])
def test_the_information_is_minus_the_hessian(ties, order_effect):
    """Against second differences of the log-likelihood in all parameters."""
    c = study(3)
    fit = fit_bradley_terry(c, ties=ties, order_effect=order_effect)
    model = fit.model
    start = np.concatenate([fit.log_worth, model.shared])

    def likelihood(x):
        margin = x[c.first] - x[c.second]
        return model.model(margin, x[N_ITEMS:], model.rows).log_likelihood.sum()

    p, step = len(start), 1e-3
    hessian, unit = np.zeros((p, p)), step * np.eye(p)
    for i in range(p):
        for j in range(p):
            hessian[i, j] = sum(
                s * t * likelihood(start + s * unit[i] + t * unit[j])
                for s in (1, -1)
                for t in (1, -1)
            ) / (4 * step**2)
    covariance = np.linalg.pinv(-hessian, rcond=1e-6)[:N_ITEMS, :N_ITEMS]
    np.testing.assert_allclose(fit.covariance(), covariance, atol=1e-6)
    np.testing.assert_allclose(fit.standard_errors, np.sqrt(np.diag(covariance)), atol=1e-6)


@pytest.mark.parametrize("ties", ["half", "davidson", "rao_kupper"])
def test_jackknife_is_near_the_refits_without_each_rater(ties):
    c = study(4, n_raters=25, n_rows=1500)
    fit = fit_bradley_terry(c, ties=ties)
    left_out = np.array(
        [fit_bradley_terry(subset(c, c.rater != r), ties=ties).log_worth for r in range(25)]
    )
    exact = 24 / 25 * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0)
    np.testing.assert_allclose(fit.errors("jackknife"), np.sqrt(exact), rtol=0.02)


def test_jackknife_is_wider_than_the_sandwich_over_few_raters():
    fit = fit_bradley_terry(study(5, n_raters=6))
    assert (fit.errors("jackknife") / fit.errors("raters")).mean() > 1.01
    assert any("6 raters" in w and "jackknife" in w for w in fit.warnings)


def test_a_rater_without_whom_no_maximum_exists_leaves_no_jackknife():
    c = comparisons_of([0, 0, 1, 1, 0], [1, 1, 2, 2, 1], [1.0, 0, 1, 0, 0], rater=[0, 0, 1, 1, 2])
    fit = fit_bradley_terry(c)
    with pytest.raises(NotConvergedError, match="without some rater no maximum exists"):
        fit.difference("0", "1", errors="jackknife")


KINDS = ["information", "comparisons", "raters", "clusters", "raters and clusters", "jackknife"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("prior", [0.0, 0.5])
def test_a_contrast_has_the_error_of_the_covariance(kind, prior):
    fit = fit_bradley_terry(study(6), ties="davidson", order_effect=True, prior=prior)
    single = fit.difference("1", "3", errors=kind)
    weights = np.array([0, 1.0, 0, -1, 0])
    assert fit.contrast(weights, errors=kind) == single
    half = (single.high - single.low) / 2
    assert single.value == pytest.approx(fit.log_worth[1] - fit.log_worth[3])
    wider = fit.difference("1", "3", errors=kind, level=0.99)
    assert wider.high - wider.low > 2 * half
    error = fit.difference_errors(kind)[1, 3]
    assert 1.9 * error < half < 2.6 * error


@pytest.mark.parametrize("kind", KINDS[:4] + KINDS[5:])
def test_errors_are_roots_of_the_covariance_diagonal(kind):
    fit = fit_bradley_terry(study(7))
    np.testing.assert_allclose(fit.errors(kind), np.sqrt(np.diag(fit.covariance(kind))))
    np.testing.assert_allclose(fit.covariance(kind).sum(axis=1), 0, atol=1e-10)


@pytest.mark.parametrize("ties", ["half", "davidson"])
def test_influence_and_covariance_give_the_same_clustered_errors(ties):
    fit = fit_bradley_terry(study(8), ties=ties, prior=0.3)
    np.testing.assert_allclose(fit.clustered_standard_errors, fit.errors("raters"), rtol=1e-8)


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_relabelling_raters_and_prompts_changes_no_error(seed):
    c = study(9)
    rng = np.random.default_rng(seed)
    moved = comparisons_of(
        c.first,
        c.second,
        c.outcome,
        rater=rng.permutation(20)[c.rater],
        cluster=rng.permutation(20)[c.cluster],
    )
    a, b = fit_bradley_terry(c), fit_bradley_terry(moved)
    np.testing.assert_allclose(
        a.errors("raters and clusters"), b.errors("raters and clusters"), rtol=1e-9
    )


def test_blocks_have_the_errors_they_have_alone():
    wins = np.array([[0, 6, 3], [2, 0, 4], [3, 5, 0]])
    first, second = np.nonzero(wins)
    weight, rater = wins[first, second].astype(float), np.arange(6) % 3
    alone = fit_bradley_terry(comparisons_of(first, second, np.ones(6), weight=weight, rater=rater))
    twice = comparisons_of(
        np.r_[first, first + 3],
        np.r_[second, second + 3],
        np.ones(12),
        weight=np.tile(weight, 2),
        rater=np.r_[rater, rater + 3],
    )
    fit = fit_within_blocks(twice, {str(k): str(k // 3) for k in range(6)})
    np.testing.assert_allclose(fit.errors("comparisons")[:3], alone.errors("comparisons"), rtol=0.1)
    np.testing.assert_allclose(fit.errors("information")[3:], alone.errors("information"))
    assert np.isinf(fit.difference_errors("information")[0, 3])


def test_contrasts_across_the_gauge_are_refused():
    fit = fit_bradley_terry(study(10))
    with pytest.raises(DataError, match="must sum to zero"):
        fit.contrast([1, 0, 0, 0, 0])
    with pytest.raises(DataError, match="needs 5 finite weights"):
        fit.contrast([1, -1])
    with pytest.raises(ConfigError, match="did you mean 'raters'"):
        fit.difference("0", "1", errors="rater")
    with pytest.raises(ConfigError, match="no single covariance"):
        fit.covariance("raters and clusters")


def test_half_win_information_errors_are_too_wide_by_the_share_of_ties():
    """At equal worths, scores vary by (1 - ties) of what a model without ties believes."""
    rng = np.random.default_rng(11)
    first = rng.integers(4, size=40_000)
    second = (first + rng.integers(1, 4, size=40_000)) % 4
    outcome = rng.choice([0.0, 0.5, 1.0], 40_000, p=[0.25, 0.5, 0.25])
    fit = fit_bradley_terry(comparisons_of(first, second, outcome))
    ratio = fit.errors("information") / fit.errors("comparisons")
    np.testing.assert_allclose(ratio, 1 / np.sqrt(1 - 0.5), rtol=0.03)
