"""Kinds of check, each a pure function of the evidence that states its own band in words.

A mean counts as moved beyond 3 standard errors over prompts (where these are few, beyond the
quantile of Student's t that is as rare as 3 standard deviations of a normal). What has moved beyond
its band is to be watched; it is an alarm where the proxy reward rose with it (or is not known), and
beyond twice the band in any case.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, norm, t

from auralign.stats.intervals import exact_limits
from auralign.training.guard.bands import Band, Columns, Shift
from auralign.training.guard.evidence import Answer, Evidence, NotMeasured, Verdict, worst

Bands = Mapping[str, Band]
Mask = NDArray[np.bool_]

RARE = norm.sf(3.0)
"""Chance with which a mean that has not moved seems to have risen, or to have fallen."""
TAIL_SHARE = 0.03
TAIL_ALPHA = 0.001


class Check(Protocol):
    """Raises NotMeasured where the evidence does not have what it needs."""

    @property
    def band(self) -> str: ...

    def outliers(self, columns: Columns, bands: Bands) -> Mask:
        """Which clips show the fault, `[clips]`."""
        ...

    def __call__(self, evidence: Evidence) -> Answer: ...


@dataclass(frozen=True, slots=True)
class Ratio:
    """The mean of a measure after over before, inside `low` to `high`."""

    measure: str
    unit: str
    low: float | None = None
    high: float | None = None

    @property
    def band(self) -> str:
        return f"{self.measure}: {_range(self.low, self.high)} times before"

    def outliers(self, columns: Columns, bands: Bands) -> Mask:
        return _beyond(columns, bands, self.measure, self.low, self.high)

    def __call__(self, evidence: Evidence) -> Answer:
        found = evidence.shift(self.measure)
        if found.before <= 0:
            raise NotMeasured(f"'{self.measure}' was {found.before:g} before, which has no ratio")
        value = found.after / found.before
        beyond = _moved(found) and not _inside(value, self.low, self.high)
        twice = (bound and bound**2 for bound in (self.low, self.high))
        verdict = _verdict(beyond, not _inside(value, *twice), evidence)
        return Answer(verdict, value, f"{_means(self.measure, found, self.unit)}, x {value:.2f}")


@dataclass(frozen=True, slots=True)
class Change:
    """The mean of a measure after minus before, inside `low` to `high`."""

    measure: str
    unit: str
    low: float | None = None
    high: float | None = None

    @property
    def band(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.measure}: a change of {_range(self.low, self.high, '+')}{unit}"

    def outliers(self, columns: Columns, bands: Bands) -> Mask:
        return _beyond(columns, bands, self.measure, self.low, self.high)

    def __call__(self, evidence: Evidence) -> Answer:
        found = evidence.shift(self.measure)
        beyond = _moved(found) and not _inside(found.change, self.low, self.high)
        twice = (bound and 2 * bound for bound in (self.low, self.high))
        verdict = _verdict(beyond, not _inside(found.change, *twice), evidence)
        words = f"{_means(self.measure, found, self.unit)}, {found.change:+.3g}"
        return Answer(verdict, found.change, words)


@dataclass(frozen=True, slots=True)
class Tail:
    """The share of clips above the 99 % quantile of the SFT policy's clips (a binomial test)."""

    measure: str
    unit: str

    @property
    def band(self) -> str:
        return f"{self.measure}: at most {TAIL_SHARE:.0%} of clips above 99 % of those before"

    def outliers(self, columns: Columns, bands: Bands) -> Mask:
        return _beyond(columns, bands, self.measure, None, TAIL_SHARE)

    def __call__(self, evidence: Evidence) -> Answer:
        found = evidence.shift(self.measure)
        # The quantile is itself an estimate: a new clip is above the largest of n by 1 / (n + 1).
        by_chance = 0.01 + 1 / (found.n_reference + 1)
        n_above = round(found.above * found.n)
        surprising = binom.sf(n_above - 1, found.n, by_chance) < TAIL_ALPHA
        beyond = found.above > TAIL_SHARE and bool(surprising)
        verdict = _verdict(beyond, found.above > 0.5, evidence)
        words = f"{found.above:.0%} of clips have {self.measure} above {found.high:.3g} {self.unit}"
        return Answer(verdict, found.above, words.rstrip())


@dataclass(frozen=True, slots=True)
class Share:
    """The share of clips with a fault (a measure of 0 and 1): at most `most`, or 3 times before.

    An alarm when the exact lower limit (95 %) of the share is above that, whoever pays for it.
    """

    measure: str
    most: float

    @property
    def band(self) -> str:
        return f"{self.measure}: at most {self.most:.0%} of clips, or 3 times the share before"

    def outliers(self, columns: Columns, bands: Bands) -> Mask:
        return columns[self.measure] == 1 if self.measure in columns else _none(columns)

    def __call__(self, evidence: Evidence) -> Answer:
        found = evidence.shift(self.measure)
        bound = max(self.most, 3 * found.before)
        surely, _ = exact_limits(round(found.after * found.n), found.n, 0.95)
        verdict = Verdict.ALARM if surely > bound else _watch_if(found.after > bound)
        words = f"{found.after:.1%} of clips are {self.measure}, {found.before:.1%} before"
        return Answer(verdict, found.after, words)


