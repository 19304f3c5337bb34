import numpy as np
import pytest
import statsmodels.api as sm
from scipy import special, stats

from auralign.errors import ConfigError, DataError
from auralign.stats.explain.confounders import check_confounders
from auralign.types import Comparisons

CLIPS = tuple(f"s{s}_{k:02d}" for s in range(3) for k in range(20))
SYSTEM = {clip: clip[:2] for clip in CLIPS}


def study(*, loudness=0.0, side=0.0, louder=0.0, n=900, seed=0, n_raters=25, ties=0.0):
    """Systems 0 < 1 < 2 by 0.4 logits; clips of system 2 are `louder` by that many dB."""
    rng = np.random.default_rng(99)
    level = {clip: -23 + 2 * rng.normal() + louder * (clip[1] == "2") for clip in CLIPS}
    duration = {clip: rng.uniform(5, 10) for clip in CLIPS}
    rng = np.random.default_rng(seed)
    first = rng.integers(len(CLIPS), size=n)
    second = (first + rng.integers(1, len(CLIPS), size=n)) % len(CLIPS)
    quality = np.array([0.4 * int(clip[1]) + loudness * level[clip] for clip in CLIPS])
    won = rng.random(n) < special.expit(quality[first] - quality[second] + side)
    outcome = np.where(rng.random(n) < ties, 0.5, won)
    comparisons = Comparisons(
        first=first,
        second=second,
        outcome=outcome.astype(float),
        weight=np.ones(n),
        rater=rng.integers(n_raters, size=n),
        cluster=np.zeros(n, int),
        items=CLIPS,
        raters=tuple(f"r{k}" for k in range(n_raters)),
    )
    return comparisons, {"loudness": level, "duration": duration}


def test_a_loud_system_is_found_out():
    comparisons, suspects = study(loudness=0.25, louder=4, n=2000)
    found = check_confounders(comparisons, suspects, system_of=SYSTEM)
    by_name = {effect.name: effect for effect in found.effects}
    assert by_name["loudness"].p_holm < 0.001
    assert min(by_name["duration"].p_holm, by_name["presented first"].p_holm) > 0.05
    system2 = found.shifts[2]
    # Before: its own 0.4 and the loudness of 4 dB, centred over systems.
    assert system2.before > 0.8
    assert system2.after == pytest.approx(0.4, abs=0.2)
    assert system2.change.high < 0
    assert "loudness (votes lean to higher loudness" in found.verdict
    assert "s2 changes most" in found.verdict


def test_the_order_of_systems_can_reverse():
    comparisons, suspects = study(loudness=-0.3, louder=4, n=3000)
    found = check_confounders(comparisons, suspects, system_of=SYSTEM)
    assert found.shifts[2].before < found.shifts[1].before
    assert "reverses" in found.verdict


def test_a_side_bias_is_found_and_named():
    comparisons, suspects = study(side=0.5)
    found = check_confounders(comparisons, suspects, system_of=SYSTEM)
    side = found.effects[-1]
    assert side.name == "presented first"
    assert side.adjusted.value == pytest.approx(0.5, abs=0.2)
    assert "the clip presented first" in found.verdict


def test_likelihood_ratios_are_those_of_nested_glms():
    comparisons, suspects = study(loudness=0.1)
    found = check_confounders(comparisons, suspects, system_of=SYSTEM)
    columns = {
        name: np.array([of_clip[clip] for clip in CLIPS]) for name, of_clip in suspects.items()
    }
    columns |= {s: np.array([SYSTEM[clip] == s for clip in CLIPS], float) for s in ("s1", "s2")}
    rows = {name: v[comparisons.first] - v[comparisons.second] for name, v in columns.items()}
    rows["side"] = np.ones(len(comparisons.first))

    def log_likelihood(*names):
        design = np.column_stack([rows[name] for name in names])
        return sm.GLM(comparisons.outcome, design, family=sm.families.Binomial()).fit(tol=1e-12).llf

    full = log_likelihood("s1", "s2", "loudness", "duration", "side")
    without = log_likelihood("s1", "s2", "duration", "side")
    loudness = found.effects[0]
    assert loudness.adjusted_ratio.statistic == pytest.approx(2 * (full - without), abs=1e-6)
    assert loudness.adjusted_ratio.p_value == pytest.approx(stats.chi2.sf(2 * (full - without), 1))
    alone = log_likelihood("loudness") - 900 * np.log(0.5)
    assert loudness.alone_ratio.statistic == pytest.approx(2 * alone, abs=1e-6)
    joint = full - log_likelihood("s1", "s2")
    assert found.joint.statistic == pytest.approx(2 * joint, abs=1e-6)
    assert found.joint.df == 3


