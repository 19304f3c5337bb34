from dataclasses import replace

import numpy as np
import pytest

from auralign.audio import as_audio
from auralign.data import StudyFolder
from auralign.data.example_checks import validate_examples
from auralign.data.examples import TokenFeedback, TokenList, TokenPair
from auralign.data.token_files import write_token_archive
from auralign.errors import ConfigError, DataError
from auralign.preferences.feedback import feedback_from_thumbs
from auralign.preferences.lists import lists_from_rankings, lists_from_ratings
from auralign.preferences.token_examples import token_examples
from auralign.types import (
    Candidate,
    Judgement,
    Outcome,
    Prompt,
    RankedList,
    Source,
    Split,
    TrialProtocol,
)

PROMPTS = {"p": Prompt("p", "one"), "q": Prompt("q", "two", split=Split.TEST)}


def said(protocol, *clips, prompt="p", dimension="overall", **answer):
    return Judgement(
        trial="t",
        protocol=TrialProtocol(protocol),
        dimension=dimension,
        prompt_id=prompt,
        candidates=tuple(map(Candidate, clips)),
        rater="ann",
        source=Source.HUMAN,
        **answer,
    )


def thumb(clip, rating, **changed):
    return said("thumbs", clip, rating=rating, scale=(0.0, 1.0), **changed)


def rated(clip, rating, scale=(1.0, 5.0), **changed):
    return said("rating", clip, rating=rating, scale=scale, **changed)


def ranked(*clips, **changed):
    """Presented in reverse, so that the ranking has to be read through the candidates."""
    order = tuple(range(len(clips)))[::-1]
    return said("ranking", *clips[::-1], ranking=order, **changed)


def test_thumbs_of_a_clip_are_counted_apart_so_that_nothing_is_lost():
    judgements = [
        thumb("x", 1.0),
        thumb("x", 1.0),
        thumb("x", 0.0),
        thumb("y", 0.0, prompt="q"),
        thumb("y", 0.5, prompt="q"),
        thumb("z", None, outcome=Outcome.SKIP),
        thumb("z", 1.0, dimension="production_quality"),
        rated("z", 5.0),
    ]
    feedback = feedback_from_thumbs(judgements, PROMPTS, dimension="overall")
    assert [(f.clip, f.desirable, f.weight) for f in feedback] == [
        ("x", True, 2.0),
        ("x", False, 1.0),
        ("y", False, 1.0),
    ]
    assert [(f.rule, f.split) for f in feedback[1:]] == [
        ("thumbs", Split.TRAIN),
        ("thumbs", Split.TEST),
    ]


def test_a_ranking_scores_a_clip_by_the_share_of_the_others_below_it():
    judgements = [
        ranked("x", "y", "z"),
        ranked("x", "z", "y"),
        ranked("z", "x", "y"),
        ranked("y", "x", prompt="q"),
        said("ranking", "x", "y", outcome=Outcome.SKIP),
        ranked("z", "x", dimension="production_quality"),
        said("best_worst", "x", "y", "z", ranking=(0, 2)),
    ]
    three, two = lists_from_rankings(judgements, PROMPTS, dimension="overall")
    assert three.clips == ("x", "z", "y")
    # x beats 2, 2 and 1 of 2 others, z 0, 1 and 2, y 1, 0 and 0.
    np.testing.assert_allclose(three.scores, [5 / 6, 3 / 6, 1 / 6])
    assert two == RankedList("q", ("y", "x"), (1.0, 0.0), "overall", "share_beaten", Split.TEST)


def test_ratings_are_averaged_on_the_scale_from_0_to_1():
    judgements = [
        rated("x", 2.0),
        rated("x", 5.0),
        rated("y", 100.0, scale=(0.0, 100.0)),
        rated("z", None, outcome=Outcome.SKIP),
        rated("z", 5.0, dimension="production_quality"),
        thumb("z", 1.0),
    ]
    (ratings,) = lists_from_ratings(judgements, PROMPTS, dimension="overall")
    expected = ("y", "x"), (1.0, (1 / 4 + 4 / 4) / 2), "overall", "mean_rating", Split.TRAIN
    assert ratings == RankedList("p", *expected)


def test_lists_without_an_order_are_left_out():
    tied = [ranked("x", "y"), ranked("y", "x"), ranked("x", prompt="q")]
    assert lists_from_rankings(tied, PROMPTS, dimension="overall") == []
    alike = [rated("x", 3.0), rated("y", 3.0), rated("z", 2.0, prompt="q")]
    assert lists_from_ratings(alike, PROMPTS, dimension="overall") == []


