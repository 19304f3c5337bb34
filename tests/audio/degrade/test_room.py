import numpy as np
import pytest

from auralign.audio.degrade import reverberate
from auralign.errors import ConfigError
from auralign.types import Audio

pytestmark = pytest.mark.slow

RATE = 16_000


def click(seconds: float) -> Audio:
    samples = np.zeros((1, round(seconds * RATE)), dtype=np.float32)
    samples[0, 0] = 1
    return Audio(samples, RATE)


def rt60_s(response: np.ndarray) -> float:
    """Schroeder 1965: backward integration, and the slope from -5 to -35 dB (T30, ISO 3382)."""
    response = response[RATE // 200 :]  # without the direct sound
    decay = np.cumsum(response[::-1].astype(np.float64) ** 2)[::-1]
    level = 10 * np.log10(decay / decay[0])
    part = (level <= -5) & (level >= -35)
    slope = np.polyfit(np.flatnonzero(part) / RATE, level[part], 1)[0]
    return -60 / slope


@pytest.mark.parametrize("wanted", [0.2, 0.4, 0.8, 1.6])
def test_the_reverberation_falls_by_60_db_in_its_time(wanted):
    wet = reverberate(click(1.5 * wanted), wanted, np.random.default_rng(0))
    assert rt60_s(wet.samples[0]) == pytest.approx(wanted, rel=0.05)


@pytest.mark.parametrize("wanted", [0.2, 0.8])
def test_the_tail_is_as_loud_as_the_critical_distance_says(wanted):
    """Sabine: the reverberant sound is (r / r_c)^2 of the direct one, r_c = 0.057 sqrt(V / T)."""
    wet = reverberate(click(3.0), wanted, np.random.default_rng(0)).samples[0]
    critical = 0.057 * np.sqrt(100.0 / wanted)
    assert np.sum(wet[1:] ** 2.0) / wet[0] ** 2 == pytest.approx((1.5 / critical) ** 2, rel=1e-3)


def test_no_reverberation_is_the_identity():
    audio = Audio(np.random.default_rng(1).uniform(-1, 1, (2, 999)).astype(np.float32), RATE)
    dry = reverberate(audio, 0, np.random.default_rng(0))
    np.testing.assert_allclose(dry.samples, audio.samples, atol=1e-6)


def test_one_state_is_one_room():
    """Two RT60 share the reflections: their tails are in proportion to an exponential."""
    first, second = (
        reverberate(click(0.2), t, np.random.default_rng(5)).samples[0, 81:] for t in (0.4, 0.8)
    )
    ratio = np.log(np.abs(second / first))
    slope, _ = np.polyfit(np.arange(ratio.size) / RATE, ratio, 1)
    assert slope == pytest.approx(3 * np.log(10) * (1 / 0.4 - 1 / 0.8), rel=1e-3)


@pytest.mark.parametrize("rt60", [-0.1, 11, float("nan")])
def test_an_rt60_that_is_none_is_an_error(rt60):
    with pytest.raises(ConfigError, match="RT60 from 0 to 10 s"):
        reverberate(click(1), rt60, np.random.default_rng(0))
