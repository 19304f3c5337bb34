"""PESQ, openSMILE and Praat: anchors of the standards, known voices, and licences that are told."""

import numpy as np
import pytest

from auralign.audio import resample
from auralign.audio.espeak import say
from auralign.signals.licences import restrictive_licence
from auralign.signals.models.restricted import EGEMAPS, SIGNALS, load_egemaps, load_pesq, load_praat
from auralign.signals.signal import Item, Missing
from auralign.types import Audio

pytestmark = pytest.mark.slow

RATE = 16_000


def mos_lqo(raw: float, slope: float, offset: float) -> float:
    """The mapping of P.862.1 and P.862.2 from raw PESQ to MOS-LQO."""
    return 0.999 + 4 / (1 + np.exp(-slope * raw + offset))


@pytest.fixture(scope="module")
def speech() -> Audio:
    return resample(say("a large house stood on the hill", voice="en-us"), RATE)


def with_noise(audio: Audio, snr_db: float) -> Audio:
    noise = np.random.default_rng(0).standard_normal(audio.samples.shape)
    level = np.sqrt((audio.samples**2).mean() / 10 ** (snr_db / 10))
    return Audio((audio.samples + level * noise).astype(np.float32), audio.sample_rate)


def test_a_copy_has_the_highest_mos_of_the_standard(speech):
    pytest.importorskip("pesq")
    (values,) = load_pesq()([Item("copy", speech, reference=speech)])
    assert values["pesq_wb"] == pytest.approx(mos_lqo(4.5, 1.3669, 3.8224), abs=1e-3)
    assert values["pesq_nb"] == pytest.approx(mos_lqo(4.5, 1.4945, 4.6607), abs=1e-3)


def test_pesq_falls_with_noise_and_says_why_it_has_no_value(speech):
    pytest.importorskip("pesq")
    short = Audio(speech.samples[:, :-5], RATE)
    noisy = [Item("n", with_noise(speech, snr), reference=speech) for snr in (30, 20, 10, 0)]
    *falling, unaligned, alone = load_pesq()([*noisy, Item("s", short, speech), Item("a", speech)])
    wide = [values["pesq_wb"] for values in falling]
    assert wide == sorted(wide, reverse=True)
    assert isinstance(unaligned["pesq_wb"], Missing)
    assert alone["pesq_nb"] == Missing("there is no reference recording")


def test_silence_that_is_no_utterance_is_a_reason_not_a_score(speech):
    pytest.importorskip("pesq")
    click = np.zeros((1, RATE), np.float32)
    click[0, 0] = 1e-3
    (values,) = load_pesq()(
        [Item("click", Audio(speech.samples[:, :RATE], RATE), Audio(click, RATE))]
    )
    assert values["pesq_wb"] == Missing("PESQ finds no utterance")


def test_the_names_are_those_of_opensmile():
    opensmile = pytest.importorskip("opensmile")
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    assert list(EGEMAPS) == smile.feature_names


def test_egemaps_of_a_steady_voice_have_its_pitch_and_double_amplitude_three_or_more_decibels():
    pytest.importorskip("opensmile")
    measure = load_egemaps()
    soft, loud = measure([Item("v", voice(200.0, gain=gain)) for gain in (0.1, 0.2)])
    semitones = 12 * np.log2(200 / 27.5)
    assert soft["F0semitoneFrom27.5Hz_sma3nz_amean"] == pytest.approx(semitones, abs=0.1)
    louder = loud["equivalentSoundLevel_dBp"] - soft["equivalentSoundLevel_dBp"]
    assert louder == pytest.approx(20 * np.log10(2), abs=0.05)


def voice(f0: float, gain: float = 0.1, noise_db: float | None = None, seconds: float = 2) -> Audio:
    """Ten equal harmonics, and white noise this far below them."""
    t = np.arange(round(seconds * RATE)) / RATE
    wave = sum(np.cos(2 * np.pi * k * f0 * t + k * k) for k in range(1, 11)) / 10
    if noise_db is not None:
        noise = np.random.default_rng(0).standard_normal(t.size)
        wave = wave + noise * np.sqrt((wave**2).mean() / 10 ** (noise_db / 10))
    return Audio((gain * wave).astype(np.float32)[None], RATE)


@pytest.mark.parametrize("f0", [110.0, 220.0])
def test_praat_finds_a_steady_voice_steady(f0):
    pytest.importorskip("parselmouth")
    (values,) = load_praat()([Item("v", voice(f0))])
    assert values["f0_median"] == pytest.approx(f0, rel=1e-3)
    assert values["f0_sd"] < 0.01
    assert values["jitter"] < 1e-3
    assert values["shimmer"] < 1e-2


@pytest.mark.parametrize("ratio_db", [5.0, 10.0, 20.0])
def test_the_harmonicity_is_the_ratio_of_voice_to_noise(ratio_db):
    pytest.importorskip("parselmouth")
    (values,) = load_praat()([Item("v", voice(220.0, noise_db=ratio_db))])
    assert values["hnr"] == pytest.approx(ratio_db, abs=1.0)


def test_noise_alone_has_no_pitch_and_says_so():
    pytest.importorskip("parselmouth")
    samples = np.random.default_rng(0).standard_normal((1, RATE)).astype(np.float32) * 0.1
    (values,) = load_praat()([Item("noise", Audio(samples, RATE))])
    assert values["jitter"] == Missing("undefined for this clip")


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda s: s.name)
def test_the_user_is_told_about_each_licence(signal):
    assert signal.code_licence in restrictive_licence(signal)
    assert signal.extra == "restricted"
