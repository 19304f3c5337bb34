import numpy as np
import pytest

from auralign.signals.measures.functionals import UNITS, speech_functionals
from auralign.signals.signal import Missing
from auralign.types import Audio

pytestmark = pytest.mark.slow

RATE = 16_000


def syllables(f0: float = 150.0, rate: float = 4.0, seconds: float = 3.0) -> Audio:
    """A buzz that swells `rate` times a second, over faint noise."""
    t = np.arange(round(seconds * RATE)) / RATE
    buzz = sum(np.sin(2 * np.pi * f0 * k * t) / k for k in range(1, int(6000 / f0)))
    level = 10 ** ((-12 + 12 * np.cos(2 * np.pi * rate * t)) / 20)
    noise = 1e-3 * np.random.default_rng(0).standard_normal(t.size)
    return Audio((0.1 * level * buzz + noise).astype(np.float32)[None], RATE)


def test_there_are_60_to_90_and_each_has_a_value_for_a_voice():
    found = speech_functionals(syllables())
    assert list(found) == list(UNITS)
    assert 60 <= len(found) <= 90
    missing = {name for name, value in found.items() if isinstance(value, Missing)}
    assert missing <= {"unvoiced_stretch_mean", "unvoiced_stretch_sd"}


def test_what_needs_a_voice_is_missing_without_one():
    noise = 0.1 * np.random.default_rng(0).standard_normal((1, RATE))
    found = speech_functionals(Audio(noise.astype(np.float32), RATE))
    for name in ("f0_mean", "jitter", "shimmer", "hnr_mean"):
        assert isinstance(found[name], Missing)
    assert found["voiced_share"] == pytest.approx(0, abs=0.03)
    assert not isinstance(found["mfcc1_mean"], Missing)


def test_the_pitch_is_in_semitones_over_100_hz():
    found = speech_functionals(syllables(f0=200.0))
    assert found["f0_mean"] == pytest.approx(12, abs=0.05)
    assert found["f0_p50"] == pytest.approx(12, abs=0.05)
    assert found["f0_sd"] < 0.1


@pytest.mark.parametrize("rate", [3.0, 5.0, 7.0])
def test_syllables_are_counted_and_seen_in_the_modulation(rate):
    found = speech_functionals(syllables(rate=rate))
    assert found["syllable_peaks_per_s"] == pytest.approx(rate, abs=0.4)
    shares = [found[f"modulation{k}_share"] for k in (1, 2, 3, 4)]
    assert sum(shares) == pytest.approx(1)
    assert int(np.argmax(shares)) == (1 if rate < 4 else 2)


@pytest.mark.parametrize("gain_db", [-20.0, -7.3, 10.0])
def test_a_gain_moves_the_level_and_nothing_else(gain_db):
    audio = syllables(seconds=1.0)
    louder = Audio(audio.samples * np.float32(10 ** (gain_db / 20)), RATE)
    before, after = speech_functionals(audio), speech_functionals(louder)
    levels = {"level_mean", "level_p20", "level_p50", "level_p80"}
    for name, value in before.items():
        if not isinstance(value, Missing):
            moved = gain_db if name in levels else 0.0
            assert after[name] - value == pytest.approx(moved, abs=max(0.02, 5e-3 * abs(value)))


def test_the_level_of_a_full_scale_sine_is_minus_3_01():
    t = np.arange(RATE) / RATE
    sine = Audio(np.sin(2 * np.pi * 440 * t).astype(np.float32)[None], RATE)
    assert speech_functionals(sine)["level_p50"] == pytest.approx(-3.01, abs=0.02)


def test_a_spectrum_of_known_slope_has_it():
    n = 4 * RATE
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal(n))
    khz = np.fft.rfftfreq(n, 1 / RATE) / 1000
    falling = np.fft.irfft(spectrum * 10 ** (-20 * khz / 20), n)
    found = speech_functionals(
        Audio((0.01 * falling / falling.std()).astype(np.float32)[None], RATE)
    )
    assert found["slope_low_mean"] == pytest.approx(-20, abs=2)
    assert found["slope_high_mean"] == pytest.approx(-20, abs=2)
    # Power falls as 10^(-2 khz): what lies between the limits follows by integration.
    share = (10**-0.1 - 10**-2) / (10**-2 - 10**-10)
    assert found["alpha_ratio_mean"] == pytest.approx(10 * np.log10(share), abs=1.0)


def test_a_sine_has_its_centroid_and_no_spread():
    t = np.arange(RATE) / RATE
    sine = np.sin(2 * np.pi * 1000 * t) * np.minimum(1, np.minimum(t, 1 - t) * 20)
    found = speech_functionals(Audio((0.5 * sine).astype(np.float32)[None], RATE))
    assert found["centroid_mean"] == pytest.approx(1000, abs=5)
    assert found["spread_mean"] < 60
    assert found["rolloff_mean"] == pytest.approx(1000, abs=40)
    assert found["flux_mean"] < 0.05


def test_silence_is_no_error():
    found = speech_functionals(Audio(np.zeros((1, RATE), dtype=np.float32), RATE))
    assert isinstance(found["f0_mean"], Missing)
