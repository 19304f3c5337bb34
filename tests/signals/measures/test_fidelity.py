import math

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from auralign.audio.alignment import Warping
from auralign.audio.features import log_mel
from auralign.signals.measures.fidelity import (
    CEPSTRA,
    SDR_TAPS,
    SIGNALS,
    cepstral_path,
    mel_cepstra,
    mel_cepstral_distortion_db,
    sdr_db,
    si_sdr_db,
    snr_db,
    spectral_distances,
)
from auralign.signals.measures.measurers import Compared
from auralign.signals.signal import Item, Missing
from auralign.types import Audio

pytestmark = pytest.mark.slow

RATE = 16_000


def noise(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(n)


def chirps(seconds: float, seed: int = 0) -> np.ndarray:
    """Tones that change every 40 ms, as a spectrum that moves."""
    rng = np.random.default_rng(seed)
    hz = np.repeat(rng.uniform(200, 4000, round(seconds / 0.04)), round(0.04 * RATE))
    return 0.3 * np.sin(2 * np.pi * np.cumsum(hz) / RATE)


def audio(samples: np.ndarray) -> Audio:
    return Audio(samples.astype(np.float32)[None], RATE)


@settings(max_examples=25)
@given(seed=st.integers(0, 500), snr=st.floats(-30, 60))
def test_orthogonal_noise_has_the_ratio_of_the_powers(seed, snr):
    x, n = noise(2000, seed), noise(2000, seed + 1000)
    x, n = x - x.mean(), n - n.mean()
    n -= (n @ x) / (x @ x) * x
    n *= np.linalg.norm(x) / np.linalg.norm(n) / 10 ** (snr / 20)
    assert snr_db(x, x + n) == pytest.approx(snr, abs=1e-6)
    assert si_sdr_db(x, x + n) == pytest.approx(snr, abs=1e-6)


@settings(max_examples=25)
@given(seed=st.integers(0, 500), gain=st.floats(0.01, 100))
def test_gain_and_offset_do_not_change_the_scale_invariant_ratio(seed, gain):
    x = noise(1000, seed)
    y = x + 0.3 * noise(1000, seed + 1000)
    assert si_sdr_db(x, gain * y + 0.1) == pytest.approx(si_sdr_db(x, y), abs=1e-6)


def test_the_sdr_is_the_least_squares_projection_on_the_delays():
    x = np.convolve(noise(3000, 0), [1, 0.7, 0.3])[:3000]
    y = np.convolve(x, [0.5, -0.2, 0.1])[:3000] + 0.2 * noise(3000, 1)
    padded_x, padded_y = (np.pad(v, (0, SDR_TAPS - 1)) for v in (x, y))
    delays = scipy.linalg.toeplitz(padded_x, np.zeros(SDR_TAPS))
    target = delays @ np.linalg.lstsq(delays, padded_y, rcond=None)[0]
    expected = 10 * math.log10(target @ target / np.square(padded_y - target).sum())
    assert sdr_db(x, y) == pytest.approx(expected, abs=1e-5)


def test_the_sdr_forgives_a_filter_that_the_others_do_not():
    x = noise(8000, 0)
    filtered = np.convolve(x, [0.0, 0.0, 0.8, 0.4])[:8000]
    assert sdr_db(x, filtered) > 30
    assert si_sdr_db(x, filtered) < 0


def test_a_copy_has_the_ceiling_and_nothing_has_the_floor():
    x = noise(4000, 0)
    for ratio in (snr_db, si_sdr_db):
        assert ratio(x, x) == 100
    assert sdr_db(x, x) == pytest.approx(100, abs=0.1)
    assert si_sdr_db(x, 0 * x) == sdr_db(x, 0 * x) == -100
    assert snr_db(x, 0 * x) == 0


def test_silence_has_ratios_and_no_error():
    x = audio(noise(4000, 0))
    silent = audio(np.zeros(4000))
    ratios, spectra = (s.load() for s in SIGNALS[:2])
    (values,) = ratios([Item("clip", silent, x)])
    assert values["si_sdr"] == -100
    (values,) = ratios([Item("clip", x, silent)])
    assert values["si_sdr"] == Missing("the reference is digital silence")
    (values,) = spectra([Item("clip", silent, x)])
    assert values["spectral_convergence"] == pytest.approx(1)


@settings(max_examples=25)
@given(gain_db=st.floats(-20, 20))
def test_a_gain_is_a_spectral_distance_of_as_many_decibels(gain_db):
    x = noise(6000, 0)
    found = spectral_distances(Compared(x, 10 ** (gain_db / 20) * x), RATE)
    assert found["lsd"] == pytest.approx(abs(gain_db), abs=0.02)
    assert found["logmel_distance"] == pytest.approx(abs(gain_db), abs=0.02)
    assert found["spectral_convergence"] == pytest.approx(abs(10 ** (gain_db / 20) - 1), abs=1e-5)


def test_the_log_spectral_distance_is_its_formula():
    x, y = noise(4096, 0), noise(4096, 1)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(512) / 512)

    def spectra(signal: np.ndarray) -> np.ndarray:
        padded = np.pad(signal, 256, mode="reflect")
        return np.abs([np.fft.rfft(padded[i : i + 512] * window) for i in range(0, 4097, 128)])

    floor = 1e-4 * spectra(x).max()
    levels = [20 * np.log10(np.maximum(spectra(v), floor)) for v in (x, y)]
    frames = [np.sqrt(np.mean((a - b) ** 2)) for a, b in zip(*levels, strict=True)]
    found = spectral_distances(Compared(x, y), RATE)["lsd"]
    assert found == pytest.approx(np.mean(frames), rel=1e-4)


