import numpy as np
import pytest

from auralign.errors import ConfigError, DataError
from auralign.stats.explain.attributes import attribute_comparisons
from auralign.stats.explain.factors import fit_factors
from auralign.stats.explain.sparse_factors import lasso_path, select_factors
from auralign.stats.pairs.covariates import logistic_slopes

TRUE = np.r_[1.0, 0.6, -0.6, np.zeros(5)]


@pytest.fixture
def rows(simulate):
    comparisons, attributes = simulate(TRUE)
    data = attribute_comparisons(comparisons, attributes)
    return data.differences[data.used], comparisons.outcome[data.used]


def test_every_point_of_the_path_is_optimal(rows):
    design, outcome = rows
    weight = np.random.default_rng(0).uniform(0.5, 2, len(outcome))
    strengths = np.geomspace(0.3, 1e-3, 12)
    path = lasso_path(design, outcome, weight, strengths)
    for strength, b in zip(strengths, path, strict=True):
        gradient = logistic_slopes(b, design, outcome, weight / weight.sum(), 0.0).gradient
        assert np.abs(gradient[b == 0]).max(initial=0) <= strength + 1e-6
        np.testing.assert_allclose(gradient[b != 0], strength * np.sign(b[b != 0]), atol=1e-6)


def test_the_penalised_likelihood_has_no_better_neighbour(rows):
    design, outcome = rows
    share = np.full(len(outcome), 1 / len(outcome))
    b = lasso_path(design, outcome, share, np.array([0.05]))[0]

    def value(at):
        return (
            logistic_slopes(at, design, outcome, share, 0.0).log_likelihood
            - 0.05 * np.abs(at).sum()
        )

    rng = np.random.default_rng(1)
    for size in (1e-4, 1e-2, 0.3):
        for _ in range(30):
            assert value(b + size * rng.normal(size=len(b))) < value(b)


def test_the_path_runs_from_nothing_to_maximum_likelihood(simulate, rows):
    design, outcome = rows
    ones = np.ones(len(outcome))
    half = outcome - 0.5
    largest = np.abs(design.T @ half).max() / len(outcome)
    path = lasso_path(design, outcome, ones, np.array([largest * 1.001, largest * 0.98, 1e-7]))
    assert (path[0] == 0).all()
    assert (path[1] != 0).sum() == 1
    comparisons, attributes = simulate(TRUE)
    full = fit_factors(comparisons, attributes).fit.coefficients
    np.testing.assert_allclose(path[2], full, atol=1e-4)


def test_attributes_that_matter_are_selected_and_refitted(simulate):
    comparisons, attributes = simulate(TRUE, n_raters=30)
    found = select_factors(comparisons, attributes, rng=np.random.default_rng(0), n_subsamples=8)
    assert {"a0", "a1", "a2"} <= set(found.selected)
    assert len(found.selected) <= 5
    assert found.stability[:3].min() > 0.9 > np.median(found.stability[3:])
    alone = fit_factors(comparisons, {name: attributes[name] for name in found.selected})
    assert [e.log_odds for e in found.refit.effects] == [e.log_odds for e in alone.effects]
    assert any("too narrow" in text for text in found.warnings)


def test_the_minimum_keeps_at_least_as_many_attributes(simulate):
    comparisons, attributes = simulate(TRUE, n_raters=25)
    settings = {"n_subsamples": 1, "groups": "prompt", "n_folds": 3}
    strict = select_factors(comparisons, attributes, rng=np.random.default_rng(0), **settings)
    loose = select_factors(
        comparisons, attributes, rng=np.random.default_rng(0), rule="minimum", **settings
    )
    assert loose.chosen >= strict.chosen
    assert loose.deviance[loose.chosen] == loose.deviance.min()
    assert (
        strict.deviance[strict.chosen]
        <= loose.deviance.min() + (loose.deviance_error[loose.chosen])
    )


def test_pure_noise_selects_nothing(simulate):
    comparisons, attributes = simulate(np.zeros(6))
    found = select_factors(comparisons, attributes, rng=np.random.default_rng(0), n_subsamples=2)
    assert found.selected == ()
    assert found.refit is None
    assert "no attribute was selected" in found.warnings[-1]
    # A coin flip costs 2 log 2 a comparison, and nothing does better on those held out.
    assert found.deviance.min() == pytest.approx(2 * np.log(2), abs=0.01)


def test_bad_options_are_named(simulate):
    comparisons, attributes = simulate([1, 0], n_raters=3)
    rng = np.random.default_rng(0)
    with pytest.raises(DataError, match="5 folds need as many raters, got 3"):
        select_factors(comparisons, attributes, rng=rng)
    with pytest.raises(ConfigError, match="did you mean 'prompt'"):
        select_factors(comparisons, attributes, rng=rng, groups="promt")
    with pytest.raises(ConfigError, match="rule"):
        select_factors(comparisons, attributes, rng=rng, rule="best")
    with pytest.raises(ConfigError, match="at least 2 folds"):
        select_factors(comparisons, attributes, rng=rng, n_folds=1)
    with pytest.raises(ConfigError, match="at least one attribute"):
        select_factors(comparisons, {}, rng=rng)
