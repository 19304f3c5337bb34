"""Digits of five speakers (Free Spoken Digit Dataset) over faint noise, and ladders of flaws."""

from functools import cache

import numpy as np

from auralign.audio import degrade
from auralign.audio.clips import read_audio, resample
from auralign.audio.levels import at_rms
from auralign.types import Audio
from real_data import FSDD

RATE = 16_000
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo")
DIGITS = (3, 1, 4, 5, 9, 2)
LADDERS = {
    "noise": lambda clip, k, rng: degrade.add_noise(clip, (30, 20, 10, 0)[k], "white", rng),
    "clip": lambda clip, k, rng: degrade.clip_at_quantile(clip, (0.999, 0.98, 0.9, 0.7)[k]),
    "band": lambda clip, k, rng: degrade.low_pass(clip, (6000, 4000, 2000, 1000)[k]),
    "quantise": lambda clip, k, rng: degrade.reduce_bits(clip, (10, 8, 6, 4)[k]),
    "dropout": lambda clip, k, rng: degrade.lose_packets(clip, (0.02, 0.05, 0.1, 0.2)[k], rng),
}
"""Rungs 0 to 3, from mild to strong."""


@cache
def clip(speaker: str) -> Audio:
    """At least 2 s: words at -20 dBFS with 0.15 s between them, over noise at -60 dBFS."""
    files = [FSDD / "recordings" / f"{digit}_{speaker}_0.wav" for digit in DIGITS]
    words = [at_rms(resample(read_audio(file), RATE), -20).samples[0] for file in files]
    gap = np.zeros(round(0.15 * RATE), dtype=np.float32)
    speech = np.concatenate([part for word in words for part in (word, gap)])
    floor = 1e-3 * np.random.default_rng(0).standard_normal(speech.size)
    return Audio((speech + floor).astype(np.float32)[None], RATE)
