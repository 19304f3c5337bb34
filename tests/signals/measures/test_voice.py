import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auralign.signals.measures.voice import SIGNALS, mean_hnr_db
from auralign.signals.signal import Item, Missing
from auralign.types import Audio

pytestmark = pytest.mark.slow

RATE = 16_000
HNR, PERTURBATION = SIGNALS


def noisy_voice(f0: float, hnr: float, seed: int = 0) -> Audio:
    """Harmonics up to 4 kHz in white noise."""
    t = np.arange(RATE) / RATE
    tone = sum(np.sin(2 * np.pi * f0 * k * t + k * k) / k for k in range(1, int(4000 / f0)))
    noise = np.random.default_rng(seed).standard_normal(RATE)
    noise *= np.sqrt(np.mean(tone**2) / np.mean(noise**2) / 10 ** (hnr / 10))
    return Audio((0.1 * (tone + noise)).astype(np.float32)[None], RATE)


@settings(max_examples=15)
@given(f0=st.floats(140, 400), hnr=st.floats(3, 30), seed=st.integers(0, 20))
def test_the_ratio_of_harmonics_in_noise_is_that_of_their_powers(f0, hnr, seed):
    assert mean_hnr_db(noisy_voice(f0, hnr, seed)) == pytest.approx(hnr, abs=1.0)


def test_a_low_voice_reads_low_only_where_it_is_cleaner_than_voices_are():
    assert mean_hnr_db(noisy_voice(100, 20)) == pytest.approx(20, abs=0.5)
    assert 28 < mean_hnr_db(noisy_voice(100, 30)) < 30


def test_it_agrees_with_praat_within_a_decibel():
    parselmouth = pytest.importorskip("parselmouth")
    for hnr in (5, 15, 25):
        audio = noisy_voice(180, hnr)
        sound = parselmouth.Sound(audio.samples[0].astype(np.float64), RATE)
        theirs = sound.to_harmonicity_ac(0.01, 75.0, 0.1, 4.5).values
        assert mean_hnr_db(audio) == pytest.approx(theirs[theirs > -200].mean(), abs=1.0)


def test_what_is_not_voiced_has_a_reason():
    noise = Audio(np.zeros((1, RATE), dtype=np.float32), RATE)
    (values,) = HNR.load()([Item("clip", noise)])
    assert values == {"hnr_db": Missing("nothing is voiced")}
    (values,) = PERTURBATION.load()([Item("clip", noise)])
    assert values["jitter"] == values["shimmer"] == Missing("fewer than 10 pairs of periods")


def test_jitter_and_shimmer_are_in_percent():
    (values,) = PERTURBATION.load()([Item("clip", noisy_voice(150, 40))])
    assert 0 < values["jitter"] < 0.2
    assert 0 < values["shimmer"] < 3
