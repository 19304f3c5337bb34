import numpy as np
import pytest

from auralign.audio import as_audio
from auralign.data import StudyFolder
from auralign.errors import DataError
from auralign.stats.comparisons import comparisons_from
from auralign.stats.explain import conjoint_effects
from auralign.stats.studies import explain_study
from auralign.types import Candidate, Judgement, Outcome, Prompt, Source, TrialProtocol


def explain(path, **options):
    return explain_study(path, "overall", rng=np.random.default_rng(0), **options)


def test_an_attribute_that_decides_votes_is_found(write_study, make):
    """Votes follow brightness alone: log-odds of one per unit of difference."""
    draw = np.random.default_rng(3)
    bright = {f"p{p}/{s}": float(draw.normal()) for p in range(8) for s in "ab"}
    votes = []
    for k in range(400):
        prompt = f"p{k % 8}"
        gap = bright[f"{prompt}/a"] - bright[f"{prompt}/b"]
        outcome = "A" if draw.random() < 1 / (1 + np.exp(-gap)) else "B"
        judgement = make.vote("a", "b", outcome, rater=f"r{k % 10}", prompt=prompt, trial=f"t{k}")
        votes.append(judgement.swap() if k % 3 else judgement)
    found = explain(write_study(votes), attributes={"brightness": bright})
    (effect,) = found.factors.effects
    assert effect.log_odds.low / effect.scale < 1 < effect.log_odds.high / effect.scale
    assert [e.name for e in found.confounders.effects] == ["brightness", "presented first"]
    assert "expected rating judgements" in found.missing["consistency"]


def test_attributes_of_systems_hold_for_their_clips_and_constant_ones_are_left_out(
    write_study, make
):
    path = write_study(make.random_votes())
    given = {"size": {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0}, "year": dict.fromkeys("abcd", 1.0)}
    found = explain(path, attributes=given)
    assert found.attributes == ("size",)
    assert "year is the same for all clips: left out" in found.warnings
    assert found.factors.effects[0].log_odds.high < 0
    # Systems explain all that an attribute of systems can.
    assert "confounders" in found.missing


def test_without_audio_or_attributes_only_the_order_is_looked_at(write_study, make):
    found = explain(write_study(make.random_votes()))
    assert found.factors is None
    assert "no audio, and no attributes" in found.missing["factors"]
    assert [e.name for e in found.confounders.effects] == ["presented first"]


def test_an_attribute_of_nothing_in_the_study_is_an_error(write_study, make):
    path = write_study(make.random_votes())
    with pytest.raises(DataError, match="'size' names no clip and no system of the study, but 'z'"):
        explain(path, attributes={"size": {"z": 1.0}})


def test_duration_and_loudness_are_measured_where_there_is_audio(tmp_path):
    draw = np.random.default_rng(0)
    study = StudyFolder.create(tmp_path / "study", name="loud", simulated=False)
    prompts = [Prompt(f"p{k}", "") for k in range(6)]
    clips = {
        (p.id, s): study.add_audio(
            as_audio(draw.uniform(-level, level, int(draw.uniform(8_000, 32_000))), 16_000),
            prompt_id=p.id,
            system=s,
        )
        for k, p in enumerate(prompts)
        for s, level in (("quiet", 0.1), ("loud", 0.1 + 0.1 * k))
    }
    study.write_prompts(prompts)
    study.write_clips(clips.values())
    study.write_judgements(
        Judgement(
            trial=f"t{k}-{r}",
            protocol=TrialProtocol.PAIR,
            dimension="overall",
            prompt_id=p.id,
            candidates=(Candidate(clips[p.id, "quiet"].id), Candidate(clips[p.id, "loud"].id)),
            rater=f"r{r}",
            source=Source.HUMAN,
            outcome=Outcome("B" if draw.random() < 0.5 + 0.08 * k else "A"),
        )
        for k, p in enumerate(prompts)
        for r in range(12)
    )
    found = explain(study.path)
    assert found.attributes == ("duration [s]", "loudness [LUFS]")
    effects = {e.attribute: e.log_odds.value for e in found.factors.effects}
    assert effects["loudness [LUFS]"] > 0


def test_levels_of_a_design_have_the_effects_of_the_conjoint_analysis(write_study, make):
    votes = make.random_votes(12, 40)
    levels = {
        "size": {"a": "large", "b": "large", "c": "small", "d": "small"},
        "codec": {"a": "x", "b": "y", "c": "x", "d": "y"},
    }
    found = explain(write_study(votes), levels=levels).conjoint
    of_clip = {
        name: {c.clip_id: of[c.clip_id.partition("/")[2]] for v in votes for c in v.candidates}
        for name, of in levels.items()
    }
    expected = conjoint_effects(comparisons_from(votes, "overall"), of_clip)
    assert found.levels == expected.levels
    assert found.effect("size", "small").effect.high < 0
    assert explain(write_study(votes)).conjoint is None


def test_a_design_that_leaves_a_clip_out_says_which(write_study, make):
    found = explain(write_study(make.random_votes()), levels={"size": {"a": "l", "b": "s"}})
    assert found.conjoint is None
    assert "expected a level of 'size' for each item, none for" in found.missing["conjoint"]


def test_ratings_and_votes_are_compared_within_prompts(write_study, make):
    """Ratings of the later prompts are higher, which votes within prompts cannot know."""
    draw = np.random.default_rng(0)
    judgements = []
    for r in range(14):
        for p in range(5):
            for s, worth in (("a", 1.0), ("b", 0.0), ("c", -1.0)):
                value = 20 + 10 * p + worth + draw.normal() * 0.7
                judgements.append(
                    make.rating(s, value, rater=f"r{r}", prompt=f"p{p}", scale=(0.0, 100.0))
                )
            for first, second, gap in (("a", "b", 1.0), ("b", "c", 1.0), ("a", "c", 2.0)):
                outcome = "A" if draw.random() < 1 / (1 + np.exp(-gap)) else "B"
                judgements.append(make.vote(first, second, outcome, rater=f"r{r}", prompt=f"p{p}"))
    found = explain(write_study(judgements)).consistency
    assert len(np.unique(found.block)) == 5
    assert found.pearson.value > 0.8
    assert found.pearson.low < found.pearson.value <= found.pearson.high
