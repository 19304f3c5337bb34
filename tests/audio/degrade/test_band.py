import numpy as np
import pytest

from auralign.audio.degrade import low_pass
from auralign.errors import AudioError, ConfigError
from auralign.types import Audio

pytestmark = pytest.mark.slow

RATE = 16_000


def click() -> Audio:
    samples = np.zeros((2, RATE), dtype=np.float32)
    samples[:, RATE // 2] = 1
    return Audio(samples, RATE)


@pytest.mark.parametrize("cutoff_hz", [6000, 4000, 2000, 1000])
def test_it_passes_below_and_stops_above_the_cutoff(cutoff_hz):
    """60 dB above the transition of 200 Hz, and 0.1 % of ripple below it."""
    response = np.abs(np.fft.rfft(low_pass(click(), cutoff_hz).samples[0]))  # bins of 1 Hz
    np.testing.assert_allclose(response[: cutoff_hz - 100], 1, atol=1.2e-3)
    assert response[cutoff_hz + 100 :].max() < 1.2e-3
    assert response[cutoff_hz] == pytest.approx(0.5, abs=0.01)


def test_it_has_no_delay_and_keeps_the_length():
    filtered = low_pass(click(), 2000)
    assert filtered.samples.shape == click().samples.shape
    np.testing.assert_array_equal(np.abs(filtered.samples).argmax(axis=1), RATE // 2)


def test_no_cutoff_is_the_identity():
    np.testing.assert_array_equal(low_pass(click(), np.inf).samples, click().samples)


def test_a_cutoff_at_the_nyquist_frequency_says_that_it_changes_nothing():
    with pytest.raises(AudioError, match="8000 Hz changes nothing at a sample rate of 16000 Hz"):
        low_pass(click(), 8000)


@pytest.mark.parametrize("cutoff_hz", [100, 0, -5, float("nan")])
def test_a_cutoff_that_is_none_is_an_error(cutoff_hz):
    with pytest.raises(ConfigError, match="above 100 Hz"):
        low_pass(click(), cutoff_hz)
