import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auralign.audio.features import (
    MelSettings,
    hann,
    hz_to_mel,
    istft,
    log_mel,
    mel_filterbank,
    mel_to_hz,
    stft,
)

N_FFT, HOP = 512, 128


def noise(n: int, batch: int = 1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((batch, n)).astype(np.float32)


def sine(hz: float, n: int = 16_000) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(n) / 16_000).astype(np.float32)[None]


def centres_hz(mel: MelSettings) -> np.ndarray:
    limits = hz_to_mel(np.array([mel.f_min, mel.f_max]))
    return mel_to_hz(np.linspace(*limits, mel.n_mels + 2))[1:-1]


def test_the_window_is_a_periodic_hann():
    np.testing.assert_allclose(hann(4), [0, 0.5, 1, 0.5], atol=1e-7)
    # Periodic: a quarter window apart, the squares add up to a constant 3 / 2.
    squares = hann(N_FFT) ** 2
    np.testing.assert_allclose(squares.reshape(4, -1).sum(0), 1.5, rtol=1e-6)


@settings(deadline=None, max_examples=50)
@given(n=st.integers(2, 3000))
def test_the_inverse_gives_back_every_signal_of_every_length(n):
    signals = noise(n, batch=2, seed=n)
    spectra = stft(signals, N_FFT, HOP)
    assert spectra.shape == (2, 1 + n // HOP, N_FFT // 2 + 1)
    np.testing.assert_allclose(istft(spectra, N_FFT, HOP, n), signals, atol=1e-5)


def test_a_frame_is_the_transform_of_the_windowed_samples_around_its_centre():
    signals = noise(4000)
    frames = stft(signals, N_FFT, HOP)[0]
    for i in (2, 9, 20):
        around = signals[0, i * HOP - N_FFT // 2 : i * HOP + N_FFT // 2].astype(np.float64)
        expected = np.fft.rfft(around * hann(N_FFT))
        np.testing.assert_allclose(frames[i], expected, atol=1e-4)


def test_the_inverse_of_inconsistent_spectra_is_the_nearest_in_least_squares():
    """Griffin & Lim 1984: no other signal's spectra come nearer, so that the gradient is zero."""
    rng = np.random.default_rng(0)
    shape = 1, 12, N_FFT // 2 + 1
    spectra = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    n = 11 * HOP
    best = istft(spectra.astype(np.complex64), N_FFT, HOP, n).astype(np.float64)

    def distance(signal: np.ndarray) -> float:
        # The windows that the nearest signal is found with lie inside: no reflected edges.
        difference = np.abs(stft(signal, N_FFT, HOP) - spectra)[:, 2:-2] ** 2
        # A one-sided spectrum holds every bin but the first and the last twice.
        return float(2 * difference.sum() - difference[..., [0, -1]].sum())

    direction = np.zeros_like(best)
    direction[:, 4 * HOP : 8 * HOP] = rng.standard_normal((1, 4 * HOP))
    slopes = [distance(best + e * direction) - distance(best) for e in (-1e-2, 1e-2)]
    assert min(slopes) > 0
    assert slopes[0] == pytest.approx(slopes[1], rel=1e-2)


def test_mel_scale_at_published_points_and_back():
    # HTK: 1000 Hz is 1000 mel, and 0 Hz is 0 mel.
    assert hz_to_mel(np.array([0.0, 1000.0])) == pytest.approx([0, 1000], abs=0.1)
    hz = np.linspace(0, 8000, 50)
    np.testing.assert_allclose(mel_to_hz(hz_to_mel(hz)), hz, atol=1e-9)


@pytest.mark.parametrize("mel", [MelSettings(), MelSettings(n_mels=48, hop=160)])
def test_filters_sum_to_one_rise_to_their_centre_and_overlap_their_neighbours_only(mel):
    bank = mel_filterbank(mel)
    assert bank.shape == (257, mel.n_mels)
    assert (bank >= 0).all()
    np.testing.assert_allclose(bank.sum(axis=0), 1, rtol=1e-5)
    bin_hz = mel.sample_rate / mel.n_fft
    peaks = bank.argmax(axis=0) * bin_hz
    assert np.abs(peaks - centres_hz(mel)).max() <= bin_hz
    assert (bank > 0).any(axis=0).all()


def test_a_full_scale_sine_reads_zero_less_the_loss_of_its_filter():
    mel = MelSettings()
    centres = centres_hz(mel)
    for i, loss in ((0, 0.2), (21, 0.3), (63, 1.6)):
        frames = log_mel(sine(centres[i]), mel)[0, 10:-10]
        assert (frames.argmax(axis=1) == i).all()
        assert frames[:, i].mean() == pytest.approx(-loss, abs=0.1)
    assert centres[21] == pytest.approx(1000, abs=10)


def test_ten_times_the_amplitude_is_log_ten_more_above_the_floor():
    mel = MelSettings()
    quiet, loud = (log_mel(gain * sine(1000), mel)[0, 10:-10].max() for gain in (0.05, 0.5))
    assert loud - quiet == pytest.approx(np.log(10), abs=1e-4)


def test_silence_reads_the_floor():
    mel = MelSettings(floor=1e-3)
    frames = log_mel(np.zeros((2, 1000), dtype=np.float32), mel)
    assert frames.shape == (2, 8, 64)
    np.testing.assert_allclose(frames, np.log(1e-3), rtol=1e-6)


def test_log_mel_is_its_definition_and_each_signal_stands_alone():
    mel, signals = MelSettings(), 0.1 * noise(3000, batch=3)
    frames = log_mel(signals, mel)
    magnitude = np.abs(stft(signals[1:2], mel.n_fft, mel.hop)[0].astype(np.complex128)) / 128
    expected = np.log(np.maximum(magnitude @ mel_filterbank(mel), 1e-4))
    np.testing.assert_allclose(frames[1], expected, atol=1e-4)
    assert frames.dtype == np.float32
