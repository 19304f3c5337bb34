import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auralign.signals.measures.intelligibility import RATE, SIGNALS, intelligibility
from auralign.signals.signal import Item, Missing
from auralign.types import Audio

pytestmark = pytest.mark.slow


def speechlike(seed: int, seconds: float = 2.0) -> np.ndarray:
    """Noise whose level changes every 50 ms, with gaps of silence."""
    rng = np.random.default_rng(seed)
    n = round(seconds * RATE)
    level = np.repeat(rng.random(n // 500 + 1) ** 2 * (rng.random(n // 500 + 1) > 0.2), 500)[:n]
    return level * rng.standard_normal(n)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("noise", [0.01, 0.3, 3.0])
def test_both_measures_are_those_of_pystoi(seed, noise):
    pystoi = pytest.importorskip("pystoi")
    x = speechlike(seed)
    y = x + noise * np.random.default_rng(seed + 100).standard_normal(x.size)
    found = intelligibility(x, y)
    assert found.stoi == pytest.approx(pystoi.stoi(x, y, RATE), abs=1e-12)
    # pystoi adds random numbers at the level of rounding to the extended measure.
    assert found.estoi == pytest.approx(pystoi.stoi(x, y, RATE, extended=True), abs=1e-9)


def test_the_extended_measure_is_the_same_every_time_and_leaves_the_global_generator_alone():
    x = speechlike(0)
    y = x + np.random.default_rng(1).standard_normal(x.size)
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - the state that must not change
    assert len({intelligibility(x, y).estoi for _ in range(5)}) == 1
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


@settings(max_examples=15)
@given(seed=st.integers(0, 1000), gain_db=st.floats(-40, 40))
def test_the_level_of_the_degraded_clip_does_not_matter(seed, gain_db):
    x = speechlike(seed, 0.8)
    y = x + 0.5 * np.random.default_rng(seed).standard_normal(x.size)
    found = intelligibility(x, y)
    if found is not None:
        assert intelligibility(x, 10 ** (gain_db / 20) * y) == pytest.approx(found, abs=1e-9)


def test_a_copy_has_one_and_silence_has_nothing():
    x = speechlike(3)
    assert intelligibility(x, x) == pytest.approx((1.0, 1.0), abs=1e-9)
    assert intelligibility(x, np.zeros_like(x)) == (0.0, 0.0)


def test_a_delay_of_100_ms_destroys_it():
    x = speechlike(4)
    assert intelligibility(x, np.roll(x, RATE // 10)).stoi < 0.3


def test_too_few_frames_that_are_not_silent_are_a_reason_and_not_a_number():
    n = 30 * 128 + 256
    x = np.random.default_rng(0).standard_normal(RATE)
    assert intelligibility(x[: n + 128], x[: n + 128]) is not None
    assert intelligibility(x[: n - 200], x[: n - 200]) is None
    assert intelligibility(x[:10], x[:10]) is None
    short = Audio(x[None, : n - 200].astype(np.float32), RATE)
    (values,) = SIGNALS[0].load()([Item("clip", short, short)])
    assert values["stoi"] == Missing("fewer than 30 frames of the reference are not silent")


def test_recordings_of_different_length_are_not_compared():
    x = Audio(speechlike(0)[None].astype(np.float32), RATE)
    longer = Audio(np.pad(x.samples, ((0, 0), (0, 5))), RATE)
    (values,) = SIGNALS[0].load()([Item("clip", longer, x)])
    assert "not aligned" in values["estoi"].reason
