import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auralign.audio.degrade import NOISES, add_noise, clip_hard, stretch
from auralign.audio.levels import clipping_share
from auralign.errors import AudioError, ConfigError
from auralign.types import Audio

RATE = 16_000


def sine(frequency: float, seconds: float = 1.0, amplitude: float = 0.3) -> Audio:
    t = np.arange(round(seconds * RATE)) / RATE
    return Audio((amplitude * np.sin(2 * np.pi * frequency * t)).astype(np.float32)[None], RATE)


def dominant_hz(audio: Audio) -> float:
    spectrum = np.abs(np.fft.rfft(audio.mono() * np.hanning(audio.n_samples), 1 << 18))
    return float(np.argmax(spectrum) * audio.sample_rate / (1 << 18))


@given(
    snr_db=st.floats(-10, 40),
    colour=st.sampled_from(sorted(NOISES)),
    channels=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_the_noise_has_the_snr_that_was_asked(snr_db, colour, channels, seed):
    audio = Audio(np.repeat(sine(440, 0.2).samples, channels, axis=0), RATE)
    noise = add_noise(audio, snr_db, colour, np.random.default_rng(seed)).samples - audio.samples
    snr = 10 * np.log10(np.mean(audio.samples**2.0) / np.mean(noise**2.0))
    assert snr == pytest.approx(snr_db, abs=0.05)


@pytest.mark.parametrize(("colour", "slope_db"), [("pink", -3.01), ("white", 0.0)])
def test_noise_falls_by_its_slope_per_octave(colour, slope_db):
    silence_with_a_click = np.zeros((1, 20 * RATE), dtype=np.float32)
    silence_with_a_click[0, 0] = 1
    noisy = add_noise(
        Audio(silence_with_a_click, RATE), -40, colour, np.random.default_rng(0)
    ).samples[0]
    power = np.abs(np.fft.rfft(noisy)) ** 2
    hz = np.fft.rfftfreq(noisy.size, 1 / RATE)
    octaves = [power[(hz >= low) & (hz < 2 * low)].mean() for low in (100, 200, 400, 800, 1600)]
    slopes = np.diff(10 * np.log10(octaves))
    assert slopes.mean() == pytest.approx(slope_db, abs=0.2)


def test_hum_sits_on_the_odd_harmonics_of_50_hz():
    audio = sine(3000)
    noise = add_noise(audio, 0, "hum", np.random.default_rng(0)).samples - audio.samples
    power = np.abs(np.fft.rfft(noise[0])) ** 2  # one second: a bin is 1 Hz
    assert power[[50, 150, 250, 350]].sum() == pytest.approx(power.sum(), rel=1e-3)
    assert power[150] / power[50] == pytest.approx(1 / 9, rel=0.01)


def test_noise_is_drawn_from_the_generator_alone():
    once, again, other = (
        add_noise(sine(440), 10, "pink", np.random.default_rng(seed)).samples for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(once, again)
    assert np.abs(once - other).max() > 0.01


def test_an_unknown_colour_suggests_the_near_one():
    with pytest.raises(ConfigError, match=r"'pinc' is not one of .*did you mean 'pink'"):
        add_noise(sine(440), 10, "pinc", np.random.default_rng(0))


def test_silence_has_no_snr():
    with pytest.raises(AudioError, match="this one is silent"):
        add_noise(
            Audio(np.zeros((1, 100), np.float32), RATE), 10, "white", np.random.default_rng(0)
        )


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


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.0, 1.8, 3.0])
@pytest.mark.parametrize("frequency", [110.0, 440.0, 1234.0])
def test_stretching_keeps_the_pitch_and_level_and_changes_the_duration(factor, frequency):
    audio = sine(frequency)
    stretched = stretch(audio, factor)
    assert stretched.n_samples == round(audio.n_samples * factor)
    assert dominant_hz(stretched) == pytest.approx(frequency, rel=0.01)
    middle = stretched.samples[0, 2000:-2000]
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.05)


def test_stretching_by_one_is_the_identity():
    rng = np.random.default_rng(0)
    audio = Audio(rng.uniform(-0.5, 0.5, (2, RATE)).astype(np.float32), RATE)
    stretched = stretch(audio, 1.0).samples
    np.testing.assert_allclose(
        stretched[:, : RATE - 800], audio.samples[:, : RATE - 800], atol=1e-6
    )


def test_stretching_keeps_the_channels_in_step():
    left = sine(300).samples[0]
    stretched = stretch(Audio(np.stack([left, -0.5 * left]), RATE), 1.7).samples
    np.testing.assert_allclose(stretched[1], -0.5 * stretched[0], atol=1e-6)


@pytest.mark.parametrize("factor", [0.0, -1.0, 9.0, float("nan")])
def test_a_factor_out_of_range_is_an_error(factor):
    with pytest.raises(ConfigError, match=r"from 0.25 to 4"):
        stretch(sine(440), factor)


def test_a_clip_shorter_than_its_windows_cannot_be_stretched():
    with pytest.raises(AudioError, match=r"at least 0.06 s, this one has 0.010 s"):
        stretch(sine(440, seconds=0.01), 2.0)
