import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import t

from auralign.errors import ConfigError, DataError, NotConvergedError
from auralign.stats.comparisons import comparisons_of, subset
from auralign.stats.pairs import bootstrap_worths, fit_bradley_terry, fit_within_blocks
from auralign.stats.pairs.batched_newton import maximise_tables, tables_are_strong
from auralign.stats.pairs.logistic_newton import TableContests, maximise_logistic


def rng(seed=1):
    return np.random.default_rng(seed)


def study(seed=0, n_items=6, n_rows=600, n_raters=30, n_prompts=25, taste=0.8, p_tie=0.0):
    generator = rng(seed)
    first = generator.integers(n_items, size=n_rows)
    second = (first + generator.integers(1, n_items, size=n_rows)) % n_items
    rater, prompt = (generator.integers(k, size=n_rows) for k in (n_raters, n_prompts))
    tastes = np.linspace(-1, 1, n_items) + generator.normal(0, taste, (n_raters, n_items))
    p = expit(tastes[rater, first] - tastes[rater, second])
    outcome = np.where(generator.random(n_rows) < p_tie, 0.5, generator.random(n_rows) < p)
    return comparisons_of(first, second, outcome, rater=rater, cluster=prompt)


def test_batched_fits_are_the_single_ones():
    generator = rng()
    won = generator.poisson(3, (7, 12, 12)) * (1 - np.eye(12)) + np.eye(12, k=1) + np.eye(12, k=-1)
    start, inverse = np.zeros(12), np.eye(12) - 1 / 12
    found, reached = maximise_tables(won.astype(np.float32), start, inverse)
    assert reached.all()
    for table, log_worth in zip(won, found, strict=True):
        np.testing.assert_allclose(log_worth, maximise_logistic(TableContests(table))[0], atol=2e-5)


def test_batched_fits_far_from_their_start_converge():
    truth = np.linspace(-6, 6, 12)
    won = (1000 * expit(truth[:, None] - truth))[None].astype(np.float32)
    won[:, np.arange(12), np.arange(12)] = 0
    found, reached = maximise_tables(won, np.zeros(12), np.eye(12) - 1 / 12)
    assert reached.all()
    np.testing.assert_allclose(found[0], truth, atol=1e-3)


def test_strong_tables_are_told_from_others():
    cycle = np.eye(4, k=1) + np.eye(4, k=-3)
    line, islands = np.eye(4, k=1), np.kron(np.eye(2), np.array([[0, 1], [1, 0]]))
    found = tables_are_strong(np.array([cycle, line, islands], dtype=np.float32))
    assert found.tolist() == [True, False, False]


@pytest.mark.parametrize("weights", ["multinomial", "dirichlet"])
@pytest.mark.parametrize("units", ["comparisons", "raters", "clusters"])
@pytest.mark.parametrize("p_tie", [0.0, 0.3])
def test_spread_of_resamples_is_the_sandwich_error(units, weights, p_tie):
    fit = fit_bradley_terry(study(n_rows=1500, p_tie=p_tie))
    drawn = bootstrap_worths(fit, rng=rng(), units=units, weights=weights, n_resamples=1500)
    np.testing.assert_allclose(drawn.standard_errors, fit.errors(units), rtol=0.12)
    assert drawn.n_without == 0
    np.testing.assert_allclose(drawn.draws.mean(axis=0), fit.log_worth, atol=0.06)


def test_crossed_resampling_is_no_narrower_than_either_side():
    fit = fit_bradley_terry(study(n_rows=1500))
    crossed, raters, clusters = (
        bootstrap_worths(fit, rng=rng(), units=units).standard_errors.mean()
        for units in ("raters and clusters", "raters", "clusters")
    )
    assert crossed > max(raters, clusters)


@pytest.mark.parametrize("options", [{"ties": "davidson"}, {"order_effect": True}])
def test_every_model_can_be_resampled(options):
    fit = fit_bradley_terry(study(n_rows=900, p_tie=0.2), **options)
    drawn = bootstrap_worths(fit, rng=rng(), n_resamples=100)
    np.testing.assert_allclose(drawn.standard_errors, fit.errors("raters"), rtol=0.3)


