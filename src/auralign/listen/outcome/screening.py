"""Rules that mark listeners whose answers may not be worth keeping; nothing is ever deleted.

A rule has a name and a version. Its verdict is a row beside the answers, and whoever analyses
decides what to leave out. A rule that cannot be applied to a listener says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from auralign.errors import DataError
from auralign.listen.outcome.records import judgements, pseudonyms
from auralign.listen.settings import Screening
from auralign.listen.store.tables import VerdictRow
from auralign.listen.study import ListenStudy, lock_study
from auralign.stats.raters.checks import GOLD, REPEAT, TRAP, check_pass_rates
from auralign.stats.raters.habits import answer_times, scale_use, side_use
from auralign.types import Estimate, Judgement, TrialProtocol

MIN_RATINGS = 5
"""Fewest ratings of which it can be said that all of them are the same."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule says of one listener, with the numbers that it goes by."""

    rater: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: its version changes whenever it could say something else of the same answers."""

    name: str
    version: int
    judge: Callable[[Sequence[Judgement], str, Screening], Iterator[Verdict]]


def screen(study: ListenStudy) -> int:
    """Apply every rule to every listener, in place of its earlier verdicts; returns how many fail.

    A listener fails who does not pass one rule or more.
    """

    def work(db: Session) -> int:
        lock_study(db)
        sessions = {rater: session for session, rater in pseudonyms(db, study).items()}
        said = list(judgements(db, study, with_text=False))
        dimension = study.settings.test.questions()[-1].id
        failed = set()
        for rule in RULES:
            for verdict in rule.judge(said, dimension, study.settings.screening):
                db.merge(_row(rule, verdict, sessions, study.clock()))
                failed |= set() if verdict.passed else {verdict.rater}
        return len(failed)

    return study.database.write(work)


def _row(rule: Rule, verdict: Verdict, sessions: Mapping[str, str], now: float) -> VerdictRow:
    return VerdictRow(
        session_id=sessions[verdict.rater],
        rule=rule.name,
        version=rule.version,
        passed=verdict.passed,
        detail=verdict.detail,
        judged_at=now,
    )


def _pass_rate_rule(
    kind: str, least: Callable[[Screening], float]
) -> Callable[[Sequence[Judgement], str, Screening], Iterator[Verdict]]:
    def judge(said: Sequence[Judgement], dimension: str, limits: Screening) -> Iterator[Verdict]:
        for rater, rates in check_pass_rates(said, dimension).items():
            if kind in rates:
                yield _at_least(rater, rates[kind], least(limits), f"of {kind} trials passed")

    return judge


def _at_least(rater: str, share: Estimate, least: float, what: str) -> Verdict:
    detail = f"{share.value:.2f} {what} (n = {share.n}), {least:g} wanted"
    return Verdict(rater, share.value >= least, detail)


def _too_fast(said: Sequence[Judgement], dimension: str, limits: Screening) -> Iterator[Verdict]:
    own = [j for j in said if j.dimension == dimension]
    if not own:
        return
    for rater, times in answer_times(own, too_fast_s=limits.too_fast_s).items():
        share = times.too_fast.value
        detail = (
            f"{share:.2f} of answers in less than {limits.too_fast_s:g} s (n = {times.n}), "
            f"{limits.max_too_fast:g} tolerated"
        )
        yield Verdict(rater, share <= limits.max_too_fast, detail)


def _one_side(said: Sequence[Judgement], dimension: str, limits: Screening) -> Iterator[Verdict]:
    try:
        used = side_use(said, dimension)
    except DataError:
        return
    for rater, sides in used.items():
        p = min(sides.p_side, sides.p_run)
        detail = (
            f"{sides.share_first.value:.2f} for the first side (n = {sides.n}), longest run "
            f"{sides.longest_run}, p = {p:.4f}, {limits.side_p:g} wanted"
        )
        yield Verdict(rater, p >= limits.side_p, detail)


def _one_rating(said: Sequence[Judgement], dimension: str, limits: Screening) -> Iterator[Verdict]:
    own = [j for j in said if j.protocol is TrialProtocol.RATING and j.rating is not None]
    if not any(j.dimension == dimension for j in own):
        return
    for rater, use in scale_use(own, dimension).items():
        if use.n >= MIN_RATINGS:
            share = use.commonest_share
            yield Verdict(rater, share < 1, f"commonest rating in {share:.2f} of {use.n}")


RULES = (
    Rule("gold", 1, _pass_rate_rule(GOLD, lambda limits: limits.min_gold)),
    Rule("trap", 1, _pass_rate_rule(TRAP, lambda limits: limits.min_traps)),
    Rule("repeat", 1, _pass_rate_rule(REPEAT, lambda limits: limits.min_repeats)),
    Rule("too_fast", 1, _too_fast),
    Rule("one_side", 1, _one_side),
    Rule("one_rating", 1, _one_rating),
)
