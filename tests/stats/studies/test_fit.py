import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import special

from auralign.errors import ConfigError, DataError, NotConvergedError
from auralign.stats.comparisons import comparisons_from
from auralign.stats.pairs import fit_bradley_terry
from auralign.stats.studies import rank_study


def rng():
    return np.random.default_rng(0)


def values(found):
    return {row.item: row.value.value for row in found.items}


def errors(found):
    return {row.item: row.standard_error for row in found.items}


class TestRatings:
    def test_a_system_has_the_mean_of_its_ratings_and_the_best_stands_first(
        self, write_study, make
    ):
        path = write_study(
            make.rating(system, value, rater=rater)
            for system, value, rater in (
                ("a", 4, "r1"),
                ("a", 6, "r2"),
                ("b", 9, "r1"),
                ("b", 7, "r2"),
            )
        )
        found = rank_study(path, "overall", rng=rng())
        assert [(row.item, row.place, row.value.value) for row in found.items] == [
            ("b", 1, 8.0),
            ("a", 2, 5.0),
        ]
        assert found.unit == "on a scale from 0 to 10"

    def test_independent_ratings_have_the_textbook_interval(self, write_study, make):
        """Mean and Student's t on n - 1, for each system."""
        samples = {"a": [3.0, 5.0, 8.0, 9.0], "b": [1.0, 2.0, 6.0]}
        path = write_study(
            make.rating(s, x, rater=f"{s}{k}", prompt=f"{s}{k}")
            for s, xs in samples.items()
            for k, x in enumerate(xs)
        )
        found = rank_study(path, "overall", rng=rng())
        for row in found.items:
            x = np.array(samples[row.item])
            half = special.stdtrit(len(x) - 1, 0.975) * x.std(ddof=1) / math.sqrt(len(x))
            assert row.value.low == pytest.approx(x.mean() - half)
            assert row.value.high == pytest.approx(x.mean() + half)

    def test_over_one_way_of_equal_clusters_it_is_the_interval_of_the_cluster_means(
        self, write_study, make
    ):
        """With as many ratings from every rater, the sandwich is the t interval of their means."""
        judgements = make.random_ratings()
        found = rank_study(write_study(judgements), "overall", cluster="rater", rng=rng())
        for row in found.items:
            own = [j for j in judgements if j.candidates[0].clip_id.endswith(row.item)]
            means = [
                np.mean([j.rating for j in own if j.rater == rater])
                for rater in sorted({j.rater for j in own})
            ]
            assert row.standard_error == pytest.approx(np.std(means, ddof=1) / math.sqrt(6))
            assert row.value.n_clusters == 6

    def test_differences_of_systems_that_the_same_raters_rated_are_paired(self, write_study, make):
        judgements = make.random_ratings()
        found = rank_study(write_study(judgements), "overall", cluster="rater", rng=rng())
        first = next(d for d in found.differences if (d.first, d.second) == ("a", "b"))
        by_rater = [
            np.mean([j.rating for j in judgements if j.rater == r and _first_is(j, "a")])
            - np.mean([j.rating for j in judgements if j.rater == r and _first_is(j, "b")])
            for r in sorted({j.rater for j in judgements})
        ]
        half = special.stdtrit(5, 0.975) * np.std(by_rater, ddof=1) / math.sqrt(6)
        assert first.value.value == pytest.approx(np.mean(by_rater))
        assert first.value.high - first.value.value == pytest.approx(half)
        t = np.mean(by_rater) / (np.std(by_rater, ddof=1) / math.sqrt(6))
        assert first.p == pytest.approx(2 * special.stdtr(5, -abs(t)))

    def test_two_ways_of_clustering_add_up_less_their_intersection(self, write_study, make):
        """Cameron, Gelbach & Miller 2011: V = V_rater + V_prompt - V_both, never below either."""
        path = write_study(make.random_ratings(n_raters=8, n_prompts=9))
        parts = {
            way: errors(rank_study(path, "overall", cluster=way, rng=rng()))
            for way in ("rater", "prompt", "none", "both")
        }
        for item, error in parts["both"].items():
            one, other, cells = (parts[way][item] ** 2 for way in ("rater", "prompt", "none"))
            assert error**2 == pytest.approx(max(one + other - cells, one, other))

    def test_auto_clusters_in_whatever_repeats(self, write_study, make):
        assert rank_study(write_study(make.random_ratings()), "overall", rng=rng()).clusters == (
            "6 raters x 5 prompts"
        )
        anonymous = [replace(j, rater=f"x{k}") for k, j in enumerate(make.random_ratings())]
        found = rank_study(write_study(anonymous), "overall", rng=rng())
        assert found.clusters == "5 prompts"
        assert any("every rater answered once" in text for text in found.warnings)
        found = rank_study(write_study(anonymous), "overall", item="clip", rng=rng())
        assert found.clusters == "90 answers"

    def test_an_item_within_one_cluster_has_no_interval_over_them(self, write_study, make):
        path = write_study(make.random_ratings())
        with pytest.raises(NotConvergedError, match="are of one prompt, so it has no interval"):
            rank_study(path, "overall", item="clip", cluster="prompt", rng=rng())

    def test_systems_of_different_prompts_are_ranked_with_a_warning(self, write_study, make):
        judgements = [
            make.rating(s, x + k, rater=f"{s}{k}", prompt=f"{c}-{k}")
            for s, c, x in (("a", "speech", 5), ("b", "music", 3))
            for k in range(3)
        ]
        path = write_study(judgements)
        found = rank_study(path, "overall", rng=rng())
        assert any("no prompt in common" in text for text in found.warnings)
        only = rank_study(path, "overall", condition="music", rng=rng())
        assert [row.item for row in only.items] == ["b"]

    def test_contests_are_won_on_prompts(self, write_study, make):
        judgements = [
            make.rating(s, x, rater=f"{s}{p}{k}", prompt=f"p{p}")
            for p, (a, b) in enumerate([(5, 3), (4, 4), (2, 6), (9, 1)])
            for s, x in (("a", a), ("b", b))
            for k in range(2)
        ]
        contests = rank_study(write_study(judgements), "overall", rng=rng()).contests
        i, j = contests.items.index("a"), contests.items.index("b")
        assert (contests.shares[i, j], contests.counts[i, j]) == (2.5 / 4, 4)
        assert contests.shares[j, i] == 1.5 / 4
        assert np.isnan(contests.shares.diagonal()).all()

    def test_a_descriptive_dimension_is_called_so(self, write_study, make):
        path = write_study(make.random_ratings(), descriptive_dimensions=("overall",))
        found = rank_study(path, "overall", rng=rng())
        assert "'overall' describes and does not judge: more is not better" in found.warnings

    def test_ratings_on_two_scales_are_refused(self, write_study, make):
        path = write_study([make.rating("a", 3), make.rating("b", 3, scale=(1.0, 5.0))])
        with pytest.raises(DataError, match="are on different scales"):
            rank_study(path, "overall", rng=rng())

    def test_options_of_comparisons_are_refused(self, write_study, make):
        path = write_study(make.random_ratings())
        with pytest.raises(ConfigError, match="an order effect belong to comparisons"):
            rank_study(path, "overall", order_effect=True, rng=rng())
        with pytest.raises(ConfigError, match="a prior belongs to worths"):
            rank_study(path, "overall", prior=0.5, rng=rng())


