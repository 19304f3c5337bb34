import numpy as np
import pytest

from auralign.audio.periods import period_marks, perturbation
from auralign.audio.pitch import pitch
from auralign.types import Audio

pytestmark = pytest.mark.slow

RATE = 16_000


def pulses(periods: np.ndarray, amplitudes: np.ndarray) -> Audio:
    """Two resonances for each pulse, at fractional places, that die away within a period."""
    begins = 100 + np.concatenate([[0], np.cumsum(periods)[:-1]])
    samples = np.zeros(round(begins[-1]) + 500)
    for begin, amplitude in zip(begins, amplitudes, strict=True):
        first = int(np.ceil(begin))
        t = (np.arange(300) + first - begin) / RATE
        low = np.exp(-800 * t) * np.sin(2 * np.pi * 500 * t)
        samples[first : first + 300] += amplitude * (low + 0.5 * low * np.cos(2 * np.pi * 900 * t))
    return Audio((0.2 * samples).astype(np.float32)[None], RATE)


def changed(share: float, n: int = 240) -> np.ndarray:
    return 1 + share * np.random.default_rng(0).standard_normal(n)


def relative_change(values: np.ndarray) -> float:
    return np.abs(np.diff(values)).mean() / values.mean()


@pytest.mark.parametrize("jitter", [0.005, 0.01, 0.02])
def test_jitter_is_the_relative_change_of_the_periods(jitter):
    periods = RATE / 120 * changed(jitter)
    found = perturbation(pulses(periods, np.ones(240)))
    assert found.jitter == pytest.approx(relative_change(periods), rel=0.06)
    assert found.n_periods > 230


@pytest.mark.parametrize("shimmer", [0.03, 0.1])
def test_shimmer_is_the_relative_change_of_the_amplitudes(shimmer):
    amplitudes = changed(shimmer)
    found = perturbation(pulses(np.full(240, RATE / 120), amplitudes))
    assert found.shimmer == pytest.approx(relative_change(amplitudes), rel=0.06)


def test_a_regular_voice_has_neither():
    found = perturbation(pulses(np.full(240, RATE / 120), np.ones(240)))
    assert found.jitter < 3e-4
    assert found.shimmer < 1e-3


def test_the_marks_lie_one_period_apart():
    audio = pulses(np.full(100, RATE / 150), np.ones(100))
    (marks,) = period_marks(audio, pitch(audio))
    assert marks.size > 95
    assert np.diff(marks) == pytest.approx(np.full(marks.size - 1, RATE / 150), abs=0.1)


def test_noise_has_no_periods():
    noise = np.random.default_rng(0).standard_normal((1, RATE)).astype(np.float32)
    assert perturbation(Audio(noise, RATE)) is None
    assert perturbation(Audio(0 * noise, RATE)) is None
    assert perturbation(Audio(noise[:, :100], RATE)) is None


def test_it_agrees_with_praat():
    parselmouth = pytest.importorskip("parselmouth")
    call = parselmouth.praat.call
    audio = pulses(RATE / 120 * changed(0.01), changed(0.08))
    sound = parselmouth.Sound(audio.samples[0].astype(np.float64), RATE)
    track = sound.to_pitch_ac(time_step=0.01, pitch_floor=75.0, pitch_ceiling=500.0)
    points = call([sound, track], "To PointProcess (cc)")
    limits = (0, 0, 0.0001, 0.02, 1.3)
    found = perturbation(audio)
    assert found.jitter == pytest.approx(call(points, "Get jitter (local)", *limits), rel=0.05)
    theirs = call([sound, points], "Get shimmer (local)", *limits, 1.6)
    assert found.shimmer == pytest.approx(theirs, rel=0.05)
