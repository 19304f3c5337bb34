import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auralign.audio.features import log_mel
from auralign.audio.mfcc import N_CEPSTRA, SETTINGS, delta, mfcc
from auralign.types import Audio


def noise(n: int, rate: int = 16_000, channels: int = 1, seed: int = 0) -> Audio:
    samples = 0.1 * np.random.default_rng(seed).standard_normal((channels, n))
    return Audio(samples.astype(np.float32), rate)


def test_cepstra_are_the_orthonormal_cosine_transform_of_the_log_mel_bands():
    audio = noise(4000)
    bands = log_mel(audio.samples, SETTINGS)[0].astype(np.float64)
    n = bands.shape[1]
    k, m = np.arange(N_CEPSTRA), np.arange(n)[:, None]
    cosines = np.sqrt(2 / n) * np.cos(np.pi * k * (m + 0.5) / n)
    cosines[:, 0] /= np.sqrt(2)
    cepstra = bands @ cosines
    expected = cepstra - cepstra.mean(axis=0)
    np.testing.assert_allclose(mfcc(audio)[:, :N_CEPSTRA], expected, atol=1e-4)


def test_there_are_39_features_a_hundred_times_a_second():
    features = mfcc(noise(16_000))
    assert features.shape == (101, 39)  # frames are centred: one at each end
    assert features.dtype == np.float32


@given(gain_db=st.floats(-20, 20))
def test_gain_does_not_change_them(gain_db):
    audio = noise(3000)
    louder = Audio(audio.samples * np.float32(10 ** (gain_db / 20)), audio.sample_rate)
    np.testing.assert_allclose(mfcc(louder), mfcc(audio), atol=1e-3)


def test_delta_is_the_slope_of_a_ramp():
    ramp = np.arange(20, dtype=np.float32)[:, None] * np.array([1.0, -3.0], dtype=np.float32)
    np.testing.assert_allclose(delta(ramp)[2:-2], np.tile([1.0, -3.0], (16, 1)), rtol=1e-6)


def test_delta_equals_its_definition_frame_by_frame():
    c = np.random.default_rng(0).standard_normal((9, 3)).astype(np.float32)

    def at(t: int) -> np.ndarray:
        return c[min(max(t, 0), len(c) - 1)]

    slow = [sum(k * (at(t + k) - at(t - k)) for k in (1, 2)) / (2 * (1 + 4)) for t in range(len(c))]
    np.testing.assert_allclose(delta(c), slow, rtol=1e-5, atol=1e-6)


def test_other_rates_and_channels_are_brought_to_16_khz_mono():
    t = np.arange(44_100) / 44_100
    sweep = np.sin(2 * np.pi * (300 * t + 1000 * t**2)).astype(np.float32)
    stereo = mfcc(Audio(np.stack([sweep, sweep]), 44_100))
    t = np.arange(16_000) / 16_000
    direct = mfcc(
        Audio(np.sin(2 * np.pi * (300 * t + 1000 * t**2)).astype(np.float32)[None], 16_000)
    )
    assert stereo.shape == direct.shape
    inner = slice(3, -3)
    assert np.corrcoef(stereo[inner, 1], direct[inner, 1])[0, 1] > 0.99


@pytest.mark.parametrize("n", [1, 50, 400])
def test_very_short_clips_have_at_least_one_frame(n):
    features = mfcc(noise(n))
    assert len(features) >= 1
    assert np.isfinite(features).all()