def _first_is(judgement, system):
    return judgement.candidates[0].clip_id.endswith(f"/{system}")


class TestComparisons:
    @pytest.mark.parametrize("ties", ["half", "davidson", "rao_kupper"])
    @pytest.mark.parametrize("order_effect", [False, True])
    def test_worths_and_errors_are_those_of_the_fit(self, write_study, make, ties, order_effect):
        judgements = make.random_votes()
        found = rank_study(
            write_study(judgements),
            "overall",
            ties=ties,
            order_effect=order_effect,
            cluster="rater",
            rng=rng(),
        )
        comparisons = comparisons_from(
            judgements, "overall", item_of=lambda clip: clip.partition("/")[2]
        )
        fit = fit_bradley_terry(comparisons, ties=ties, order_effect=order_effect)
        assert values(found) == pytest.approx(dict(zip(fit.items, fit.log_worth, strict=True)))
        assert errors(found) == pytest.approx(
            dict(zip(fit.items, fit.errors("raters"), strict=True))
        )

    def test_two_way_errors_of_differences_are_those_of_the_fit(self, write_study, make):
        judgements = make.random_votes(n_raters=12, n_each=30)
        found = rank_study(write_study(judgements), "overall", cluster="both", rng=rng())
        comparisons = comparisons_from(
            judgements, "overall", item_of=lambda clip: clip.partition("/")[2]
        )
        expected = fit_bradley_terry(comparisons).difference_errors("raters and clusters")
        for d in found.differences:
            i, j = (comparisons.items.index(name) for name in (d.first, d.second))
            half = (d.value.high - d.value.low) / 2
            error = half / special.stdtrit(d.value.n_clusters - 1, 0.975)
            # Clusters are corrected here by the number that the items have, there by all.
            assert error == pytest.approx(expected[i, j], rel=0.01)

    def test_letters_and_places_follow_the_adjusted_differences(self, write_study, make):
        found = rank_study(write_study(make.random_votes(20, 40)), "overall", rng=rng())
        letters = {row.item: set(row.letters) for row in found.items}
        for d in found.differences:
            assert bool(letters[d.first] & letters[d.second]) == (d.p_holm >= 0.05)
        for row in found.items:
            better = sum(d.p_holm < 0.05 for d in found.differences if d.second == row.item)
            worse = sum(d.p_holm < 0.05 for d in found.differences if d.first == row.item)
            assert row.places == (1 + better, len(found.items) - worse)

    def test_clips_are_ranked_within_their_prompts(self, write_study, make):
        judgements = make.random_votes(10, 60, n_prompts=2)
        found = rank_study(write_study(judgements), "overall", item="clip", rng=rng())
        for block in ("p0", "p1"):
            rows = [row for row in found.items if row.block == block]
            assert [row.place for row in rows] == [1, 2, 3, 4]
            assert sum(row.value.value for row in rows) == pytest.approx(0, abs=1e-9)
            assert rows[0].letters.startswith("a")
        assert all(d.first[:2] == d.second[:2] for d in found.differences)
        assert found.contests is None

    def test_contests_count_votes_and_residuals_of_a_pair_are_opposite(self, write_study, make):
        judgements = make.random_votes()
        contests = rank_study(write_study(judgements), "overall", rng=rng()).contests
        i, j = contests.items.index("a"), contests.items.index("d")
        votes = [x for x in judgements if {c.clip_id[3:] for c in x.candidates} == {"a", "d"}]
        won = sum(
            0.5
            if x.outcome == "TIE"
            else (x.outcome == "A") == x.candidates[0].clip_id.endswith("a")
            for x in votes
        )
        assert contests.counts[i, j] == contests.counts[j, i] == len(votes)
        assert contests.shares[i, j] == pytest.approx(won / len(votes))
        residuals = contests.model.residuals
        assert np.allclose(residuals, -residuals.T, equal_nan=True)
        # Two items that only met each other have no residual: the model fits them exactly.
        assert len(contests.model.triads) == 3

    def test_an_undefeated_system_is_named_and_a_prior_makes_it_finite(self, write_study, make):
        path = write_study(
            make.vote("a", "b", "A", rater=f"r{k}", prompt=f"p{k}", trial=f"t{k}") for k in range(4)
        )
        with pytest.raises(NotConvergedError, match="'a' never loses"):
            rank_study(path, "overall", rng=rng())
        found = rank_study(path, "overall", prior=0.5, rng=rng())
        assert found.details["status"] == "regularised"
        assert math.isfinite(found.items[0].value.value)

    def test_votes_between_clips_of_one_system_say_nothing_of_systems(self, write_study, make):
        path = write_study(
            [make.vote("a", "a", "A"), *make.random_votes()],
        )
        found = rank_study(path, "overall", rng=rng())
        assert "left out: 1 answers about a system and itself" in found.warnings
        with pytest.raises(DataError, match="about one system and itself"):
            rank_study(write_study([make.vote("a", "a", "A")]), "overall", rng=rng())

    def test_skips_are_counted_and_left_out(self, write_study, make):
        skips = [make.vote("a", "b", "SKIP", trial=f"s{k}") for k in range(3)]
        found = rank_study(write_study([*make.random_votes(), *skips]), "overall", rng=rng())
        assert (found.n, found.skipped) == (160, 3)
        with pytest.raises(DataError, match="all 3 answers on 'overall' are skips"):
            rank_study(write_study(skips), "overall", rng=rng())


