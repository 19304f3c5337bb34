"""The table of what peers do with such clips is in docs/signals.md: each row is a reason here."""

import math

import numpy as np
import pytest

from auralign.signals.gate import admit
from auralign.signals.running.recording import Entry
from auralign.signals.signal import (
    Direction,
    Item,
    Measure,
    Missing,
    Requirement,
    Signal,
)
from auralign.types import Audio

RATE = 16_000


def asking(**fields):
    """A signal that wants clips of 0.4 s to 30 s, with sound in them."""
    measure = Measure("level", "dB", Direction.DESCRIPTIVE, ())
    fields = {"shortest_s": 0.4, "longest_s": 30.0, **fields}
    return Signal("level", 1, "A level.", (measure,), lambda: lambda items: [], **fields)


def aligned(**fields):
    return asking(requires=frozenset({Requirement.ALIGNED_REFERENCE}), **fields)


def noise(seconds=1.0, rate=RATE, channels=1, seed=0):
    n = round(seconds * rate)
    samples = 0.1 * np.random.default_rng(seed).standard_normal((channels, n))
    return Audio(samples.astype(np.float32), rate)


def with_sample(audio, value):
    samples = audio.samples.copy()
    samples[0, samples.shape[1] // 2] = value
    return Audio(samples, audio.sample_rate)


def enter(signal, audio, **more):
    return admit(signal, Entry.of(Item("clip", audio, **more)))


def reason(signal, audio, **more):
    missing = enter(signal, audio, **more)
    assert isinstance(missing, Missing), "the clip was admitted"
    return missing.reason


def test_a_sound_clip_is_admitted_as_it_is():
    clip = noise()
    assert enter(asking(), clip).audio is clip


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_one_sample_that_is_not_finite_refuses_the_clip(value):
    assert reason(asking(), with_sample(noise(), value)) == "NaN or infinite samples"


def test_digital_silence_is_refused():
    assert reason(asking(), Audio(np.zeros((1, RATE), np.float32), RATE)) == "digital silence"


def test_silence_is_what_sixteen_bits_make_zero():
    quiet = Audio(np.full((1, RATE), 0.49 / 32_768, np.float32), RATE)
    assert reason(asking(), quiet) == "digital silence"
    louder = Audio(np.full((1, RATE), 0.51 / 32_768, np.float32), RATE)
    assert enter(asking(), louder).audio is louder


def test_a_signal_may_ask_for_silence():
    silence = Audio(np.zeros((1, RATE), np.float32), RATE)
    assert enter(asking(rejects_silence=False), silence).audio is silence


def test_channels_that_cancel_are_silence_for_a_signal_of_the_mean_only():
    left = noise().samples
    opposed = Audio(np.concatenate([left, -left]), RATE)
    assert reason(asking(channels="mono"), opposed) == "digital silence"
    assert enter(asking(channels="any"), opposed).audio is opposed


def test_ten_milliseconds_are_too_short():
    assert reason(asking(), noise(0.01)) == "shorter than 0.4 s"


def test_a_clip_that_is_too_long_is_refused_and_not_cut():
    assert reason(asking(longest_s=1.0), noise(1.001)) == "longer than 1 s"


@pytest.mark.parametrize("seconds", [0.4, 30.0])
def test_the_limits_themselves_are_admitted(seconds):
    assert enter(asking(), noise(seconds, rate=8_000)).audio.duration_s == seconds


def test_an_empty_clip_has_no_samples():
    assert reason(asking(shortest_s=0.0), noise(0.0)) == "no samples"


def test_integers_are_refused_because_their_scale_is_not_known():
    clip = Audio((noise().samples * 32_768).astype(np.int16), RATE)
    assert reason(asking(), clip) == "samples are int16, not floating-point"


def test_time_by_channels_is_not_taken_for_thousands_of_channels():
    turned = Audio(noise(channels=2).samples.T, RATE)
    assert reason(asking(), turned).startswith("samples are not [channels, time]")


def test_stereo_is_heard_as_the_mean_or_as_it_is():
    stereo = noise(channels=2)
    mean = enter(asking(channels="mono"), stereo).audio.samples
    np.testing.assert_allclose(mean, stereo.samples.mean(axis=0, keepdims=True), atol=1e-7)
    assert enter(asking(channels="any"), stereo).audio is stereo


def test_another_rate_is_resampled_to_what_the_signal_declares():
    item = enter(asking(sample_rate=RATE), noise(1.0, rate=44_100))
    assert (item.audio.sample_rate, item.audio.n_samples) == (RATE, RATE)


def test_the_sound_survives_the_change_of_rate():
    time_s = np.arange(44_100) / 44_100
    tone = Audio(np.sin(2 * np.pi * 1_000 * time_s, dtype=np.float32)[None], 44_100)
    heard = enter(asking(sample_rate=RATE), tone).audio.samples[0, 1_000:-1_000]
    expected = np.sin(2 * np.pi * 1_000 * np.arange(RATE) / RATE)[1_000:-1_000]
    np.testing.assert_allclose(heard, expected, atol=1e-3)


@pytest.mark.parametrize(
    ("requirement", "words"),
    [
        (Requirement.ALIGNED_REFERENCE, "needs a reference that is aligned in time"),
        (Requirement.REFERENCE, "needs a reference recording"),
        (Requirement.TEXT, "needs the text that is to be said"),
        (Requirement.LABEL, "needs a label"),
        (Requirement.SET, "needs a set of reference recordings"),
    ],
)
def test_what_does_not_come_along_is_named(requirement, words):
    assert reason(asking(requires=frozenset({requirement})), noise()) == words


def test_the_reference_passes_the_same_gate():
    signal = aligned()
    silence = Audio(np.zeros((1, RATE), np.float32), RATE)
    assert reason(signal, noise(), reference=silence) == "the reference: digital silence"
    broken = with_sample(noise(), math.nan)
    assert reason(signal, noise(), reference=broken) == "the reference: NaN or infinite samples"
    short = noise(0.01)
    assert reason(signal, noise(), reference=short) == "the reference: shorter than 0.4 s"


def test_an_aligned_reference_of_another_length_is_refused_to_the_sample():
    assert reason(aligned(), noise(1.0), reference=noise(1 + 1 / RATE)) == (
        "the reference has another length"
    )
    assert enter(aligned(), noise(1.0), reference=noise(1.0, seed=1)).reference.n_samples == RATE


def test_any_other_reference_may_have_another_length():
    signal = asking(requires=frozenset({Requirement.REFERENCE}))
    assert enter(signal, noise(1.0), reference=noise(2.0)).reference.duration_s == 2.0


def test_rounding_of_two_rates_is_cut_to_one_length():
    clip, reference = noise(1.0, rate=11_025), noise(1.0 + 1 / 44_100, rate=44_100)
    item = enter(aligned(sample_rate=RATE), clip, reference=reference)
    assert item.audio.n_samples == item.reference.n_samples
    longer = noise(1.0 + 5 / 44_100, rate=44_100)
    assert reason(aligned(sample_rate=RATE), clip, reference=longer) == (
        "the reference has another length"
    )


def test_two_rates_are_not_compared_by_a_signal_of_any_rate():
    assert reason(aligned(), noise(), reference=noise(rate=8_000)) == (
        "the reference has another sample rate"
    )


def test_channels_of_an_aligned_reference_have_to_match_where_they_are_kept_apart():
    assert reason(aligned(channels="any"), noise(), reference=noise(channels=2)) == (
        "the reference has another number of channels"
    )


def test_a_bad_reference_does_not_matter_to_a_signal_that_does_not_compare():
    silence = Audio(np.zeros((1, RATE), np.float32), RATE)
    assert enter(asking(), noise(), reference=silence).reference is None
