from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auralign.audio.degrade.splice import Piece, join, room_tone, to_length, whole
from auralign.errors import AudioError
from auralign.types import Audio

pytestmark = pytest.mark.slow

RATE = 16_000


def sine(frequency: float, seconds: float = 1.0, level: float = 0.5) -> Audio:
    t = np.arange(round(seconds * RATE)) / RATE
    return Audio((level * np.cos(2 * np.pi * frequency * t)).astype(np.float32)[None], RATE)


def steepest(audio: Audio) -> float:
    """The largest step from one sample to the next: a click is a step."""
    return float(np.abs(np.diff(audio.samples[0])).max())


@given(cuts=st.lists(st.integers(0, 1000), max_size=8))
def test_pieces_that_continue_each_other_come_out_as_they_were(cuts):
    """Also pieces shorter than a fade: the gains at every joint add up to one."""
    audio = Audio(np.random.default_rng(0).normal(0, 0.1, (2, 1000)).astype(np.float32), RATE)
    edges = sorted({0, 1000, *cuts})
    pieces = [Piece(audio, a, b) for a, b in pairwise(edges)]
    np.testing.assert_allclose(join(pieces).samples, audio.samples, atol=1e-6)


@pytest.mark.parametrize("cut", [5000, 5013, 5029, 5040])
def test_a_cut_leaves_no_step_above_those_of_the_sound(cut):
    """At 200 Hz a period is 80 samples, so that these cuts are out of phase."""
    audio = sine(200)
    spliced = join([Piece(audio, 0, cut), Piece(audio, 9000, audio.n_samples)])
    hard = np.concatenate([audio.samples[0, :cut], audio.samples[0, 9000:]])
    assert steepest(spliced) < 1.1 * steepest(audio)
    assert spliced.n_samples == hard.size


def test_a_hard_cut_would_click():
    audio = sine(200)
    assert abs(audio.samples[0, 5040 - 1] - audio.samples[0, 9000]) > 5 * steepest(audio)


def test_what_begins_or_ends_in_the_midst_of_a_clip_is_faded():
    part = join([Piece(sine(200), 4000, 8000)])
    assert np.abs(part.samples[0, [0, -1]]).max() < 0.001
    np.testing.assert_array_equal(part.samples[:, 200:-200], sine(200).samples[:, 4200:7800])


def test_a_fade_takes_eight_milliseconds():
    silence = Audio(np.zeros((1, RATE), np.float32), RATE)
    ones = Audio(np.ones((1, RATE), np.float32), RATE)
    joined = join([whole(silence), whole(ones)]).samples[0]
    fading = np.flatnonzero((joined > 0) & (joined < 1))
    assert fading.size == 128
    assert fading.mean() == pytest.approx(RATE - 0.5)


def test_room_tone_is_made_of_the_quietest_part():
    loud, quiet = sine(300).samples, sine(500, 0.3, level=0.01).samples
    tone = room_tone(Audio(np.concatenate([loud, quiet, loud], axis=1), RATE), RATE)
    assert tone.n_samples == RATE
    assert np.sqrt(np.mean(tone.samples**2)) == pytest.approx(0.01 / np.sqrt(2), rel=0.05)
    assert steepest(tone) < 1.1 * steepest(sine(500, level=0.01))


def test_a_clip_is_cut_or_continued_to_a_length():
    audio = sine(300, 0.5)
    assert to_length(audio, 100).n_samples == 100
    longer = to_length(audio, 20_000)
    assert longer.n_samples == 20_000
    np.testing.assert_allclose(longer.samples[:, :7900], audio.samples[:, :7900], atol=1e-6)
    assert steepest(longer) < 1.1 * steepest(audio)


def test_nothing_cannot_be_joined():
    with pytest.raises(AudioError, match="nothing is left to join"):
        join([Piece(sine(200), 5, 5)])


def test_rates_and_channels_have_to_agree():
    with pytest.raises(AudioError, match="one rate and number of channels"):
        join([whole(sine(200)), whole(Audio(sine(200).samples, 8000))])
