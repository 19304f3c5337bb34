"""The signals of the extras on real speech: texts told apart, and ladders that hold or fail.

Digits of the Free Spoken Digit Dataset, spoken with gaps over faint noise.
"""

import os
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from auralign.audio import degrade
from auralign.audio.clips import read_audio, resample
from auralign.audio.levels import at_rms
from auralign.signals.models import restricted, sphinx, world
from auralign.signals.signal import Direction, Item, Requirement
from auralign.types import Audio

RECORDINGS = Path(os.environ.get("AURALIGN_DATA", "data")) / "fsdd" / "recordings"
RATE = 16_000
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo")
DIGITS = (3, 1, 4, 5, 9, 2)
NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
TEXT = " ".join(NAMES[digit] for digit in DIGITS)
LADDERS = {
    "noise": lambda clip, k, rng: degrade.add_noise(clip, (30, 20, 10, 0)[k], "white", rng),
    "clip": lambda clip, k, rng: degrade.clip_at_quantile(clip, (0.999, 0.98, 0.9, 0.7)[k]),
    "band": lambda clip, k, rng: degrade.low_pass(clip, (6000, 4000, 2000, 1000)[k]),
    "quantise": lambda clip, k, rng: degrade.reduce_bits(clip, (10, 8, 6, 4)[k]),
    "dropout": lambda clip, k, rng: degrade.lose_packets(clip, (0.02, 0.05, 0.1, 0.2)[k], rng),
}
PACKAGES = {"pesq": "pesq", "praat_voice": "parselmouth", "align_llr": "pocketsphinx"}
SIGNALS = {s.name: s for room in (restricted, sphinx) for s in room.SIGNALS if s.ladders}

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(not RECORDINGS.is_dir(), reason="no fsdd folder in AURALIGN_DATA"),
]


@cache
def clip(speaker: str) -> Audio:
    """Words at -20 dBFS with 0.15 s between them, over noise at -60 dBFS."""
    words = [
        at_rms(resample(read_audio(RECORDINGS / f"{digit}_{speaker}_0.wav"), RATE), -20).samples[0]
        for digit in DIGITS
    ]
    gap = np.zeros(round(0.15 * RATE), dtype=np.float32)
    speech = np.concatenate([part for word in words for part in (word, gap)])
    floor = 1e-3 * np.random.default_rng(0).standard_normal(speech.size)
    return Audio((speech + floor).astype(np.float32)[None], RATE)


@cache
def measurer(name: str):
    pytest.importorskip(PACKAGES[name])
    return SIGNALS[name].load()


def column(name: str, measure: str, speaker: str, family: str) -> list[float]:
    """The measure from the mildest rung to the strongest; NaN where it is missing."""
    rungs = [LADDERS[family](clip(speaker), k, np.random.default_rng(0)) for k in range(4)]
    items = [Item("", rung, clip(speaker), TEXT) for rung in rungs]
    values = [found[measure] for found in measurer(name)(items)]
    return [v if isinstance(v, float) else np.nan for v in values]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "family"), [(n, f) for n, s in SIGNALS.items() for f in s.ladders]
)
def test_a_signal_orders_the_ladders_that_it_says_and_fails_on_those_it_says(name, family):
    # Against a reference every pair of rungs, else those that are not next to each other.
    signal = SIGNALS[name]
    apart = 1 if Requirement.ALIGNED_REFERENCE in signal.requires else 2
    right = {}
    for measure in signal.measures:
        sign = {Direction.MAX: 1, Direction.MIN: -1}.get(measure.direction)
        if sign is not None:
            columns = [column(name, measure.name, speaker, family) for speaker in SPEAKERS]
            pairs = [(i, j) for i, j in combinations(range(4), 2) if j - i >= apart]
            right[measure.name] = [sign * c[i] > sign * c[j] for c in columns for i, j in pairs]
    assert any(map(all, right.values())) is signal.ladders[family], {
        measure: f"{sum(ordered)} of {len(ordered)}" for measure, ordered in right.items()
    }


def test_a_low_pass_raises_praats_harmonicity_of_every_speaker():
    for speaker in SPEAKERS:
        mild, *_, strong = column("praat_voice", "hnr", speaker, "band")
        assert strong > mild


@pytest.mark.slow
def test_the_digits_that_were_said_explain_each_speaker_best():
    align = measurer("align_llr")
    rng = np.random.default_rng(0)
    others = [" ".join(rng.choice(NAMES, len(DIGITS))) for _ in range(4)]
    for speaker in SPEAKERS:
        items = [Item("", clip(speaker), text=text) for text in (TEXT, *others)]
        right, *wrong = (values["align_llr"] for values in align(items))
        assert right > max(wrong)


def test_world_and_praat_agree_on_the_pitch_of_every_speaker():
    praat = measurer("praat_voice")
    track = world.load_statistics()
    for speaker in SPEAKERS:
        item = Item("", clip(speaker))
        (ours,), (theirs,) = track([item]), praat([item])
        assert ours["f0_median"] == pytest.approx(theirs["f0_median"], rel=0.05)
