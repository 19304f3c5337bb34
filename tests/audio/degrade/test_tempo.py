import numpy as np
import pytest

from auralign.audio.degrade import move_beats, stretch
from auralign.errors import AudioError, ConfigError
from auralign.types import Audio

pytestmark = pytest.mark.slow

RATE = 16_000


def sine(frequency: float, seconds: float = 1.0, amplitude: float = 0.3) -> Audio:
    t = np.arange(round(seconds * RATE)) / RATE
    return Audio((amplitude * np.sin(2 * np.pi * frequency * t)).astype(np.float32)[None], RATE)


def dominant_hz(audio: Audio) -> float:
    spectrum = np.abs(np.fft.rfft(audio.mono() * np.hanning(audio.n_samples), 1 << 18))
    return float(np.argmax(spectrum) * audio.sample_rate / (1 << 18))


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


@pytest.mark.parametrize("factor", [0.7, 0.85, 1.15, 1.4])
def test_durations_are_exact_to_a_thousandth(factor):
    audio = sine(220, 2.3)
    assert stretch(audio, factor).duration_s / audio.duration_s == pytest.approx(factor, rel=1e-3)


BEATS = (0.5, 1.0, 1.5, 2.0, 2.5)


def ticks(times=BEATS, seconds: float = 3.0) -> Audio:
    """A quiet tone and on each beat a burst of 5 ms."""
    samples = sine(150, seconds, amplitude=0.01).samples.copy()
    for time in times:
        begin = round(time * RATE)
        samples[0, begin : begin + 80] += 0.5 * np.hanning(80).astype(np.float32)
    return Audio(samples, RATE)


def onsets_s(audio: Audio) -> np.ndarray:
    loud = np.flatnonzero(np.abs(audio.samples[0]) > 0.2)
    first = np.concatenate([[True], np.diff(loud) > 0.1 * RATE])
    return loud[first] / RATE


@pytest.mark.parametrize("shift_s", [0.02, 0.04, 0.08])
def test_every_beat_is_early_or_late_by_the_shift(shift_s):
    moved = move_beats(ticks(), BEATS, shift_s, np.random.default_rng(3))
    distance = onsets_s(moved) - onsets_s(ticks())
    np.testing.assert_allclose(np.abs(distance), shift_s, atol=0.012)  # WSOLA moves by 10 ms
    assert moved.n_samples == ticks().n_samples
    assert set(np.sign(distance)) == {-1, 1}


def test_the_same_state_moves_the_beats_the_same_way():
    ways = [
        np.sign(
            onsets_s(move_beats(ticks(), BEATS, s, np.random.default_rng(3))) - onsets_s(ticks())
        )
        for s in (0.04, 0.08)
    ]
    np.testing.assert_array_equal(*ways)


@pytest.mark.parametrize(
    ("beats", "shift_s", "message"),
    [
        ((), 0.01, "got none"),
        ((1.0, 0.5), 0.01, "beats that rise within"),
        ((1.0, 4.0), 0.01, "beats that rise within"),
        (BEATS, 0.4, "too close together to be moved by 0.4 s"),
    ],
)
def test_beats_that_cannot_be_moved_are_an_error(beats, shift_s, message):
    with pytest.raises(AudioError, match=message):
        move_beats(ticks(), beats, shift_s, np.random.default_rng(0))
