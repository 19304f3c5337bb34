"""What the rules are asked about, and how they answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from auralign.training.guard.bands import Shift

FEWEST_PROMPTS = 8
"""Below this a standard error over prompts means little, and no rule judges by it."""


class Verdict(StrEnum):
    OK = "ok"
    WATCH = "watch"
    ALARM = "alarm"
    CANNOT_TELL = "cannot tell"


SEVERITY = (Verdict.CANNOT_TELL, Verdict.OK, Verdict.WATCH, Verdict.ALARM)


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """The gravest; that a rule cannot tell is no answer where another one can."""
    return max(verdicts, key=SEVERITY.index, default=Verdict.CANNOT_TELL)


class Answer(NamedTuple):
    """A check's verdict, the value that it looked at, and a sentence with the numbers."""

    verdict: Verdict
    value: float | None
    sentence: str


class NotMeasured(Exception):
    """A check lacks a number; the text says which. A rule then answers that it cannot tell."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known at one evaluation.

    clips      measures of the probe's clips, next to those of the SFT policy
    figures    what training, listeners and the reward have shown, each one number; a figure
               NAME_error is the standard error of NAME
    history    figures of the evaluations before, the oldest first
    """

    clips: Mapping[str, Shift] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    history: Sequence[Mapping[str, float]] = ()

    def shift(self, measure: str) -> Shift:
        """Raises NotMeasured where too few prompts have a value on both sides."""
        found = self.clips.get(measure)
        if found is None:
            raise NotMeasured(f"'{measure}' was not measured")
        if found.n_prompts < FEWEST_PROMPTS:
            raise NotMeasured(
                f"'{measure}' has a value in {found.n_prompts} prompts and {FEWEST_PROMPTS} "
                "are needed"
            )
        return found

    def figure(self, *names: str) -> float:
        """The first of these figures that has a value; raises NotMeasured where none has."""
        for name in names:
            value = self.figures.get(name, math.nan)
            if math.isfinite(value):
                return value
        raise NotMeasured(f"{' or '.join(repr(n) for n in names)} is not known")

    def error(self, name: str) -> float:
        """The standard error of a figure; 0 where it came without one."""
        value = self.figures.get(f"{name}_error", math.nan)
        return value if math.isfinite(value) else 0.0

    @property
    def proxy_rose(self) -> bool | None:
        """Whether the reward that is trained on rose, by 2 standard errors; None if not known."""
        if "proxy" in self.clips and self.clips["proxy"].n_prompts >= FEWEST_PROMPTS:
            return self.clips["proxy"].risen()
        change = self.figures.get("reward_change", math.nan)
        return change > 0 if math.isfinite(change) else None

    @property
    def is_paid(self) -> bool:
        """Whether the reward may be paying for what the clips show: it rose, or nobody knows."""
        return self.proxy_rose is not False
