import numpy as np
import pytest

from auralign.audio.degrade import clip_at_quantile, clip_hard, mu_law, reduce_bits
from auralign.audio.levels import clipping_share
from auralign.errors import ConfigError
from auralign.types import Audio

pytestmark = pytest.mark.slow

RATE = 16_000


def sine(frequency: float, seconds: float = 1.0, amplitude: float = 0.3) -> Audio:
    t = np.arange(round(seconds * RATE)) / RATE
    return Audio((amplitude * np.sin(2 * np.pi * frequency * t)).astype(np.float32)[None], RATE)


def test_clipping_cuts_at_the_drive_below_the_peak_and_leaves_the_rest():
    audio = sine(200, amplitude=0.4)
    clipped = clip_hard(audio, 6.0)
    ceiling = np.abs(audio.samples).max() * 10 ** (-6 / 20)
    below = np.abs(audio.samples) < ceiling
    np.testing.assert_array_equal(clipped.samples[below], audio.samples[below])
    np.testing.assert_allclose(np.abs(clipped.samples[~below]), ceiling, rtol=1e-6)


def test_no_drive_changes_nothing():
    audio = sine(200)
    np.testing.assert_array_equal(clip_hard(audio, 0.0).samples, audio.samples)


def test_more_drive_clips_more():
    noise = np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    smooth = np.convolve(noise, np.hanning(40), mode="same").astype(np.float32)
    audio = Audio(0.5 * smooth[None] / np.abs(smooth).max(), RATE)
    shares = [clipping_share(clip_hard(audio, drive)) for drive in (0, 6, 12, 24)]
    assert shares == sorted(shares)
    assert shares[0] < 0.001
    assert shares[-1] > 0.3


def uniform(n: int = 100_000) -> Audio:
    samples = np.random.default_rng(0).uniform(-1, 1, (1, n)).astype(np.float32)
    return Audio(samples, RATE)


@pytest.mark.parametrize("quantile", [0.999, 0.9, 0.5])
def test_the_share_above_the_quantile_is_flattened(quantile):
    clipped = clip_at_quantile(uniform(), quantile).samples
    assert np.mean(np.abs(clipped) == np.abs(clipped).max()) == pytest.approx(
        1 - quantile, abs=1e-4
    )


def test_the_quantile_one_changes_nothing():
    np.testing.assert_array_equal(clip_at_quantile(uniform(), 1).samples, uniform().samples)


@pytest.mark.parametrize("bits", [4, 8, 10])
def test_quantisation_noise_is_a_twelfth_of_the_squared_step(bits):
    step = 2 / 2**bits
    samples = uniform().samples * (1 - 2 * step)  # none beyond the highest level
    error = reduce_bits(Audio(samples, RATE), bits).samples - samples
    assert np.mean(error**2.0) == pytest.approx(step**2 / 12, rel=0.02)


def test_sixteen_bits_change_nothing_that_has_sixteen():
    samples = np.round(uniform().samples * 32_768) / np.float32(32_768)
    samples = np.clip(samples, -1, 32_767 / 32_768)
    np.testing.assert_array_equal(reduce_bits(Audio(samples, RATE), 16).samples, samples)


@pytest.mark.parametrize("gain_db", [0, -20, -40])
def test_the_noise_of_mu_law_follows_the_signal(gain_db):
    """The SNR of 8-bit mu-law for a uniform signal stays within 33 to 40 dB over 40 dB."""
    samples = uniform().samples * 10 ** (gain_db / 20)
    error = mu_law(Audio(samples, RATE), 8).samples - samples
    assert 33 < 10 * np.log10(np.mean(samples**2.0) / np.mean(error**2.0)) < 40


def test_mu_law_has_no_more_values_than_codes():
    assert np.unique(mu_law(uniform(), 4).samples).size == 15  # zero is a code of its own


@pytest.mark.parametrize("bits", [1, 25, 7.5, float("nan")])
def test_bits_that_are_none_are_an_error(bits):
    for quantiser in (reduce_bits, mu_law):
        with pytest.raises(ConfigError, match="2 to 24 whole bits"):
            quantiser(uniform(), bits)


@pytest.mark.parametrize("quantile", [0.0, -1.0, 1.1, float("nan")])
def test_a_quantile_that_is_none_is_an_error(quantile):
    with pytest.raises(ConfigError, match="above 0 and up to 1"):
        clip_at_quantile(uniform(), quantile)
