import numpy as np
import pytest

from auralign.errors import ConfigError, DataError
from auralign.preferences.ladders import Recording, hold_out, join_recordings
from auralign.types import Audio, Prompt, Split

pytestmark = pytest.mark.slow


def recording(i: int, speaker: str = "ann", text: str = "", split: Split = Split.TRAIN):
    samples = np.full((2, 800 + i), (i + 1) / 100, np.float32)
    prompt = Prompt(f"set/{i}", text, condition=speaker, split=split)
    return Recording(prompt, Audio(samples, 8_000), attributes={"speaker": speaker})


def test_every_part_is_in_one_sequence_of_its_speaker():
    parts = [recording(i, "ann" if i < 4 else "bob", f"word{i}") for i in range(9)]
    joined = join_recordings(parts, 2, rng=np.random.default_rng(0))
    words = [sequence.prompt.text.split() for sequence in joined]
    assert [len(said) for said in words] == [2] * 4
    assert len({word for said in words for word in said}) == 8
    for sequence in joined:
        numbers = {int(word[4:]) < 4 for word in sequence.prompt.text.split()}
        assert numbers == {sequence.attribute("speaker") == "ann"}


def test_the_times_of_words_and_events_are_where_the_parts_are():
    (sequence,) = join_recordings([recording(i) for i in range(3)], 3, rng=np.random.default_rng(1))
    assert sequence.audio.channels == 1
    for span, event in zip(sequence.words, sequence.events, strict=True):
        begin, end = round(span.begin_s * 8_000), round(span.end_s * 8_000)
        i = int(span.label)  # without a text, the name
        np.testing.assert_allclose(sequence.audio.samples[0, begin:end], (i + 1) / 100, rtol=1e-6)
        assert (event.label, event.onset_s) == (span.label, span.begin_s)
        assert end - begin == 800 + i


def test_too_few_recordings_of_a_speaker_cannot_be_joined():
    with pytest.raises(DataError, match="expected 3 recordings of one speaker to join, got 2 of 2"):
        join_recordings([recording(0), recording(1, "bob")], 3, rng=np.random.default_rng(0))


def test_recordings_of_one_text_are_held_out_together():
    parts = [recording(i, f"s{i % 4}", f"text {i // 4}") for i in range(80)]
    split = hold_out(parts, 0.1, rng=np.random.default_rng(0))
    by_text = {}
    for part in split:
        by_text.setdefault(part.prompt.text, set()).add(part.prompt.split)
    assert all(len(splits) == 1 for splits in by_text.values())
    counts = [sum(splits == {s} for splits in by_text.values()) for s in Split]
    assert counts == [16, 2, 2]


def test_recordings_without_a_text_are_held_out_by_themselves():
    parts = [recording(i) for i in range(10)]
    split = [part.prompt.split for part in hold_out(parts, 0.2, rng=np.random.default_rng(0))]
    assert (split.count(Split.VALIDATION), split.count(Split.TEST)) == (2, 2)


@pytest.mark.parametrize("share", [-0.1, 0.6, float("nan")])
def test_a_share_to_hold_out_that_is_none_is_an_error(share):
    with pytest.raises(ConfigError, match=r"from 0 to 0\.5"):
        hold_out([recording(0)], share, rng=np.random.default_rng(0))
