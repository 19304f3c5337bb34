import numpy as np
import pytest

from auralign.audio.pitch import pitch
from auralign.signals.measures.prosody import (
    SIGNALS,
    contour,
    pause_lengths_s,
    pitch_statistics,
    prosody_match,
)
from auralign.signals.signal import Item, Missing
from auralign.types import Audio

pytestmark = pytest.mark.slow

RATE = 16_000
F0, PAUSES, RATE_OF_SPEECH, DURATION, MATCH = SIGNALS


def voice(f0: np.ndarray, level: np.ndarray | float = 1.0) -> Audio:
    """Harmonics whose strengths move with time, so that the cepstra can be aligned."""
    n = f0.size
    phase = 2 * np.pi * np.cumsum(f0) / RATE
    colour = 1.5 + np.sin(2 * np.pi * np.arange(n) / n * 3)
    tone = sum(np.sin(k * phase) * k**-colour for k in range(1, 15))
    return Audio((0.1 * level * tone).astype(np.float32)[None], RATE)


def melody(seconds: float = 2.0, depth_st: float = 3.0) -> np.ndarray:
    t = np.arange(round(seconds * RATE)) / RATE
    return 150 * 2 ** (depth_st / 12 * np.sin(2 * np.pi * t))


def values(signal, audio: Audio, reference: Audio | None = None, text: str | None = None) -> dict:
    return signal.load()([Item("clip", audio, reference, text)])[0]


@pytest.mark.parametrize("depth", [0.5, 2.0, 4.0])
def test_pitch_statistics_are_those_of_the_melody(depth):
    found = pitch_statistics(voice(melody(depth_st=depth)))
    assert found["f0_median_hz"] == pytest.approx(150, rel=0.01)
    # A sine of depth d has the standard deviation d / sqrt(2) and spans 2 d sin(81 degrees)
    # between the 5th and 95th percentile.
    assert found["f0_sd_st"] == pytest.approx(depth / np.sqrt(2), rel=0.03)
    assert found["f0_range_st"] == pytest.approx(2 * depth * np.sin(0.45 * np.pi), rel=0.03)
    assert found["voiced_share"] > 0.98


def test_a_clip_without_voice_has_no_pitch_statistics():
    found = values(F0, Audio(np.zeros((1, RATE), dtype=np.float32), RATE))
    assert set(found.values()) == {Missing("less than 0.1 s is voiced")}


def test_the_contour_has_the_pitch_at_the_frames_every_10_ms():
    audio = voice(np.linspace(100, 200, 2 * RATE))
    found = contour(audio)
    assert found.size == 201
    inside = ~np.isnan(found)
    expected = 12 * np.log2(np.linspace(100, 200, 201) / 100)
    assert inside.sum() == pitch(audio).voiced.sum() > 190
    assert found[inside] == pytest.approx(expected[inside], abs=0.05)


def test_pauses_are_the_gaps_between_sounds_of_02_s_and_more():
    parts = [(1, 0.5), (0, 0.3), (1, 0.4), (0, 0.1), (1, 0.3), (0, 0.5), (1, 0.5), (0, 0.8)]
    level = np.concatenate([np.full(round(s * RATE), float(on)) for on, s in parts])
    audio = voice(np.full(level.size, 150.0), level)
    assert pause_lengths_s(audio) == pytest.approx([0.3, 0.5], abs=0.021)
    found = values(PAUSES, audio)
    assert found["pause_share"] == pytest.approx(0.8 / 2.6, abs=0.02)
    assert found["pauses_per_s"] == pytest.approx(2 / 2.6, rel=0.02)
    assert found["mean_pause_s"] == pytest.approx(0.4, abs=0.02)


def test_a_clip_without_pauses_has_none_and_no_mean():
    found = values(PAUSES, voice(melody()))
    assert found["pause_share"] == found["pauses_per_s"] == 0
    assert found["mean_pause_s"] == Missing("there is no pause")
    silent = values(PAUSES, Audio(np.zeros((1, RATE), dtype=np.float32), RATE))
    assert silent["pause_share"] == Missing("the clip is silent")


def test_the_speaking_rate_counts_words_and_letters_over_the_active_time():
    level = np.concatenate([np.ones(RATE), np.zeros(RATE), np.ones(RATE)])
    audio = voice(np.full(3 * RATE, 150.0), level)
    found = values(RATE_OF_SPEECH, audio, text="Four words, don't count!")
    assert found["words_per_s"] == pytest.approx(4 / 2, rel=0.02)
    assert found["characters_per_s"] == pytest.approx(len("fourwordsdon'tcount") / 2, rel=0.02)
    assert values(RATE_OF_SPEECH, audio)["words_per_s"] == Missing("there is no text")


def test_the_duration_ratio_is_that_of_the_clip_and_that_of_its_speech():
    spoken = voice(melody(2.0))
    padded = Audio(np.pad(spoken.samples, ((0, 0), (0, RATE))), RATE)
    found = values(DURATION, padded, spoken)
    assert found["duration_ratio"] == pytest.approx(1.5)
    assert found["active_ratio"] == pytest.approx(1.0)
    assert isinstance(values(DURATION, padded)["duration_ratio"], Missing)


def test_a_clip_matches_itself():
    audio = voice(melody(), 1 + 0.5 * np.sin(np.arange(2 * RATE) / 900))
    found = prosody_match(audio, Audio(audio.samples.copy(), RATE))
    assert found == pytest.approx(
        {"f0_rmse_st": 0, "f0_corr": 1, "voicing_error": 0, "energy_corr": 1}, abs=1e-9
    )


def test_a_transposed_clip_keeps_its_contour_and_differs_by_the_interval():
    found = prosody_match(voice(melody()), voice(melody() * 2 ** (1 / 12)))
    # The path bends a little to where the harmonics fit, so it is not the whole semitone.
    assert found["f0_rmse_st"] == pytest.approx(1.0, abs=0.3)
    assert found["f0_corr"] > 0.97
    assert found["voicing_error"] < 0.03


def test_a_flattened_melody_has_the_deviation_as_its_error():
    found = prosody_match(voice(melody()), voice(np.full(2 * RATE, 150.0)))
    assert found["f0_rmse_st"] == pytest.approx(3 / np.sqrt(2), rel=0.15)
    level = Audio(np.zeros((1, RATE), dtype=np.float32), RATE)
    assert isinstance(prosody_match(level, level)["f0_corr"], Missing)


def test_a_slower_reading_of_the_same_melody_still_matches():
    slow = voice(melody(3.0)[: 3 * RATE])
    stretched = voice(np.interp(np.linspace(0, 1, 3 * RATE), np.linspace(0, 1, 2 * RATE), melody()))
    fits = prosody_match(voice(melody()), stretched)
    misses = prosody_match(voice(melody()), slow)
    assert fits["f0_corr"] > 0.95
    assert misses["f0_corr"] < fits["f0_corr"]
