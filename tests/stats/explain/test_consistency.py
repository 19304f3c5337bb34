from dataclasses import replace

import numpy as np
import pytest
from scipy import special, stats

from auralign.errors import ConfigError, DataError, NotConvergedError
from auralign.stats.explain.consistency import rating_pair_consistency


@pytest.fixture
def study(pair, rating):
    """Clips c0 < c1 < ... in quality; `noise` in ratings, choices with slope `slope`."""

    def make(*, n_clips=8, n_raters=12, noise=1.0, slope=1.5, seed=0, ties=0.0):
        rng = np.random.default_rng(seed)
        quality = np.linspace(-1.5, 1.5, n_clips)
        judgements = []
        for r in range(n_raters):
            judgements += [
                rating(f"c{k}", float(3 + quality[k] + noise * rng.normal()), f"r{r:02d}")
                for k in range(n_clips)
            ]
            for _ in range(25):
                i, j = rng.choice(n_clips, 2, replace=False)
                wins = rng.random() < special.expit(slope * (quality[i] - quality[j]))
                outcome = "TIE" if rng.random() < ties else "A" if wins else "B"
                judgements.append(pair(f"c{i}", f"c{j}", outcome, f"r{r:02d}"))
        return judgements

    return make


def run(judgements, **options):
    settings = {"rng": np.random.default_rng(0), "n_splits": 30} | options
    return rating_pair_consistency(judgements, "overall", **settings)


def votes_and_means(judgements):
    ratings = {}
    for j in judgements:
        if j.rating is not None:
            ratings.setdefault(j.candidates[0].clip_id, []).append(j.rating)
    means = {clip: np.mean(values) for clip, values in ratings.items()}
    votes = [
        (means[j.candidates[0].clip_id] - means[j.candidates[1].clip_id], str(j.outcome) == "A")
        for j in judgements
        if j.outcome is not None and j.outcome.is_decisive
    ]
    return np.array(votes), means


def test_agreement_is_counted_by_hand(study):
    judgements = study(ties=0.2)
    found = run(judgements, edges=[0, 0.5, 1.5, 5])
    votes, _ = votes_and_means(judgements)
    agrees = (votes[:, 0] > 0) == (votes[:, 1] == 1)
    assert found.agreement.value == pytest.approx(agrees.mean())
    size = np.abs(votes[:, 0])
    for low, high, part in zip([0, 0.5, 1.5], [0.5, 1.5, 5], found.by_difference, strict=True):
        inside = (size >= low) & (size < high)
        assert part.agreement.value == pytest.approx(agrees[inside].mean())
        assert part.mean_difference == pytest.approx(size[inside].mean())
    assert "votes are ties" in found.warnings[-1]


def test_agreement_grows_with_the_difference(study):
    found = run(study(n_raters=30))
    shares = [part.agreement.value for part in found.by_difference]
    assert shares[0] < shares[1] < shares[2]
    assert found.agreement.low < found.agreement.value < found.agreement.high


def test_noise_free_ratings_and_certain_votes_agree_fully(study):
    found = run(study(noise=1e-3, slope=1e3), prior=0.5)
    assert found.agreement.value == 1
    assert found.kendall.value == pytest.approx(1)
    assert found.spearman.value == pytest.approx(1)
    assert found.own_ratings.value == 1


def test_correlations_are_those_of_scipy(study):
    found = run(study())
    x, y = found.mean_ratings, found.log_worth
    assert found.pearson.value == pytest.approx(stats.pearsonr(x, y).statistic)
    assert found.spearman.value == pytest.approx(stats.spearmanr(x, y).statistic)
    assert found.kendall.value == pytest.approx(stats.kendalltau(x, y).statistic)


def test_disattenuation_divides_by_both_reliabilities(study):
    found = run(study(noise=2.0, n_raters=8))
    root = np.sqrt(found.rating_reliability * found.worth_reliability)
    assert 0 < root < 1
    assert found.disattenuated.value == pytest.approx(found.pearson.value / root)
    assert "Spearman 1904" not in found.disattenuated.method
    assert "reliabilities" in found.disattenuated.method


def test_the_reliability_of_ratings_is_that_of_the_analysis_of_variance(study):
    judgements = study(noise=1.5)
    table = {}
    for j in judgements:
        if j.rating is not None:
            table.setdefault(j.candidates[0].clip_id, []).append(j.rating)
    values = np.array([table[clip] for clip in sorted(table)])
    between = values.shape[1] * values.mean(1).var(ddof=1)
    within = values.var(axis=1, ddof=1).mean()
    # ICC(1, k) = (MSB - MSW) / MSB
    assert run(judgements).rating_reliability == pytest.approx((between - within) / between)


def test_disattenuated_correlations_recover_one(study):
    values = [
        run(study(noise=2.5, seed=seed, n_clips=30, n_raters=16), n_splits=2) for seed in range(8)
    ]
    assert np.mean([v.disattenuated.value for v in values]) == pytest.approx(1, abs=0.05)
    assert np.mean([v.pearson.value for v in values]) < 0.97


