"""When a signal is trusted: rules on intervals, with a sentence that says why."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from auralign.types import Estimate

Word = Literal["trust", "distrust", "cannot tell"]

LEAST_ACCURACY = 0.55
"""Of a signal that is of use at all; better than chance is not enough where pairs are many."""

FEWEST_PAIRS = 30
"""With fewer decided pairs no interval is to be relied on."""

LEAST_GAIN = 0.02
"""What a signal has to be able to add to a trivial baseline, as a difference of accuracies."""

LEAST_RANK_CORRELATION = 0.5
"""Of a signal that is of use to rank systems."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Whether to trust a signal for one purpose, and why."""

    word: Word
    reason: str


def trust_in_pairs(
    accuracy: Estimate, gains: Mapping[str, Estimate], unknown: Sequence[str] = ()
) -> Trust:
    """To choose the better of two clips, as a reward or a filter does.

    Trusted where the interval of its pair accuracy lies above chance, the accuracy is at least 0.55
    and the intervals of its gain over every trivial baseline lie above 0. Distrusted where the
    interval lies below 0.55, or that of a gain below 0.02. Otherwise nobody can tell, and neither
    with fewer than 30 pairs, nor where baselines are `unknown`: the signal may be one of them in
    disguise.
    """
    if not math.isfinite(accuracy.value):
        return Trust("cannot tell", "no decided pair has both values")
    if not math.isfinite(accuracy.low):
        return Trust("cannot tell", "there is no interval: too few systems and prompts")
    if accuracy.n < FEWEST_PAIRS:
        return Trust("cannot tell", f"{accuracy.n} decided pairs are too few")
    if accuracy.low == accuracy.high == 0.5:
        return Trust("distrust", "says the same of both clips of every pair")
    share = (
        f"agrees on {accuracy.value:.0%} of the pairs, {accuracy.low:.0%} to {accuracy.high:.0%}"
    )
    if accuracy.high < 0.5:
        return Trust("distrust", f"{share}: it prefers what listeners do not")
    if accuracy.high < LEAST_ACCURACY:
        return Trust("distrust", f"{share}: no better than guessing to speak of")
    idle = [name for name, g in gains.items() if g.high < LEAST_GAIN]
    if idle:
        return Trust("distrust", f"{share}, but adds nothing to {_either(idle)} alone")
    if accuracy.low <= 0.5 or accuracy.value < LEAST_ACCURACY:
        return Trust("cannot tell", f"{share}, which does not exclude chance")
    unclear = [name for name, g in gains.items() if not g.low > 0]
    if unclear:
        return Trust("cannot tell", f"{share}, but no clear gain over {_either(unclear)} alone")
    if unknown:
        return Trust("cannot tell", f"{share}, but {_either(unknown)} alone may do as well")
    return Trust("trust", share)


def trust_in_systems(correlation: Estimate | None, why_none: str = "") -> Trust:
    """To rank systems: the interval of the rank correlation lies above 0, and it is at least 0.5.

    Distrusted where the interval lies below 0.5.
    """
    if correlation is None:
        return Trust("cannot tell", why_none)
    c = correlation
    words = f"rank correlation {c.value:.2f}, {c.low:.2f} to {c.high:.2f}, over {c.n} systems"
    if c.high < LEAST_RANK_CORRELATION:
        return Trust("distrust", words)
    if c.low > 0 and c.value >= LEAST_RANK_CORRELATION:
        return Trust("trust", words)
    return Trust("cannot tell", words)


def _either(names: Sequence[str]) -> str:
    return " or ".join(names)
