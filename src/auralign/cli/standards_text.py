"""What `auralign stats test --standard` prints: MUSHRA, ACR and CMOS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auralign.cli.tables import interval, number, p_value, page, paragraphs, table

if TYPE_CHECKING:
    from auralign.stats.hypotheses.result import FamilyOfTests
    from auralign.stats.ratings import AcrResult, MushraResult
    from auralign.stats.studies import CmosResults, StudyStandard

_NAMES = {
    "mushra": "MUSHRA (ITU-R BS.1534-3)",
    "acr": "absolute category ratings (ITU-T P.800)",
    "cmos": "comparison category ratings (ITU-T P.800, annex E)",
}


def standard_text(found: StudyStandard) -> str:
    parts: dict[str, Any] = {"mushra": _mushra, "acr": _acr, "cmos": _cmos}
    return page(
        f"{found.dimension} in {found.study}: {_NAMES[found.standard]}, {found.n} answers",
        *parts[found.standard](found.result, f"{found.level:.0%} interval"),
        notes=[*getattr(found.result, "warnings", ()), *found.warnings],
    )


def _mushra(result: MushraResult, level: str) -> list[str]:
    rows = [
        [
            s.system,
            number(s.mean.value, 1),
            interval(s.mean, 1),
            number(s.median, 1),
            f"{number(s.quartiles[0], 1)} to {number(s.quartiles[1], 1)}",
            str(s.mean.n),
        ]
        for s in result.systems
    ]
    screening = result.screening
    n = len(screening.kept) + len(screening.excluded)
    left_out = [f"{rater}: {reason}." for rater, reason in screening.excluded.items()]
    friedman = result.friedman
    omnibus = (
        [f"{friedman.f.method}: {friedman.f.statistic:.2f}, p {p_value(friedman.f.p_value)}."]
        if friedman
        else []
    )
    return [
        paragraphs(
            [
                f"Post-screening by {screening.rules}: {len(screening.kept)} of {n} listeners "
                "kept.",
                *left_out,
            ]
        ),
        table(["<system", ">mean", level, ">median", "quartiles", ">n"], rows),
        paragraphs(["Intervals: Student's t over listeners.", *omnibus]),
        *_comparisons(result.comparisons),
    ]


def _acr(result: AcrResult, level: str) -> list[str]:
    rows = [
        [
            s.system,
            number(s.mos.value),
            interval(s.mos),
            interval(s.mos_by_vote),
            number(s.standard_deviation),
            str(s.mos.n),
        ]
        for s in result.systems
    ]
    words = "Intervals: for new raters and new items; of P.800, as if all votes were independent."
    return [
        table(["<system", ">MOS", level, "of P.800", ">sd", ">n"], rows),
        paragraphs([words]),
        *_comparisons(result.comparisons),
    ]


def _cmos(result: CmosResults, level: str) -> list[str]:
    adjusted = {t.name: t for t in result.comparisons.tests} if result.comparisons else {}
    rows = [
        [
            name,
            number(r.cmos.value),
            interval(r.cmos),
            str(r.cmos.n),
            p_value(adjusted[name].test.p_value) if name in adjusted else "-",
            p_value(adjusted[name].p_adjusted) if name in adjusted else "-",
        ]
        for name, r in result.systems.items()
    ]
    orders = [
        f"{name}: being presented first adds {number(r.order_effect.value)} "
        f"({interval(r.order_effect)})."
        for name, r in result.systems.items()
        if r.order_effect is not None
    ]
    remarks = [f"note: {name}: {text}" for name, r in result.systems.items() for text in r.warnings]
    words = (
        f"Scores against '{result.reference}', positive where the system is better; intervals for "
        "new raters and new items; permutation tests with raters flipped whole, adjusted by Holm."
    )
    return [
        table(["<system", ">CMOS", level, ">n", ">p", ">p adjusted"], rows),
        paragraphs([words, *orders, *remarks]),
    ]


def _comparisons(family: FamilyOfTests | None) -> list[str]:
    if family is None:
        return []
    rows = [
        [
            t.name,
            number(t.test.effect.value) if t.test.effect else "-",
            interval(t.test.effect) if t.test.effect else "-",
            p_value(t.test.p_value),
            p_value(t.p_adjusted),
        ]
        for t in family.tests
    ]
    head = ["<systems", ">median difference", "interval", ">p", ">p adjusted"]
    return [
        table(head, rows),
        paragraphs([f"{family.family}: Wilcoxon's signed ranks, adjusted by {family.adjustment}."]),
    ]
