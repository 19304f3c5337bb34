"""The signals of the extras on real speech: texts told apart, and ladders that hold or fail.

Digits of the Free Spoken Digit Dataset, spoken with gaps over faint noise.
"""

from functools import cache
from itertools import combinations

import numpy as np
import pytest

from auralign.signals.models import restricted, sphinx, world
from auralign.signals.signal import Direction, Item, Requirement
from spoken_ladders import DIGITS, LADDERS, SPEAKERS, clip

NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
TEXT = " ".join(NAMES[digit] for digit in DIGITS)
PACKAGES = {"pesq": "pesq", "praat_voice": "parselmouth", "align_llr": "pocketsphinx"}
SIGNALS = {s.name: s for room in (restricted, sphinx) for s in room.SIGNALS if s.ladders}

pytestmark = pytest.mark.realdata("fsdd")


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
