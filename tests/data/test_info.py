from dataclasses import replace

import numpy as np
import pytest

from auralign.audio import as_audio
from auralign.data import StudyFolder, study_info
from auralign.types import Candidate, Clip, Judgement, Outcome, Prompt, Source, Split, TrialProtocol


@pytest.fixture
def study(tmp_path):
    return StudyFolder.create(tmp_path / "study", name="demo", simulated=True)


def test_an_empty_study_counts_nothing(study):
    info = study_info(study.path)
    assert (info["prompts"], info["clips"], info["judgements"]) == (0, 0, 0)
    assert info["outcome_shares"] == {}
    assert info["votes_per_pair"] is None


def test_what_is_in_a_study_is_counted(study):
    rng = np.random.default_rng(0)
    clips = [
        study.add_audio(as_audio(rng.uniform(-0.5, 0.5, rate), rate), prompt_id="p", system=system)
        for rate, system in ((16_000, "base"), (16_000, "aligned"), (8_000, "base"))
    ]
    a, b, c = (Candidate(clip.id) for clip in clips)
    vote = Judgement(
        trial="t",
        protocol=TrialProtocol.PAIR,
        dimension="overall",
        prompt_id="p",
        candidates=(a, b),
        rater="r1",
        source=Source.SIMULATED,
        outcome=Outcome.A,
    )
    study.write_prompts([Prompt("p", ""), Prompt("q", "", split=Split.TEST)])
    study.write_clips(clips)
    study.write_judgements(
        [
            vote,
            replace(vote.swap(), rater="r2"),
            replace(vote, outcome=Outcome.TIE, candidates=(a, c)),
            replace(vote, dimension="task_achievement"),
            replace(
                vote,
                protocol=TrialProtocol.RATING,
                outcome=None,
                candidates=(a,),
                rating=1.0,
                scale=(0.0, 1.0),
            ),
        ]
    )
    study.audio_path(clips[2]).unlink()
    assert study_info(study.path) == {
        "name": "demo",
        "simulated": True,
        "has_audio": True,
        "prompts": 2,
        "prompts_by_split": {"test": 1, "train": 1},
        "clips": 3,
        "clips_by_system": {"aligned": 1, "base": 2},
        "audio_seconds": 3.0,
        "clips_by_sample_rate": {"16000": 2, "8000": 1},
        "missing_audio_files": 1,
        "judgements": 5,
        "judgements_by_protocol": {"pair": 4, "rating": 1},
        "judgements_by_dimension": {"overall": 4, "task_achievement": 1},
        "judgements_by_source": {"simulated": 5},
        "outcome_shares": {"A": 0.5, "B": 0.25, "TIE": 0.25},
        "raters": 2,
        # overall: (a, b) twice, once in each order; (a, c) once; task_achievement: (a, b) once.
        "votes_per_pair": {"min": 1, "median": 1, "max": 2},
    }


def test_of_a_study_without_audio_nothing_is_said_about_sound(tmp_path):
    study = StudyFolder.create_without_audio(
        tmp_path / "mute",
        name="mute",
        simulated=False,
        dimensions=("overall",),
        notes="",
        prompts=[Prompt("p", "")],
        clips=[Clip("a", "a.wav", 0, 0, 0, prompt_id="p", system="s")],
        judgements=[],
    )
    info = study_info(study.path)
    assert (info["has_audio"], info["clips"]) == (False, 1)
    assert {info[key] for key in ("audio_seconds", "clips_by_sample_rate")} == {None}
    assert info["missing_audio_files"] is None
