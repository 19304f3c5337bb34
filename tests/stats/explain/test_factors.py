from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import special, stats
from statsmodels.stats.multitest import multipletests

from auralign.errors import ConfigError, DataError, NotConvergedError
from auralign.stats.explain.attributes import attribute_comparisons
from auralign.stats.explain.factors import fit_factors, fit_factors_per_scenario


def test_coefficients_and_clustered_errors_are_those_of_a_glm(simulate):
    comparisons, attributes = simulate([1, 0.5, -0.5])
    found = fit_factors(comparisons, attributes, side=True)
    data = attribute_comparisons(comparisons, attributes)
    design = np.column_stack([data.differences, np.ones(len(comparisons.first))])
    glm = sm.GLM(comparisons.outcome, design, family=sm.families.Binomial()).fit(
        tol=1e-12,
        cov_type="cluster",
        cov_kwds={"groups": comparisons.rater, "use_correction": False},
    )
    values = [effect.log_odds.value for effect in found.effects]
    np.testing.assert_allclose(values, glm.params, atol=1e-8)
    errors = [effect.standard_error for effect in found.effects]
    np.testing.assert_allclose(errors, glm.bse * np.sqrt(30 / 29), rtol=1e-6)
    assert found.share_explained == pytest.approx(1 - glm.llf / (600 * np.log(0.5)))
    assert [effect.attribute for effect in found.effects] == ["a0", "a1", "a2", "presented first"]


def test_the_table_says_what_a_coefficient_means(simulate):
    comparisons, attributes = simulate([1, 0])
    effect = fit_factors(comparisons, attributes).effect("a0")
    assert effect.win_rate == pytest.approx(special.expit(effect.log_odds.value))
    assert effect.scale == pytest.approx(np.std(list(attributes["a0"].values()), ddof=1))
    assert effect.log_odds.low < 1 < effect.log_odds.high
    assert effect.p_value < 1e-6


def test_units_of_attributes_do_not_matter(simulate):
    comparisons, attributes = simulate([1, 0.5])
    in_other_units = {
        name: {item: 60 * value - 7 for item, value in of_item.items()}
        for name, of_item in attributes.items()
    }
    here, there = (fit_factors(comparisons, a) for a in (attributes, in_other_units))
    for a, b in zip(here.effects, there.effects, strict=True):
        assert a.log_odds.value == pytest.approx(b.log_odds.value)
        assert a.standard_error == pytest.approx(b.standard_error)
        assert b.scale == pytest.approx(60 * a.scale)


def test_presenting_the_pairs_the_other_way_round_negates_the_side_only(simulate):
    comparisons, attributes = simulate([1, 0.5])
    mirrored = replace(
        comparisons,
        first=comparisons.second,
        second=comparisons.first,
        outcome=1 - comparisons.outcome,
    )
    here, there = (fit_factors(c, attributes, side=True) for c in (comparisons, mirrored))
    for name, sign in (("a0", 1), ("a1", 1), ("presented first", -1)):
        a, b = here.effect(name).log_odds, there.effect(name).log_odds
        assert b.value == pytest.approx(sign * a.value)


def test_ties_left_out_keep_the_coefficient_that_half_wins_draw_to_zero(simulate):
    comparisons, attributes = simulate([1.5], n_raters=60, ties=0.4)
    left_out = fit_factors(comparisons, attributes).effect("a0").log_odds.value
    half = fit_factors(comparisons, attributes, ties="half").effect("a0").log_odds.value
    assert left_out == pytest.approx(1.5, abs=0.25)
    assert half < 0.75 * left_out


def test_intervals_hold_when_raters_differ(simulate):
    found, errors, naive = [], [], []
    for seed in range(60):
        comparisons, attributes = simulate([0.5], rater_sd=0.8, n_raters=25, each=25, seed=seed)
        fit = fit_factors(comparisons, attributes)
        found.append(fit.effect("a0").log_odds.value)
        errors.append(fit.effect("a0").standard_error)
        naive.append(fit.fit.standard_errors[0])
    # Averaged over raters the coefficient is not 0.5 but a little less: take the mean of studies.
    z = np.abs(np.array(found) - np.mean(found))
    assert 0.89 <= (z < stats.t.ppf(0.975, 24) * np.array(errors)).mean() <= 0.99
    assert (z < 1.96 * np.array(naive)).mean() < 0.8


def test_one_rater_gets_an_interval_that_says_so(simulate):
    comparisons, attributes = simulate([1], n_raters=1, each=200)
    found = fit_factors(comparisons, attributes)
    assert "one rater" in found.effect("a0").log_odds.method
    assert found.effect("a0").standard_error == pytest.approx(found.fit.standard_errors[0])


def test_p_values_are_corrected_by_holm_over_the_table(simulate):
    comparisons, attributes = simulate([0.3, 0.1, 0, 0.2])
    effects = fit_factors(comparisons, attributes).effects
    corrected = multipletests([effect.p_value for effect in effects], method="holm")[1]
    np.testing.assert_allclose([effect.p_holm for effect in effects], corrected)


def test_scenarios_are_fitted_apart_and_failures_say_why(pair):
    rng = np.random.default_rng(1)
    bright = {f"c{k}": float(k) for k in range(6)}
    judgements = []
    for scenario, sign in (("car", 1), ("home", -1), ("lab", 0)):
        for n in range(150):
            i, j = rng.choice(6, 2, replace=False)
            first_wins = rng.random() < special.expit(sign * 0.5 * (i - j)) if sign else i > j
            made = pair(f"c{i}", f"c{j}", "A" if first_wins else "B", rater=f"r{n % 10}")
            judgements.append(replace(made, context={"scenario": scenario}))
    found = fit_factors_per_scenario(judgements, "overall", {"brightness": bright})
    assert found.fits["car"].effect("brightness").log_odds.low > 0
    assert found.fits["home"].effect("brightness").log_odds.high < 0
    assert list(found.without_fit) == ["lab"]
    assert "no finite coefficients" in found.without_fit["lab"]


def test_what_has_no_answer_is_refused(simulate):
    comparisons, attributes = simulate([1, 0])
    certain = replace(
        comparisons,
        outcome=np.array(
            [
                float(
                    attributes["a0"][comparisons.items[i]] > attributes["a0"][comparisons.items[j]]
                )
                for i, j in zip(comparisons.first, comparisons.second, strict=True)
            ]
        ),
    )
    with pytest.raises(NotConvergedError, match="a0"):
        fit_factors(certain, attributes)
    twice = attributes | {"copy": {k: 2 * v for k, v in attributes["a0"].items()}}
    with pytest.raises(DataError, match="collinear"):
        fit_factors(comparisons, twice)
    with pytest.raises(ConfigError, match="at least one attribute"):
        fit_factors(comparisons, {})
    with pytest.raises(DataError, match="no attribute 'b'"):
        fit_factors(comparisons, attributes).effect("b")
