from itertools import combinations

import numpy as np
import pytest

from auralign.errors import ConfigError, DataError
from auralign.stats.hypotheses import friedman_test, holm_adjusted, wilcoxon_signed_rank
from auralign.stats.ratings.system_ratings import system_ratings
from auralign.stats.studies import study_tests


def check(path, **options):
    return study_tests(path, "overall", rng=np.random.default_rng(0), **options)


def by_rater(judgements):
    systems = {c.clip_id: c.clip_id.partition("/")[2] for j in judgements for c in j.candidates}
    return system_ratings(judgements, "overall", systems).by_rater()


def test_ratings_are_tested_on_the_means_of_raters_who_rated_all(write_study, make):
    judgements = make.random_ratings(n_raters=9)
    found = check(write_study(judgements))
    values = by_rater(judgements)
    assert found.block == "rater"
    assert found.omnibus.statistic == pytest.approx(friedman_test(values).f.statistic)
    expected = [
        wilcoxon_signed_rank(values[:, i] - values[:, j]).p_value
        for i, j in combinations(range(3), 2)
    ]
    assert [t.test.p_value for t in found.tests] == pytest.approx(expected)
    assert [t.p_adjusted for t in found.tests] == pytest.approx(holm_adjusted(expected))
    assert found.family == "all pairs of systems on 'overall': 3 tests"


def test_without_complete_raters_prompts_are_the_blocks(write_study, make):
    ratings = make.random_ratings(n_raters=9)
    judgements = [j for j in ratings if j.rater != "r0" or not j.trial.endswith("a")]
    assert check(write_study(judgements)).block == "prompt"
    assert check(write_study(judgements), block="rater").block == "rater"


def test_equal_means_are_zeros_whatever_their_rounding(write_study, make):
    """0.1 + 0.2 and 0.3 have one mean here, and another one in floating point."""
    path = write_study(
        [
            make.rating(s, x, rater=f"{s}{k}{p}", prompt=f"p{p}")
            for p in range(8)
            for s, xs in (("a", (0.1, 0.2)), ("b", (0.3, 0.0)))
            for k, x in enumerate(xs)
        ]
        + [make.rating("a", 5, prompt="q"), make.rating("b", 4, rater="bob", prompt="q")]
    )
    (test,) = check(path, block="prompt").tests
    assert test.test.n == 1
    assert "8 zeros left out" in test.test.method


def test_systems_without_a_common_block_are_counted_and_not_tested(write_study, make):
    judgements = [
        make.rating(s, x + k, rater=f"{s}{c}{k}", prompt=f"{c}-{k}")
        for c, group in (("x", "ab"), ("y", "bc"))
        for k in range(6)
        for x, s in enumerate(group)
    ]
    found = check(write_study(judgements))
    assert {(t.first, t.second) for t in found.tests} == {("a", "b"), ("b", "c")}
    assert "1 pairs have no prompt in common, such as a and c: no test" in found.warnings
    assert found.omnibus is None
    assert "0 of 12 blocks" in found.omnibus_reason


def test_votes_are_tested_pair_by_pair_with_listeners_flipped_whole(write_study, make):
    found = check(write_study(make.random_votes(12, 40)))
    assert len(found.tests) == 6
    assert {t.test.method.partition(" of ")[0] for t in found.tests} == {
        "sign-flip permutation test"
    }
    best, worst = next((t for t in found.tests if (t.first, t.second) == ("a", "d")), None), 0.5
    assert best.effect.value > worst
    assert best.p_adjusted < 0.05


def test_votes_of_raters_who_answered_once_get_the_sign_test(write_study, make):
    path = write_study(
        make.vote("a", "b", "A" if k % 4 else "B", rater=f"r{k}", prompt=f"p{k % 5}", trial=f"t{k}")
        for k in range(20)
    )
    (test,) = check(path).tests
    assert test.test.method.startswith("sign test")
    assert test.test.statistic == 15


def test_one_pair_may_be_named(write_study, make):
    path = write_study(make.random_votes())
    found = check(path, between=("d", "a"), adjustment="bh")
    (test,) = found.tests
    assert (test.first, test.second, test.p_adjusted) == ("d", "a", test.test.p_value)
    assert test.effect.value < 0.5
    with pytest.raises(DataError, match="no judgement on 'overall' is about the system 'e'"):
        check(path, between=("a", "e"))
    with pytest.raises(ConfigError, match="two different systems"):
        check(path, between=("a", "a"))


def test_what_cannot_be_tested_is_refused(write_study, make):
    path = write_study(make.random_votes())
    with pytest.raises(ConfigError, match="adjustment must be one of holm, bh"):
        check(path, adjustment="none")
    with pytest.raises(DataError, match="tests need pair or rating judgements"):
        check(write_study([make.ranking("abc", (0, 1, 2))]))
    ties = [make.vote("a", "b", "TIE", prompt=f"p{k}", trial=f"t{k}") for k in range(3)]
    with pytest.raises(DataError, match="no two systems can be tested"):
        check(write_study(ties))


def split_votes(make):
    """Listeners x0 to x5 prefer a, listeners y0 to y5 prefer b."""
    rng = np.random.default_rng(0)
    return [
        make.vote(
            "a",
            "b",
            "A" if rng.random() < (0.9 if side == "x" else 0.1) else "B",
            rater=f"{side}{r}",
            prompt=f"p{k}",
            trial=f"{side}{r}{k}",
        )
        for side in "xy"
        for r in range(6)
        for k in range(8)
    ]


def test_groups_of_listeners_who_disagree_are_told_apart(write_study, make):
    votes = split_votes(make)
    groups = {f"{side}{r}": name for side, name in (("x", "young"), ("y", "old")) for r in range(6)}
    found = check(write_study(votes), groups=groups)
    (pair,) = found.groups
    assert (pair.first, pair.second) == ("a", "b")
    assert list(pair.win_rates.groups) == ["old", "young"]
    for side, name in (("x", "young"), ("y", "old")):
        own = [j.outcome == "A" for j in votes if j.rater.startswith(side)]
        assert pair.win_rates.groups[name].value == pytest.approx(np.mean(own))
    assert pair.p_adjusted < 0.01
    assert check(write_study(votes)).groups == ()


def test_raters_without_a_group_are_counted(write_study, make):
    votes = split_votes(make)
    groups = {"x0": "young", "x1": "young", "y0": "old", "y1": "old"}
    found = check(write_study(votes), groups=groups)
    assert "8 of 12 raters have no group" in found.warnings
    assert found.groups[0].win_rates.overall.n == 32
    one = check(write_study(votes), groups=dict.fromkeys(groups, "all"))
    assert one.groups == ()
    assert any("a and b, by group: expected at least 2 groups" in text for text in one.warnings)
    with pytest.raises(DataError, match="none of the 12 raters, such as 'x0', has a group"):
        check(write_study(votes), groups={"z": "young"})
    with pytest.raises(ConfigError, match="in pair judgements"):
        check(write_study(make.random_ratings()), groups=groups)
