"""What a signal is: a function over clips, and everything that one has to know to trust it.

A signal may yield several measures that share their work (loudness, loudness range, true peak). It
is asked about clips that have passed the gate (`signals.gate`) and answers each measure with a
number, or with the reason why there is none; it never makes a number up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from auralign.types import Audio


class Direction(StrEnum):
    """Which way is better; a target has a best range, a descriptive measure has no better."""

    MAX = "max"
    MIN = "min"
    TARGET = "target"
    DESCRIPTIVE = "descriptive"


class Requirement(StrEnum):
    """What a clip has to come with, in the words of the reason when it does not."""

    ALIGNED_REFERENCE = "a reference that is aligned in time"
    REFERENCE = "a reference recording"
    TEXT = "the text that is to be said"
    LABEL = "a label"
    SET = "a set of reference recordings"


@dataclass(frozen=True, eq=False)
class Item:
    """A clip with what it may be compared with; all audio of an item has one rate."""

    clip_id: str
    audio: Audio
    reference: Audio | None = None
    text: str | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """Why a measure has no value for a clip; in the clip's words, not an error of the program."""

    reason: str


Values = Mapping[str, float | Missing]
"""What a signal says about one item, by the name of the measure; every measure is in it."""

Measurer = Callable[[Sequence[Item]], list[Values]]
"""One answer for each item, in order. It may raise: then all items of the call have failed."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One number that a signal yields.

    low, high    the range that values can lie in; None where there is no bound
    target       the best range, for `Direction.TARGET` only
    dimensions   which of `types.DIMENSIONS` it speaks about
    """

    name: str
    unit: str
    direction: Direction
    dimensions: tuple[str, ...]
    low: float | None = None
    high: float | None = None
    target: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Validity:
    """How well a signal agreed with people in one domain: a published figure and its source."""

    domain: str
    figure: str
    source: str


@dataclass(frozen=True, eq=False)
class Signal:
    """An entry of the registry.

    version          raised when a number would come out differently
    load             called with the options; imports and loads what the signal needs and returns
                     the function; keyword-only parameters with defaults are its options
    sample_rate      Hz that clips are resampled to, or None for any rate
    shortest_s       shorter clips are skipped, and longer ones than `longest_s`
    channels         `mono` means that the mean over channels is measured
    rejects_silence  digital silence is skipped
    deterministic    `seeded` means that it draws random numbers from a `seed` option
    batchable        it is faster on many clips of similar length than on one after the other
    extra            the extra that installs what it imports, or None
    ladders          for families of degradations: True where it orders them rightly, False where it
                     is known to fail
    """

    name: str
    version: int
    summary: str
    measures: tuple[Measure, ...]
    load: Callable[..., Measurer]
    requires: frozenset[Requirement] = frozenset()
    sample_rate: int | None = None
    shortest_s: float = 0.0
    longest_s: float | None = None
    channels: Literal["any", "mono"] = "mono"
    rejects_silence: bool = True
    deterministic: Literal["exact", "seeded"] = "exact"
    batchable: bool = False
    device: Literal["cpu", "any"] = "cpu"
    extra: str | None = None
    code_licence: str = "Apache-2.0"
    weights_licence: str | None = None
    download_bytes: int = 0
    validity: tuple[Validity, ...] = ()
    failures: tuple[str, ...] = ()
    ladders: Mapping[str, bool] = field(default_factory=dict)
