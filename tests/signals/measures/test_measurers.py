"""What holds for every signal that needs nothing but this package."""

import math

import numpy as np
import pytest

from auralign.signals.measures import (
    fidelity,
    functionals,
    integrity,
    intelligibility,
    loudness,
    noise,
    prosody,
    transcripts,
    voice,
)
from auralign.signals.measures.measurers import all_missing, known
from auralign.signals.signal import Direction, Item, Measure, Missing, Requirement, Signal
from auralign.types import DIMENSIONS, Audio

ROOMS = (
    integrity, loudness, noise, fidelity, intelligibility, prosody, voice, functionals, transcripts
)  # fmt: skip
SIGNALS = [signal for room in ROOMS for signal in room.SIGNALS]


def clip(kind: str, signal: Signal, seconds: float) -> Audio:
    rate = signal.sample_rate or 16_000
    rng, t = np.random.default_rng(0), np.arange(math.ceil(seconds * rate)) / rate
    samples = {
        "voice": sum(np.sin(2 * np.pi * 140 * k * t) / k for k in range(1, 20))
        * np.sin(9 * t) ** 2,
        "noise": rng.standard_normal(t.size),
        "impulse": (t == t[t.size // 2]).astype(float),
        "steps": np.sign(np.sin(2 * np.pi * 100 * t)),
        "offset": np.full(t.size, 0.5),
    }[kind]
    return Audio((0.3 * samples).astype(np.float32)[None], rate)


def values(signal: Signal, kind: str, seconds: float) -> dict:
    audio = clip(kind, signal, seconds)
    noisy = audio.samples + 0.01 * np.random.default_rng(1).standard_normal(audio.samples.shape)
    item = Item("clip", Audio(noisy.astype(np.float32), audio.sample_rate), audio, "two words")
    return signal.load()([item])[0]


def in_range(measure: Measure, value: float) -> bool:
    above = measure.low is None or value >= measure.low - 1e-9
    return above and (measure.high is None or value <= measure.high + 1e-9)


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda s: s.name)
def test_every_measure_is_answered_with_a_number_in_its_range_or_a_reason(signal):
    for kind in ("voice", "noise", "impulse", "steps", "offset"):
        for seconds in (max(signal.shortest_s, 0.05), 2.0):
            found = values(signal, kind, seconds)
            assert set(found) == {m.name for m in signal.measures}
            for measure in signal.measures:
                value = found[measure.name]
                assert isinstance(value, Missing | float)
                if isinstance(value, float):
                    assert math.isfinite(value)
                    assert in_range(measure, value), (measure.name, kind, value)


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda s: s.name)
def test_answers_are_the_same_every_time_and_for_every_company(signal):
    alone = values(signal, "voice", 1.0)
    audio = clip("voice", signal, 1.0)
    other = clip("noise", signal, 1.0)
    items = [Item("a", a, audio, "two words") for a in (other, audio, other, audio)]
    first, second, third, fourth = signal.load()(items)
    assert (first, second) == (third, fourth)
    assert values(signal, "voice", 1.0) == alone


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda s: s.name)
def test_an_entry_says_what_the_contract_asks(signal):
    assert signal.summary.endswith(".")
    assert signal.failures
    assert signal.code_licence == "Apache-2.0"
    assert signal.extra is None
    assert signal.download_bytes == 0
    for measure in signal.measures:
        assert set(measure.dimensions) <= set(DIMENSIONS)
        assert (measure.target is not None) == (measure.direction is Direction.TARGET)
    families = {"noise", "clip", "band", "quantise", "dropout"}
    ordered = any(m.direction in (Direction.MIN, Direction.MAX) for m in signal.measures)
    hears = Requirement.TEXT not in signal.requires
    assert bool(signal.ladders) == (ordered and hears)
    assert set(signal.ladders) <= families


def test_a_missing_value_has_its_reason():
    assert known(None, "why") == Missing("why")
    assert known(0.0, "why") == 0.0
    assert all_missing(("a", "b"), "why") == {"a": Missing("why"), "b": Missing("why")}