def test_a_raters_own_ratings_predict_their_own_taste(pair, rating):
    # Each rater likes one clip best; the means say which clip most raters like.
    judgements = []
    for r in range(12):
        taste = np.arange(4.0)
        taste[r % 4] += 2.5
        judgements += [rating(f"c{k}", taste[k], f"r{r}") for k in range(4)]
        judgements += [
            pair(f"c{i}", f"c{j}", "A" if taste[i] > taste[j] else "B", f"r{r}")
            for i in range(4)
            for j in range(4)
            if i != j
        ]
    found = run(judgements)
    assert found.own_ratings.value == 1
    assert found.own_ratings.n_clusters == 12
    assert found.agreement.value < 0.9


def test_items_that_do_not_differ_have_no_reliability(pair, rating):
    judgements = []
    for r in range(8):
        sign = 1 if r % 2 else -1
        judgements += [rating(f"c{k}", sign * k + 0.01 * k, f"r{r}") for k in range(4)]
        judgements += [
            pair(f"c{i}", f"c{j}", "A" if sign * (i - j) > 0 else "B", f"r{r}")
            for i in range(4)
            for j in range(4)
            if i != j
        ]
    with pytest.raises(NotConvergedError, match="do not differ by more than the error"):
        run(judgements)


def test_systems_can_be_the_items(study):
    system_of = {f"c{k}": f"s{k // 2}" for k in range(8)}
    found = run(study(), item_of=system_of)
    assert found.items == ("s0", "s1", "s2", "s3")
    assert found.spearman.value > 0.7


def test_different_raters_for_ratings_and_pairs_are_fine(study):
    judgements = [replace(j, rater="p" + j.rater) if j.rating is None else j for j in study()]
    found = run(judgements)
    assert found.own_ratings is None
    assert found.agreement.n_clusters == 24


@pytest.fixture
def two_prompts(study):
    """The same study twice; clips of the second prompt are rated 10 higher, and never compared with
    those of the first."""
    again = [
        replace(
            j,
            candidates=tuple(replace(c, clip_id="x" + c.clip_id) for c in j.candidates),
            rating=None if j.rating is None else j.rating + 10,
            scale=None if j.rating is None else (1.0, 15.0),
        )
        for j in study(seed=1)
    ]
    return [
        *(replace(j, scale=None if j.rating is None else (1.0, 15.0)) for j in study()),
        *again,
    ]


def test_what_only_the_prior_relates_is_compared_within_its_block(two_prompts):
    found = run(two_prompts)
    assert np.array_equal(found.block, [0] * 8 + [1] * 8)
    assert any("within 2 groups only, such as prompts" in text for text in found.warnings)
    for k in (0, 1):
        assert found.log_worth[found.block == k].sum() == pytest.approx(0)
    x, y = (
        np.concatenate([v[found.block == k] - v[found.block == k].mean() for k in (0, 1)])
        for v in (found.mean_ratings, found.log_worth)
    )
    assert found.pearson.value == pytest.approx(np.corrcoef(x, y)[0, 1])
    # Ratings of the second prompt are higher, and worths are not: over all items at once there is
    # hardly a correlation.
    assert np.corrcoef(found.mean_ratings, found.log_worth)[0, 1] < 0.3
    assert found.pearson.value > 0.8


def test_a_block_of_its_own_scale_changes_no_other(study, two_prompts):
    apart = [
        run([j for j in two_prompts if (j.candidates[0].clip_id[0] == "x") == x]) for x in (0, 1)
    ]
    found = run(two_prompts)
    assert found.log_worth == pytest.approx(np.concatenate([a.log_worth for a in apart]), abs=1e-6)


def test_votes_about_clips_that_nobody_rated_say_nothing(study, pair):
    judgements = study()
    found = run([*judgements, pair("c0", "new", "A"), pair("new", "c1", "B")])
    assert found.items == run(judgements).items
    assert found.pearson.value == pytest.approx(run(judgements).pearson.value)


@pytest.mark.parametrize("seed", range(4))
def test_intervals_hold_their_estimates(study, seed):
    """Resampling raters attenuates, so that percentile intervals leave their estimate out."""
    found = run(study(seed=seed, noise=2.0, slope=0.7))
    parts = (b.agreement for b in found.by_difference)
    for e in (found.pearson, found.spearman, found.kendall, found.agreement, *parts):
        assert e.low < e.value < e.high


def test_bad_input_is_named(study, rating, pair):
    judgements = study()
    with pytest.raises(ConfigError, match="ascending"):
        run(judgements, edges=[1, 0])
    with pytest.raises(DataError, match="item for each clip"):
        run(judgements, item_of={"c0": "s"})
    with pytest.raises(DataError, match="at least 3 items"):
        run([j for j in judgements if j.rating is None or j.candidates[0].clip_id in ("c0", "c1")])
    with pytest.raises(DataError, match="rating judgements"):
        run([j for j in judgements if j.rating is None])
