import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auralign.audio.pitch import frame_centres, pitch
from auralign.types import Audio

pytestmark = pytest.mark.slow

RATE = 16_000


def harmonic(f0: np.ndarray | float, seconds: float = 0.5, rate: int = RATE) -> Audio:
    """Harmonics up to 3 kHz that fall by 6 dB an octave."""
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(f0, round(seconds * rate))) / rate
    n_harmonics = int(3000 / np.max(f0))
    tone = sum(np.sin(k * phase + k * k) / k for k in range(1, n_harmonics + 1))
    return Audio((0.1 * np.asarray(tone)).astype(np.float32)[None], rate)


@settings(max_examples=25)
@given(f0=st.floats(80, 480), rate=st.sampled_from([8_000, 16_000, 44_100]))
def test_the_pitch_of_a_steady_tone_is_exact(f0, rate):
    track = pitch(harmonic(f0, 0.3, rate))
    assert track.voiced.all()
    assert track.f0 == pytest.approx(np.full(track.f0.size, f0), rel=2e-3)
    assert (track.strength > 0.98).all()


def test_a_glide_is_followed_at_the_centres_of_the_frames():
    f0 = np.linspace(120, 240, RATE)
    audio = harmonic(f0, 1.0)
    track = pitch(audio)
    centres = frame_centres(audio, track.f0.size)
    assert track.f0 == pytest.approx(np.interp(centres, np.arange(RATE), f0), rel=0.01)


def test_a_missing_fundamental_is_heard():
    t = np.arange(RATE) / RATE
    upper = sum(np.sin(2 * np.pi * 150 * k * t) for k in (3, 4, 5, 6))
    track = pitch(Audio((0.1 * upper).astype(np.float32)[None], RATE))
    assert track.f0 == pytest.approx(np.full(track.f0.size, 150.0), rel=1e-3)


def test_noise_and_silence_have_no_pitch():
    rng = np.random.default_rng(0)
    assert (
        pitch(Audio(rng.standard_normal((1, RATE)).astype(np.float32), RATE)).voiced.mean() < 0.02
    )
    assert not pitch(Audio(np.zeros((1, RATE), dtype=np.float32), RATE)).voiced.any()


def test_what_is_31_db_below_the_loudest_is_silence():
    loud = harmonic(150).samples
    quiet = np.concatenate([loud, loud * 10 ** (-40 / 20)], axis=1)
    track = pitch(Audio(quiet, RATE))
    half = track.f0.size // 2
    assert track.voiced[: half - 3].all()
    assert not track.voiced[half + 3 :].any()


@settings(max_examples=25)
@given(gain_db=st.floats(-50, 20))
def test_neither_level_nor_offset_nor_sign_matters(gain_db):
    audio = harmonic(np.linspace(100, 200, RATE // 2))
    other = Audio((0.01 - audio.samples * 10 ** (gain_db / 20)).astype(np.float32), RATE)
    assert pitch(other).f0 == pytest.approx(pitch(audio).f0, rel=1e-3)


@pytest.mark.parametrize("n", [0, 1, 100, 639, 640, 641])
def test_a_short_clip_has_few_frames_or_none(n):
    assert pitch(Audio(np.ones((1, n), dtype=np.float32), RATE)).f0.size == (n >= 640)


def test_many_frames_are_the_same_as_few():
    audio = harmonic(np.linspace(90, 300, 13 * RATE), 13.0)
    last = Audio(audio.samples[:, 11 * RATE :], RATE)
    assert pitch(audio).f0[1100:] == pytest.approx(pitch(last).f0, rel=1e-4)


def test_it_agrees_with_praat():
    parselmouth = pytest.importorskip("parselmouth")
    rng = np.random.default_rng(0)
    f0 = 130 * 2 ** (np.sin(np.arange(2 * RATE) / RATE * 5) / 3)
    samples = harmonic(f0, 2.0).samples + 0.02 * rng.standard_normal(2 * RATE)
    samples[:, RATE // 2 : 3 * RATE // 4] = 0.01 * rng.standard_normal(RATE // 4)
    audio = Audio(samples.astype(np.float32), RATE)
    praat = parselmouth.Sound(audio.samples[0].astype(np.float64), RATE).to_pitch_ac(
        time_step=0.01, pitch_floor=75.0, pitch_ceiling=500.0
    )
    theirs = np.nan_to_num(praat.selected_array["frequency"])
    ours = pitch(audio)
    at = np.abs(praat.xs()[:, None] - frame_centres(audio, ours.f0.size) / RATE).argmin(axis=0)
    both = ours.voiced & (theirs[at] > 0)
    assert both.mean() > 0.8
    assert np.mean(ours.voiced != (theirs[at] > 0)) < 0.03
    assert np.median(np.abs(ours.f0[both] / theirs[at][both] - 1)) < 0.005
