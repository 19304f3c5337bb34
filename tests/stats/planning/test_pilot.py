from dataclasses import replace

import numpy as np
import pytest

from auralign.errors import ConfigError, DataError, NotConvergedError
from auralign.stats.pairs import fit_bradley_terry
from auralign.stats.planning.pilot import Pilot, pilot_power, read_pilot, simulate_study
from auralign.stats.planning.power import round_robin_power

ITEMS = ("a", "b", "c", "d")
PAIRS = np.array([(i, j) for i in range(4) for j in range(4) if i != j])


def truth(taste_sd=0.0, nu=0.0, gap=1.0):
    return Pilot(
        items=ITEMS,
        log_worth=np.array([0, 0, 0, gap]) - gap / 4,
        taste_sd=taste_sd,
        nu=nu,
        pairs=PAIRS,
        pair_share=np.full(12, 1 / 12),
        moved=np.zeros((4, 2)),
        n_raters=2,
        warnings=(),
    )


@pytest.mark.parametrize("taste_sd", [0.0, 0.6, 1.2])
@pytest.mark.parametrize("nu", [0.0, 0.7])
def test_a_pilot_tells_tastes_and_worths(taste_sd, nu):
    rng = np.random.default_rng(11)
    pilot = read_pilot(simulate_study(truth(taste_sd, nu), 150, 30, rng=rng))
    assert pilot.taste_sd == pytest.approx(taste_sd, abs=0.1 + 0.12 * taste_sd)
    assert pilot.log_worth[3] - pilot.log_worth[:3].mean() == pytest.approx(1, abs=0.3)
    assert pilot.nu == pytest.approx(nu, abs=0.08)


def test_simulated_answers_follow_davidsons_model():
    nu, gap = 0.7, 1.0
    study = simulate_study(truth(nu=nu, gap=gap), 200, 100, rng=np.random.default_rng(2))
    rows = (study.first == 3) & (study.second == 0)
    total = np.exp(gap / 2) + np.exp(-gap / 2) + nu
    expected = [np.exp(-gap / 2) / total, nu / total, np.exp(gap / 2) / total]
    found = [(study.outcome[rows] == value).mean() for value in (0, 0.5, 1)]
    np.testing.assert_allclose(found, expected, atol=0.04)


def test_simulated_studies_keep_the_pairs_of_the_pilot():
    pilot = replace(truth(), pair_share=np.eye(12)[4])
    study = simulate_study(pilot, 3, 5, rng=np.random.default_rng(0))
    assert set(zip(study.first.tolist(), study.second.tolist(), strict=True)) == {tuple(PAIRS[4])}
    np.testing.assert_array_equal(study.rater, np.repeat(np.arange(3), 5))


def test_without_tastes_the_power_is_that_of_the_formula():
    gap, listeners, each = 0.5, 30, 30
    curve = pilot_power(
        truth(gap=gap),
        "d",
        "a",
        listeners=[listeners],
        judgements_per_listener=each,
        rng=np.random.default_rng(5),
        n_simulations=120,
    )
    expected = round_robin_power(4, gap, listeners * each / 6)
    assert curve.power[0] == pytest.approx(expected, abs=3 * curve.monte_carlo_error[0] + 0.03)
    assert curve.monte_carlo_error[0] == pytest.approx(
        np.sqrt(curve.power[0] * (1 - curve.power[0]) / 120)
    )


def test_tastes_cost_power_and_listeners_buy_it():
    rng = np.random.default_rng(6)
    settings = {"judgements_per_listener": 30, "rng": rng, "n_simulations": 40}
    alike = pilot_power(truth(gap=0.6), "d", "a", listeners=[12], **settings)
    unlike = pilot_power(truth(1.2, gap=0.6), "d", "a", listeners=[12, 60], **settings)
    assert alike.power[0] > unlike.power[0] + 0.2
    assert unlike.power[1] > unlike.power[0] + 0.2


def test_assurance_draws_worths_with_the_sampling_covariance_of_the_pilot():
    study = simulate_study(truth(), 40, 20, rng=np.random.default_rng(7))
    pilot = read_pilot(study)
    fit = fit_bradley_terry(study)
    stretch = pilot.log_worth[3] / fit.log_worth[3]
    covariance = pilot.moved @ pilot.moved.T
    np.testing.assert_allclose(
        np.sqrt(np.diagonal(covariance)), fit.clustered_standard_errors * stretch
    )


def test_assurance_differs_from_power_at_the_estimate():
    study = simulate_study(truth(gap=0.8), 12, 12, rng=np.random.default_rng(7))
    settings = {"listeners": [20], "judgements_per_listener": 20, "n_simulations": 60}
    pilot = read_pilot(study)
    sure = pilot_power(pilot, "d", "a", rng=np.random.default_rng(1), **settings)
    unsure = pilot_power(pilot, "d", "a", rng=np.random.default_rng(1), assurance=True, **settings)
    assert unsure.power[0] < sure.power[0]
    assert "drawn from the pilot's distribution" in unsure.method


def test_studies_without_finite_worths_are_counted_and_not_significant():
    curve = pilot_power(
        truth(gap=12),
        "d",
        "a",
        listeners=[2],
        judgements_per_listener=6,
        rng=np.random.default_rng(3),
        n_simulations=10,
    )
    assert curve.without_fit[0] == 10
    assert curve.power[0] == 0


def test_the_same_generator_gives_the_same_curve():
    def run():
        return pilot_power(
            truth(0.5),
            "d",
            "a",
            listeners=[8],
            judgements_per_listener=12,
            rng=np.random.default_rng(9),
            n_simulations=20,
        )

    assert run().power[0] == run().power[0]


def test_bad_pilots_and_settings_are_named():
    study = simulate_study(truth(), 8, 20, rng=np.random.default_rng(1))
    with pytest.raises(DataError, match="at least 2 raters"):
        read_pilot(replace(study, rater=np.zeros_like(study.rater)))
    with pytest.raises(DataError, match="weights of 1"):
        read_pilot(replace(study, weight=np.full(160, 2.0)))
    with pytest.raises(NotConvergedError):
        read_pilot(replace(study, outcome=(study.first > study.second).astype(float)))
    settings = {"judgements_per_listener": 5, "rng": np.random.default_rng(0)}
    with pytest.raises(DataError, match="no item 'z'"):
        pilot_power(truth(), "z", "a", listeners=[5], **settings)
    with pytest.raises(ConfigError, match="'a' twice"):
        pilot_power(truth(), "a", "a", listeners=[5], **settings)
    for bad in ([1], []):
        with pytest.raises(ConfigError, match="at least 2 listeners"):
            pilot_power(truth(), "d", "a", listeners=bad, **settings)


def test_raters_of_one_pair_each_say_nothing_about_tastes():
    study = simulate_study(truth(), 4, 30, rng=np.random.default_rng(1))
    tree = replace(
        study,
        first=np.repeat([0, 1, 2], 40),
        second=np.repeat([1, 2, 3], 40),
        rater=np.repeat([0, 1, 2], 40),
        outcome=np.tile([1.0, 0, 0, 1], 30),
    )
    with pytest.raises(NotConvergedError, match="several raters judge the same pairs"):
        read_pilot(tree)


def test_a_small_pilot_is_warned_about():
    study = simulate_study(truth(), 5, 60, rng=np.random.default_rng(1))
    assert any("hardly known below 10" in text for text in read_pilot(study).warnings)
