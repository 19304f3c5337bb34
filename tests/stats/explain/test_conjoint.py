from dataclasses import replace

import numpy as np
import pytest
import statsmodels.formula.api as smf
from pandas import DataFrame

from auralign.errors import ConfigError, DataError, NotConvergedError
from auralign.stats.explain.conjoint import conjoint_effects, conjoint_rating_effects
from auralign.types import Comparisons

CODECS, RATES = ("aac", "mp3", "opus"), ("high", "low")
ITEMS = tuple(f"{codec}-{rate}-{room}" for codec in CODECS for rate in RATES for room in "xy")
LEVELS = {
    name: {item: item.split("-")[k] for item in ITEMS}
    for k, name in enumerate(("codec", "rate", "room"))
}
UTILITY = {"aac": 0.0, "mp3": -0.5, "opus": 0.6, "high": 0.0, "low": -0.8, "x": 0.0, "y": 0.0}


def study(*, n=1500, n_raters=30, seed=0, synergy=0.0):
    rng = np.random.default_rng(seed)
    worth = np.array([sum(UTILITY[part] for part in item.split("-")) for item in ITEMS])
    worth += synergy * np.array([item.startswith("opus-low") for item in ITEMS])
    first = rng.integers(len(ITEMS), size=n)
    second = (first + rng.integers(1, len(ITEMS), size=n)) % len(ITEMS)
    won = rng.random(n) < 1 / (1 + np.exp(worth[second] - worth[first]))
    return Comparisons(
        first=first,
        second=second,
        outcome=won.astype(float),
        weight=np.ones(n),
        rater=rng.integers(n_raters, size=n),
        cluster=np.zeros(n, int),
        items=ITEMS,
        raters=tuple(f"r{k:02d}" for k in range(n_raters)),
    )


def profiles(c):
    shown = np.concatenate([c.first, c.second])
    frame = DataFrame(
        {name: [of_item[ITEMS[k]] for k in shown] for name, of_item in LEVELS.items()}
    )
    return frame.assign(y=np.concatenate([c.outcome, 1 - c.outcome]), rater=np.tile(c.rater, 2))


def test_effects_and_errors_are_those_of_clustered_least_squares():
    c = study()
    found = conjoint_effects(c, LEVELS, interactions=[("codec", "rate")])
    frame = profiles(c)
    clustered = {"cov_type": "cluster", "cov_kwds": {"groups": frame["rater"]}}
    reference = smf.ols("y ~ C(codec) + C(rate) + C(room)", frame).fit(**clustered)
    for name, level in (("codec", "opus"), ("codec", "mp3"), ("rate", "low"), ("room", "y")):
        effect = found.effect(name, level).effect
        key = f"C({name})[T.{level}]"
        assert effect.value == pytest.approx(reference.params[key], abs=1e-8)
        error = (effect.high - effect.low) / 2
        assert error == pytest.approx(reference.bse[key] * 2.045230, rel=1e-5)  # t, 29 df
    crossed = smf.ols("y ~ C(codec) * C(rate) + C(room)", frame).fit(**clustered)
    by_pair = {(i.first[1], i.second[1]): i for i in found.interactions}
    for level in ("mp3", "opus"):
        key = f"C(codec)[T.{level}]:C(rate)[T.low]"
        assert by_pair[level, "low"].effect.value == pytest.approx(crossed.params[key], abs=1e-8)


def test_in_a_balanced_design_effects_are_differences_of_means():
    # Every profile against every other once: the effect of a level is a difference of win rates.
    first, second = (index.ravel() for index in np.indices((12, 12)))
    kept = first != second
    first, second = first[kept], second[kept]
    c = replace(study(n=len(first)), first=first, second=second, rater=np.arange(len(first)) % 30)
    found = conjoint_effects(c, LEVELS)
    frame = profiles(c)
    means = frame.groupby("codec")["y"].mean()
    assert found.effect("codec", "opus").effect.value == pytest.approx(means["opus"] - means["aac"])
    assert found.effect("codec", "opus").marginal_mean.value == pytest.approx(means["opus"])
    assert found.effect("codec", "aac").effect is None
    assert found.effect("codec", "aac").n == (frame["codec"] == "aac").sum()


def test_marginal_means_of_forced_choices_average_to_one_half():
    found = conjoint_effects(study(), LEVELS)
    for name in LEVELS:
        of_attribute = [e for e in found.levels if e.attribute == name]
        mean = np.average(
            [e.marginal_mean.value for e in of_attribute], weights=[e.n for e in of_attribute]
        )
        assert mean == pytest.approx(0.5)


