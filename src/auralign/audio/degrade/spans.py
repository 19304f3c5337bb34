"""Labelled stretches of a clip deleted, repeated, swapped, replaced; pauses put in, taken out.

Stretches are words or bars with their times. Which of them are touched is drawn so that the same
generator state touches the same ones for a smaller number as for a larger one, and more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from auralign.audio.degrade.splice import Piece, join, room_tone, whole
from auralign.errors import AudioError, ConfigError
from auralign.types import Audio

SHORTEST_PAUSE_S = 0.1


@dataclass(frozen=True, slots=True)
class Span:
    """From `begin_s` to `end_s` of a clip, seconds, and what is there."""

    label: str
    begin_s: float
    end_s: float


def delete_spans(audio: Audio, spans: Sequence[Span], k: float, rng: np.random.Generator) -> Audio:
    """The clip without `k` of the spans; AudioError unless one is left."""
    pieces = _pieces(audio, spans)
    count = count_of(k, len(spans) - 1, "delete")
    for i in rng.permutation(len(spans))[:count]:
        pieces[2 * i + 1] = []
    return join(_flat(pieces))


def repeat_spans(audio: Audio, spans: Sequence[Span], k: float, rng: np.random.Generator) -> Audio:
    """The clip with `k` of the spans said twice; AudioError for more than there are."""
    pieces = _pieces(audio, spans)
    count = count_of(k, len(spans), "repeat")
    for i in rng.permutation(len(spans))[:count]:
        pieces[2 * i + 1] *= 2
    return join(_flat(pieces))


def swap_spans(audio: Audio, spans: Sequence[Span], k: float, rng: np.random.Generator) -> Audio:
    """The clip with `k` neighbouring spans of different labels exchanged, each at most once.

    AudioError for more exchanges than such neighbours.
    """
    pieces = _pieces(audio, spans)
    unequal = [i for i in range(len(spans) - 1) if spans[i].label != spans[i + 1].label]
    chosen: list[int] = []
    for i in rng.permutation(unequal):
        if all(abs(i - other) > 1 for other in chosen):
            chosen.append(int(i))
    count = count_of(k, len(chosen), "swap")
    for i in chosen[:count]:
        first, second = 2 * i + 1, 2 * i + 3
        pieces[first], pieces[second] = pieces[second], pieces[first]
    return join(_flat(pieces))


def substitute_spans(
    audio: Audio, spans: Sequence[Span], k: float, rng: np.random.Generator
) -> Audio:
    """The clip with `k` of the spans replaced by others of it that have another label.

    AudioError for more than there are, or when all have one label.
    """
    pieces = _pieces(audio, spans)
    donors = [[j for j, s in enumerate(spans) if s.label != span.label] for span in spans]
    replaceable = [i for i, others in enumerate(donors) if others]
    order = rng.permutation(replaceable)
    drawn = {int(i): int(rng.choice(donors[i])) for i in order}
    count = count_of(k, len(drawn), "replace")
    originals = list(pieces)
    for i in list(drawn)[:count]:
        pieces[2 * i + 1] = originals[2 * drawn[i] + 1]
    return join(_flat(pieces))


def insert_pause(
    audio: Audio, spans: Sequence[Span], pause_s: float, rng: np.random.Generator
) -> Audio:
    """The clip with a pause of its own room tone in the middle of one of the spans.

    AudioError without a span, ConfigError for a negative pause.
    """
    if not 0 <= pause_s < 60:
        raise ConfigError(f"a pause takes 0 to 60 s, not {pause_s:g} s")
    _pieces(audio, spans)
    broken = spans[int(rng.integers(len(spans)))]
    middle = round((broken.begin_s + broken.end_s) / 2 * audio.sample_rate)
    tone = room_tone(audio, round(pause_s * audio.sample_rate))
    return join([Piece(audio, 0, middle), whole(tone), Piece(audio, middle, audio.n_samples)])


def shorten_pauses(
    audio: Audio, spans: Sequence[Span], share: float, rng: np.random.Generator
) -> Audio:
    """The clip with that share of each pause between spans cut out of its middle.

    Pauses are gaps of at least 0.1 s. AudioError when there is none, ConfigError for a share
    outside 0 to 1.
    """
    if not 0 <= share <= 1:
        raise ConfigError(f"pauses are shortened by a share from 0 to 1, not {share:g}")
    pieces = _pieces(audio, spans)
    pauses = [i for i in range(2, len(pieces) - 2, 2) if _duration_s(pieces[i]) >= SHORTEST_PAUSE_S]
    if not pauses:
        raise AudioError("there is no pause of 0.1 s or more between these spans to shorten")
    for i in pauses:
        (gap,) = pieces[i]
        kept = round(gap.n_samples * (1 - share))
        halves = gap.begin + kept // 2, gap.end - (kept - kept // 2)
        pieces[i] = [Piece(audio, gap.begin, halves[0]), Piece(audio, halves[1], gap.end)]
    return join(_flat(pieces))


def _pieces(audio: Audio, spans: Sequence[Span]) -> list[list[Piece]]:
    """What is before, in, and between the spans, and after them: `2 * len(spans) + 1` pieces."""
    times = [t for span in spans for t in (span.begin_s, span.end_s)]
    cuts = [0, *(round(t * audio.sample_rate) for t in times), audio.n_samples]
    if not spans or any(b < a for a, b in pairwise(cuts)):
        raise AudioError(
            f"expected labelled times that rise within the clip's {audio.duration_s:g} s, got "
            + (", ".join(f"{t:g}" for t in times) or "none")
        )
    return [[Piece(audio, begin, end)] for begin, end in pairwise(cuts)]


def _flat(pieces: Sequence[Sequence[Piece]]) -> list[Piece]:
    return [piece for place in pieces for piece in place]


def _duration_s(pieces: Sequence[Piece]) -> float:
    return sum(piece.n_samples / piece.audio.sample_rate for piece in pieces)


def count_of(k: float, most: int, what: str) -> int:
    """`k` as a number of things to touch.

    Raises ConfigError unless it is whole and not negative, AudioError above `most`.
    """
    if not k >= 0 or k % 1:
        raise ConfigError(f"expected a whole number of places to {what}, got {k:g}")
    if k > most:
        raise AudioError(f"cannot {what} {k:g} of what is there, at most {max(most, 0)}")
    return int(k)
