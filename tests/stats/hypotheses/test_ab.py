import numpy as np
import pytest
from scipy import stats

from auralign.errors import DataError
from auralign.stats.hypotheses import ab_test


def rng():
    return np.random.default_rng(5)


@pytest.fixture
def study(pair):
    """New against old: three listeners, four prompts, both orders of presentation."""
    outcomes = {
        "x": ["A", "A", "TIE_BAD", "A"],
        "y": ["A", "B", "TIE", "A"],
        "z": ["A", "A", "SKIP", "TIE_GOOD"],
    }
    judgements = [
        pair(f"n{p}", f"o{p}", outcome, rater=rater, prompt=f"p{p}")
        for rater, given in outcomes.items()
        for p, outcome in enumerate(given)
    ]
    turned = [j.swap() if k % 2 else j for k, j in enumerate(judgements)]
    others = [pair("n0", "third", "A"), pair("third", "o1", "A")]
    return turned + others


SYSTEMS = {f"{s}{p}": name for s, name in (("n", "new"), ("o", "old")) for p in range(4)} | {
    "third": "other"
}


def test_answers_are_counted_for_the_system_whatever_its_side(study):
    result = ab_test(study, "overall", SYSTEMS, system="new", baseline="old", rng=rng())
    assert (result.wins, result.losses, result.ties, result.both_bad, result.skips) == (
        7,
        1,
        3,
        1,
        1,
    )
    assert result.win_rate.value == pytest.approx((7 + 1.5) / 11)
    assert result.tie_share.value == pytest.approx(3 / 11)
    assert result.sign_test.p_value == pytest.approx(stats.binomtest(7, 8).pvalue)
    assert result.warnings == ()


def test_the_systems_change_places(study):
    forth = ab_test(study, "overall", SYSTEMS, system="new", baseline="old", rng=rng())
    back = ab_test(study, "overall", SYSTEMS, system="old", baseline="new", rng=rng())
    assert (back.wins, back.losses) == (forth.losses, forth.wins)
    assert back.win_rate.value == pytest.approx(1 - forth.win_rate.value)
    assert back.sign_flip.p_value == forth.sign_flip.p_value
    assert back.first_presented == forth.first_presented


def test_listeners_are_flipped_whole(study):
    result = ab_test(study, "overall", SYSTEMS, system="new", baseline="old", rng=rng())
    # Sums of votes 3, 1, 2: two of the eight flips are as large.
    assert result.sign_flip.p_value == 2 / 8
    assert result.sign_flip.statistic == pytest.approx(6 / 11)


def test_the_share_of_the_clip_presented_first(study):
    result = ab_test(study, "overall", SYSTEMS, system="new", baseline="old", rng=rng())
    decisive = [j for j in study[:-2] if j.outcome in ("A", "B")]
    assert result.first_presented.value == np.mean([j.outcome == "A" for j in decisive])


def test_what_makes_a_result_doubtful_is_said(pair):
    always_first = [
        pair("n0", "o0", "TIE", rater=rater, prompt=prompt)
        for rater in "xy"
        for prompt in ("p0", "p1")
    ]
    result = ab_test(always_first, "overall", SYSTEMS, system="new", baseline="old", rng=rng())
    assert result.sign_test is None
    assert result.sign_flip is None
    assert [w.split(":")[0] for w in result.warnings] == [
        "one system was always presented first",
        "all answers are ties",
    ]


def test_bad_input_is_named(study, pair):
    with pytest.raises(DataError, match="no answer on 'overall' compares 'new' with 'gone'"):
        ab_test(study, "overall", SYSTEMS, system="new", baseline="gone", rng=rng())
    with pytest.raises(DataError, match="clip 'stray' was judged but has no system"):
        ab_test(
            [pair("stray", "o0", "A")], "overall", SYSTEMS, system="new", baseline="old", rng=rng()
        )
