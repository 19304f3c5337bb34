import pytest

from auralign.audio import as_audio
from auralign.data import StudyFolder
from auralign.errors import DataError
from auralign.stats.studies.selection import judgements_on
from auralign.types import Candidate, Judgement, Prompt, Source, TrialProtocol


@pytest.fixture
def study(tmp_path) -> StudyFolder:
    """One clip with the rating of a listener, and two of a metric on two dimensions."""
    study = StudyFolder.create(tmp_path / "study", name="two kinds of raters", simulated=True)
    clip = study.add_audio(as_audio([0.1] * 800, 16_000), prompt_id="p", system="s")
    study.write_prompts([Prompt("p", "one")])
    study.write_clips([clip])
    study.write_judgements(
        Judgement(
            f"{source}-{dimension}",
            TrialProtocol.RATING,
            dimension,
            "p",
            (Candidate(clip.id),),
            rater,
            source,
            rating=rating,
            scale=(1.0, 5.0),
        )
        for dimension, rater, source, rating in (
            ("overall", "ann", Source.HUMAN, 4.0),
            ("overall", "stoi", Source.METRIC, 1.0),
            ("production_quality", "stoi", Source.METRIC, 1.0),
        )
    )
    return study


def test_what_a_metric_says_is_no_answer(study):
    assert [j.rater for j in judgements_on(study, "overall")] == ["ann"]


def test_a_dimension_that_only_metrics_have_judged_is_an_error_that_says_where_to_look(study):
    with pytest.raises(DataError, match=r"all 1 judgements on 'production_quality' are a metric's"):
        judgements_on(study, "production_quality")
