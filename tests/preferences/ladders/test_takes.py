import numpy as np
import pytest

from auralign.errors import ConfigError
from auralign.preferences.ladders import FAMILIES, OPERATIONS, build_ladder, operations

pytestmark = pytest.mark.slow


def lent(voice, others, name, severity):
    """The recordings whose samples stand in for the right take, over several draws."""
    found = set()
    for seed in range(12):
        ladder = build_ladder(
            voice,
            OPERATIONS[name],
            seed=seed,
            others=others,
            severities=(severity,),
            equal_lengths=False,
        )
        taken = ladder.rungs[1].audio.samples[0]
        likeness = [
            abs(np.corrcoef(taken, other.audio.samples[0])[0, 1])
            for other in others
            if other.audio.n_samples == taken.size
        ]
        found.add([o for o in others if o.audio.n_samples == taken.size][int(np.argmax(likeness))])
    return [recording.prompt.id for recording in found]


@pytest.mark.parametrize(
    ("severity", "speakers"), [(1.0, {"dora"}), (2.0, {"bob", "carl"})], ids=["same", "other"]
)
def test_a_wrong_speaker_says_the_same_text(severity, speakers, voice, others):
    takes = lent(voice, others, "speaker/wrong", severity)
    assert {take.split("-")[0] for take in takes} == speakers
    assert {take.split("-")[1] for take in takes} == {"one"}


def test_a_wrong_emotion_is_the_same_speaker_and_text(voice, others):
    # From neutral (0, 0) to angry (-1, 1) are two steps.
    assert lent(voice, others, "emotion/wrong", 2.0) == ["ann-one-angry"]


def test_a_wrong_text_is_by_the_same_speaker(voice, others):
    assert set(lent(voice, others, "text/wrong", 1.0)) == {"ann-four-neutral", "ann-four-angry"}


def test_families_and_single_operations_can_be_asked_for():
    assert [o.id for o in operations(["clip", "noise/pink"])] == ["noise/pink", "clip/quantile"]
    assert {o.family for o in operations(FAMILIES)} == set(FAMILIES)


def test_an_unknown_family_suggests_the_near_one():
    with pytest.raises(ConfigError, match=r"'noize' .*did you mean 'noise'"):
        operations(["noize"])
