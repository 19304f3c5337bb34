import numpy as np
import pytest

from auralign.audio.features import MelSettings, log_mel, mel_filterbank, stft
from auralign.audio.griffin_lim import griffin_lim, mel_to_audio, mel_to_magnitude

MEL = MelSettings()
N_SAMPLES = 64 * MEL.hop


def chirp(n: int = N_SAMPLES) -> np.ndarray:
    t = np.arange(n) / MEL.sample_rate
    sweep = 0.3 * np.sin(2 * np.pi * (300 * t + 2000 * t**2))
    return (sweep + 0.2 * np.sin(2 * np.pi * 1500 * t)).astype(np.float32)[None]


def sine(hz: float) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(N_SAMPLES) / 16_000)).astype(np.float32)[None]


def magnitude_of(signals: np.ndarray) -> np.ndarray:
    return np.abs(stft(signals, MEL.n_fft, MEL.hop))


def spectral_convergence(signals: np.ndarray, wanted: np.ndarray) -> float:
    """Distance of the magnitudes over the wanted ones' norm, the usual measure; 0 is perfect."""
    reached = magnitude_of(signals)
    return float(np.linalg.norm(reached - wanted) / np.linalg.norm(wanted))


def test_more_iterations_come_nearer_to_the_wanted_magnitudes():
    wanted = magnitude_of(chirp())
    found = [
        spectral_convergence(
            griffin_lim(wanted, MEL, N_SAMPLES, n_iterations=n, momentum=0.99), wanted
        )
        for n in (1, 4, 16, 64)
    ]
    assert found == sorted(found, reverse=True)
    assert found[-1] < 0.3 * found[0]


def test_momentum_is_faster_than_the_plain_algorithm():
    wanted = magnitude_of(chirp())
    plain, fast = (
        spectral_convergence(
            griffin_lim(wanted, MEL, N_SAMPLES, n_iterations=32, momentum=m), wanted
        )
        for m in (0.0, 0.99)
    )
    assert fast < plain


def test_one_iteration_of_the_plain_algorithm_never_moves_away():
    """Griffin & Lim 1984, theorem: the distance of the magnitudes does not increase."""
    wanted = magnitude_of(chirp())
    found = [
        spectral_convergence(
            griffin_lim(wanted, MEL, N_SAMPLES, n_iterations=n, momentum=0.0), wanted
        )
        for n in range(1, 12)
    ]
    assert (np.diff(found) < 1e-4).all()


@pytest.mark.parametrize("hz", [250.0, 1000.0, 3000.0])
def test_a_resynthesised_sine_keeps_its_frequency(hz):
    """From magnitudes to a few Hz; from mel bands to within the width of a band."""
    spectrum = np.fft.rfftfreq(N_SAMPLES, 1 / 16_000)

    def peak(signals: np.ndarray) -> float:
        return float(spectrum[np.abs(np.fft.rfft(signals[0] * np.hanning(N_SAMPLES))).argmax()])

    exact = griffin_lim(magnitude_of(sine(hz)), MEL, N_SAMPLES, n_iterations=32, momentum=0.99)
    assert peak(exact) == pytest.approx(hz, abs=4)
    from_mel = mel_to_audio(log_mel(sine(hz), MEL), MEL, n_iterations=24)
    assert peak(from_mel) == pytest.approx(hz, rel=0.06, abs=20)


def test_magnitudes_of_mel_bands_are_non_negative_and_nearly_have_those_bands():
    mel = np.exp(log_mel(chirp(), MEL))
    magnitude = mel_to_magnitude(mel, MEL)
    assert magnitude.shape == (1, 65, 257)
    assert (magnitude >= 0).all()
    reached = magnitude @ mel_filterbank(MEL)
    assert np.abs(np.log(reached) - np.log(mel)).mean() < 0.1


def test_more_iterations_of_mel_inversion_come_nearer():
    mel = np.exp(log_mel(chirp(), MEL))

    def error(n: int) -> float:
        reached = mel_to_magnitude(mel, MEL, n_iterations=n) @ mel_filterbank(MEL)
        return float(np.abs(np.log(np.maximum(reached, 1e-6)) - np.log(mel)).mean())

    assert error(0) > error(2) > error(8) > error(32)


def test_sound_from_mel_bands_has_nearly_those_bands():
    wanted = log_mel(chirp(), MEL)
    signals = mel_to_audio(wanted, MEL, n_iterations=24)
    assert signals.shape == (1, N_SAMPLES)
    assert signals.dtype == np.float32
    loud = wanted > np.log(0.01)
    assert np.abs(log_mel(signals, MEL) - wanted)[loud].mean() < 0.5


def test_each_clip_is_the_same_in_any_batch_and_every_time():
    both = np.concatenate([log_mel(chirp(), MEL), log_mel(sine(700), MEL)])
    together = mel_to_audio(both, MEL, n_iterations=24)
    np.testing.assert_array_equal(mel_to_audio(both[1:], MEL, n_iterations=24)[0], together[1])
    np.testing.assert_array_equal(mel_to_audio(both[:1], MEL, n_iterations=24)[0], together[0])
