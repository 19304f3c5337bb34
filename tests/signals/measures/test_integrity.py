import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auralign.audio.clips import quantise
from auralign.audio.degrade import lose_packets, reduce_bits
from auralign.signals.measures.integrity import SIGNALS, bit_depth, clicks, dropouts
from auralign.signals.signal import Item, Missing
from auralign.types import Audio

pytestmark = pytest.mark.slow

RATE = 16_000


def tone(seconds: float = 1.0, channels: int = 1, rate: int = RATE) -> np.ndarray:
    t = np.arange(round(seconds * rate)) / rate
    wave = 0.3 * np.sin(2 * np.pi * 200 * t) + 0.1 * np.sin(2 * np.pi * 1730 * t + 1)
    return np.tile(wave.astype(np.float32), (channels, 1))


def values(audio: Audio) -> dict:
    return SIGNALS[0].load()([Item("clip", audio)])[0]


@given(begin=st.integers(100, 12_000), length=st.integers(65, 2000), rate=st.sampled_from([RATE]))
def test_a_hole_is_found_where_it_is(begin, length, rate):
    samples = tone()
    samples[:, begin : begin + length] = 0
    ((found_begin, found_end),) = dropouts(Audio(samples, rate))
    # A sample beside the hole may be zero by itself.
    assert found_begin == pytest.approx(begin, abs=2)
    assert found_end == pytest.approx(begin + length, abs=2)


def test_a_hole_in_one_channel_only_is_none_and_a_frozen_value_is_one():
    samples = tone(channels=2)
    samples[0, 4000:4500] = 0
    assert dropouts(Audio(samples, RATE)) == []
    samples[:, 8000:8500] = samples[:, 8000:8001]
    assert dropouts(Audio(samples, RATE)) == [(8000, 8500)]


def test_silence_that_was_faded_into_is_a_pause():
    samples = tone()
    fade = np.linspace(1, 0, 4000) ** 3
    samples[:, 2000:6000] *= fade
    samples[:, 6000:9000] = 0
    samples[:, 9000:13_000] *= fade[::-1]
    assert dropouts(Audio(samples, RATE)) == []


def test_lost_packets_are_counted_in_full():
    audio = Audio(tone(4.0), RATE)
    lossy = values(lose_packets(audio, 0.1, np.random.default_rng(0)))
    assert lossy["dropout_share"] == pytest.approx(0.1, abs=0.015)
    assert values(audio)["dropout_share"] == values(audio)["dropouts_per_s"] == 0


@given(places=st.lists(st.integers(400, 15_500), min_size=1, max_size=8, unique=True))
def test_impulses_are_found_where_they_are(places):
    apart = [p for k, p in enumerate(sorted(places)) if k == 0 or p - sorted(places)[k - 1] > 400]
    samples = tone() + 1e-3 * np.random.default_rng(0).standard_normal((1, RATE))
    samples[0, apart] += 0.5
    found = clicks(Audio(samples.astype(np.float32), RATE))
    nearest = np.abs(found[:, None] - np.array(apart)).min(axis=1)
    assert nearest.max() <= 2
    assert len(found) == len(apart)


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
def test_noise_tones_and_silence_have_no_clicks(rate):
    rng = np.random.default_rng(0)
    for samples in (tone(rate=rate), rng.standard_normal((1, rate)), np.zeros((1, rate))):
        assert clicks(Audio(samples.astype(np.float32), rate)).size == 0
    assert clicks(Audio(np.zeros((1, 10), dtype=np.float32), rate)).size == 0


@pytest.mark.parametrize("bits", [4, 6, 8, 10, 16, 20])
def test_the_bit_depth_is_that_of_the_quantiser(bits):
    rng = np.random.default_rng(0)
    audio = Audio(rng.uniform(-0.9, 0.9, (2, 5000)).astype(np.float32), RATE)
    assert bit_depth(reduce_bits(audio, bits)) == bits
    assert bit_depth(Audio(audio.samples / 3, RATE)) is None


def test_a_16_bit_file_has_at_most_16_bits_and_silence_one():
    assert bit_depth(quantise(Audio(tone(), RATE))) == 16
    assert bit_depth(Audio(np.zeros((1, 100), dtype=np.float32), RATE)) == 1
    assert "24 bits" in values(Audio(tone() / 3, RATE))["bit_depth"].reason


def test_the_ends_are_what_is_not_active():
    padded = np.pad(tone(), ((0, 0), (RATE // 2, RATE)))
    found = values(Audio(padded, RATE))
    assert found["leading_silence_s"] == pytest.approx(0.5, abs=0.021)
    assert found["trailing_silence_s"] == pytest.approx(1.0, abs=0.021)
    assert found["duration_s"] == 2.5


def test_silence_is_all_ends():
    found = values(Audio(np.zeros((1, RATE), dtype=np.float32), RATE))
    assert found["leading_silence_s"] == found["trailing_silence_s"] == 1
    assert not isinstance(found["dropout_share"], Missing)


def test_samples_beyond_full_scale_are_counted():
    samples = tone()
    samples[0, :8] = 1.5
    assert values(Audio(samples, RATE))["over_full_scale"] == pytest.approx(8 / RATE)
    full = Audio(np.clip(samples, -1, 1), RATE)
    assert values(full)["over_full_scale"] == 0
