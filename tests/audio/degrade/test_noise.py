import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auralign.audio.degrade import NOISES, add_babble, add_noise
from auralign.errors import AudioError, ConfigError
from auralign.types import Audio

pytestmark = pytest.mark.slow

RATE = 16_000


def sine(frequency: float, seconds: float = 1.0, amplitude: float = 0.3) -> Audio:
    t = np.arange(round(seconds * RATE)) / RATE
    return Audio((amplitude * np.sin(2 * np.pi * frequency * t)).astype(np.float32)[None], RATE)


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


def snr_db(clean, noisy):
    noise = noisy.samples - clean.samples
    return 10 * np.log10(np.mean(clean.samples**2.0) / np.mean(noise**2.0))


@pytest.mark.parametrize("wanted", [20.0, 0.0])
def test_babble_has_its_snr_and_repeats_talkers_that_are_shorter(wanted):
    talkers = [sine(frequency, 0.3) for frequency in (200, 310, 450)]
    noisy = add_babble(sine(1000), wanted, talkers, np.random.default_rng(0))
    assert snr_db(sine(1000), noisy) == pytest.approx(wanted, abs=0.01)
    power = np.abs(np.fft.rfft((noisy.samples - sine(1000).samples)[0])) ** 2
    heard = [power[f - 3 : f + 4].sum() / power.sum() for f in (200, 310, 450)]
    assert heard == pytest.approx([1 / 3] * 3, abs=0.05)  # talkers are equally loud


def test_talkers_of_another_rate_are_resampled():
    low = Audio(sine(300).samples[:, ::2], RATE // 2)
    noisy = add_babble(sine(1000), 0, [low, low, low], np.random.default_rng(0))
    power = np.abs(np.fft.rfft((noisy.samples - sine(1000).samples)[0])) ** 2
    assert np.argmax(power) == pytest.approx(300, abs=1)


def test_two_talkers_are_no_babble():
    with pytest.raises(AudioError, match="at least 3 other talkers, got 2"):
        add_babble(sine(440), 10, [sine(200)] * 2, np.random.default_rng(0))


def test_no_noise_is_the_identity():
    noisy = add_noise(sine(440), np.inf, "pink", np.random.default_rng(0))
    np.testing.assert_array_equal(noisy.samples, sine(440).samples)
