import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auralign.audio.degrade import add_noise
from auralign.signals.measures.noise import SIGNALS, bandwidth_hz, hum_db, pause_snr_db
from auralign.signals.signal import Item, Missing
from auralign.types import Audio

pytestmark = pytest.mark.slow

RATE = 16_000


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(round(seconds * RATE))


def mono(samples: np.ndarray, rate: int = RATE) -> Audio:
    return Audio(np.asarray(samples, dtype=np.float32)[None], rate)


def speech_with_pauses(snr_db: float) -> Audio:
    """Bursts of 0.5 s, pauses of 0.3 s, and noise of that ratio to the bursts everywhere."""
    burst = np.tile(np.concatenate([np.ones(8000), np.zeros(4800)]), 4)
    speech = burst * noise(burst.size / RATE)
    return mono(0.1 * (speech + 10 ** (-snr_db / 20) * noise(burst.size / RATE, 1)))


@settings(max_examples=25)
@given(snr=st.floats(6, 60))
def test_speech_over_its_pauses_is_the_signal_to_noise_ratio(snr):
    assert pause_snr_db(speech_with_pauses(snr)) == pytest.approx(snr, abs=0.7)


def test_pauses_that_were_cut_to_silence_are_no_pauses():
    gated = speech_with_pauses(20)
    silent = np.where(np.tile(np.arange(12_800) < 8000, 4), gated.samples, 0)
    assert pause_snr_db(Audio(silent.astype(np.float32), RATE)) is None
    assert pause_snr_db(mono(np.zeros(RATE))) is None


def test_without_pauses_there_is_a_reason():
    (values,) = SIGNALS[1].load()([Item("clip", mono(0.1 * noise(1.0)))])
    assert isinstance(values["pause_snr_db"], Missing)


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
@pytest.mark.parametrize("cutoff", [500.0, 1500.0, 3400.0])
def test_the_bandwidth_is_where_the_spectrum_ends(rate, cutoff):
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal(2 * rate))
    spectrum[np.fft.rfftfreq(2 * rate, 1 / rate) > cutoff] = 0
    assert bandwidth_hz(mono(np.fft.irfft(spectrum), rate)) == pytest.approx(cutoff, abs=160)


def test_a_band_61_db_below_the_strongest_does_not_count_and_one_59_db_below_does():
    t = np.arange(RATE) / RATE
    low, high = (np.sin(2 * np.pi * hz * t) for hz in (1000, 5000))
    assert bandwidth_hz(mono(low + 10 ** (-64 / 20) * high)) < 1300
    assert bandwidth_hz(mono(low + 10 ** (-56 / 20) * high)) == pytest.approx(5000, abs=150)


def test_white_noise_has_the_full_bandwidth_and_silence_none():
    assert bandwidth_hz(mono(noise(1.0))) == RATE / 2
    assert bandwidth_hz(mono(np.zeros(RATE))) is None
    assert bandwidth_hz(mono(noise(1.0)[:200])) is None


@settings(max_examples=25)
@given(
    snr=st.floats(0, 40),
    mains=st.sampled_from([50.0, 60.0]),
    harmonic=st.integers(1, 5),
    phase=st.floats(0, 6),
)
def test_hum_is_the_share_of_its_power(snr, mains, harmonic, phase):
    t = np.arange(4 * RATE) / RATE
    voice = np.sin(2 * np.pi * np.cumsum(800 + 200 * np.sin(9 * t)) / RATE)
    line = 10 ** (-snr / 20) * np.sin(2 * np.pi * mains * harmonic * t + phase)
    expected = -10 * np.log10(1 + 10 ** (snr / 10))
    assert hum_db(mono(0.1 * (voice + line))) == pytest.approx(expected, abs=0.5)


def test_noise_has_little_hum_and_a_glide_none():
    t = np.arange(4 * RATE) / RATE
    assert hum_db(mono(noise(4.0))) < -30
    assert hum_db(mono(np.sin(2 * np.pi * np.cumsum(500 + 500 * t) / RATE))) < -50
    assert hum_db(mono(noise(0.9))) is None
    assert hum_db(mono(np.zeros(2 * RATE))) is None


def test_each_measure_sees_its_own_flaw():
    clean = speech_with_pauses(50)
    noisy = add_noise(clean, 10, "white", np.random.default_rng(0))
    (before,), (after,) = (
        [{k: v for s in SIGNALS for k, v in s.load()([Item("clip", a)])[0].items()}]
        for a in (clean, noisy)
    )
    assert after["noise_floor_dbfs"] > before["noise_floor_dbfs"] + 10
    assert after["pause_snr_db"] < before["pause_snr_db"] - 10
    assert set(before) == {m.name for s in SIGNALS for m in s.measures}
