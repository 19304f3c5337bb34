import math

import pytest

from auralign.data import StudyFolder, validate_study
from auralign.signals.ask import Request
from auralign.signals.running.inputs import clips_of
from auralign.signals.running.judgements import join_study, judgements_of, oriented, scale_of
from auralign.signals.running.results import Row
from auralign.signals.running.runner import run_signals
from auralign.signals.signal import Direction, Measure
from auralign.types import (
    Candidate,
    Judgement,
    Outcome,
    Prompt,
    Score,
    ScoreStatus,
    Source,
    TrialProtocol,
)

pytestmark = pytest.mark.usefixtures("toys")


def measure(direction, low=None, high=None, target=None):
    return Measure("m", "dB", direction, ("overall",), low, high, target)


@pytest.mark.parametrize(
    ("direction", "target", "worse", "better"),
    [
        (Direction.MAX, None, 1.0, 2.0),
        (Direction.MIN, None, 2.0, 1.0),
        (Direction.TARGET, (-24.0, -16.0), -30.0, -25.0),
        (Direction.TARGET, (-24.0, -16.0), -8.0, -20.0),
    ],
)
def test_more_of_a_rating_is_better(direction, target, worse, better):
    m = measure(direction, target=target)
    assert oriented(worse, m) < oriented(better, m)


def test_within_the_target_nothing_is_better_than_anything():
    m = measure(Direction.TARGET, target=(-24.0, -16.0))
    assert oriented(-24.0, m) == oriented(-18.5, m) == 0.0


@pytest.mark.parametrize(
    ("m", "scale"),
    [
        (measure(Direction.MAX, 1.0, 4.5), (1.0, 4.5)),
        (measure(Direction.MIN, 0.0), (-math.inf, 0.0)),
        (measure(Direction.MAX), (-math.inf, math.inf)),
        (measure(Direction.TARGET, -70.0, 0.0, (-24.0, -16.0)), (-46.0, 0.0)),
    ],
)
def test_a_scale_is_that_of_the_turned_values(m, scale):
    assert scale_of(m) == scale
    for value in (m.low, m.high):
        assert value is None or scale[0] <= oriented(value, m) <= scale[1]


@pytest.fixture
def study(tmp_path, tone):
    folder = StudyFolder.create(tmp_path / "study", name="s", simulated=False)
    clips = [
        folder.add_audio(tone(level=level), prompt_id="p", system=f"s{level}")
        for level in (0.2, 0.4)
    ]
    folder.write_clips(clips)
    folder.write_prompts([Prompt("p", "one")])
    human = Judgement(
        trial="t",
        protocol=TrialProtocol.RATING,
        dimension="production_quality",
        prompt_id="p",
        candidates=(Candidate(clips[0].id),),
        rater="ann",
        source=Source.HUMAN,
        rating=3.0,
        scale=(1.0, 5.0),
    )
    folder.write_judgements([human])
    return folder


def scored(study, out, *names):
    run_signals(clips_of(study), [Request(name, {}) for name in names], out, workers=1)
    return join_study(study.path, out)


def test_results_join_the_study_beside_what_people_said(study, tmp_path):
    joined = scored(study, tmp_path / "s.jsonl", "peak", "two")
    judgements = study.judgements()
    assert [j.rater for j in judgements if j.source is Source.HUMAN] == ["ann"]
    metric = {(j.rater, j.candidates[0].clip_id): j for j in judgements if j.source == "metric"}
    assert len(metric) == joined.n_judgements == 6
    assert joined.raters == ("peak.value@1", "two.level@1", "two.tone@1")
    ratings = [metric["peak.value@1", clip.id].rating for clip in study.clips()]
    assert ratings == pytest.approx([0.2, 0.4], abs=1e-3)
    assert validate_study(study.path) == []


def test_a_missing_score_is_a_skip_with_its_reason(study, tmp_path):
    scored(study, tmp_path / "s.jsonl", "two")
    tones = [j for j in study.judgements() if j.rater == "two.tone@1"]
    assert {j.outcome for j in tones} == {Outcome.SKIP}
    assert {j.context["status"] for j in tones} == {"skipped:no pitch"}


def test_joining_again_replaces_what_the_same_measures_said(study, tmp_path):
    scored(study, tmp_path / "s.jsonl", "peak")
    before = len(study.judgements())
    join_study(study.path, tmp_path / "s.jsonl")
    assert len(study.judgements()) == before
    scored(study, tmp_path / "other.jsonl", "rate")
    assert len(study.judgements()) == before + 2


def test_clips_that_are_not_of_the_study_do_not_join(study, tmp_path, folder):
    from auralign.signals.running.inputs import clips_at

    out = tmp_path / "s.jsonl"
    run_signals(clips_at([folder(x=0.7) / "x.wav"]), [Request("peak", {})], out, workers=1)
    assert join_study(study.path, out).n_judgements == 0
    assert len(study.judgements()) == 1


def test_a_dimension_that_the_study_does_not_have_is_left_out(study):
    clips = {clip.id: clip for clip in study.clips()}
    name = next(iter(clips))
    row = Row(name, name, 8_000, 0.5, "peak", 1, {}, 0.0, None, (Score(name, "peak.value", 0.5),))
    assert list(judgements_of(row, clips, ("overall",))) == []
    assert [j.rating for j in judgements_of(row, clips, ("production_quality",))] == [0.5]


def test_a_failure_is_a_skip_too(study):
    clips = {clip.id: clip for clip in study.clips()}
    name = next(iter(clips))
    score = Score(name, "peak.value", None, ScoreStatus.FAILED, "no answer")
    row = Row(name, name, 8_000, 0.5, "peak", 1, {}, 0.0, None, (score,))
    (judgement,) = judgements_of(row, clips, ("production_quality",))
    assert (judgement.outcome, judgement.rating) == (Outcome.SKIP, None)
    assert judgement.context["status"] == "failed:no answer"
