"""Numbers as text: honest at the edges, one look everywhere.

A minus is U+2212, a unit stands behind a no-break space, a value that is missing is a dash.
"""

from __future__ import annotations

import math

from auralign.types import Estimate

MISSING = "–"  # noqa: RUF001 (an en dash is meant)
_NBSP = "\N{NO-BREAK SPACE}"
_MINUS = "\N{MINUS SIGN}"


def format_fixed(value: float, decimals: int) -> str:
    """`-0.04` with one decimal is "0.0": a rounded zero has no sign."""
    text = f"{abs(value):.{decimals}f}"
    negative = value < 0 and float(text) != 0
    return _MINUS + text if negative else text


def format_percent(value: float, decimals: int = 1) -> str:
    """A proportion as percent; 0 and 100 are printed only where they are exactly true."""
    percent = 100 * value
    for edge in (0, 100):
        if percent != edge and round(percent, decimals) == edge:
            sign = 1 if percent > edge else -1
            bound = format_fixed(edge + sign * 10**-decimals, decimals)
            return f"{'<' if sign > 0 else '>'}{_NBSP}{bound}{_NBSP}%"
    if percent in (0, 100):
        decimals = 0
    return f"{format_fixed(percent, decimals)}{_NBSP}%"


def decimals_for(*values: float | None) -> int:
    """For the largest of some values: three significant digits from 1 upwards, two below 1."""
    largest = max((abs(v) for v in values if v is not None and math.isfinite(v)), default=0.0)
    if largest == 0:
        return 0
    magnitude = math.floor(math.log10(largest))
    return min(max(2 - magnitude, 0), 2) if magnitude >= 0 else min(1 - magnitude, 4)


def format_value(value: float | None, unit: str = "", decimals: int | None = None) -> str:
    """A value with its unit; None and non-finite values are a dash."""
    if value is None or not math.isfinite(value):
        return MISSING
    if unit == "%":
        return format_percent(value) if decimals is None else format_percent(value, decimals)
    text = format_fixed(value, decimals_for(value) if decimals is None else decimals)
    return f"{text}{_NBSP}{unit}" if unit else text


def format_signed(value: float | None, unit: str = "", decimals: int | None = None) -> str:
    """A difference: as `format_value`, with a plus before what is above zero when rounded.

    The difference of two proportions is given in percentage points.
    """
    if value is None or not math.isfinite(value):
        return MISSING
    scaled, shown_unit = (100 * value, "points") if unit == "%" else (value, unit)
    digits = decimals if decimals is not None else 1 if unit == "%" else decimals_for(value)
    text = format_value(scaled, shown_unit, digits)
    return f"+{text}" if round(scaled, digits) > 0 else text


def format_interval(estimate: Estimate, unit: str = "", decimals: int | None = None) -> str:
    """The limits in words: "57.1 to 68.9 %"."""
    low = format_value(estimate.low, unit, decimals)
    return f"{_without_unit(low)} to {format_value(estimate.high, unit, decimals)}"


def format_signed_interval(estimate: Estimate, unit: str = "", decimals: int | None = None) -> str:
    """The limits of a difference: "+1.0 to +2.6 points"."""
    low = format_signed(estimate.low, unit, decimals)
    return f"{_without_unit(low)} to {format_signed(estimate.high, unit, decimals)}"


def _without_unit(text: str) -> str:
    number, _, unit = text.rpartition(_NBSP)
    return number if number and not unit[:1].isdigit() else text


def format_basis(estimate: Estimate) -> str:
    """What the interval is about: level, method, answers and what they cluster in."""
    level = format_percent(estimate.level, 0)
    basis = f"{level} interval, {estimate.method}, n{_NBSP}={_NBSP}{estimate.n}"
    if estimate.n_clusters == estimate.n:
        return basis
    return f"{basis} in {estimate.n_clusters} clusters"


def format_seconds(seconds: float) -> str:
    """Wall-clock time: "8.4 s", "2 min 05 s", "1 h 02 min"."""
    if seconds < 59.95:
        return f"{seconds:.1f}{_NBSP}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}{_NBSP}min{_NBSP}{rest:02d}{_NBSP}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}{_NBSP}h{_NBSP}{minutes:02d}{_NBSP}min"


def format_name(identifier: str) -> str:
    """`content_preservation` as "Content preservation"."""
    words = identifier.replace("_", " ").strip()
    return words[:1].upper() + words[1:]
