from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize

from auralign.errors import ConfigError, DataError, NotConvergedError
from auralign.stats.explain.attributes import stack_comparisons
from auralign.stats.explain.domains import _Data, _penalised, fit_factors_by_domain
from auralign.stats.explain.factors import fit_factors


@pytest.fixture
def domains(simulate):
    """Eight domains that share clips; `a0` matters differently, `a1` alike."""

    def make(first_coefficients, *, each=40, second=0.5):
        groups = {}
        for d, coefficient in enumerate(first_coefficients):
            comparisons, attributes = simulate([coefficient, second], each=each, seed=3)
            noise = np.random.default_rng(d).random(len(comparisons.first))
            values = np.array([list(of_item.values()) for of_item in attributes.values()]).T
            standardised = values / values.std(axis=0, ddof=1)
            margin = (standardised[comparisons.first] - standardised[comparisons.second]) @ [
                coefficient,
                second,
            ]
            outcome = (noise < 1 / (1 + np.exp(-margin))).astype(float)
            groups[f"d{d}"] = replace(comparisons, outcome=outcome)
        return groups, attributes

    return make


COEFFICIENTS = [0.2, 1.0, -0.3, 0.6, 0.9, 0.1, 0.5, 0.4]


def test_slopes_are_finite_differences():
    rng = np.random.default_rng(0)
    data = _Data(
        design=[rng.normal(size=(n, 2)) for n in (5, 7)],
        outcome=[rng.choice([0, 0.5, 1], n) for n in (5, 7)],
        weight=[rng.uniform(0.5, 2, n) for n in (5, 7)],
        rater=[np.zeros(n, int) for n in (5, 7)],
        n_raters=1,
    )
    sd, at, step = np.array([0.5, 1.2]), rng.normal(size=6), 1e-5
    slopes = _penalised(data, at, sd)
    for k in range(6):
        up, down = (_penalised(data, at + s * np.eye(6)[k], sd) for s in (step, -step))
        assert slopes.gradient[k] == pytest.approx(
            (up.log_likelihood - down.log_likelihood) / (2 * step), abs=1e-6
        )
        np.testing.assert_allclose(
            slopes.information[:, k], -(up.gradient - down.gradient) / (2 * step), atol=1e-6
        )


def test_a_tiny_spread_is_complete_pooling_and_a_large_one_is_none(domains):
    groups, attributes = domains(COEFFICIENTS)
    pooled = fit_factors_by_domain(groups, attributes, spread=1e-4)
    together = fit_factors(stack_comparisons(groups)[0], attributes).fit.coefficients
    np.testing.assert_allclose(pooled.by_domain, np.tile(together, (8, 1)), atol=1e-4)
    apart = fit_factors_by_domain(groups, attributes, spread=1e3)
    for d, comparisons in enumerate(groups.values()):
        own = fit_factors(comparisons, attributes).fit.coefficients
        np.testing.assert_allclose(apart.by_domain[d], own, atol=1e-3)
    np.testing.assert_allclose(apart.common, apart.by_domain.mean(axis=0), atol=1e-3)


def test_complete_pooling_has_the_clustered_errors_of_the_pooled_fit(domains):
    groups, attributes = domains(COEFFICIENTS)
    pooled = fit_factors_by_domain(groups, attributes, spread=1e-5)
    together = fit_factors(stack_comparisons(groups)[0], attributes).fit
    np.testing.assert_allclose(
        pooled.domain_errors[0], together.clustered_standard_errors, rtol=1e-3
    )


def test_the_spread_is_that_of_restricted_maximum_likelihood(domains):
    groups, attributes = domains(COEFFICIENTS, each=200)
    found = fit_factors_by_domain(groups, attributes)
    fits = [fit_factors(comparisons, attributes).fit for comparisons in groups.values()]
    estimates = np.array([fit.coefficients for fit in fits])
    covariances = np.array([fit.covariance for fit in fits])

    def negative_restricted_likelihood(log_sd):
        inverses = np.linalg.inv(covariances + np.diag(np.exp(2 * log_sd)))
        mean = np.linalg.solve(inverses.sum(0), np.einsum("dij,dj->i", inverses, estimates))
        residual = estimates - mean
        return (
            -np.linalg.slogdet(inverses)[1].sum()
            + np.einsum("di,dij,dj->", residual, inverses, residual)
            + np.linalg.slogdet(inverses.sum(0))[1]
        ) / 2

    best = optimize.minimize(
        negative_restricted_likelihood, np.log(found.spread), method="Nelder-Mead"
    )
    # With 6 000 answers a domain, likelihoods are nearly normal.
    assert found.spread[0] == pytest.approx(np.exp(best.x[0]), rel=0.03)
    assert found.spread[0] == pytest.approx(np.std(COEFFICIENTS, ddof=1), rel=0.25)
    assert found.spread[1] < 0.1


def test_partial_pooling_is_nearer_the_truth_than_either_extreme(domains):
    groups, attributes = domains(COEFFICIENTS, each=4)
    found = fit_factors_by_domain(groups, attributes)
    pooled = fit_factors_by_domain(groups, attributes, spread=1e-4)
    apart = fit_factors_by_domain(groups, attributes, spread=1e3)

    def error(fit):
        return np.mean((fit.by_domain[:, 0] - COEFFICIENTS) ** 2)

    assert error(found) < min(error(pooled), error(apart))
    # Coefficients lie between the domain's own and the common one.
    own, drawn = apart.by_domain[:, 0], found.by_domain[:, 0]
    assert np.ptp(drawn) < np.ptp(own)


def test_a_domain_without_a_fit_of_its_own_borrows_one(domains):
    groups, attributes = domains(COEFFICIENTS, each=20)
    first = groups["d0"]
    few = replace(first, weight=(np.arange(len(first.first)) < 2).astype(float))
    with pytest.raises((NotConvergedError, DataError)):
        fit_factors(few, attributes)
    found = fit_factors_by_domain(groups | {"d0": few}, attributes)
    assert found.coefficient("a0", "d0").value == pytest.approx(found.common[0], abs=0.3)
    wide, narrow = (found.coefficient("a0", d) for d in ("d0", "d1"))
    assert wide.high - wide.low > narrow.high - narrow.low


def test_domains_that_agree_are_fully_pooled(domains):
    groups, attributes = domains([0.5, 0.5, 0.5], each=20)
    found = fit_factors_by_domain(groups, attributes)
    assert found.spread.min() < 0.15
    assert any("3 domains say little" in text for text in found.warnings)
    assert found.coefficient("a1").low < 0.5 < found.coefficient("a1").high


def test_bad_input_is_named(domains):
    groups, attributes = domains([0.5, 0.2], each=5)
    with pytest.raises(DataError, match="at least 2 domains"):
        fit_factors_by_domain({"d0": groups["d0"]}, attributes)
    with pytest.raises(ConfigError, match="spread"):
        fit_factors_by_domain(groups, attributes, spread=-1)
    with pytest.raises(ConfigError, match="at least one attribute"):
        fit_factors_by_domain(groups, {})
    with pytest.raises(DataError, match="no coefficient of 'b'"):
        fit_factors_by_domain(groups, attributes, spread=1).coefficient("b")
