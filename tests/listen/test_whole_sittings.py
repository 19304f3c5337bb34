"""Every type of test goes over HTTP from consent to code, and says what was answered."""

import pytest

from auralign.data import StudyFolder, validate_study
from auralign.listen.outcome.export import export_study

pytestmark = pytest.mark.slow

YES_NO = [
    {"id": "all_words", "question": "Are all words there?"},
    {"id": "no_noise", "question": "Is it free of noise?"},
]
# Type of test, protocol of its records, and how many of them a trial makes.
TYPES = {
    "ab": ({"type": "ab", "tie": True}, "pair", 1),
    "ab_both_bad": ({"type": "ab", "both_bad": True}, "pair", 1),
    "abx": ({"type": "abx"}, "pair", 1),
    "acr": ({"type": "acr"}, "rating", 1),
    "arena": ({"type": "arena"}, "pair", 1),
    "best_worst": ({"type": "best_worst", "set_size": 3}, "best_worst", 1),
    "checklist": ({"type": "checklist", "dimensions": YES_NO}, "thumbs", 2),
    "cmos": ({"type": "cmos"}, "pair", 1),
    "dcr": ({"type": "dcr"}, "rating", 1),
    "dialogue": ({"type": "dialogue", "speaker": "Speaker B"}, "pair", 1),
    "multi_stimulus": ({"type": "multi_stimulus"}, "rating", 3),
    "mushra": ({"type": "mushra"}, "rating", 6),
    "mushra_nmr": ({"type": "mushra", "named_reference": False}, "rating", 6),
    "p835": ({"type": "p835"}, "rating", 3),
    "ranking": ({"type": "ranking"}, "ranking", 1),
    "thumbs": ({"type": "thumbs"}, "thumbs", 1),
}


@pytest.mark.parametrize("name", TYPES)
def test_a_sitting_goes_from_consent_to_a_sound_study(name, make_study, connect, finish, tmp_path):
    test, protocol, records = TYPES[name]
    study = make_study(
        test,
        systems=("ref", "x", "y", "z"),
        clips={"reference": "ref"},
        design={"trials": 2},
    )
    client = connect(study)
    client.begin("1")
    trials = finish(client)
    assert len({trial["trial"] for trial in trials}) == 2
    assert client.complete()["outcome"] == "finished"
    assert client.complete()["code"] == client.complete()["code"]
    export_study(study, tmp_path / "out")
    assert validate_study(tmp_path / "out") == []
    said = StudyFolder.open(tmp_path / "out").judgements()
    assert [judgement.protocol for judgement in said] == [protocol] * 2 * records
