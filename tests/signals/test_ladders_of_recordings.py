"""Which ladders of degradations the signals order on real speech, and which they are known not to.

Five speakers of the Free Spoken Digit Dataset, six digits each, over faint noise.
"""

from functools import cache
from itertools import combinations

import numpy as np
import pytest

from auralign.audio import degrade
from auralign.audio.clips import resample
from auralign.signals.measures import (
    fidelity,
    integrity,
    intelligibility,
    loudness,
    noise,
    prosody,
    voice,
)
from auralign.signals.signal import Direction, Item, Measure, Missing, Requirement, Signal
from auralign.types import Audio
from spoken_ladders import LADDERS, RATE, SPEAKERS, clip

ORDERED = (Direction.MIN, Direction.MAX)
ROOMS = (integrity, loudness, noise, fidelity, intelligibility, prosody, voice)
SIGNALS = {s.name: s for room in ROOMS for s in room.SIGNALS if s.ladders}

pytestmark = pytest.mark.realdata("fsdd")


@cache
def rungs(speaker: str, family: str, rate: int) -> list[Audio]:
    """From mild to strong; the random part is drawn alike for all rungs."""
    draws = (np.random.default_rng(SPEAKERS.index(speaker)) for _ in range(4))
    return [resample(LADDERS[family](clip(speaker), k, rng), rate) for k, rng in enumerate(draws)]


@cache
def values(name: str, speaker: str, family: str) -> list[dict]:
    signal = SIGNALS[name]
    rate = signal.sample_rate or RATE
    reference = resample(clip(speaker), rate)
    return signal.load()([Item("", a, reference) for a in rungs(speaker, family, rate)])


def share_ordered(signal: Signal, measure: Measure, family: str, *, apart: int) -> tuple[int, int]:
    """Pairs of rungs that lie so far apart, and how many of them are in the right order."""
    right, total = 0, 0
    for speaker in SPEAKERS:
        column = [v[measure.name] for v in values(signal.name, speaker, family)]
        for mild, strong in combinations(range(4), 2):
            if strong - mild >= apart:
                total += 1
                right += is_better(measure, column[mild], column[strong])
    return right, total


def is_better(measure: Measure, mild: float | Missing, strong: float | Missing) -> bool:
    if isinstance(mild, Missing) or isinstance(strong, Missing):
        return False
    return mild > strong if measure.direction is Direction.MAX else mild < strong


def compares(signal: Signal) -> bool:
    return Requirement.ALIGNED_REFERENCE in signal.requires or signal.name == "mcd"


def test_the_clips_are_long_enough():
    assert min(clip(speaker).duration_s for speaker in SPEAKERS) > 2


@pytest.mark.parametrize("family", LADDERS)
@pytest.mark.parametrize("name", [n for n, s in SIGNALS.items() if compares(s)])
def test_measures_against_a_reference_order_every_pair(name, family):
    signal = SIGNALS[name]
    assert signal.ladders[family]
    for measure in signal.measures:
        assert share_ordered(signal, measure, family, apart=1) == (30, 30), measure.name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "family"),
    [(n, f) for n, s in SIGNALS.items() if not compares(s) for f in s.ladders],
)
def test_the_others_order_what_they_say_and_fail_where_they_say(name, family):
    # A signal orders a ladder when one of its measures does, but for rungs next to each other.
    signal = SIGNALS[name]
    measures = [m for m in signal.measures if m.direction in ORDERED]
    best = max(share_ordered(signal, m, family, apart=2)[0] for m in measures)
    assert (best == 15) is signal.ladders[family], f"{best} of 15 pairs"


def test_a_low_pass_raises_the_hnr_of_every_speaker():
    for speaker in SPEAKERS:
        mild, *_, strong = (v["hnr_db"] for v in values("hnr", speaker, "band"))
        assert strong > mild


def test_hum_is_ordered_by_the_measure_of_hum_down_to_its_share_of_the_power():
    measure = SIGNALS["hum"].load()
    for speaker in SPEAKERS:
        hums = [
            degrade.add_noise(clip(speaker), snr, "hum", np.random.default_rng(0))
            for snr in (25, 15, 5)
        ]
        found = [v["hum_db"] for v in measure([Item("", audio) for audio in hums])]
        share = [-10 * np.log10(1 + 10 ** (snr / 10)) for snr in (25, 15, 5)]
        assert found == pytest.approx(share, abs=1.0)


def test_a_noise_gate_fools_the_measures_of_noise_in_pauses():
    # The speech is as noisy as before; only its pauses have been cut to silence.
    for speaker in SPEAKERS:
        noisy = LADDERS["noise"](clip(speaker), 2, np.random.default_rng(0))
        gated = Audio(np.where(clip_is_speech(speaker), noisy.samples, 0), RATE)
        before, after = SIGNALS["pause_snr"].load()([Item("", noisy), Item("", gated)])
        fooled = after["pause_snr_db"]
        assert isinstance(fooled, Missing) or abs(fooled - before["pause_snr_db"]) > 1


def clip_is_speech(speaker: str) -> np.ndarray:
    level = np.convolve(np.abs(clip(speaker).samples[0]), np.ones(320) / 320, mode="same")
    return level > 0.01
