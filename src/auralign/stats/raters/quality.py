"""What speaks for and against each rater, in one table. It flags with reasons and deletes nothing.

Whom to pay and whose answers to use are two questions, and both are for people to decide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy import special

from auralign.errors import ConfigError, DataError, NotConvergedError
from auralign.stats.hypotheses.multiplicity import holm_adjusted
from auralign.stats.intervals import check_level
from auralign.stats.raters.checks import check_pass_rates, without_checks
from auralign.stats.raters.consensus import (
    MajorityAgreement,
    SharedDeviations,
    VoterTest,
    collusion,
    majority_agreement,
    voter_tests,
)
from auralign.stats.raters.habits import (
    AnswerTimes,
    ScaleUse,
    SideUse,
    answer_times,
    scale_use,
    side_use,
)
from auralign.stats.ratings.severity import fit_severity
from auralign.stats.ratings.table import rating_table
from auralign.types import Estimate, Judgement, TrialProtocol

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class QualityRules:
    """When a rater is flagged. p-values are Holm's over all raters (or pairs of them) per rule.

    least_pass_rate    the interval of a rater's pass rate must reach this, for gold and traps
    least_repeat_rate  the same for repeats; close pairs are answered differently by good raters
    too_fast_s         seconds; None: speed is not looked at
    most_too_fast      flagged when the interval of the share of fast answers is above this
    alpha              of the tests of sides, runs, agreement, voters and collusion
    """

    least_pass_rate: float = 0.7
    least_repeat_rate: float = 0.5
    too_fast_s: float | None = None
    most_too_fast: float = 0.1
    alpha: float = 0.05


@dataclass(frozen=True, slots=True)
class RaterQuality:
    """One rater's row; None where there is nothing to judge by. `reasons` is empty or flags her."""

    rater: str
    n: int
    checks: Mapping[str, Estimate]
    times: AnswerTimes | None
    sides: SideUse | None
    scale: ScaleUse | None
    consensus: MajorityAgreement | None
    voter: VoterTest | None
    severity: Estimate | None
    reasons: tuple[str, ...]

    @property
    def flagged(self) -> bool:
        return bool(self.reasons)