class TestRankings:
    def test_rankings_of_pairs_are_bradley_terry(self, write_study, make):
        votes = [v for v in make.random_votes() if v.outcome != "TIE"]
        orders = [
            make.ranking(
                [c.clip_id[3:] for c in v.candidates],
                (0, 1) if v.outcome == "A" else (1, 0),
                rater=v.rater,
                prompt=v.prompt_id,
                trial=v.trial,
            )
            for v in votes
        ]
        of_pairs = rank_study(write_study(votes), "overall", rng=rng())
        of_rankings = rank_study(write_study(orders), "overall", rng=rng())
        assert of_rankings.model == "Plackett-Luce"
        assert values(of_rankings) == pytest.approx(values(of_pairs), abs=1e-6)
        assert errors(of_rankings) == pytest.approx(errors(of_pairs), rel=1e-4)

    def test_best_and_worst_of_four(self, write_study, make):
        draw = np.random.default_rng(1)
        answers = []
        for k in range(40):
            order = np.argsort(-np.array([1.0, 0.5, 0.0, -1.0]) - draw.gumbel(size=4))
            answers.append(
                make.ranking(
                    "abcd",
                    (int(order[0]), int(order[-1])),
                    protocol="best_worst",
                    rater=f"r{k % 8}",
                    prompt=f"p{k % 5}",
                    trial=f"t{k}",
                )
            )
        found = rank_study(write_study(answers), "overall", rng=rng())
        assert found.items[0].item in "ab"
        assert found.items[-1].item == "d"
        assert found.contests is None

    def test_clips_of_several_prompts_were_never_ranked_together(self, write_study, make):
        path = write_study(
            [
                make.ranking("ab", (0, 1), prompt="p0"),
                make.ranking("ab", (1, 0), prompt="p1", trial="u"),
            ]
        )
        with pytest.raises(DataError, match="never ranked together"):
            rank_study(path, "overall", item="clip", rng=rng())


