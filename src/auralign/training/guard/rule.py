"""What a rule is, and how a rule book is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from auralign.training.guard.checks import Check
from auralign.training.guard.evidence import Evidence, NotMeasured, Verdict


@dataclass(frozen=True, slots=True)
class Rule:
    """One way to go wrong.

    watches      what is looked at, in words
    signatures   numbers of the survey's signatures that it looks for
    case         a published case, with its figures
    check        the band, and the verdict as a function of the evidence
    advice       what to do
    ends         whether an alarm ends training; what was known before training does not
    """

    name: str
    watches: str
    signatures: tuple[int, ...]
    case: str
    check: Check
    advice: str
    ends: bool = True


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule said; `value` is None where it could not tell."""

    rule: str
    verdict: Verdict
    value: float | None
    sentence: str
    advice: str


def judge(evidence: Evidence, rules: Sequence[Rule]) -> list[Finding]:
    """The finding of every rule, in the order of the table."""
    return [_finding(rule, evidence) for rule in rules]


def _finding(rule: Rule, evidence: Evidence) -> Finding:
    try:
        verdict, value, sentence = rule.check(evidence)
    except NotMeasured as reason:
        return Finding(rule.name, Verdict.CANNOT_TELL, None, str(reason), rule.advice)
    return Finding(rule.name, verdict, value, sentence, rule.advice)
