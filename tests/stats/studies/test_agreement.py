from dataclasses import replace

import numpy as np
import pytest

from auralign.errors import DataError
from auralign.stats.agreement import krippendorff_alpha, pairwise_agreement
from auralign.stats.ratings import rating_table
from auralign.stats.studies import study_agreement


def agreement(path, **options):
    return study_agreement(path, "overall", rng=np.random.default_rng(0), **options)


def named(found):
    return {c.name: c for c in found.coefficients}


def test_of_ratings_alpha_is_that_of_the_table(write_study, make):
    judgements = make.random_ratings()
    found = named(agreement(write_study(judgements)))
    table = rating_table(judgements, "overall").values
    for kind in ("interval", "ordinal"):
        expected = krippendorff_alpha(table, level_of_measurement=kind)
        assert found[f"Krippendorff's alpha, {kind}"].estimate.value == pytest.approx(expected)
    assert found["repeated ratings"].estimate is None
    assert "no rater rated the same clip" in found["repeated ratings"].reason


def test_where_nobody_is_known_only_coefficients_that_need_nobody_are_given(write_study, make):
    known = agreement(write_study(make.random_ratings()))
    anonymous = [replace(j, rater=f"x{k}") for k, j in enumerate(make.random_ratings())]
    unknown = agreement(write_study(anonymous))
    assert {"ICC(2,1)", "Kendall's W", "ceiling, leave one out"} <= set(named(known))
    assert set(named(unknown)) == {
        "Krippendorff's alpha, interval",
        "Krippendorff's alpha, ordinal",
        "ICC(1,1)",
        "ICC(1,k)",
    }
    for name in named(unknown):
        values = [named(found)[name].estimate.value for found in (known, unknown)]
        assert values[0] == pytest.approx(values[1])
    assert "every rater answered once: nothing can be said about single raters" in unknown.warnings


def test_of_votes(write_study, make):
    judgements = make.random_votes(n_prompts=4)
    found = agreement(write_study(judgements))
    expected = pairwise_agreement(judgements, "overall", rng=np.random.default_rng(0))
    assert named(found)["pairwise agreement"].estimate.value == pytest.approx(expected.value)
    assert found.n_units == len(
        {(j.prompt_id, frozenset(c.clip_id for c in j.candidates)) for j in judgements}
    )
    assert found.length_reason == "the study has no audio, so lengths are not known"


def test_alpha_of_votes_does_not_depend_on_which_clip_came_first(write_study, make):
    judgements = make.random_votes(n_prompts=4)
    alphas = [
        named(agreement(write_study(given)))["Krippendorff's alpha, nominal"].estimate.value
        for given in (judgements, [j.swap() for j in judgements])
    ]
    assert alphas[0] == pytest.approx(alphas[1])


def test_raters_who_all_say_the_same_get_a_reason_and_no_number(write_study, make):
    path = write_study(
        make.vote("a", "b", "A", rater=f"r{r}", prompt=f"p{p}", trial=f"{r}{p}")
        for r in range(3)
        for p in range(3)
    )
    coefficient = named(agreement(path))["Krippendorff's alpha, nominal"]
    assert coefficient.estimate is None
    assert "all ratings are equal" in coefficient.reason


def test_rankings_have_no_agreement_here(write_study, make):
    with pytest.raises(DataError, match="needs pair or rating judgements"):
        agreement(write_study([make.ranking("abc", (0, 1, 2))]))
