import math

import numpy as np
import pytest
from scipy import stats

from auralign.errors import ConfigError
from auralign.stats.planning.power import round_robin_power, sign_test_power
from auralign.stats.planning.study_size import (
    acr_study,
    design_effect,
    mushra_study,
    round_robin_study,
    win_rate_study,
)


def test_the_design_effect_is_the_variance_inflation_of_a_clustered_mean():
    m, icc = 10, 0.1
    covariance = np.full((m, m), icc) + np.eye(m) * (1 - icc)
    assert design_effect(m, icc) == pytest.approx(covariance.mean() * m)
    assert design_effect(m, icc) == pytest.approx(1.9)


def test_the_study_of_the_normal_approximation_by_hand():
    # n = 194; 194 x 1.9 / 10 = 36.86 listeners; 370 judgements are worth 370 / 1.9.
    size = win_rate_study(0.6, judgements_per_listener=10, icc=0.1, method="normal")
    assert (size.listeners, size.judgements) == (37, 370)
    assert size.independent == pytest.approx(370 / 1.9)
    assert size.power == pytest.approx(sign_test_power(0.6, 194, method="normal"))


def test_the_exact_study_keeps_its_power_where_the_saw_dips():
    size = win_rate_study(0.6, judgements_per_listener=10, icc=0.1)
    assert size.power >= 0.8
    assert size.power == sign_test_power(0.6, math.floor(size.independent))
    # 38 listeners are worth the 199 judgements of the first tooth, but 200 have less power.
    assert sign_test_power(0.6, 199) >= 0.8 > sign_test_power(0.6, math.floor(38 * 10 / 1.9))


def test_ties_and_rejected_listeners_are_recruited_on_top():
    plain = win_rate_study(0.6, judgements_per_listener=10, method="normal")
    tied = win_rate_study(0.6, judgements_per_listener=10, tie_rate=0.5, method="normal")
    rejected = win_rate_study(0.6, judgements_per_listener=10, rejected=0.2, method="normal")
    assert plain.listeners == math.ceil(194 / 10)
    assert tied.listeners == math.ceil(194 / 5)
    assert rejected.kept_listeners == plain.listeners
    assert rejected.listeners == math.ceil(20 / 0.8)


def test_a_simulated_study_of_that_size_reaches_the_power():
    m, icc = 10, 0.1
    size = win_rate_study(0.6, judgements_per_listener=m, icc=icc, method="normal")
    rng = np.random.default_rng(1)
    # Beta-binomial listeners with mean .6 have votes of this intraclass correlation.
    concentration = 1 / icc - 1
    shape = (4000, size.listeners)
    rates = rng.beta(0.6 * concentration, 0.4 * concentration, shape)
    means = rng.binomial(m, rates) / m
    t = (means.mean(1) - 0.5) / (means.std(1, ddof=1) / math.sqrt(size.listeners))
    power = (np.abs(t) > stats.t.ppf(0.975, size.listeners - 1)).mean()
    assert power == pytest.approx(size.power, abs=0.03)


def test_paired_ratings_gain_from_listeners_as_their_own_controls():
    sd, icc, clips = 1.0, 0.4, 4
    paired = acr_study(0.4, sd, clips_per_system=clips, icc=icc)
    unpaired = acr_study(0.4, sd, clips_per_system=clips, icc=icc, paired=False)
    assert paired.listeners < unpaired.listeners / 4
    assert paired.judgements == paired.listeners * 2 * clips
    assert unpaired.judgements == unpaired.listeners * clips


@pytest.mark.parametrize("paired", [True, False])
def test_a_simulated_rating_study_reaches_the_power(paired):
    sd, icc, clips, taste, difference = 1.0, 0.3, 4, 0.3 if paired else 0.0, 0.35
    size = acr_study(difference, sd, clips_per_system=clips, icc=icc, paired=paired, taste_sd=taste)
    rng = np.random.default_rng(2)
    n, runs = size.listeners, 4000
    noise = rng.normal(0, sd * math.sqrt((1 - icc) / clips), (2, runs, n))
    listener = rng.normal(0, sd * math.sqrt(icc), (runs, n))
    if paired:
        own = difference + rng.normal(0, taste, (runs, n))
        p = stats.ttest_rel(listener + own + noise[0], listener + noise[1], axis=1).pvalue
    else:
        a, b = np.split(listener + noise[0], 2, axis=1)
        p = stats.ttest_ind(a + difference, b, axis=1).pvalue
    assert (p < 0.05).mean() == pytest.approx(size.power, abs=0.03)


def test_mushra_corrects_for_all_pairs_of_systems():
    size = mushra_study(5, 15, n_systems=6, n_items=8, rejected=0.1)
    alone = acr_study(5, 15, clips_per_system=8, n_tests=15)
    assert size.kept_listeners == alone.kept_listeners
    assert size.listeners == math.ceil(size.kept_listeners / 0.9)
    assert size.judgements == size.listeners * 6 * 8


def test_the_round_robin_study_is_the_smallest_with_the_power():
    settings = {"judgements_per_listener": 30, "icc": 0.05, "tie_rate": 0.1}
    size = round_robin_study(6, 0.5, **settings)
    worth = 30 * 0.9 / (1 + 29 * 0.05)

    def power(listeners):
        return round_robin_power(6, 0.5, listeners * worth / 15, correction="holm")

    assert power(size.listeners) == pytest.approx(size.power)
    assert size.power >= 0.8 > power(size.listeners - 1)


def test_every_number_names_its_formula():
    numbers = {"listeners", "kept_listeners", "judgements", "design_effect", "power"}
    for size in (
        win_rate_study(0.6, judgements_per_listener=10),
        acr_study(0.5, 1, clips_per_system=3),
        mushra_study(5, 15, n_systems=3, n_items=4),
        round_robin_study(5, 0.5, judgements_per_listener=10),
    ):
        assert numbers <= set(size.formulas)


def test_few_listeners_are_warned_about():
    assert "below 20" in win_rate_study(0.8, judgements_per_listener=20).warnings[0]
    assert win_rate_study(0.6, judgements_per_listener=1).warnings == ()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: win_rate_study(0.6, judgements_per_listener=10, icc=1.1), "icc"),
        (lambda: win_rate_study(0.6, judgements_per_listener=0), "judgements_per_listener"),
        (lambda: win_rate_study(0.6, judgements_per_listener=1, tie_rate=1), "tie_rate"),
        (lambda: win_rate_study(0.6, judgements_per_listener=1, rejected=-0.1), "rejected"),
        (lambda: acr_study(0.6, 1, clips_per_system=3, taste_sd=-1), "taste_sd"),
        (lambda: acr_study(0.6, 1, clips_per_system=3, icc=1), "sd must be"),
        (lambda: acr_study(0.6, 0, clips_per_system=3), "sd must be a positive"),
        (lambda: mushra_study(5, 10, n_systems=1, n_items=3), "at least 2 items"),
    ],
)
def test_impossible_settings_are_named(call, message):
    with pytest.raises(ConfigError, match=message):
        call()
