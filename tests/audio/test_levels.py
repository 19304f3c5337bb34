import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auralign.audio.degrade import NOISES, add_noise, clip_hard
from auralign.audio.levels import (
    active_duration_s,
    at_rms,
    clipping_share,
    log_crest_factor,
    loudness_lufs,
    noise_floor_dbfs,
    peak_dbfs,
    rms_dbfs,
    silence_share,
    true_peak_dbtp,
)
from auralign.errors import AudioError
from auralign.types import Audio

MEASURES = (loudness_lufs, peak_dbfs, true_peak_dbtp, rms_dbfs, clipping_share, noise_floor_dbfs)


def mono(samples: np.ndarray, rate: int = 16_000) -> Audio:
    return Audio(np.asarray(samples, dtype=np.float32)[None], rate)


def sine(hz: float, seconds: float = 1.0, amplitude: float = 1.0, rate: int = 16_000, phase=0.0):
    t = np.arange(round(seconds * rate)) / rate
    return mono(amplitude * np.sin(2 * np.pi * hz * t + phase), rate)


def bursts(pattern: list[tuple[float, float]], rate: int = 16_000) -> Audio:
    """Tones of amplitude `a` and length `s` one after the other."""
    return mono(np.concatenate([sine(500, s, a, rate).samples[0] for a, s in pattern]), rate)


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_a_full_scale_997_hz_sine_has_minus_3_01_lufs(rate):
    # ITU-R BS.1770-4, Annex 1; the tolerance of a meter is 0.1 LU (EBU Tech 3341).
    assert loudness_lufs(sine(997, 3, rate=rate)) == pytest.approx(-3.01, abs=0.1)


def test_loudness_follows_the_gain_and_adds_over_channels():
    one = sine(997, 3, amplitude=0.1)
    both = Audio(np.repeat(one.samples, 2, axis=0), one.sample_rate)
    assert loudness_lufs(one) == pytest.approx(-3.01 - 20, abs=0.1)
    assert loudness_lufs(both) == pytest.approx(-3.01 - 20 + 3.01, abs=0.1)


def test_a_clip_shorter_than_a_block_has_no_loudness():
    assert loudness_lufs(sine(997, 0.39)) is None
    assert loudness_lufs(sine(997, 0.41)) is not None


def test_rms_of_a_full_scale_sine_is_minus_3_01_dbfs():
    assert rms_dbfs(sine(1000)) == pytest.approx(-3.01, abs=0.01)
    assert rms_dbfs(mono(np.tile([0.5, -0.5], 100))) == pytest.approx(20 * np.log10(0.5))


def test_the_true_peak_lies_between_samples():
    # At a quarter of the rate and 45 degrees every sample sits at 1 / sqrt(2) of the peak.
    audio = sine(4000, phase=np.pi / 4)
    assert peak_dbfs(audio) == pytest.approx(-3.01, abs=0.01)
    # 4x oversampling may read up to 0.17 dB low here (BS.1770-4, Annex 2, table of under-read).
    middle = Audio(audio.samples * np.hanning(audio.n_samples).astype(np.float32), 16_000)
    assert true_peak_dbtp(middle) == pytest.approx(0.0, abs=0.2)


@given(level=st.floats(-60, 0), seed=st.integers(0, 50))
def test_at_rms_reaches_the_level(level, seed):
    audio = mono(np.random.default_rng(seed).standard_normal(500))
    assert rms_dbfs(at_rms(audio, level)) == pytest.approx(level, abs=0.01)


def test_silence_cannot_be_brought_to_a_level():
    with pytest.raises(AudioError, match="cannot be brought to -23 dBFS"):
        at_rms(mono(np.zeros(100)), -23)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("n", [0, 16_000])
def test_what_silence_does_not_have_is_none(measure, n):
    assert measure(mono(np.zeros(n))) is None


@pytest.mark.parametrize("hz", [30, 50, 100, 440, 997, 3000, 4000, 7000])
@pytest.mark.parametrize("phase", [0.0, np.pi / 4])
def test_no_pure_tone_counts_as_clipped(hz, phase):
    assert clipping_share(sine(hz, amplitude=0.9, phase=phase)) == 0


