import numpy as np
import pytest

from auralign.errors import ConfigError, DataError
from auralign.stats.ratings import analyse_acr, analyse_mushra, system_ratings
from auralign.stats.studies import study_by_standard

SCORES = {"ref": 98, "codec": 70, "other": 55, "mid": 40, "low": 15}


def analyse(path, standard, **options):
    return study_by_standard(path, "overall", standard, rng=np.random.default_rng(0), **options)


def mushra(make, *, deaf=True):
    """Ten listeners, of whom r9 does not hear the hidden reference."""
    rng = np.random.default_rng(0)
    return [
        make.rating(
            system,
            50.0 if deaf and (r, system) == (9, "ref") else float(score + rng.integers(-2, 3)),
            rater=f"r{r}",
            prompt=f"p{p}",
            scale=(0.0, 100.0),
        )
        for r in range(10)
        for p in range(4)
        for system, score in SCORES.items()
    ]


def scored(make, n=60):
    rng = np.random.default_rng(1)
    found = []
    for k in range(n):
        system, gain = (("good", 1.5), ("bad", -1.0))[k % 2]
        score = int(np.clip(round(rng.normal(gain, 0.8)), -3, 3))
        outcome = "TIE" if score == 0 else "A" if score > 0 else "B"
        vote = make.vote(
            system,
            "base",
            outcome,
            rater=f"r{k % 6}",
            prompt=f"p{k % 5}",
            trial=f"t{k}",
            strength=abs(score) or None,
        )
        found.append(vote.swap() if rng.random() < 0.5 else vote)
    return found


def systems_of(judgements):
    return {c.clip_id: c.clip_id.partition("/")[2] for j in judgements for c in j.candidates}


def test_mushra_is_the_analysis_of_its_ratings(write_study, make):
    judgements = mushra(make)
    options = {"reference": "ref", "anchors": ("mid", "low")}
    found = analyse(write_study(judgements), "mushra", **options)
    ratings = system_ratings(judgements, "overall", systems_of(judgements))
    assert found.result == analyse_mushra(ratings, **options)
    assert set(found.result.screening.excluded) == {"r9"}
    kept = analyse(write_study(judgements), "mushra", rules="none", **options)
    assert kept.result.screening.excluded == {}


def test_acr_is_the_analysis_of_its_ratings(write_study, make):
    judgements = make.random_ratings(n_raters=9)
    ratings = system_ratings(judgements, "overall", systems_of(judgements))
    assert analyse(write_study(judgements), "acr").result == analyse_acr(ratings)
    fewer = [j for j in judgements if not (j.rater == "r0" and j.trial.endswith("a"))]
    found = analyse(write_study(fewer), "acr").result
    assert found.comparisons.family.endswith("means by item")


def test_cmos_scores_each_system_against_the_reference(write_study, make):
    judgements = scored(make)
    found = analyse(write_study(judgements), "cmos", reference="base").result
    assert list(found.systems) == ["good", "bad"]
    for name, result in found.systems.items():
        clip = {"good": "good", "bad": "bad"}[name]
        scores = [
            0
            if j.strength is None
            else j.strength
            * (1 if (j.outcome == "A") == j.candidates[0].clip_id.endswith(clip) else -1)
            for j in judgements
            if any(c.clip_id.endswith(clip) for c in j.candidates)
        ]
        assert result.cmos.value == pytest.approx(np.mean(scores))
    assert [t.name for t in found.comparisons.tests] == ["good", "bad"]
    assert found.comparisons.family == "2 systems against 'base' on 'overall'"


@pytest.mark.parametrize(
    ("standard", "options", "message"),
    [
        ("mos", {}, "standard must be one of mushra, acr, cmos, got 'mos'"),
        ("mushra", {}, "mushra needs a reference"),
        ("mushra", {"reference": "ref", "rules": "MPEG"}, "rules must be one of BS.1534-3"),
        ("acr", {"reference": "ref"}, "acr has no reference"),
        ("acr", {"anchors": ("mid",)}, "belong to mushra, not to acr"),
    ],
)
def test_options_that_do_not_fit_are_refused(write_study, make, standard, options, message):
    with pytest.raises(ConfigError, match=message):
        analyse(write_study(mushra(make)), standard, **options)


def test_answers_that_do_not_fit_are_refused(write_study, make):
    with pytest.raises(DataError, match="expected pair judgements"):
        analyse(write_study(mushra(make)), "cmos", reference="ref")
    with pytest.raises(ConfigError, match=r"the reference 'bas' \(did you mean 'base'\?\)"):
        analyse(write_study(scored(make)), "cmos", reference="bas")
    with pytest.raises(DataError, match="scale from 0 to 100"):
        analyse(write_study(make.random_ratings()), "mushra", reference="a")