@pytest.fixture
def study(tmp_path):
    """Three clips of one prompt, judged in every way; the archive knows the codes of them all."""
    study = StudyFolder.create(tmp_path / "study", name="demo", simulated=False)
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (3, 800))
    clips = [study.add_audio(as_audio(row, 16_000), prompt_id="p", system="sft") for row in noise]
    study.write_prompts(PROMPTS.values())
    study.write_clips(clips)
    x, y, z = (clip.id for clip in clips)
    study.write_judgements(
        [
            said("pair", x, y, outcome=Outcome.B),
            said("pair", x, y, outcome=Outcome.TIE_GOOD),
            thumb(x, 1.0),
            ranked(z, x, y),
            rated(x, 5.0),
            rated(z, 1.0),
        ]
    )
    write_token_archive(tmp_path / "tokens.npz", codes_of(clips))
    return study


def codes_of(clips):
    return {clip.id: np.full((2, 3 + i), i, np.int64) for i, clip in enumerate(clips)}


def examples(study, kind, **changed):
    archive = study.path.parent / "tokens.npz"
    return token_examples(
        study.path, **{"dimension": "overall", "tokens": archive} | changed, kind=kind
    )


def test_votes_thumbs_rankings_and_ratings_become_examples_with_codes(study):
    x, y, z = codes_of(study.clips()).values()
    (pair,) = examples(study, "votes")
    assert isinstance(pair, TokenPair)
    np.testing.assert_array_equal(pair.chosen, y)
    np.testing.assert_array_equal(pair.rejected, x)
    assert (pair.prompt, pair.weight, pair.p_chosen) == (PROMPTS["p"], 2.0, 0.75)

    (feedback,) = examples(study, "thumbs")
    assert isinstance(feedback, TokenFeedback)
    np.testing.assert_array_equal(feedback.clip, x)
    assert (feedback.desirable, feedback.weight) == (True, 1.0)

    for kind, clips, scores in (
        ("rankings", (z, x, y), (1.0, 0.5, 0.0)),
        ("ratings", (x, z), (1.0, 0.0)),
    ):
        (found,) = examples(study, kind)
        assert isinstance(found, TokenList)
        assert found.scores == scores
        for clip, expected in zip(found.clips, clips, strict=True):
            np.testing.assert_array_equal(clip, expected)
        validate_examples([found], n_codebooks=2, codebook_size=3, max_frames=5)


def test_codes_come_from_the_file_that_a_clip_names(study):
    clips = [replace(clip, tokens_path=f"tokens/{clip.id}.npy") for clip in study.clips()]
    (study.path / "tokens").mkdir()
    for clip, codes in zip(clips, codes_of(clips).values(), strict=True):
        np.save(study.path / clip.tokens_path, 10 + codes.astype(np.int16))
    study.write_clips(clips)
    for archive in (None, study.path.parent / "tokens.npz"):
        (pair,) = examples(study, "votes", tokens=archive)
        assert set(pair.chosen.flat) == {11}
        assert pair.chosen.dtype == np.int64


def test_judged_clips_without_codes_are_counted(study):
    first = min(clip.id for clip in study.clips())
    with pytest.raises(
        DataError, match=rf"codes of 3 judged clips, got none of 3, the first {first}"
    ):
        examples(study, "rankings", tokens=None)


def test_token_files_that_are_none_are_sentences(study, tmp_path):
    clips = study.clips()
    study.write_clips(replace(clip, tokens_path="codes.npy") for clip in clips)
    for codes, message in (
        (np.zeros(3, np.int64), r"whole numbers \[codebook, time\], got int64 of shape \(3,\)"),
        (np.zeros((2, 3)), r"whole numbers \[codebook, time\], got float64 of shape \(2, 3\)"),
    ):
        np.save(study.path / "codes.npy", codes)
        with pytest.raises(DataError, match=message):
            examples(study, "votes")
    (study.path / "codes.npy").unlink()
    with pytest.raises(DataError, match=r"codes\.npy: expected whole numbers .* no such file"):
        examples(study, "votes")
    study.write_clips(replace(clip, tokens_path="../codes.npy") for clip in clips)
    with pytest.raises(DataError, match="expected a path within the study folder"):
        examples(study, "votes")
    np.savez(tmp_path / "other.npz", ids=["x"], lengths=[4], codes=np.zeros((1, 3), np.int64))
    with pytest.raises(
        DataError, match=r"other\.npz: expected an id and a length .* 4 frames in all"
    ):
        examples(study, "votes", tokens=tmp_path / "other.npz")


def test_a_kind_or_dimension_without_answers_is_a_sentence(study):
    with pytest.raises(ConfigError, match=r"got 'vote' \(did you mean 'votes'\?\)"):
        examples(study, "vote")
    with pytest.raises(DataError, match="expected votes on 'production_quality', got none"):
        examples(study, "votes", dimension="production_quality")
