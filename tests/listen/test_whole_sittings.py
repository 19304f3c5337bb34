"""Every type of test goes over HTTP from consent to code, and says what was answered."""

import pytest

TYPES = {
    "ab": {"type": "ab", "tie": True},
    "ab_both_bad": {"type": "ab", "both_bad": True},
    "abx": {"type": "abx"},
    "acr": {"type": "acr"},
    "arena": {"type": "arena"},
    "best_worst": {"type": "best_worst", "set_size": 3},
    "checklist": {
        "type": "checklist",
        "dimensions": [
            {"id": "all_words", "question": "Are all words there?"},
            {"id": "no_noise", "question": "Is it free of noise?"},
        ],
    },
    "cmos": {"type": "cmos"},
    "dcr": {"type": "dcr"},
    "dialogue": {"type": "dialogue", "speaker": "Speaker B"},
    "multi_stimulus": {"type": "multi_stimulus"},
    "mushra": {"type": "mushra"},
    "mushra_nmr": {"type": "mushra", "named_reference": False, "guidelines": "detailed"},
    "p835": {"type": "p835"},
    "ranking": {"type": "ranking"},
    "thumbs": {"type": "thumbs"},
}


@pytest.mark.parametrize("name", TYPES)
def test_a_sitting_goes_from_consent_to_code(name, make_study, connect, finish):
    study = make_study(
        TYPES[name],
        systems=("ref", "x", "y", "z"),
        clips={"reference": "ref"},
        design={"trials": 2},
    )
    client = connect(study)
    client.begin("1")
    trials = finish(client)
    assert len(trials) == 2
    assert len({trial["trial"] for trial in trials}) == 2
    assert client.complete()["outcome"] == "finished"
    assert client.complete()["code"] == client.complete()["code"]
