from dataclasses import replace

import numpy as np
import pytest

from auralign.errors import ConfigError, DataError, NotConvergedError
from auralign.stats.ratings import fit_ordinal_mixed, severity_corrected_mos
from auralign.stats.studies import rank_study

SYSTEMS = "abc"


def rank(path, **options):
    return rank_study(path, "overall", rng=np.random.default_rng(0), **options)


def biased_ratings(make, *, n_raters=10, n_prompts=6, seed=0, share=1.0):
    """Raters with a bias and a noise of their own; systems are 1.5 apart, a the best."""
    rng = np.random.default_rng(seed)
    prompt_effect = rng.normal(0, 0.8, (n_prompts, 3))
    judgements = []
    for r in range(n_raters):
        bias, noise = rng.normal(0, 1.5), 0.3 + 0.7 * (r % 2)
        judgements += [
            make.rating(
                system,
                float(5 - 1.5 * k + prompt_effect[p, k] + bias + noise * rng.normal()),
                rater=f"r{r:02d}",
                prompt=f"p{p}",
                scale=(-20.0, 30.0),
            )
            for p in range(n_prompts)
            for k, system in enumerate(SYSTEMS)
            if rng.random() < share
        ]
    return judgements


class TestSeverity:
    def test_clips_have_the_scores_of_the_severity_correction(self, write_study, make):
        judgements = biased_ratings(make)
        found = rank(write_study(judgements), item="clip", ratings="severity")
        expected = severity_corrected_mos(judgements, "overall")
        values = {row.item: row.value.value for row in found.items}
        assert values == pytest.approx({clip: e.value for clip, e in expected.items()})

    def test_a_system_is_the_mean_of_its_clips(self, write_study, make):
        path = write_study(biased_ratings(make, share=0.6))
        clips = rank(path, item="clip", ratings="severity").items
        for row in rank(path, ratings="severity").items:
            own = [c.value.value for c in clips if c.item.endswith(row.item)]
            assert row.value.value == pytest.approx(np.mean(own))

    def test_of_a_complete_table_with_equal_raters_it_is_the_mean(self, write_study, make):
        """Raters who are mirror images of each other have one variance, and biases cancel."""
        judgements = [
            make.rating(s, x + b + e * sign, rater=f"r{k}{sign}", prompt=f"p{p}")
            for p, (x, e) in enumerate([(4.0, 0.5), (6.0, -0.3)])
            for s in SYSTEMS
            for k, b in enumerate((0.0, 1.0))
            for sign in (-1, 1)
        ]
        means = rank(write_study(judgements))
        found = rank(write_study(judgements), ratings="severity")
        assert [r.value.value for r in found.items] == pytest.approx(
            [r.value.value for r in means.items]
        )

    @pytest.mark.parametrize("cluster", ["rater", "prompt"])
    def test_errors_are_near_those_of_leaving_out_clusters(self, write_study, make, cluster):
        """Only near: the jackknife lets the raters' variances move."""
        judgements = biased_ratings(make, n_raters=16, n_prompts=12)
        found = rank(write_study(judgements), ratings="severity", cluster=cluster)
        label = {"rater": lambda j: j.rater, "prompt": lambda j: j.prompt_id}[cluster]
        names = sorted({label(j) for j in judgements})
        left = [
            rank(write_study([j for j in judgements if label(j) != name]), ratings="severity")
            for name in names
        ]
        values = [[d.value.value for d in part.differences] for part in left]
        order = [(d.first, d.second) for d in left[0].differences]
        g = len(names)
        jackknife = np.sqrt((g - 1) / g * ((values - np.mean(values, axis=0)) ** 2).sum(axis=0))
        for d in found.differences:
            error = (d.value.high - d.value.low) / 2 / student(d.value.n_clusters - 1)
            assert error == pytest.approx(jackknife[order.index((d.first, d.second))], rel=0.15)

    def test_it_is_more_certain_than_means_where_raters_rate_different_clips(
        self, write_study, make
    ):
        path = write_study(biased_ratings(make, share=0.5))
        half = {
            ratings: [d.value.high - d.value.low for d in rank(path, ratings=ratings).differences]
            for ratings in ("mean", "severity")
        }
        assert np.mean(half["severity"]) < np.mean(half["mean"])

    def test_raters_who_rated_once_have_no_severity(self, write_study, make):
        once = [replace(j, rater=f"x{k}") for k, j in enumerate(biased_ratings(make))]
        with pytest.raises(NotConvergedError):
            rank(write_study(once), ratings="severity")


def student(freedom):
    from scipy import special

    return special.stdtrit(freedom, 0.975)


class TestOrdinal:
    def test_values_errors_and_differences_are_those_of_the_fit(self, write_study, make):
        judgements = [
            replace(j, rating=float(np.clip(round(j.rating), 1, 9)))
            for j in biased_ratings(make, n_prompts=3)
        ]
        found = rank(write_study(judgements), ratings="ordinal")
        system = [j.candidates[0].clip_id.partition("/")[2] for j in judgements]
        fit = fit_ordinal_mixed(
            system, [j.rater for j in judgements], [j.rating for j in judgements]
        )
        at = {name: k for k, name in enumerate(fit.items)}
        for row in found.items:
            assert row.value.value == pytest.approx(fit.item_effect[at[row.item]])
            assert row.standard_error == pytest.approx(fit.item_errors[at[row.item]])
        for d in found.differences:
            expected = fit.difference(d.first, d.second)
            assert (d.value.low, d.value.high) == pytest.approx((expected.low, expected.high))
        assert found.intervals == "curvature of the likelihood (Laplace), normal"
        assert any("for these prompts" in text for text in found.warnings)

    def test_it_takes_no_clusters_and_needs_raters(self, write_study, make):
        judgements = make.random_ratings()
        with pytest.raises(ConfigError, match="errors of its own and takes no --cluster"):
            rank(write_study(judgements), ratings="ordinal", cluster="both")
        once = [replace(j, rater=f"x{k}") for k, j in enumerate(judgements)]
        with pytest.raises(DataError, match="raters who rated more than once"):
            rank(write_study(once), ratings="ordinal")


def test_models_of_ratings_are_for_ratings(write_study, make):
    path = write_study(make.random_votes())
    with pytest.raises(ConfigError, match="belongs to ratings; this study has pair judgements"):
        rank(path, ratings="severity")
    with pytest.raises(ConfigError, match="ratings must be one of mean, severity, ordinal"):
        rank(path, ratings="median")
