import numpy as np
import pytest

from auralign.audio import resample
from auralign.audio.degrade import Event, Span, mix_events
from auralign.preferences.ladders import Recording, with_word_times
from auralign.types import Audio, Prompt

pytestmark = pytest.mark.slow

pytest.importorskip("pocketsphinx")
pytest.importorskip("espeakng_loader")

TEXT = "seven open doors"


@pytest.fixture(scope="module")
def spoken() -> tuple[Recording, list[tuple[float, float]]]:
    """Words read one by one, 0.3 s apart, and where each was put."""
    from auralign.audio.espeak import say

    events, times, at = [], [], 0.3
    for word in TEXT.split():
        audio = resample(say(word, voice="en-us"), 16_000)
        events.append(Event(word, audio, at))
        times.append((at, at + audio.duration_s))
        at += audio.duration_s + 0.3
    noise = np.random.default_rng(0).normal(0, 1e-3, (1, round(at * 16_000)))
    mix = mix_events([*events, Event("room", Audio(noise.astype(np.float32), 16_000), 0.0)])
    return Recording(Prompt("p", TEXT), mix), times


def test_words_are_found_where_they_are(spoken):
    recording, times = spoken
    (aligned,) = with_word_times([recording])
    assert [span.label for span in aligned.words] == TEXT.split()
    for span, (begin_s, end_s) in zip(aligned.words, times, strict=True):
        assert begin_s - 0.05 < span.begin_s < span.end_s < end_s + 0.05


def test_times_that_are_known_stay(spoken):
    known = Recording(Prompt("p", TEXT), spoken[0].audio, words=(Span("x", 0.0, 1.0),))
    assert with_word_times([known]) == [known]


@pytest.mark.parametrize("text", ["", "qzxvyq"], ids=["no text", "no pronunciation"])
def test_what_cannot_be_aligned_stays_without_times(text, spoken):
    (recording,) = with_word_times([Recording(Prompt("p", text), spoken[0].audio)])
    assert recording.words == ()
