"""Chain of Hindsight: pairs as sequences of answers, each after a marker that says how good it is.

arXiv 2302.02676.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from auralign.errors import ConfigError, did_you_mean
from auralign.preferences.conditions import BAD, GOOD
from auralign.types import PreferencePair, Split

FORMATS = {
    "good": (GOOD,),
    "bad": (BAD,),
    "bad_then_good": (BAD, GOOD),
    "good_then_bad": (GOOD, BAD),
}
"""The answers of a sequence, by format, in their order."""


@dataclass(frozen=True, slots=True)
class MarkedClip:
    """A clip after its marker."""

    marker: str
    clip: str


@dataclass(frozen=True, slots=True)
class HindsightSequence:
    """A prompt and marked answers, one after another.

    The codes of the answers are scored, prompt and markers are not. The source adds 0.01 times the
    likelihood of pre-training data; sample after the prompt and the marker `good`.
    """

    prompt_id: str
    answers: tuple[MarkedClip, ...]
    weight: float
    split: Split


def hindsight_sequences(
    pairs: Iterable[PreferencePair], *, formats: Sequence[str] = ("good", "bad")
) -> list[HindsightSequence]:
    """One sequence for each pair and format.

    formats   out of `FORMATS`; those of two answers are twice as long

    Pairs with `p_chosen` 0.5 are left out: neither clip is the good one. Raises ConfigError for a
    format that does not exist.
    """
    for name in formats:
        if name not in FORMATS:
            raise ConfigError(
                f"expected formats out of {', '.join(FORMATS)}, got '{name}'"
                f"{did_you_mean(name, FORMATS)}"
            )
    return [_sequence(p, FORMATS[name]) for p in pairs if p.p_chosen != 0.5 for name in formats]


def _sequence(pair: PreferencePair, markers: Sequence[str]) -> HindsightSequence:
    of_marker = {GOOD: pair.chosen, BAD: pair.rejected}
    answers = tuple(MarkedClip(marker, of_marker[marker]) for marker in markers)
    return HindsightSequence(pair.prompt_id, answers, pair.weight, pair.split)
