from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from auralign.errors import ConfigError
from auralign.stats.means import mean_over_raters_and_items
from auralign.stats.ratings import analyse_acr, system_ratings


def ratings_of(rating, cube):
    """Ratings from a cube `[rater, item, system]`; systems are called A, B, ..."""
    names = "ABCDEF"[: cube.shape[2]]
    judgements = [
        replace(rating(f"{names[s]}{i}", float(cube[r, i, s]), f"r{r:02}"), prompt_id=f"p{i}")
        for r, i, s in np.argwhere(np.isfinite(cube)).tolist()
    ]
    clips = {f"{name}{i}": name for name in names for i in range(cube.shape[1])}
    return system_ratings(judgements, "overall", clips)


@pytest.fixture
def cube():
    generator = np.random.default_rng(1)
    latent = (
        generator.normal(0, 0.5, (16, 1, 1))
        + generator.normal(0, 0.5, (1, 10, 1))
        + np.array([3.2, 3.9, 3.3])
        + generator.normal(0, 0.6, (16, 10, 3))
    )
    return np.clip(np.rint(latent), 1, 5)


def test_mean_opinion_scores_with_both_intervals(rating, cube):
    result = analyse_acr(ratings_of(rating, cube))
    best = result.systems[0]
    votes = cube[:, :, 1].ravel()
    assert (best.system, best.mos.value) == ("B", pytest.approx(votes.mean()))
    by_vote = stats.ttest_1samp(votes, 0).confidence_interval()
    assert (best.mos_by_vote.low, best.mos_by_vote.high) == pytest.approx(
        (by_vote.low, by_vote.high)
    )
    rater, item = np.divmod(np.arange(160), 10)
    both = mean_over_raters_and_items(votes, rater, item)
    assert (best.mos.low, best.mos.high) == pytest.approx((both.low, both.high))
    assert best.mos.high - best.mos.low > 1.5 * (by_vote.high - by_vote.low)
    assert sum(best.votes.values()) == 160
    assert best.votes[4.0] == (votes == 4).sum()
    assert best.standard_deviation == pytest.approx(votes.std(ddof=1))


@pytest.mark.parametrize(("pair_by", "axis"), [("rater", 1), ("item", 0)])
def test_systems_are_compared_by_means(rating, cube, pair_by, axis):
    comparisons = analyse_acr(ratings_of(rating, cube), pair_by=pair_by).comparisons
    means = cube.mean(axis=axis)
    first = comparisons.tests[0]
    assert first.name == "A - B"
    difference = np.round(means[:, 0] - means[:, 1], 9)
    assert first.test.effect.value == pytest.approx(
        np.median(((difference[:, None] + difference) / 2)[np.triu_indices(len(difference))])
    )
    assert {"A - B", "B - C"} <= set(comparisons.rejected())


def test_raters_who_share_no_system_are_compared_by_item(rating, cube):
    apart = cube[:, :, :2].copy()
    apart[:8, :, 0] = np.nan
    apart[8:, :, 1] = np.nan
    ratings = ratings_of(rating, apart)
    by_rater = analyse_acr(ratings)
    assert by_rater.comparisons is None
    assert "systems are not compared by rater: no block has values of both" in by_rater.warnings[0]
    assert analyse_acr(ratings, pair_by="item").comparisons is not None


def test_one_system_and_few_raters_are_said(rating, cube):
    result = analyse_acr(ratings_of(rating, cube[:3, :, :1]))
    assert result.comparisons is None
    assert result.warnings[0] == "one system: nothing to compare"
    assert "few raters or items, so intervals are rough: 'A' (3)" in result.warnings[1]


def test_bad_input_is_named(rating, cube):
    with pytest.raises(ConfigError, match="'rater' or 'item', got 'clip'"):
        analyse_acr(ratings_of(rating, cube), pair_by="clip")
