"""Ladders of people's voices: the Free Spoken Digit Dataset, six digits at a time."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from auralign.audio import resample
from auralign.audio.pitch import pitch
from auralign.preferences.ladders import OPERATIONS, Recording, build_ladder, join_recordings
from auralign.signals.measures.fidelity import si_sdr_db
from auralign.types import Audio, Prompt
from real_data import FSDD

SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")

pytestmark = pytest.mark.realdata("fsdd")


@pytest.fixture(scope="module")
def recordings() -> list[Recording]:
    """A sequence of six digits by each of the six speakers, at 16 kHz."""
    parts = [
        Recording(
            Prompt(f"{digit}_{speaker}", str(digit), condition=speaker),
            FSDD / "recordings" / f"{digit}_{speaker}_0.wav",
            attributes={"speaker": speaker},
        )
        for speaker in SPEAKERS
        for digit in range(10)
    ]
    joined = join_recordings(parts, 6, rng=np.random.default_rng(0))
    return [replace(r, source=resample(r.audio, 16_000)) for r in joined]


def extent_st(audio: Audio) -> float:
    f0 = pitch(audio).f0
    return float(np.std(12 * np.log2(f0[np.isfinite(f0)])))


def test_a_flatter_melody_has_a_smaller_spread_of_f0(recordings):
    for recording in recordings:
        ladder = build_ladder(recording, OPERATIONS["prosody/flat"], seed=0)
        extents = [extent_st(rung.audio) for rung in ladder.rungs]
        assert extents[0] > extents[-1]
        assert extents[0] > extents[2]


@pytest.mark.parametrize(
    ("name", "severities"),
    [
        ("noise/white", None),
        ("clip/quantile", None),
        ("band/low_pass", (3000.0, 2000.0, 1000.0, 500.0)),  # telephone speech ends at 4 kHz
        ("quantise/bits", None),
        ("codec/mp3", None),
        ("dropout/silence", None),
    ],
)
def test_every_two_rungs_are_ordered_by_their_distance_from_the_control(
    name, severities, recordings
):
    for recording in recordings:
        ladder = build_ladder(recording, OPERATIONS[name], seed=0, severities=severities)
        control, *rungs = (rung.audio.mono().astype(np.float64) for rung in ladder.rungs)
        ratios = [si_sdr_db(control, rung) for rung in rungs]
        assert all(better > worse for better, worse in combinations(ratios, 2))
