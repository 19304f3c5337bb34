import numpy as np
import pytest

from auralign.audio.degrade import flatten_intonation, shift_pitch
from auralign.audio.pitch import pitch
from auralign.errors import AudioError, ConfigError
from auralign.types import Audio

pytestmark = pytest.mark.slow

RATE = 16_000


def voice(seconds: float = 1.5, extent_st: float = 3.0, f0_hz: float = 160.0) -> Audio:
    """Harmonics under two formants, with a melody of that extent, twice a second."""
    t = np.arange(round(seconds * RATE)) / RATE
    f0 = f0_hz * 2 ** (extent_st / 12 * np.sin(2 * np.pi * 2 * t))
    phase = 2 * np.pi * np.cumsum(f0) / RATE
    harmonics = np.arange(1, 40)[:, None]
    hz = harmonics * f0
    gain = 1 / (1 + ((hz - 900) / 200) ** 2) + 0.5 / (1 + ((hz - 1800) / 300) ** 2)
    samples = (gain * np.sin(harmonics * phase)).sum(axis=0)
    return Audio((0.3 * samples / np.abs(samples).max()).astype(np.float32)[None], RATE)


def semitones(audio: Audio) -> np.ndarray:
    f0 = pitch(audio).f0
    return 12 * np.log2(f0[np.isfinite(f0)] / 100)


def centre_hz(audio: Audio) -> float:
    """Centre of the power spectrum: where the formants are."""
    spectrum = np.abs(np.fft.rfft(audio.mono() * np.hanning(audio.n_samples))) ** 2
    return float(np.average(np.fft.rfftfreq(audio.n_samples, 1 / RATE), weights=spectrum))


def test_the_melody_is_scaled_around_its_mean():
    extents = [semitones(flatten_intonation(voice(), share)).std() for share in (1, 0.5, 0.25, 0)]
    assert extents[0] == pytest.approx(semitones(voice()).std(), rel=1e-6)
    assert extents[1] == pytest.approx(extents[0] / 2, rel=0.1)
    assert extents[2] == pytest.approx(extents[0] / 4, rel=0.1)
    assert extents[3] < 0.1 * extents[0]


def test_the_mean_duration_and_formants_stay():
    flat = flatten_intonation(voice(), 0)
    assert flat.n_samples == voice().n_samples
    assert semitones(flat).mean() == pytest.approx(semitones(voice()).mean(), abs=0.1)
    assert centre_hz(flat) == pytest.approx(centre_hz(voice()), rel=0.05)


def test_resynthesis_of_the_same_melody_is_the_identity():
    control = flatten_intonation(voice(), 1)
    np.testing.assert_allclose(control.samples, voice().samples, atol=1e-6)


@pytest.mark.parametrize("shift", [-6, -2, 1, 4])
@pytest.mark.parametrize("keep_formants", [True, False])
def test_pitch_moves_by_the_semitones_and_time_stays(shift, keep_formants):
    shifted = shift_pitch(voice(), shift, keep_formants=keep_formants)
    assert shifted.n_samples == voice().n_samples
    moved = np.median(semitones(shifted)) - np.median(semitones(voice()))
    assert moved == pytest.approx(shift, abs=0.3)


def test_formants_stay_or_move_along():
    low = voice(extent_st=0, f0_hz=100)
    kept, moved = (centre_hz(shift_pitch(low, 5, keep_formants=keep)) for keep in (True, False))
    assert kept / centre_hz(low) == pytest.approx(1, abs=0.06)
    assert moved / centre_hz(low) == pytest.approx(2 ** (5 / 12), abs=0.06)


def test_channels_stay_in_step():
    mono = voice().samples[0]
    flat = flatten_intonation(Audio(np.stack([mono, -0.5 * mono]), RATE), 0.3).samples
    np.testing.assert_allclose(flat[1], -0.5 * flat[0], atol=1e-6)


def test_noise_has_no_intonation():
    noise = Audio(np.random.default_rng(0).normal(0, 0.1, (1, RATE)).astype(np.float32), RATE)
    with pytest.raises(AudioError, match="needs a voice, and none was found"):
        flatten_intonation(noise, 0.5)


@pytest.mark.parametrize("share", [-0.1, 3, float("nan")])
def test_a_share_that_is_none_is_an_error(share):
    with pytest.raises(ConfigError, match="share from 0 to 2"):
        flatten_intonation(voice(), share)


def test_a_shift_beyond_two_octaves_is_an_error():
    with pytest.raises(ConfigError, match="-24 to 24 semitones"):
        shift_pitch(voice(), 30)
