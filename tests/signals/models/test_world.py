"""Pitch by WORLD: sung and spoken contours whose pitch is known."""

import numpy as np
import pytest

from auralign.audio import resample
from auralign.audio.espeak import say
from auralign.signals.models.world import (
    f0_distances,
    f0_statistics,
    load_distances,
    load_statistics,
    load_tracker,
)
from auralign.signals.signal import Item, Missing
from auralign.types import Audio

pytestmark = pytest.mark.slow

RATE = 16_000


def voice(f0: np.ndarray) -> Audio:
    """Twenty harmonics with this pitch at each sample [Hz]."""
    phase = 2 * np.pi * np.cumsum(f0) / RATE
    wave = sum(np.cos(k * phase) / k for k in range(1, 21))
    return Audio((0.2 * wave).astype(np.float32)[None], RATE)


@pytest.fixture(scope="module")
def track():
    return load_tracker()


@pytest.mark.parametrize("hz", [90.0, 220.0, 400.0])
def test_a_steady_voice_has_its_pitch_and_no_range(track, hz):
    found = f0_statistics(track(voice(np.full(RATE, hz))))
    assert found["f0_median"] == pytest.approx(hz, rel=0.002)
    assert found["f0_range"] < 0.1  # the frames at both ends are off


def test_a_glide_of_an_octave_has_the_deviation_of_a_uniform_distribution(track):
    glide = 110 * 2 ** np.linspace(0, 1, 2 * RATE)
    found = f0_statistics(track(voice(glide)))
    assert found["f0_sd"] == pytest.approx(12 / np.sqrt(12), rel=0.05)
    assert found["f0_range"] == pytest.approx(0.9 * 12, rel=0.05)


def test_half_of_a_clip_that_is_half_noise_is_unvoiced(track):
    noise = np.random.default_rng(0).standard_normal(RATE).astype(np.float32) * 0.05
    samples = np.concatenate([voice(np.full(RATE, 150.0)).samples[0], noise])
    found = f0_statistics(track(Audio(samples[None], RATE)))
    assert found["voiced_share"] == pytest.approx(0.5, abs=0.1)


def test_noise_has_no_statistics_but_a_reason():
    noise = np.random.default_rng(1).standard_normal((1, RATE)).astype(np.float32) * 0.1
    quiet = Audio(noise * np.float32(1e-3), RATE)
    (values,) = load_statistics()([Item("noise", quiet)])
    assert values["f0_sd"] == Missing("hardly any voiced speech") or values["voiced_share"] < 0.5
    assert f0_statistics(np.zeros(100)) == Missing("hardly any voiced speech")


def test_distances_of_contours_that_differ_by_an_octave_and_in_voicing():
    reference = np.concatenate([np.zeros(20), 100 * 2 ** np.linspace(0, 0.5, 80)])
    raised = np.where(np.arange(100) < 30, 0.0, 2 * reference)
    found = f0_distances(raised, reference)
    assert found["f0_rmse"] == pytest.approx(12)
    assert found["f0_correlation"] == pytest.approx(1)
    assert found["voicing_error"] == pytest.approx(0.1)


def test_a_constant_pitch_correlates_with_nothing():
    flat = np.full(50, 100.0)
    assert f0_distances(flat, flat)["f0_correlation"] == Missing("the pitch is constant")


def test_a_clip_is_at_no_distance_from_itself_and_a_slower_reading_is_near():
    said = [
        resample(say("a large house on the hill", voice="en-us", rate_wpm=rate), RATE)
        for rate in (160, 130)
    ]
    measure = load_distances()
    same, slower = measure([Item("a", clip, reference=said[0]) for clip in said])
    assert same["f0_rmse"] == 0
    assert same["voicing_error"] == 0
    assert 0 < slower["f0_rmse"] < 3
