"""Whether a clip is whole: silence at its ends, dropouts, clicks, samples beyond full scale."""

from __future__ import annotations

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from auralign.audio.levels import FRAME_S, active_frames
from auralign.signals.measures.measurers import Float, each
from auralign.signals.signal import Direction, Item, Measure, Measurer, Missing, Signal, Values
from auralign.types import Audio

SHORTEST_DROPOUT_S = 0.004
EDGE_S = 0.005
EDGE_MARGIN_DB = 30.0
CLICK_FACTOR = 20.0
CLICK_WINDOW_S = 0.02
CLICK_REACH = 3
"""Samples to each side of a click that are not its surroundings."""
CLICK_FLOOR = 1e-3
"""Share of the clip's peak that the surroundings count at least, or silence clicks."""
DEEPEST_BITS = 24


def dropouts(audio: Audio) -> list[tuple[int, int]]:
    """Holes in the sound, `(begin, end)` in samples.

    Runs of 4 ms or more in which no channel changes, with sound within 30 dB of the clip's RMS
    in the 5 ms right before or right after: what fades out first is a pause, not a hole. Runs at
    the ends of the clip are none.
    """
    runs = _constant_runs(audio, round(SHORTEST_DROPOUT_S * audio.sample_rate))
    power = np.square(audio.samples.astype(np.float64)).mean(axis=0)
    threshold = float(power.mean()) / 10 ** (EDGE_MARGIN_DB / 10)
    edge = round(EDGE_S * audio.sample_rate)
    inside = [(begin, end) for begin, end in runs if begin > 0 and end < audio.n_samples]
    return [
        (begin, end)
        for begin, end in inside
        if max(power[max(begin - edge, 0) : begin].mean(), power[end : end + edge].mean())
        > threshold
    ]


def _constant_runs(audio: Audio, shortest: int) -> list[tuple[int, int]]:
    """Stretches of at least `shortest` samples without a change in any channel."""
    same = (np.diff(audio.samples, axis=1) == 0).all(axis=0)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], same, [False]]).astype(np.int8)))
    begins, ends = edges[::2], edges[1::2] + 1
    return [(int(b), int(e)) for b, e in zip(begins, ends, strict=True) if e - b >= shortest]


def clicks(audio: Audio) -> NDArray[np.int64]:
    """Samples at which the mono mix has an impulse that its surroundings do not explain.

    There the second difference is 20 times its mean magnitude within 10 ms to each side. What
    lies within 5 ms counts once.
    """
    magnitude = np.abs(np.diff(audio.mono().astype(np.float64), 2))
    around = 2 * round(CLICK_WINDOW_S * audio.sample_rate / 2) + 1
    if magnitude.size < around:
        return np.zeros(0, dtype=np.int64)
    floor = CLICK_FLOOR * float(np.abs(audio.samples).max())
    found = np.flatnonzero(magnitude > CLICK_FACTOR * (_surroundings(magnitude, around) + floor))
    first = np.diff(found, prepend=-audio.n_samples) > EDGE_S * audio.sample_rate
    return np.asarray(found[first] + 1)


def _surroundings(x: Float, n: int) -> Float:
    """Mean of `n` samples around each, without those that a click at it would reach."""
    near = 2 * CLICK_REACH + 1
    wide, narrow = (scipy.ndimage.uniform_filter1d(x, size) for size in (n, near))
    return np.asarray(np.maximum(wide * n - narrow * near, 0) / (n - near))


def bit_depth(audio: Audio) -> int | None:
    """The fewest bits whose steps all samples lie on, 1 to 24; None where 24 do not suffice."""
    codes = audio.samples.astype(np.float64) * 2 ** (DEEPEST_BITS - 1)
    if not np.array_equal(codes, np.round(codes)):
        return None
    shared = int(np.bitwise_or.reduce(np.abs(codes).astype(np.int64), axis=None))
    trailing_zeros = (shared & -shared).bit_length() - 1 if shared else DEEPEST_BITS - 1
    return max(DEEPEST_BITS - trailing_zeros, 1)


def load() -> Measurer:
    return each(_measure)


def _measure(item: Item) -> Values:
    audio = item.audio
    holes = dropouts(audio)
    bits = bit_depth(audio)
    return {
        "duration_s": audio.duration_s,
        **_ends(audio),
        "over_full_scale": float(np.mean(np.abs(audio.samples) > 1)),
        "dropouts_per_s": len(holes) / audio.duration_s,
        "dropout_share": sum(end - begin for begin, end in holes) / audio.n_samples,
        "clicks_per_s": clicks(audio).size / audio.duration_s,
        "bit_depth": Missing("the samples lie on no grid of 24 bits")
        if bits is None
        else float(bits),
    }


def _ends(audio: Audio) -> dict[str, float]:
    """Time before the first and after the last active frame; all of it for silence."""
    places = np.flatnonzero(active_frames(audio))
    if places.size == 0:
        return {"leading_silence_s": audio.duration_s, "trailing_silence_s": audio.duration_s}
    frame_s = round(FRAME_S * audio.sample_rate) / audio.sample_rate
    end = float(places[-1] + 1) * frame_s
    return {
        "leading_silence_s": float(places[0]) * frame_s,
        "trailing_silence_s": max(audio.duration_s - end, 0.0),
    }


_QUALITY = ("production_quality",)
_STYLE = ("task_achievement",)

SIGNALS = (
    Signal(
        name="integrity",
        version=1,
        summary="Whether the clip is whole: duration, silence at its ends, samples beyond full "
        "scale, holes in the sound, impulses, and the bits that its samples use.",
        measures=(
            Measure("duration_s", "s", Direction.DESCRIPTIVE, _STYLE, 0),
            Measure("leading_silence_s", "s", Direction.DESCRIPTIVE, _STYLE, 0),
            Measure("trailing_silence_s", "s", Direction.DESCRIPTIVE, _STYLE, 0),
            Measure("over_full_scale", "", Direction.MIN, _QUALITY, 0, 1),
            Measure("dropouts_per_s", "1/s", Direction.MIN, _QUALITY, 0),
            Measure("dropout_share", "", Direction.MIN, _QUALITY, 0, 1),
            Measure("clicks_per_s", "1/s", Direction.MIN, _QUALITY, 0),
            Measure("bit_depth", "bit", Direction.DESCRIPTIVE, _QUALITY, 1, DEEPEST_BITS),
        ),
        load=load,
        shortest_s=0.05,
        channels="any",
        rejects_silence=False,
        failures=(
            "packets that were repeated, not zeroed, are no holes",
            "splices at which the wave jumps by less than an impulse are not heard as clicks",
            "any filter or resampling fills the grid of the bits, and a codec the holes",
            "a square wave consists of holes and clicks",
        ),
        ladders={"noise": False, "clip": False, "band": False, "dropout": True},
    ),
)
