import numpy as np
import pytest

from auralign.audio.degrade import clip_hard
from auralign.audio.levels import dc_offset, loudness_lufs, loudness_range_lu
from auralign.signals.measures.loudness import SIGNALS
from auralign.signals.signal import Item, Missing
from auralign.types import Audio

pytestmark = pytest.mark.slow

LOUDNESS, CLIPPING, DC = SIGNALS


def tones(steps: list[tuple[float, float]], rate: int = 48_000, channels: int = 2) -> Audio:
    """A 1 kHz sine with the peak levels [dBFS] for the durations [s], alike in all channels."""
    parts = [
        10 ** (level / 20) * np.sin(2 * np.pi * 1000 * np.arange(round(s * rate)) / rate)
        for level, s in steps
    ]
    return Audio(np.tile(np.concatenate(parts).astype(np.float32), (channels, 1)), rate)


def values(signal, audio: Audio) -> dict:
    return signal.load()([Item("clip", audio)])[0]


# EBU Tech 3341, table 1, tests 1 to 5; the longest parts are shortened where only gates matter.
@pytest.mark.parametrize(
    ("steps", "lufs"),
    [
        ([(-23, 5)], -23.0),
        ([(-33, 5)], -33.0),
        ([(-36, 5), (-23, 30), (-36, 5)], -23.0),
        ([(-72, 5), (-36, 5), (-23, 30), (-36, 5), (-72, 5)], -23.0),
        ([(-26, 20), (-20, 20.1), (-26, 20)], -23.0),
    ],
)
def test_integrated_loudness_passes_the_tests_of_ebu_tech_3341(steps, lufs):
    assert loudness_lufs(tones(steps)) == pytest.approx(lufs, abs=0.1)


# EBU Tech 3342, table 1, tests 1 to 4.
@pytest.mark.parametrize(
    ("levels", "lra"),
    [((-20, -30), 10), ((-20, -15), 5), ((-40, -20), 20), ((-50, -35, -20, -35, -50), 15)],
)
def test_the_loudness_range_passes_the_tests_of_ebu_tech_3342(levels, lra):
    audio = tones([(level, 20) for level in levels], rate=16_000)
    assert loudness_range_lu(audio) == pytest.approx(lra, abs=1)


# EBU Tech 3341, table 1, tests 15 to 19: tolerance +0.2 and -0.4 dB.
@pytest.mark.parametrize(
    ("fraction", "degrees", "amplitude", "dbtp"),
    [(4, 0, 0.5, -6), (4, 45, 0.5, -6), (6, 60, 0.5, -6), (8, 67.5, 0.5, -6), (4, 45, 1.41, 3)],
)
def test_the_true_peak_passes_the_tests_of_ebu_tech_3341(fraction, degrees, amplitude, dbtp):
    n = np.arange(48_000)
    wave = amplitude * np.sin(2 * np.pi * n / fraction + np.deg2rad(degrees))
    wave *= np.clip(np.minimum(n, n[::-1]) / 1000, 0, 1)
    found = values(LOUDNESS, Audio(wave.astype(np.float32)[None], 48_000))["true_peak_dbtp"]
    assert -0.4 <= found - dbtp <= 0.2


def test_a_steady_tone_has_no_range_and_a_short_or_silent_clip_no_value():
    steady = tones([(-20, 4)], rate=16_000, channels=1)
    assert loudness_range_lu(steady) == pytest.approx(0, abs=0.1)
    assert loudness_range_lu(Audio(0 * steady.samples, 16_000)) is None
    short = values(LOUDNESS, tones([(-20, 1)], rate=16_000))
    assert "3 s" in short["lra"].reason
    assert short["lufs"] == pytest.approx(-20, abs=0.2)


def test_the_range_does_not_change_with_the_gain():
    audio = tones([(-20, 4), (-30, 4)], rate=16_000, channels=1)
    louder = Audio(3 * audio.samples, 16_000)
    assert loudness_range_lu(louder) == pytest.approx(loudness_range_lu(audio), abs=1e-3)


def test_silence_has_reasons_in_place_of_levels():
    found = values(LOUDNESS, Audio(np.zeros((1, 16_000), dtype=np.float32), 16_000))
    assert all(isinstance(value, Missing) for value in found.values())


def test_clipping_is_seen_and_lowers_the_crest_factor():
    rng = np.random.default_rng(0)
    clean = Audio(np.cumsum(rng.standard_normal((1, 16_000)), axis=1).astype(np.float32), 16_000)
    clean = Audio(0.5 * clean.samples / np.abs(clean.samples).max(), 16_000)
    before, after = (values(CLIPPING, a) for a in (clean, clip_hard(clean, 12)))
    assert after["clip_ratio"] > 0.1 > before["clip_ratio"]
    assert after["crest_factor_db"] < before["crest_factor_db"]


def test_the_crest_factor_of_a_sine_is_3_01_db():
    found = values(CLIPPING, tones([(-6, 1)], rate=16_000, channels=1))
    assert found["crest_factor_db"] == pytest.approx(3.01, abs=0.01)


def test_the_offset_is_that_of_the_worst_channel():
    tone = tones([(-20, 1)]).samples.copy()
    tone[1] -= 0.125
    assert dc_offset(Audio(tone, 48_000)) == pytest.approx(0.125, abs=1e-6)
    assert values(DC, Audio(tone[:1], 48_000))["dc_offset"] == pytest.approx(0, abs=1e-6)
    assert dc_offset(Audio(tone[:, :0], 48_000)) is None
