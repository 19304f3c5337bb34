"""What `auralign score validate` and `gate` print: numbers, and the sentences that judge them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from auralign.cli.tables import interval, number, page, paragraphs, table

if TYPE_CHECKING:
    from auralign.evaluation.reward_gate.gate import GateReport
    from auralign.evaluation.reward_gate.gate_probes import GateTest
    from auralign.evaluation.validity.trust import Trust
    from auralign.evaluation.validity.validity import SignalValidity, StudyValidity
    from auralign.types import Estimate

WORDS = ("trust", "distrust", "cannot tell")


def validity_text(found: StudyValidity) -> str:
    """The table of signals and baselines, and whom to trust for what."""
    head = ["<signal", ">pairs", f"{found.level:.0%} interval", ">acc_eq", ">clips", ">systems"]
    rows = [[*_row(s), s.trust_in_pairs.word] for s in found.signals]
    rows += [[*_row(s), "baseline"] for s in found.baselines]
    if found.listeners is not None:
        e = found.listeners
        rows.append(["listeners", number(e.value), interval(e), "-", "-", "-", "each other"])
    return page(
        paragraphs([_title(found), _size(found), f"Intervals: {found.intervals}."]),
        table([*head, "choose clips"], rows),
        paragraphs(
            [
                "pairs: share of decided pairs of clips that are decided alike (chance 0.50); "
                "acc_eq: the same with ties; clips, systems: rank correlation."
            ]
        ),
        _trusted("To choose between clips, as a reward does", found, lambda s: s.trust_in_pairs),
        _trusted("To rank systems", found, lambda s: s.trust_in_systems),
        notes=[*_uncovered(found.signals), *_absent(found), *found.warnings],
    )


def _title(found: StudyValidity) -> str:
    return f"{found.dimension} in {found.study}: which signals to trust there?"


def _size(found: StudyValidity) -> str:
    return (
        f"{found.n_answers} {found.protocol} judgements of source '{found.source}' {_about(found)}"
    )


def _about(found: StudyValidity | GateReport) -> str:
    systems = "one system" if found.n_systems == 1 else f"{found.n_systems} systems"
    return f"about {found.n_clips} clips by {systems} on {found.n_prompts} prompts"


def _row(s: SignalValidity) -> list[str]:
    known = s.accuracy
    return [
        s.signal,
        _value(known),
        interval(known) if known else "-",
        _value(s.tie_calibrated),
        _value(s.clips),
        _value(s.systems),
    ]


def _value(estimate: Estimate | None) -> str:
    return number(estimate.value if estimate else None)


def _trusted(
    purpose: str, found: StudyValidity, trust_of: Callable[[SignalValidity], Trust]
) -> str:
    """One line for each reason, below the purpose; the trusted first."""
    lines: dict[tuple[str, str], list[str]] = {}
    for s in found.signals:
        trust = trust_of(s)
        lines.setdefault((trust.word, trust.reason), []).append(s.signal)
    ordered = sorted(lines.items(), key=lambda line: WORDS.index(line[0][0]))
    shown = [f"  {word}: {', '.join(signals)}: {reason}" for (word, reason), signals in ordered]
    return paragraphs([f"{purpose}:", *shown])


def _uncovered(signals: Iterable[SignalValidity]) -> Iterator[str]:
    """Signals that have no value for some clips, those with as many together."""
    short: dict[tuple[int, int], list[str]] = {}
    for s in signals:
        if s.n_scored < s.n_clips:
            short.setdefault((s.n_scored, s.n_clips), []).append(s.signal)
    for (scored, n), names in short.items():
        yield f"only {scored} of {n} clips have a value of {', '.join(names)}"


def _absent(found: StudyValidity) -> list[str]:
    return [f"no baseline {name}: {reason}" for name, reason in found.missing.items()]


def gate_text(found: GateReport) -> str:
    """Every test with its number, why, and the verdict."""
    name = f"{found.signal}@{found.version}" if found.version else found.signal
    head = ["test", "verdict", ">number", f"{found.level:.0%} interval", ">limit"]
    return page(
        paragraphs(
            [
                f"May {name} serve as a reward for {found.dimension}, for clips like those of "
                f"{found.study}?",
                f"{found.n_answers} answers {_about(found)}",
            ]
        ),
        table(head, map(_test_row, found.tests)),
        paragraphs(f"{test.name}: {test.sentence}" for test in found.tests),
        f"Verdict: {_verdict(found.verdict, found.tests)}",
        notes=found.warnings,
    )


def _test_row(test: GateTest) -> list[str]:
    e = test.estimate
    return [
        test.name,
        test.verdict,
        number(e.value if e else test.number),
        interval(e) if e else "-",
        number(test.limit),
    ]


def _verdict(verdict: str, tests: Sequence[GateTest]) -> str:
    wanted = {"failed": "fail", "cannot tell": "cannot tell"}.get(verdict)
    names = [test.name for test in tests if test.verdict == wanted]
    return f"{verdict} ({', '.join(names)})" if names else verdict