@dataclass(frozen=True, slots=True)
class Limit:
    """The first of `figures` that is known is at most `watch`, an alarm beyond `alarm`.

    At least these, where `worse` is -1: lower is worse.
    """

    figures: tuple[str, ...]
    unit: str
    watch: float
    alarm: float | None
    worse: int = 1

    @property
    def band(self) -> str:
        side = "at most" if self.worse > 0 else "at least"
        unit = f" {self.unit}" if self.unit else ""
        alarm = f", alarm beyond {self.alarm:g}" if self.alarm is not None else ""
        return f"{' or '.join(self.figures)}: {side} {self.watch:g}{unit}{alarm}"

    def outliers(self, columns: Columns, bands: Bands) -> Mask:
        return _none(columns)

    def __call__(self, evidence: Evidence) -> Answer:
        name = next((n for n in self.figures if n in evidence.figures), self.figures[0])
        value = evidence.figure(*self.figures)
        verdict = _watch_if(self.worse * (value - self.watch) > 0)
        if self.alarm is not None and self.worse * (value - self.alarm) > 0:
            verdict = Verdict.ALARM
        return Answer(verdict, value, f"{name} is {value:.3g} {self.unit}".rstrip())


@dataclass(frozen=True, slots=True)
class Judge:
    """A check of several numbers, with its band in words."""

    band: str
    judge: Callable[[Evidence], Answer]

    def outliers(self, columns: Columns, bands: Bands) -> Mask:
        return _none(columns)

    def __call__(self, evidence: Evidence) -> Answer:
        return self.judge(evidence)


@dataclass(frozen=True, slots=True)
class Worst:
    """The gravest answer of several checks; what one of them lacks is left to the others."""

    checks: tuple[Check, ...]

    @property
    def band(self) -> str:
        return "; ".join(check.band for check in self.checks)

    def outliers(self, columns: Columns, bands: Bands) -> Mask:
        return _any_of(self.checks, columns, bands)

    def __call__(self, evidence: Evidence) -> Answer:
        answers = _answers(self.checks, evidence)
        gravest = worst([answer.verdict for answer in answers])
        return next(answer for answer in answers if answer.verdict is gravest)


@dataclass(frozen=True, slots=True)
class First:
    """The answer of the first check that has what it needs: better evidence stands before worse."""

    checks: tuple[Check, ...]

    @property
    def band(self) -> str:
        return "; else ".join(check.band for check in self.checks)

    def outliers(self, columns: Columns, bands: Bands) -> Mask:
        return _any_of(self.checks, columns, bands)

    def __call__(self, evidence: Evidence) -> Answer:
        return _answers(self.checks, evidence)[0]


def _answers(checks: tuple[Check, ...], evidence: Evidence) -> list[Answer]:
    """Those of the checks that can tell; raises the first reason where none can."""
    found, reasons = [], []
    for check in checks:
        try:
            found.append(check(evidence))
        except NotMeasured as reason:
            reasons.append(reason)
    if not found:
        raise NotMeasured("; ".join(str(reason) for reason in reasons))
    return found


def _verdict(beyond: bool, far_beyond: bool, evidence: Evidence) -> Verdict:
    if beyond and (far_beyond or evidence.is_paid):
        return Verdict.ALARM
    return _watch_if(beyond)


def _watch_if(beyond: bool) -> Verdict:
    return Verdict.WATCH if beyond else Verdict.OK


def _moved(found: Shift) -> bool:
    errors = float(t.isf(RARE, found.n_prompts - 1))
    return found.risen(errors) or found.fallen(errors)


def _inside(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


def _beyond(
    columns: Columns, bands: Bands, measure: str, low: float | None, high: float | None
) -> Mask:
    """Clips beyond the band's quantile on a side that has a bound."""
    if measure not in columns:
        return _none(columns)
    values, band = columns[measure], bands[measure]
    is_below = values < band.low if low is not None else _none(columns)
    return np.asarray(is_below | (values > band.high) if high is not None else is_below)


def _any_of(checks: tuple[Check, ...], columns: Columns, bands: Bands) -> Mask:
    return np.asarray(np.any([check.outliers(columns, bands) for check in checks], axis=0))


def _none(columns: Columns) -> Mask:
    return np.zeros(len(next(iter(columns.values()))), dtype=np.bool_)


def _range(low: float | None, high: float | None, sign: str = "") -> str:
    if low is None:
        return f"at most {high:{sign}g}"
    if high is None:
        return f"at least {low:{sign}g}"
    return f"{low:{sign}g} to {high:{sign}g}"


def _means(measure: str, found: Shift, unit: str) -> str:
    unit = f" {unit}" if unit else ""
    return f"{measure} {found.before:.3g} before, {found.after:.3g}{unit} now"