@pytest.mark.parametrize("hz", [50, 100, 440])
@pytest.mark.parametrize("gain", [1.0, 0.2])
def test_a_clipped_tone_counts_by_its_flat_tops_at_any_level(hz, gain):
    clipped = clip_hard(sine(hz), 6.0206)
    # Above half its peak a sine spends acos(1/2) / (pi/2) = 2/3 of its time; 3 % below that
    # ceiling counts too.
    low, high = (np.arccos(x) / (np.pi / 2) for x in (0.5, 0.5 * 0.97))
    share = clipping_share(Audio(gain * clipped.samples, 16_000))
    assert low - 0.01 < share < high + 0.01


def test_full_scale_runs_of_three_count_and_shorter_ones_do_not():
    quiet = np.tile([0.1, -0.1], 500)

    def with_run(n: int) -> Audio:
        samples = quiet.copy()
        samples[500 : 500 + n] = 1.0
        return mono(samples)

    assert clipping_share(with_run(2)) == 0
    assert clipping_share(with_run(3)) == pytest.approx(3 / 1000)
    assert clipping_share(with_run(9)) == pytest.approx(9 / 1000)


@pytest.mark.parametrize("colour", ["white", "pink"])
@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
@pytest.mark.parametrize("level", [-20.0, -60.0])
def test_the_floor_of_gaussian_noise_is_its_level(colour, rate, level):
    noise = at_rms(mono(NOISES[colour](3 * rate, rate, np.random.default_rng(0)), rate), level)
    assert noise_floor_dbfs(noise) == pytest.approx(level, abs=1.0)


def test_the_floor_under_a_signal_without_pauses_is_the_noise():
    # A tone that jumps between bands every 50 ms: loud everywhere, each band quiet at times.
    rng = np.random.default_rng(0)
    hops = mono(np.concatenate([sine(hz, 0.05).samples[0] for hz in rng.uniform(200, 7000, 80)]))
    noisy = add_noise(hops, 30, "white", rng)
    assert noise_floor_dbfs(noisy) == pytest.approx(rms_dbfs(hops) - 30, abs=2.0)
    assert silence_share(noisy) == 0


def test_more_noise_is_a_higher_floor():
    audio = bursts([(0.5, 0.3), (0.0, 0.2), (0.5, 0.3), (0.0, 0.2)])
    floors = [
        noise_floor_dbfs(add_noise(audio, snr, "pink", np.random.default_rng(0)))
        for snr in (30, 15, 5)
    ]
    assert floors == sorted(floors)


def test_digital_silence_does_not_hide_the_noise():
    noise = at_rms(mono(np.random.default_rng(0).standard_normal(32_000)), -40)
    padded = mono(np.pad(noise.samples[0], 32_000))
    assert noise_floor_dbfs(padded) == pytest.approx(-40, abs=1.5)


def test_pauses_are_silence_and_closures_are_not():
    # 0.5 s of signal, a closure of 0.1 s, 0.4 s of signal, a pause of 1 s.
    audio = bursts([(0.5, 0.5), (0.0, 0.1), (0.5, 0.4), (0.0, 1.0)])
    assert active_duration_s(audio) == pytest.approx(1.0)
    assert silence_share(audio) == pytest.approx(0.5)


def test_what_is_30_db_below_the_signal_is_silence():
    assert active_duration_s(bursts([(1.0, 1.0), (10 ** (-29 / 20), 1.0)])) == pytest.approx(2.0)
    assert active_duration_s(bursts([(1.0, 1.0), (10 ** (-31 / 20), 1.0)])) == pytest.approx(1.0)


@given(gain_db=st.floats(-60, 0))
def test_activity_does_not_depend_on_the_level(gain_db):
    audio = bursts([(0.5, 0.3), (0.0, 0.4), (0.2, 0.3)])
    quieter = Audio(audio.samples * np.float32(10 ** (gain_db / 20)), audio.sample_rate)
    assert active_duration_s(quieter) == active_duration_s(audio)


def test_silence_is_active_for_no_time_and_nothing_has_no_activity():
    assert active_duration_s(mono(np.zeros(16_000))) == 0
    assert silence_share(mono(np.zeros(16_000))) == 1
    assert active_duration_s(mono(np.zeros(0))) is None
    assert silence_share(mono(np.zeros(0))) is None


def test_the_crest_factor_of_a_sine_is_root_two_and_of_a_square_wave_one():
    phase = 2 * np.pi * 440 * np.arange(16_000) / 16_000
    for wave, expected in ((np.sin(phase), np.log(2) / 2), (np.sign(np.sin(phase + 0.1)), 0.0)):
        for level in (0.5, 0.01):
            audio = Audio((level * wave).astype(np.float32)[None], 16_000)
            assert log_crest_factor(audio) == pytest.approx(expected, abs=1e-3)