@dataclass(frozen=True, slots=True)
class QualityReport:
    """All raters by name, pairs of raters who deviate together, and what could not be looked at."""

    dimension: str
    rules: QualityRules
    raters: tuple[RaterQuality, ...]
    shared_deviations: tuple[SharedDeviations, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Evidence:
    """By rater, each only where it exists."""

    checks: Mapping[str, Mapping[str, Estimate]]
    times: Mapping[str, AnswerTimes]
    sides: Mapping[str, SideUse]
    scale: Mapping[str, ScaleUse]
    consensus: Mapping[str, MajorityAgreement]
    voters: Mapping[str, VoterTest]
    severity: Mapping[str, Estimate]
    shared: tuple[SharedDeviations, ...]


def rater_quality(
    judgements: Iterable[Judgement],
    dimension: str,
    *,
    rules: QualityRules | None = None,
    level: float = 0.95,
) -> QualityReport:
    """Look at each rater's screening trials, speed, sides, use of the scale, and agreement.

    Judgements are pairs and ratings in the order in which they were given; `checks` says how
    screening trials are marked, and they count for nothing else but speed and sides. A flagged
    rater is one to look at: low agreement alone can be an unusual taste.

    Raises `DataError` when the dimension has no pair or rating judgement or a record is broken,
    `ConfigError` for rules out of range.
    """
    check_level(level)
    rules = rules or QualityRules()
    _check_rules(rules)
    own = [
        j
        for j in judgements
        if j.dimension == dimension and j.protocol in (TrialProtocol.PAIR, TrialProtocol.RATING)
    ]
    if not own:
        raise DataError(f"expected pair or rating judgements on '{dimension}', found none")
    evidence, warnings = _gather(own, dimension, rules, level)
    reasons = _reasons(evidence, rules)
    raters = sorted({j.rater for j in own})
    rows = tuple(
        RaterQuality(
            rater=rater,
            n=sum(j.rater == rater for j in own),
            checks=evidence.checks.get(rater, {}),
            times=evidence.times.get(rater),
            sides=evidence.sides.get(rater),
            scale=evidence.scale.get(rater),
            consensus=evidence.consensus.get(rater),
            voter=evidence.voters.get(rater),
            severity=evidence.severity.get(rater),
            reasons=tuple(reasons.get(rater, ())),
        )
        for rater in raters
    )
    return QualityReport(dimension, rules, rows, evidence.shared, warnings)


def _gather(
    own: Sequence[Judgement], dimension: str, rules: QualityRules, level: float
) -> tuple[_Evidence, tuple[str, ...]]:
    warnings: list[str] = []
    pairs = [j for j in own if j.protocol is TrialProtocol.PAIR]
    ratings = [j for j in own if j.protocol is TrialProtocol.RATING]
    about_clips = without_checks(own)
    consensus, voters, shared = _compare(about_clips, dimension, rules, level, warnings)
    evidence = _Evidence(
        checks=check_pass_rates(own, dimension, level=level),
        times=_answer_times(own, rules, level, warnings),
        sides=side_use(pairs, dimension, level=level) if pairs else {},
        scale=scale_use(ratings, dimension) if ratings else {},
        consensus=consensus,
        voters=voters,
        severity=_severity(about_clips, dimension, level, warnings),
        shared=shared,
    )
    if not evidence.checks:
        warnings.append("no screening trials: nothing was asked whose answer is known")
    return evidence, tuple(warnings)


def _compare(
    judgements: Sequence[Judgement],
    dimension: str,
    rules: QualityRules,
    level: float,
    warnings: list[str],
) -> tuple[Mapping[str, MajorityAgreement], Mapping[str, VoterTest], tuple[SharedDeviations, ...]]:
    pairs = [j for j in judgements if j.protocol is TrialProtocol.PAIR]
    if not pairs:
        return {}, {}, ()
    try:
        agreement = majority_agreement(pairs, dimension, level=level)
    except DataError as error:
        warnings.append(f"raters could not be compared: {error}")
        return {}, {}, ()
    return (
        agreement,
        voter_tests(pairs, dimension, alpha=rules.alpha),
        collusion(pairs, dimension),
    )


def _answer_times(
    own: Sequence[Judgement], rules: QualityRules, level: float, warnings: list[str]
) -> Mapping[str, AnswerTimes]:
    if rules.too_fast_s is None:
        warnings.append("speed was not looked at: no too_fast_s was given")
        return {}
    if all(j.time_to_answer_s is None for j in own):
        warnings.append("speed was not looked at: no judgement has a time_to_answer_s")
        return {}
    return answer_times(own, too_fast_s=rules.too_fast_s, level=level)


def _severity(
    judgements: Sequence[Judgement], dimension: str, level: float, warnings: list[str]
) -> Mapping[str, Estimate]:
    """By how much each rater rates lower than the panel."""
    ratings = [j for j in judgements if j.protocol is TrialProtocol.RATING]
    if not ratings:
        return {}
    try:
        fit = fit_severity(rating_table(ratings, dimension))
    except NotConvergedError as error:
        warnings.append(f"severity could not be estimated: {error}")
        return {}
    half = special.stdtrit(fit.degrees_of_freedom, (1 + level) / 2) * fit.bias_errors
    method = "severity: below the panel on the same clips; restricted maximum likelihood, t"
    return {
        rater: Estimate(
            float(fit.severity[k]),
            float(fit.severity[k] - half[k]),
            float(fit.severity[k] + half[k]),
            level,
            fit.n,
            len(fit.raters),
            method,
        )
        for k, rater in enumerate(fit.raters)
    }


def _reasons(evidence: _Evidence, rules: QualityRules) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in (_failed_checks, _too_fast, _one_sided, _unlike_others, _shared_deviations):
        for rater, reason in name(evidence, rules):
            found.setdefault(rater, []).append(reason)
    return found


Reasons = list[tuple[str, str]]


def _failed_checks(evidence: _Evidence, rules: QualityRules) -> Reasons:
    least = {"repeat": rules.least_repeat_rate}
    return [
        (
            rater,
            f"passed {rate.value:.0%} of {rate.n} {kind} trials (at most {rate.high:.0%}, wanted "
            f"{least.get(kind, rules.least_pass_rate):.0%})",
        )
        for rater, rates in evidence.checks.items()
        for kind, rate in rates.items()
        if rate.high < least.get(kind, rules.least_pass_rate)
    ]


def _too_fast(evidence: _Evidence, rules: QualityRules) -> Reasons:
    return [
        (
            rater,
            f"{times.too_fast.value:.0%} of {times.n} answers came in less than "
            f"{rules.too_fast_s:g} s (at least {times.too_fast.low:.0%}, allowed "
            f"{rules.most_too_fast:.0%})",
        )
        for rater, times in evidence.times.items()
        if times.too_fast.low > rules.most_too_fast
    ]


def _one_sided(evidence: _Evidence, rules: QualityRules) -> Reasons:
    sides = _rejected(evidence.sides, lambda use: use.p_side, rules.alpha)
    runs = _rejected(evidence.sides, lambda use: use.p_run, rules.alpha)
    return [
        (rater, f"{use.share_first.value:.0%} of {use.n} answers for the first side {_p(p)}")
        for rater, use, p in sides
    ] + [
        (rater, f"{use.longest_run} answers in a row for one side, of {use.n} {_p(p)}")
        for rater, use, p in runs
    ]


def _unlike_others(evidence: _Evidence, rules: QualityRules) -> Reasons:
    low = _rejected(evidence.consensus, lambda found: found.p_as_others, rules.alpha)
    reasons = [
        (
            rater,
            f"agrees with the others' majority on {found.agreement.value:.0%} of "
            f"{found.agreement.n} stimuli where others do on {found.of_others:.0%} {_p(p)}: as if "
            f"{found.guessing_share:.0%} were guesses",
        )
        for rater, found, p in low
    ]
    return reasons + [
        (
            rater,
            f"sequential voter test: evidence of {test.largest:.3g} to 1 for guessing "
            f"{_p(test.p_adjusted)}",
        )
        for rater, test in evidence.voters.items()
        if test.p_adjusted < rules.alpha
    ]


def _shared_deviations(evidence: _Evidence, rules: QualityRules) -> Reasons:
    return [
        (
            rater,
            f"deviates together with '{other}' on {pair.together} stimuli, expected "
            f"{pair.expected:.1f} {_p(pair.p_adjusted)}",
        )
        for pair in evidence.shared
        if pair.p_adjusted < rules.alpha
        for rater, other in ((pair.first, pair.second), (pair.second, pair.first))
    ]


def _rejected(
    rows: Mapping[str, Row], p_value: Callable[[Row], float], alpha: float
) -> list[tuple[str, Row, float]]:
    """The raters whose p-value, Holm's over all raters, is below alpha."""
    if not rows:
        return []
    adjusted = holm_adjusted(np.array([p_value(row) for row in rows.values()]))
    return [
        (rater, row, float(p))
        for (rater, row), p in zip(rows.items(), adjusted, strict=True)
        if p < alpha
    ]


def _p(adjusted: float) -> str:
    return f"(p = {adjusted:.2g}, Holm over the panel)"


def _check_rules(rules: QualityRules) -> None:
    shares = ("least_pass_rate", "least_repeat_rate", "most_too_fast")
    for name in shares:
        if not 0 <= getattr(rules, name) <= 1:
            raise ConfigError(f"{name} must be a share from 0 to 1, got {getattr(rules, name)}")
    if not 0 < rules.alpha < 1:
        raise ConfigError(f"alpha must be between 0 and 1, got {rules.alpha}")
