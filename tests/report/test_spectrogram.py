from __future__ import annotations

import re

import numpy as np
import pytest

from auralign.audio.features import hz_to_mel
from auralign.report.spectrogram import (
    HEIGHT,
    LOUD_DB,
    QUIET_DB,
    palette,
    settings_for,
    spectrogram,
    spectrogram_pixels,
)
from auralign.types import Audio


def tone(hz: float, amplitude: float, seconds: float = 0.5, rate: int = 16_000) -> Audio:
    t = np.arange(int(seconds * rate)) / rate
    return Audio((amplitude * np.sin(2 * np.pi * hz * t)).astype(np.float32)[None], rate)


@pytest.mark.parametrize("hz", [300.0, 1000.0, 4000.0])
def test_a_tone_is_darkest_at_its_mel_height(hz: float) -> None:
    pixels = spectrogram_pixels(tone(hz, 0.1))
    row = int(pixels[:, pixels.shape[1] // 2].argmax())
    low, high = hz_to_mel(np.array([50.0, 7_800.0]))
    share = (hz_to_mel(np.array([hz]))[0] - low) / (high - low)
    assert abs((1 - share) * 80 - (row + 0.5)) < 2


def test_ten_decibels_are_the_same_step_at_every_level() -> None:
    step = 63 * 10 / (LOUD_DB - QUIET_DB)
    darkest = [int(spectrogram_pixels(tone(1000, 10 ** (-db / 20))).max()) for db in (30, 40, 50)]
    assert np.diff(darkest) == pytest.approx([-step, -step], abs=1)


def test_silence_is_paper() -> None:
    assert not spectrogram_pixels(Audio(np.zeros((1, 4000), np.float32), 16_000)).any()


def test_the_colours_grow_steadily_darker() -> None:
    luminance = palette() @ np.array([0.2126, 0.7152, 0.0722])
    assert palette().shape == (64, 3)
    assert (np.diff(luminance) < 0).all()


def test_bands_stay_below_half_the_sample_rate() -> None:
    assert settings_for(8_000).f_max < 4_000
    assert settings_for(48_000).f_max == 7_800
    assert settings_for(16_000).n_fft == 512


def test_the_picture_is_as_wide_as_the_clips_share_of_the_longest() -> None:
    svg = spectrogram(tone(1000, 0.1, seconds=0.5), "A <tone>", longest_s=2.0)
    assert re.search(r'<image [^>]*width="25%"', svg)
    assert f'height="{HEIGHT}"' in svg
    assert "<title>A &lt;tone&gt;</title>" in svg


@pytest.mark.parametrize("n_samples", [1, 10, 200])
def test_a_very_short_clip_still_has_a_picture(n_samples: int) -> None:
    audio = Audio(np.full((1, n_samples), 0.1, np.float32), 16_000)
    assert "<image" in spectrogram(audio, "short", audio.duration_s)