def test_blocks_are_resampled_and_centred_within_each():
    c = study(n_items=6, n_rows=900)
    same = (c.first < 3) == (c.second < 3)
    fit = fit_within_blocks(subset(c, same), {str(k): str(k // 3) for k in range(6)})
    drawn = bootstrap_worths(fit, rng=rng(), n_resamples=60)
    np.testing.assert_allclose(drawn.draws.reshape(-1, 2, 3).sum(axis=2), 0, atol=1e-9)
    with pytest.raises(DataError, match="different blocks"):
        drawn.difference("0", "5")


def test_weights_of_comparisons_stay_in_the_resamples():
    c = study(n_rows=800)
    weight = rng(3).uniform(0.2, 2, 800)
    weighted = comparisons_of(c.first, c.second, c.outcome, weight=weight, rater=c.rater)
    fit = fit_bradley_terry(weighted)
    drawn = bootstrap_worths(fit, rng=rng(), units="comparisons", n_resamples=1500)
    np.testing.assert_allclose(drawn.standard_errors, fit.errors("comparisons"), rtol=0.12)


def test_resamples_without_a_maximum_are_counted_and_dirichlet_has_none():
    first, second = np.triu_indices(10, 1)
    truth = np.linspace(-1.5, 1.5, 10)
    outcome = (rng(2).random((2, 45)) < expit(truth[first] - truth[second])).ravel() * 1.0
    fit = fit_bradley_terry(comparisons_of(np.tile(first, 2), np.tile(second, 2), outcome))
    drawn = bootstrap_worths(fit, rng=rng(), units="comparisons")
    assert 0.02 < drawn.n_without / 1000 < 0.5
    assert len(drawn.draws) == 1000 - drawn.n_without
    assert f"{drawn.n_without} of 1000 resamples have no maximum" in drawn.warnings[0]
    assert f"({drawn.n_without} without a maximum" in drawn.difference("0", "1").method
    kept = bootstrap_worths(fit, rng=rng(), units="comparisons", weights="dirichlet")
    assert (kept.n_without, kept.warnings) == (0, ())


def test_a_prior_stays_in_the_resamples_and_keeps_them_finite():
    c = comparisons_of([0, 1, 2, 0], [1, 2, 3, 3], [1.0, 1, 1, 1], rater=np.arange(4))
    fit = fit_bradley_terry(c, prior=0.5)
    drawn = bootstrap_worths(fit, rng=rng(), n_resamples=100)
    assert drawn.n_without == 0
    assert np.abs(drawn.draws).max() < 5
    ridged = bootstrap_worths(fit_bradley_terry(c, ridge_sd=1.0), rng=rng(), n_resamples=100)
    assert ridged.n_without == 0


def test_too_few_maxima_leave_no_interval():
    """A cycle of three wins: all three are drawn together 3! / 3^3 of the time."""
    c = comparisons_of([0, 1, 2], [1, 2, 0], np.ones(3))
    drawn = bootstrap_worths(fit_bradley_terry(c), rng=rng(), units="comparisons")
    assert len(drawn.draws) / 1000 == pytest.approx(6 / 27, abs=0.05)
    with pytest.raises(NotConvergedError, match="of 1000 resamples have a maximum"):
        drawn.interval("0")


def test_intervals_are_percentiles_or_students_t_of_the_draws():
    drawn = bootstrap_worths(fit_bradley_terry(study()), rng=rng(), n_resamples=200)
    gap = drawn.draws[:, 0] - drawn.draws[:, 3]
    e = drawn.difference("0", "3", level=0.9, method="percentile")
    assert (e.low, e.high) == pytest.approx(tuple(np.quantile(gap, [0.05, 0.95])))
    assert (e.n, e.n_clusters, e.level) == (600, 30, 0.9)
    low = drawn.interval("2", method="percentile").low
    assert low == pytest.approx(np.quantile(drawn.draws[:, 2], 0.025))
    half = t.ppf(0.975, 29) * gap.std(ddof=1) * np.sqrt(30 / 29)
    symmetric = drawn.difference("0", "3")
    assert symmetric.high - e.value == pytest.approx(half)
    assert e.value - symmetric.low == pytest.approx(half)
    again = bootstrap_worths(fit_bradley_terry(study()), rng=rng(), n_resamples=200)
    np.testing.assert_array_equal(again.draws, drawn.draws)


def test_bad_options_are_refused():
    fit = fit_bradley_terry(study())
    with pytest.raises(ConfigError, match="did you mean 'raters'"):
        bootstrap_worths(fit, rng=rng(), units="rater")
    with pytest.raises(ConfigError, match="method must be one of t, percentile, got 'bca'"):
        bootstrap_worths(fit, rng=rng(), n_resamples=5).interval("0", method="bca")
    with pytest.raises(ConfigError, match="n_resamples must be at least 2, got 1"):
        bootstrap_worths(fit, rng=rng(), n_resamples=1)
    with pytest.raises(DataError, match="no item 'z'"):
        bootstrap_worths(fit, rng=rng(), n_resamples=5).interval("z")
    alone = fit_bradley_terry(comparisons_of([0, 0], [1, 1], [1.0, 0.0]))
    with pytest.raises(NotConvergedError, match="at least 2 of each, got 1"):
        bootstrap_worths(alone, rng=rng())
