"""What makes peers crash or invent a number, put in front of every signal that needs no extra."""

import math

import numpy as np
import pytest

from auralign.signals.ask import score_items
from auralign.signals.registry import select
from auralign.signals.signal import Item, Requirement
from auralign.types import Audio, ScoreStatus

pytestmark = pytest.mark.slow

RATE = 16_000
OFFLINE = [signal.name for signal in select(["offline"])]
ALIGNED = [s.name for s in select(["offline"]) if Requirement.ALIGNED_REFERENCE in s.requires]


def voice(seconds=2.0, rate=RATE, channels=1):
    """Two notes with overtones and a pause between them, in a little noise."""
    rng = np.random.default_rng(0)
    time_s = np.arange(round(seconds * rate)) / rate
    tone = sum(np.sin(2 * np.pi * 150 * k * time_s) / k for k in range(1, 8))
    loud = 0.2 * tone * (np.abs(time_s - 1.0) > 0.2)
    samples = loud + 1e-3 * rng.standard_normal((channels, time_s.size))
    return Audio(samples.astype(np.float32), rate)


def said(name, audio, reference=None):
    """The scores of one signal about one clip that comes with everything."""
    if reference is None:
        reference = audio
    (row,) = score_items(name, [Item("clip", audio, reference, text="one two", label="calm")])
    return row.scores


def with_nan():
    audio = voice()
    audio.samples[0, 777] = math.nan
    return audio


REFUSED = {
    "NaN or infinite samples": with_nan,
    "no samples": lambda: Audio(np.zeros((1, 0), np.float32), RATE),
    "samples are int16, not floating-point": lambda: Audio(
        (voice().samples * 32_000).astype(np.int16), RATE
    ),
}


@pytest.mark.parametrize("name", OFFLINE)
@pytest.mark.parametrize("reason", REFUSED)
def test_what_nobody_can_measure_is_skipped_by_everyone(name, reason):
    for score in said(name, REFUSED[reason]()):
        assert (score.value, score.status, score.reason) == (None, ScoreStatus.SKIPPED, reason)


@pytest.mark.parametrize("signal", select(["offline"]), ids=lambda s: s.name)
def test_silence_is_no_number_unless_a_signal_is_about_silence(signal):
    silence = Audio(np.zeros((1, 2 * RATE), np.float32), RATE)
    for score in said(signal.name, silence):
        assert score.status is not ScoreStatus.FAILED, score.reason
        assert not signal.rejects_silence or score.reason == "digital silence"


@pytest.mark.parametrize("signal", select(["offline"]), ids=lambda s: s.name)
def test_ten_milliseconds_are_refused_or_measured_and_never_fail(signal):
    for score in said(signal.name, Audio(voice().samples[:, :160], RATE)):
        assert score.status is not ScoreStatus.FAILED, score.reason
        assert signal.shortest_s <= 0.01 or score.reason == f"shorter than {signal.shortest_s:g} s"


@pytest.mark.parametrize("name", OFFLINE)
def test_stereo_of_two_equal_channels_is_what_mono_is_or_has_its_loudness(name):
    mono = voice()
    stereo = Audio(np.repeat(mono.samples, 2, axis=0), RATE)
    for one, two in zip(said(name, mono), said(name, stereo), strict=True):
        assert two.status is one.status
        # BS.1770 adds the power of the channels: two of them are 3.01 LU louder.
        louder = 10 * math.log10(2) if one.signal == "loudness.lufs" else 0.0
        if one.value is not None:
            assert two.value == pytest.approx(one.value + louder, rel=1e-5, abs=1e-6), one.signal


@pytest.mark.parametrize("signal", select(["offline"]), ids=lambda s: s.name)
@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_another_rate_is_resampled_or_measured_as_it_is(signal, rate):
    for score in said(signal.name, voice(rate=rate)):
        assert score.status is not ScoreStatus.FAILED, score.reason


@pytest.mark.parametrize("name", ALIGNED)
def test_different_lengths_are_not_aligned(name):
    for score in said(name, voice(2.0), reference=voice(2.1)):
        assert score.reason == "the reference has another length"


@pytest.mark.parametrize("name", OFFLINE)
def test_a_sound_clip_has_an_answer(name):
    statuses = {score.status for score in said(name, voice(3.5))}
    assert ScoreStatus.FAILED not in statuses
    assert name == "transcript" or ScoreStatus.OK in statuses
