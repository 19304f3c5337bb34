from dataclasses import replace

import numpy as np
import pytest

from auralign.errors import DataError
from auralign.stats.comparisons import comparisons_from
from auralign.stats.raters import fit_rater_discrimination
from auralign.stats.raters.quality import QualityRules
from auralign.stats.studies import study_raters


def study(path, **options):
    return study_raters(path, "overall", rng=np.random.default_rng(0), **options)


def opposed_votes(make):
    """Raters u0 to u7 like a best and d least, raters v0 to v3 the other way round."""
    rng = np.random.default_rng(0)
    worth = dict(zip("abcd", (1.5, 0.5, -0.5, -1.5), strict=True))
    votes = []
    for rater in [*(f"u{k}" for k in range(8)), *(f"v{k}" for k in range(4))]:
        for k in range(30):
            first, second = map(str, rng.choice(list(worth), 2, replace=False))
            margin = worth[first] - worth[second]
            p = 1 / (1 + np.exp(margin if rater[0] == "v" else -margin))
            outcome = "A" if rng.random() < p else "B"
            trial, prompt = f"{rater}{k}", f"p{k % 5}"
            votes.append(make.vote(first, second, outcome, rater=rater, prompt=prompt, trial=trial))
    return votes


def test_a_rater_who_always_takes_the_first_side_is_flagged_with_the_reason(write_study, make):
    votes = make.random_votes(8, 40)
    stuck = [
        make.vote("a", "b", "A", rater="stuck", prompt=f"p{k}", trial=f"s{k}") for k in range(30)
    ]
    found = study(write_study([*votes, *stuck]))
    flagged = {row.rater: row.reasons for row in found.report.raters if row.flagged}
    assert set(flagged) == {"stuck"}
    assert any("100% of 30 answers for the first side" in reason for reason in flagged["stuck"])


def test_rules_are_passed_on(write_study, make):
    votes = [
        replace(v, time_to_answer_s=0.5 if v.rater == "r0" else 6.0) for v in make.random_votes()
    ]
    found = study(write_study(votes), rules=QualityRules(too_fast_s=1.0))
    assert [row.rater for row in found.report.raters if row.flagged] == ["r0"]


def test_nothing_is_said_of_raters_who_are_not_known(write_study, make):
    once = [replace(v, rater=f"x{k}") for k, v in enumerate(make.random_votes())]
    with pytest.raises(DataError, match="each of 160 raters answered once on 'overall'"):
        study(write_study(once))


def test_raters_who_vote_against_the_others_do_not_follow_the_worths(write_study, make):
    votes = opposed_votes(make)
    found = study(write_study(votes)).discrimination
    fit = fit_rater_discrimination(
        comparisons_from(votes, "overall", item_of=lambda clip: clip.partition("/")[2])
    )
    assert found.raters == {rater: fit.reliability_of(rater) for rater in fit.raters}
    assert max(e.value for r, e in found.raters.items() if r[0] == "v") < min(
        e.value for r, e in found.raters.items() if r[0] == "u"
    )


def test_groups_of_raters_are_found_and_their_number_is_judged(write_study, make):
    path = write_study(opposed_votes(make))
    assert study(path).groups is None
    groups = study(path, n_groups=2).groups
    assert groups.preferred == 2
    assert len(groups.bic) == 2
    members = dict(zip(groups.fit.raters, groups.fit.group, strict=True))
    assert {members[f"u{k}"] for k in range(8)} == {0}
    assert {members[f"v{k}"] for k in range(4)} == {1}


def test_screening_trials_count_for_no_worth(write_study, make):
    votes = opposed_votes(make)
    traps = [
        make.vote(
            "d",
            "a",
            "A",
            rater="u0",
            prompt="p0",
            trial=f"x{k}",
            context={"check": "trap", "expected": "p0/d"},
        )
        for k in range(20)
    ]
    with_traps = study(write_study([*votes, *traps])).discrimination
    assert with_traps.raters == study(write_study(votes)).discrimination.raters


def test_ratings_have_no_discrimination_and_no_groups(write_study, make):
    path = write_study(make.random_ratings())
    found = study(path)
    assert found.discrimination is None
    assert found.discrimination_reason == "there are no votes between systems"
    with pytest.raises(DataError, match="groups of raters need votes between systems"):
        study(path, n_groups=2)