def test_the_error_of_a_change_is_that_of_repeated_studies():
    changes, errors = [], []
    for seed in range(16):
        comparisons, suspects = study(loudness=0.2, louder=2, seed=seed, n=300)
        shift = check_confounders(comparisons, suspects, system_of=SYSTEM).shifts[2].change
        changes.append(shift.value)
        errors.append((shift.high - shift.low) / 2 / stats.t.ppf(0.975, 24))
    assert np.mean(errors) == pytest.approx(np.std(changes, ddof=1), rel=0.5)


def test_without_suspicion_the_verdict_claims_no_proof():
    comparisons, suspects = study()
    found = check_confounders(comparisons, suspects, system_of=SYSTEM)
    assert found.verdict.startswith("None of loudness, duration, presented first explains votes")
    assert "does not prove" in found.verdict


def test_false_alarms_are_as_rare_as_alpha():
    alarms = 0
    for seed in range(24):
        comparisons, suspects = study(seed=seed, n=300, n_raters=40)
        found = check_confounders(comparisons, suspects, side=False)
        alarms += any(effect.ratio_p_holm <= 0.05 for effect in found.effects)
    # One expected; seven or more have a probability below 0.1 %.
    assert alarms <= 6


def test_trial_covariates_stand_beside_attributes():
    comparisons, suspects = study(seed=2)
    rng = np.random.default_rng(9)
    screen = rng.choice([-2.0, 2.0], len(comparisons.first))
    won = rng.random(len(screen)) < special.expit(0.4 * screen)
    biased = Comparisons(**{**comparisons.__dict__, "outcome": won.astype(float)})
    found = check_confounders(biased, suspects, trial_covariates={"left side": screen})
    effect = next(e for e in found.effects if e.name == "left side")
    assert effect.scale == pytest.approx(2)
    assert effect.adjusted.value == pytest.approx(0.8, abs=0.25)
    assert found.shifts == ()


def test_only_the_side_can_be_checked_without_any_attribute():
    comparisons, _ = study(side=0.6)
    found = check_confounders(comparisons, {}, system_of=SYSTEM)
    assert [effect.name for effect in found.effects] == ["presented first"]
    assert found.effects[0].p_holm < 0.01


def test_ties_are_left_out_and_one_rater_is_told():
    comparisons, suspects = study(ties=0.2, n_raters=1)
    found = check_confounders(comparisons, suspects, system_of=SYSTEM)
    assert any("ties" in text for text in found.warnings)
    assert np.isnan(found.shifts[0].change.low)
    for effect in found.effects:
        assert effect.p_holm == effect.ratio_p_holm


def test_bad_input_is_named():
    comparisons, suspects = study()
    of_system = {clip: 3.0 * int(clip[1]) for clip in CLIPS}
    two = {"loudness": of_system, "louder": {clip: v**2 for clip, v in of_system.items()}}
    with pytest.raises(DataError, match="collinear"):
        check_confounders(comparisons, two, system_of=SYSTEM)
    with pytest.raises(DataError, match="system for each clip"):
        check_confounders(comparisons, suspects, system_of={"s0_00": "s0"})
    with pytest.raises(DataError, match="at least 2 systems"):
        check_confounders(comparisons, suspects, system_of=dict.fromkeys(CLIPS, "one"))
    with pytest.raises(DataError, match="'screen' must be 900 finite"):
        check_confounders(comparisons, suspects, trial_covariates={"screen": [1, 2]})
    with pytest.raises(DataError, match="zero in all"):
        check_confounders(comparisons, suspects, trial_covariates={"screen": np.zeros(900)})
    with pytest.raises(ConfigError, match="name of its own"):
        check_confounders(comparisons, suspects, trial_covariates={"loudness": np.ones(900)})
    with pytest.raises(ConfigError, match="at least one suspect"):
        check_confounders(comparisons, {}, side=False)
