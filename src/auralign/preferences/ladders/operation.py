"""What a ladder is made by: one operation, its severities, and the order that may be asserted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from auralign.errors import ConfigError
from auralign.preferences.ladders.recording import Recording
from auralign.types import Audio

Degrade = Callable[[Recording, float, Sequence[Recording], np.random.Generator], Audio]
"""The recording at a severity; the other recordings lend voices, takes and events."""

CLEAR_DISTANCE = 2
"""Rungs at least so far apart differ clearly; neighbours may sound the same to many."""


class Order(StrEnum):
    """What is asserted of the rungs of one ladder."""

    CHAIN = "every rung is better than those below it"
    CONTROL = "the control is better than every rung, which are not ordered among themselves"


@dataclass(frozen=True, eq=False)
class Operation:
    """One way to degrade a recording, in one direction.

    knob           what a severity is, and its unit
    control        the severity that changes nothing: the control is processed like all others
    severities     of the rungs, the mildest first
    dimension      the dimension of judgement that the order is about; never `overall`
    needs          what a recording has to come with, in words, where that is more than a sound
    clear_control  the control differs clearly even from the first rung
    keeps_length   the duration is no part of what is degraded
    caveat         where the order does not hold, or what else could give it away
    """

    family: str
    name: str
    summary: str
    knob: str
    control: float
    severities: tuple[float, ...]
    dimension: str
    degrade: Degrade
    needs: str = ""
    order: Order = Order.CHAIN
    clear_control: bool = False
    keeps_length: bool = True
    caveat: str = ""

    @property
    def id(self) -> str:
        return f"{self.family}/{self.name}"

    def mildest_first(self, severities: Sequence[float]) -> tuple[float, ...]:
        """The severities, each once, without the control; ConfigError on its other side."""
        falls = self.control > self.severities[-1]
        for severity in severities:
            if not (severity <= self.control if falls else severity >= self.control):
                side = "below" if falls else "above"
                raise ConfigError(
                    f"{self.id} takes severities {side} {self.control:g} ({self.knob}), "
                    f"not {severity:g}"
                )
        return tuple(sorted(set(severities) - {self.control}, reverse=falls))

    def position(self, severity: float) -> float:
        """Where a severity is among the rungs: 0 the control, 1 the mildest, 2 the next, ...

        Between rungs in proportion; beyond the last rung as the last.
        """
        if severity == self.control:
            return 0.0
        order = np.argsort(self.severities)
        rungs = np.arange(1, len(self.severities) + 1)
        return float(np.interp(severity, np.array(self.severities)[order], rungs[order]))

    def is_clear(self, better: float, worse: float) -> bool:
        """Whether two severities are so far apart that most should hear it."""
        if better == self.control and (self.clear_control or self.order is Order.CONTROL):
            return True
        return self.position(worse) - self.position(better) >= CLEAR_DISTANCE