def test_the_cepstra_are_the_cosine_series_of_the_log_mel_spectrum():
    clip = audio(noise(8000, 0))
    bands, n = log_mel(clip.samples, CEPSTRA)[0], CEPSTRA.n_mels
    k, place = np.arange(n), np.arange(n) + 0.5
    coefficients = 2 / n * bands @ np.cos(np.pi * np.outer(place, k) / n)
    assert mel_cepstra(clip) == pytest.approx(coefficients[:, 1:14], abs=1e-5)
    coefficients[:, 0] /= 2
    series = coefficients @ np.cos(np.pi * np.outer(k, place) / n)
    assert series == pytest.approx(bands, abs=1e-4)


def test_the_distortion_is_the_root_mean_square_of_the_level_difference():
    # Parseval, for two spectra of equal level that differ in two coefficients.
    difference = np.zeros(13)
    difference[[0, 4]] = 0.5, -0.3
    cosines = np.cos(np.pi * np.outer(np.arange(1, 14), np.arange(40) + 0.5) / 40)
    rms_db = 20 / math.log(10) * np.sqrt(np.mean((difference @ cosines) ** 2))
    one_step = np.zeros(1, dtype=np.int64)
    path = Warping(float(np.linalg.norm(difference)), one_step, one_step)
    assert mel_cepstral_distortion_db(path) == pytest.approx(rms_db)


@settings(max_examples=25)
@given(gain_db=st.floats(-60, 20))
def test_the_cepstra_do_not_know_the_level(gain_db):
    x = audio(chirps(0.3))
    other = Audio(x.samples * np.float32(10 ** (gain_db / 20)), RATE)
    assert mel_cepstra(other) == pytest.approx(mel_cepstra(x), abs=1e-3)


def test_warping_forgives_the_tempo_and_not_the_spectrum():
    x = chirps(1.0)
    slow = np.repeat(x.reshape(25, 640), 2, axis=0).reshape(-1)
    other = chirps(1.0, seed=1)

    def mcd(y: np.ndarray) -> float:
        return mel_cepstral_distortion_db(cepstral_path(audio(y), audio(x)))

    assert mcd(x) == 0
    assert mcd(slow) < 0.5 * mcd(other)


def test_the_distortion_does_not_change_when_clip_and_reference_change_places():
    x, y = audio(chirps(0.6)), audio(chirps(0.8, seed=1))
    forth, back = (mel_cepstral_distortion_db(cepstral_path(*p)) for p in ((x, y), (y, x)))
    assert forth == pytest.approx(back, rel=0.02)


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda s: s.name)
def test_without_a_reference_there_is_a_reason(signal):
    (values,) = signal.load()([Item("clip", audio(chirps(0.5)))])
    assert values == {m.name: Missing("there is no reference recording") for m in signal.measures}
