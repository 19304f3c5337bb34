import numpy as np
import pytest

from auralign.audio.degrade import Span, detune_bars
from auralign.errors import AudioError
from auralign.types import Audio

pytestmark = pytest.mark.slow

RATE = 8_000
BARS = tuple(Span(str(i), float(i), i + 1.0) for i in range(4))


def tone() -> Audio:
    t = np.arange(4 * RATE) / RATE
    return Audio((0.3 * np.sin(2 * np.pi * 440 * t)).astype(np.float32)[None], RATE)


def cents_of_bars(audio: Audio) -> list[float]:
    cents = []
    for i in range(4):
        part = audio.samples[0, i * RATE + 1000 : (i + 1) * RATE - 1000]
        spectrum = np.abs(np.fft.rfft(part * np.hanning(part.size), 1 << 19))
        cents.append(1200 * np.log2(np.argmax(spectrum) * RATE / (1 << 19) / 440))
    return cents


@pytest.mark.parametrize("cents", [12, 50, 100])
def test_every_other_bar_is_out_of_tune_by_the_cents(cents):
    for seed in (0, 1):
        found = cents_of_bars(detune_bars(tone(), BARS, cents, np.random.default_rng(seed)))
        assert found[0::2] == pytest.approx([0, 0], abs=1)
        assert np.abs(found[1::2]) == pytest.approx([cents, cents], abs=0.15 * cents + 1)
        assert found[1] == pytest.approx(found[3], abs=0.2 * cents)


def test_no_cents_leave_the_tone_in_tune():
    control = detune_bars(tone(), BARS, 0, np.random.default_rng(0))
    assert cents_of_bars(control) == pytest.approx([0] * 4, abs=0.1)
    assert control.n_samples == tone().n_samples


def test_one_bar_cannot_be_out_of_tune_with_itself():
    with pytest.raises(AudioError, match="at least 2 bars, got 1"):
        detune_bars(tone(), BARS[:1], 50, np.random.default_rng(0))
