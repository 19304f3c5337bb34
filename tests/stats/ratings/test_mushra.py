from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from auralign.errors import ConfigError, DataError
from auralign.stats.ratings import (
    SCREENING_RULES,
    analyse_mushra,
    screen_listeners,
    system_ratings,
)

SYSTEMS = ("reference", "mid", "low", "x", "y", "z")
NAMES = {"reference": "reference", "anchors": ("mid", "low")}


@pytest.fixture
def make(rating):
    """Ratings from a cube `[listener, item, system]` of SYSTEMS."""

    def of(cube, scale=(0.0, 100.0)):
        judgements = [
            replace(
                rating(f"{name}{item}", float(value), f"l{listener:02}", scale=scale),
                prompt_id=f"item{item}",
            )
            for listener, items in enumerate(cube)
            for item, values in enumerate(items)
            for name, value in zip(SYSTEMS, values, strict=True)
            if np.isfinite(value)
        ]
        clips = {f"{name}{item}": name for name in SYSTEMS for item in range(len(cube[0]))}
        return system_ratings(judgements, "overall", clips)

    return of


def good_panel(listeners=20, items=10, seed=1):
    generator = np.random.default_rng(seed)
    centre = np.array([98, 55, 25, 80, 70, 60])
    cube = centre + generator.normal(0, 6, (listeners, 1, 6)) * [0, 0, 0, 1, 1, 1]
    cube = cube + generator.normal(0, 6, (listeners, items, 6))
    cube[:, :, 0] = generator.uniform(95, 100, (listeners, items))
    return np.clip(cube, 0, 100)


def test_a_listener_may_miss_the_hidden_reference_in_15_percent_of_the_items(make):
    cube = good_panel(items=20)
    cube[0, :3, 0] = 89  # 3 of 20 are 15 %: not more
    cube[1, :4, 0] = 89
    cube[2, :4, 0] = 90
    screening = screen_listeners(make(cube), **NAMES)
    assert screening.excluded == {"l01": "hidden reference low"}
    assert len(screening.kept) == 19
    strict = screen_listeners(make(cube), **NAMES, rules=SCREENING_RULES["MPEG-H"])
    assert set(strict.excluded) >= {"l00", "l01"}
    assert screen_listeners(make(cube), **NAMES, rules=SCREENING_RULES["none"]).excluded == {}


def test_a_listener_who_rates_the_mid_anchor_high_goes_unless_the_item_is_easy(make):
    cube = good_panel(items=20)
    cube[0, :4, 1] = 95
    assert screen_listeners(make(cube), **NAMES).excluded == {"l00": "anchor 'mid' high"}
    # A quarter of 20 listeners is 5; with 6 the items are too easy to blame anyone.
    cube[:6, :4, 1] = 95
    screening = screen_listeners(make(cube), **NAMES)
    assert screening.excluded == {}
    assert screening.easy_items == ("item0", "item1", "item2", "item3")


def test_the_strict_rules_want_the_reference_and_anchors_in_order(make):
    cube = good_panel()
    cube[:, :, 1] = np.maximum(cube[:, :, 1], 40)
    cube[:, :, 2] = np.minimum(cube[:, :, 2], 39)
    cube[3, 5, [1, 2]] = 30, 31
    excluded = screen_listeners(make(cube), **NAMES, rules=SCREENING_RULES["MPEG-H"]).excluded
    assert excluded == {"l03": "order of reference and anchors violated"}


def test_outliers_are_counted_by_tukeys_fences_and_nobody_goes(make):
    cube = good_panel(listeners=8, items=2)
    cube[:, 0, 3] = [50, 50, 51, 51, 52, 52, 53, 90]
    share = screen_listeners(make(cube), **NAMES).outlier_share
    fences = 0
    for item in range(2):
        for system in range(6):
            values = cube[:, item, system]
            low, high = np.quantile(values, [0.25, 0.75])
            fences += int(not low - 1.5 * (high - low) <= values[7] <= high + 1.5 * (high - low))
    assert fences >= 1
    assert share["l07"] == pytest.approx(fences / 12)


def test_means_medians_and_intervals_of_systems_and_items(make):
    cube = good_panel()
    result = analyse_mushra(make(cube), **NAMES)
    assert [s.system for s in result.systems] == ["reference", "x", "y", "z", "mid", "low"]
    x = cube[:, :, 3]
    best = result.systems[1]
    by_listener = stats.ttest_1samp(x.mean(axis=1), 0).confidence_interval()
    assert (best.mean.value, best.mean.low, best.mean.high) == pytest.approx(
        (x.mean(), by_listener.low, by_listener.high)
    )
    assert (best.median, *best.quartiles) == pytest.approx(tuple(np.quantile(x, [0.5, 0.25, 0.75])))
    first = {s.system: s for s in result.items["item0"]}["y"]
    of_item = stats.ttest_1samp(cube[:, 0, 4], 0).confidence_interval()
    assert (first.mean.low, first.mean.high) == pytest.approx((of_item.low, of_item.high))


def test_systems_under_test_are_compared_by_listeners_means(make):
    cube = good_panel()
    result = analyse_mushra(make(cube), **NAMES)
    means = cube.mean(axis=1)[:, 3:]
    assert result.friedman.chi2.p_value == pytest.approx(stats.friedmanchisquare(*means.T).pvalue)
    assert [t.name for t in result.comparisons.tests] == ["x - y", "x - z", "y - z"]
    assert result.comparisons.tests[0].test.p_value == pytest.approx(
        stats.wilcoxon(means[:, 0] - means[:, 1]).pvalue
    )
    assert result.warnings == ()


def test_excluded_listeners_are_in_no_number(make):
    cube = good_panel(listeners=21)
    cube[20] = 0
    with_stray = analyse_mushra(make(cube), **NAMES)
    without = analyse_mushra(make(cube[:20]), **NAMES)
    assert with_stray.systems == without.systems
    assert with_stray.comparisons == without.comparisons


def test_an_item_that_a_listener_did_not_finish_is_left_out_of_comparisons(make):
    cube = good_panel()
    cube[0, 0, 4] = np.nan
    result = analyse_mushra(make(cube), **NAMES)
    means = cube.mean(axis=1)[:, 3:]
    means[0] = cube[0, 1:, 3:].mean(axis=0)
    assert result.comparisons.tests[0].test.p_value == pytest.approx(
        stats.wilcoxon(means[:, 0] - means[:, 1]).pvalue
    )


def test_what_the_standard_asks_for_and_is_missing_is_said(make):
    small = analyse_mushra(
        make(good_panel(listeners=1, items=2)), reference="reference", anchors=()
    )
    text = " | ".join(small.warnings)
    for expected in ("1 listeners are left", "2 items for 5 systems", "low and a mid anchor"):
        assert expected in text
    assert small.friedman is None
    assert small.comparisons is None
    assert np.isnan(small.systems[0].mean.low)


def test_bad_input_is_named(make):
    cube = good_panel(listeners=3)
    with pytest.raises(DataError, match=r"scale from 0 to 100, got \(1.0, 5.0\)"):
        analyse_mushra(make(cube, scale=(1.0, 5.0)), **NAMES)
    with pytest.raises(DataError, match="no rating of 'open'; rated systems: low, mid"):
        analyse_mushra(make(cube), reference="open", anchors=())
    with pytest.raises(ConfigError, match="reference and anchors must differ"):
        analyse_mushra(make(cube), reference="mid", anchors=("mid",))
    with pytest.raises(DataError, match=r"'BS\.1534-3' leave none of 3 listeners"):
        analyse_mushra(make(cube), reference="low", anchors=("mid",))