def test_another_baseline_shifts_all_effects_alike():
    c = study()
    here = conjoint_effects(c, LEVELS)
    there = conjoint_effects(c, LEVELS, baselines={"codec": "opus"})
    assert there.effect("codec", "aac").baseline == "opus"
    assert there.effect("codec", "aac").effect.value == pytest.approx(
        -here.effect("codec", "opus").effect.value
    )
    assert there.effect("codec", "mp3").effect.value == pytest.approx(
        here.effect("codec", "mp3").effect.value - here.effect("codec", "opus").effect.value
    )
    assert there.effect("codec", "mp3").marginal_mean == here.effect("codec", "mp3").marginal_mean


def test_a_synergy_shows_as_an_interaction():
    found = conjoint_effects(study(n=4000, synergy=1.2), LEVELS, interactions=[("codec", "rate")])
    opus = next(i for i in found.interactions if i.first == ("codec", "opus"))
    assert opus.effect.low > 0.1
    assert opus.p_value < 0.001
    assert found.effect("room", "y").p_value > 0.01


def test_intervals_hold_for_repeated_raters():
    truth = conjoint_effects(study(n=60_000), LEVELS).effect("codec", "opus").effect.value
    covered = 0
    for seed in range(1, 51):
        effect = conjoint_effects(study(n=300, seed=seed), LEVELS).effect("codec", "opus").effect
        covered += effect.low <= truth <= effect.high
    assert 0.89 <= covered / 50 <= 1


def test_ratings_have_effects_too():
    frame = profiles(study())
    frame["y"] = (
        3 + 2 * (frame["rate"] == "high") + np.random.default_rng(0).normal(size=len(frame))
    )
    raters = [f"r{k}" for k in frame["rater"]]
    found = conjoint_rating_effects(
        {name: frame[name].tolist() for name in LEVELS}, frame["y"].to_numpy(), raters
    )
    effect = found.effect("rate", "low").effect
    assert effect.value == pytest.approx(-2, abs=0.1)
    assert effect.high < -1.8


def test_attributes_that_went_together_are_warned_about():
    c = study()
    mostly = {
        item: ("loud" if item.startswith("opus") or item == ITEMS[0] else "soft") for item in ITEMS
    }
    found = conjoint_effects(c, {**LEVELS, "level": mostly})
    assert any("'codec' and 'level' were not shown independently" in w for w in found.warnings)
    assert not conjoint_effects(c, LEVELS).warnings


def test_bad_input_is_named():
    c = study(n=200)
    always = {item: ("a" if item.startswith("opus") else "b") for item in ITEMS}
    with pytest.raises(DataError, match="always occur together"):
        conjoint_effects(c, {"codec": LEVELS["codec"], "same": always})
    with pytest.raises(DataError, match="one level"):
        conjoint_effects(c, {"codec": dict.fromkeys(ITEMS, "opus")})
    with pytest.raises(DataError, match="level of 'codec' for each item"):
        conjoint_effects(c, {"codec": {ITEMS[0]: "aac"}})
    with pytest.raises(ConfigError, match="did you mean 'opus'"):
        conjoint_effects(c, LEVELS, baselines={"codec": "opsu"})
    with pytest.raises(ConfigError, match="did you mean 'codec'"):
        conjoint_effects(c, LEVELS, interactions=[("codek", "rate")])
    with pytest.raises(ConfigError, match="two different"):
        conjoint_effects(c, LEVELS, interactions=[("rate", "rate")])
    with pytest.raises(ConfigError, match="at least one attribute"):
        conjoint_effects(c, {})
    with pytest.raises(NotConvergedError, match="at least 2"):
        conjoint_effects(replace(c, rater=np.zeros(200, int)), LEVELS)
    with pytest.raises(DataError, match="one length"):
        conjoint_rating_effects({"codec": ["a", "b"]}, [1.0], ["r"])
    two = {"codec": ["a", "b"]}
    with pytest.raises(DataError, match="2 profiles are too few for 2"):
        conjoint_rating_effects(two, [1.0, 2.0], ["r", "s"])
    with pytest.raises(DataError, match="positive weights"):
        conjoint_rating_effects(two, [1.0, 2.0], ["r", "s"], weights=[1.0, -1.0])