class TestSelection:
    def test_what_is_not_there_is_answered_with_what_is(self, write_study, make):
        path = write_study(make.random_votes())
        with pytest.raises(DataError, match=r"'overal', found none \(did you mean 'overall'\?\)"):
            rank_study(path, "overal", rng=rng())
        with pytest.raises(DataError, match="expected rating judgements on 'overall', found none"):
            rank_study(path, "overall", protocol="rating", rng=rng())
        with pytest.raises(DataError, match="the conditions are p0, p1"):
            rank_study(path, "overall", condition="music", rng=rng())
        with pytest.raises(ConfigError, match=r"got 'pairs' \(did you mean 'pair'\?\)"):
            rank_study(path, "overall", protocol="pairs", rng=rng())
        with pytest.raises(ConfigError, match="item must be one of system, clip, got 'prompt'"):
            rank_study(path, "overall", item="prompt", rng=rng())
        with pytest.raises(ConfigError, match="cluster must be one of auto"):
            rank_study(path, "overall", cluster="raters", rng=rng())
        with pytest.raises(ConfigError, match="level must be between 0 and 1"):
            rank_study(path, "overall", level=95, rng=rng())

    def test_of_several_protocols_comparisons_come_first_and_the_others_are_named(
        self, write_study, make
    ):
        path = write_study([*make.random_votes(), *make.random_ratings(systems="abcd")])
        found = rank_study(path, "overall", rng=rng())
        assert found.protocol == "pair"
        assert "left out: 120 rating judgements (see --protocol)" in found.warnings
        assert rank_study(path, "overall", protocol="rating", rng=rng()).n == 120

    def test_simulated_listeners_are_called_so(self, write_study, make):
        path = write_study(make.random_votes(), simulated=True)
        found = rank_study(path, "overall", rng=rng())
        assert "all listeners are simulated: programs, not people" in found.warnings
