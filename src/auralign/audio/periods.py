"""The periods of a voice, one by one, and how much they differ from each other.

Periods are found by matching each one's waveform with the next, as Praat's cross-correlation
method does; measures as in Praat's voice report.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auralign.audio.pitch import Pitch, frame_centres, pitch
from auralign.audio.remember import remembered
from auralign.types import Audio

Float = NDArray[np.float64]

SHORTEST, LONGEST = 0.8, 1.25
"""The next period lies within these multiples of what the pitch says."""
LOWEST_MATCH = 0.5
MAX_PERIOD_FACTOR = 1.3
MAX_AMPLITUDE_FACTOR = 1.6
AMPLITUDE_REACH = 0.2
"""Periods to each side of a mark that its amplitude is taken over."""
FEWEST_PERIODS = 10


@dataclass(frozen=True, eq=False)
class Perturbation:
    """Cycle-to-cycle changes of a voice, as shares of the mean.

    jitter     of the period (Praat's `jitter (local)`)
    shimmer    of the amplitude (`shimmer (local)`)
    n_periods  how many periods they are from
    """

    jitter: float
    shimmer: float
    n_periods: int


@remembered
def perturbation(audio: Audio) -> Perturbation | None:
    """Jitter and shimmer over the voiced stretches; None for under ten pairs of periods.

    Pairs whose periods differ by a factor above 1.3 are left out, and for shimmer also those
    whose amplitudes differ by a factor above 1.6.
    """
    signal = audio.mono().astype(np.float64)
    period_pairs, amplitude_pairs = [], []
    for marks in period_marks(audio, pitch(audio)):
        period = np.diff(marks)
        period_pairs.append(np.stack([period[:-1], period[1:]]))
        amplitude = _amplitudes(signal, marks)
        amplitude_pairs.append(np.stack([amplitude[:-1], amplitude[1:]])[:, 1:-1])
    periods = _comparable(period_pairs, MAX_PERIOD_FACTOR)
    amplitudes = _comparable(amplitude_pairs, MAX_AMPLITUDE_FACTOR)
    if min(periods.shape[1], amplitudes.shape[1]) < FEWEST_PERIODS:
        return None
    return Perturbation(_relative_change(periods), _relative_change(amplitudes), periods.shape[1])


def _comparable(pairs: list[Float], factor: float) -> Float:
    """Pairs `[2, n]` of all stretches whose larger member is at most `factor` times the other."""
    joined = np.concatenate([*pairs, np.zeros((2, 0))], axis=1)
    return joined[:, joined.max(axis=0) <= factor * joined.min(axis=0)]


def _relative_change(pairs: Float) -> float:
    return float(np.abs(pairs[1] - pairs[0]).mean() / pairs.mean())


def period_marks(audio: Audio, track: Pitch) -> list[Float]:
    """Where periods begin [samples, fractional], for each voiced stretch of at least four marks."""
    signal = audio.mono().astype(np.float64)
    energy = np.concatenate([[0.0], np.cumsum(np.square(signal))])
    centres = frame_centres(audio, len(track.f0))
    stretches = [
        _Stretch(signal, energy, centres[rows], audio.sample_rate / track.f0[rows])
        for rows in _runs(track.voiced)
    ]
    marks = [stretch.marks() for stretch in stretches]
    return [of_stretch for of_stretch in marks if of_stretch.size > 3]


def _runs(member: NDArray[np.bool_]) -> list[slice]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], member, [False]]).astype(np.int8)))
    return [slice(begin, end) for begin, end in edges.reshape(-1, 2)]


@dataclass(frozen=True, eq=False)
class _Stretch:
    """A voiced stretch of a clip.

    signal    the whole clip, `[time]`
    energy    sum of the squares before each sample, `[time + 1]`
    centres   the samples that the stretch's frames are centred at, `[frames]`
    periods   samples, `[frames]`
    """

    signal: Float
    energy: Float
    centres: Float
    periods: Float

    def marks(self) -> Float:
        """From the largest sample in the middle, forwards and backwards to the ends."""
        centre, reach = (x[self.centres.size // 2] for x in (self.centres, self.periods / 2))
        around = np.arange(int(centre - reach), int(centre + reach) + 1)
        first = float(around[np.abs(self.signal[around]).argmax()])
        return np.array([*self._march(first, -1)[::-1], first, *self._march(first, 1)])

    def _march(self, mark: float, sign: int) -> list[float]:
        """The marks after `mark`, forwards for sign 1 and backwards for sign -1."""
        half_hop = (self.centres[-1] - self.centres[0]) / max(self.centres.size - 1, 1) / 2 + 1
        begin, end = self.centres[0] - half_hop, self.centres[-1] + half_hop
        marks: list[float] = []
        while True:
            period = float(np.interp(mark, self.centres, self.periods))
            distance = self._repeats_after(round(mark), sign, period)
            if distance is None or not begin <= mark + sign * distance <= end:
                return marks
            mark += sign * distance
            marks.append(mark)

    def _repeats_after(self, centre: int, sign: int, period: float) -> float | None:
        """Samples until the waveform of the period around `centre` comes again.

        By the maximum of the normalised cross-correlation and a parabola through it. None at the
        ends of the clip, and where nothing matches.
        """
        half = round(period / 2)
        shortest, longest = int(SHORTEST * period) - 1, int(LONGEST * period) + 2
        near, far = sorted((centre + sign * shortest - half, centre + sign * longest - half))
        n = 2 * half + 1
        if min(near, centre - half) < 0 or max(far, centre - half) + n > self.signal.size:
            return None
        here = self.signal[centre - half : centre - half + n]
        energy = self.energy[near + n : far + n + 1] - self.energy[near : far + 1]
        match = np.correlate(self.signal[near : far + n], here, "valid")
        match /= np.sqrt(np.maximum(energy * (here @ here), 1e-30))
        distance, height = _peak(match[::sign])
        return shortest + distance if height >= LOWEST_MATCH else None


def _peak(values: Float) -> tuple[float, float]:
    """Place of the largest value inside, by a parabola, and that value."""
    best = 1 + int(values[1:-1].argmax())
    left, middle, right = values[best - 1 : best + 2]
    curvature = left - 2 * middle + right
    shift = 0.5 * (left - right) / curvature if curvature < 0 else 0.0
    return best + min(max(float(shift), -1.0), 1.0), float(middle)


def _amplitudes(signal: Float, marks: Float) -> Float:
    """Root mean square under a Hann window of 0.2 periods to each side of each mark, `[marks]`."""
    period = np.gradient(marks)
    reach = AMPLITUDE_REACH * period
    widest = int(np.ceil(reach.max()))
    places = np.round(marks).astype(np.int64)[:, None] + np.arange(-widest, widest + 1)
    distance = (places - marks[:, None]) / reach[:, None]
    weight = np.where(np.abs(distance) < 1, 0.5 + 0.5 * np.cos(np.pi * distance), 0.0)
    power = np.square(signal[np.clip(places, 0, signal.size - 1)])
    return np.asarray(np.sqrt((power * weight).sum(axis=1) / weight.sum(axis=1)))
