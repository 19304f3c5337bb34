"""From each result of `auralign stats` to its page, and to the folder that holds it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

from auralign.cli.figures import (
    agreement_page,
    format_interval,
    format_number,
    ranking_page,
    sentence,
    write_folder,
)
from auralign.cli.tables import p_value
from auralign.errors import DataError
from auralign.report.format import MISSING, format_name
from auralign.report.plots import (
    CaterpillarPlot,
    CaterpillarRow,
    Figure,
    StatisticsPage,
    TextTable,
    caterpillar,
)
from auralign.stats.hypotheses.result import FamilyOfTests
from auralign.stats.ratings import AcrResult, MushraResult
from auralign.stats.studies import (
    CmosResults,
    PairByGroup,
    RaterGroups,
    StudyAgreement,
    StudyExplanation,
    StudyRanking,
    StudyRaters,
    StudyStandard,
    StudyTests,
)
from auralign.types import Estimate

StandardResult: TypeAlias = MushraResult | AcrResult | CmosResults

MAX_DRAWN = 60
"""Rows of a plot; of more, nobody reads the picture and all are in the result."""


def write_page(result: Any, out: Path, *, force: bool) -> None:
    """The page of a result, its plots and the result itself, at `out` (`write_folder`)."""
    write_folder(_PAGES[type(result)](result), result, out, force=force)


def tests_page(found: StudyTests) -> StatisticsPage:
    """The effect of each pair of systems, and of each group of listeners."""
    of_votes = found.protocol == "pair"
    label = "win rate of the first, ties half" if of_votes else "median difference"
    reference = 0.5 if of_votes else 0.0
    pairs = {f"{t.first} against {t.second}": t.effect for t in found.tests}
    groups = {
        f"{pair.first} against {pair.second}: {group}": rate
        for pair in found.groups
        for group, rate in pair.win_rates.groups.items()
    }
    caption = f"Each dot is an effect with its {found.level:.0%} interval"
    figures = [_intervals("pairs", "Pairs of systems", label, pairs, reference, f"{caption}.")]
    if groups:
        words = f"{caption}, for all groups of a pair together (Bonferroni); the lowest first."
        figures.append(_intervals("groups", "By group", label, groups, reference, words))
    rows = tuple(
        (
            f"{t.first} against {t.second}",
            f"{t.test.n}",
            p_value(t.test.p_value),
            p_value(t.p_adjusted),
        )
        for t in found.tests
    )
    o = found.omnibus
    omnibus = (
        f"{o.method}: {o.statistic:.2f}, p {p_value(o.p_value)}"
        if o
        else f"no test of all systems at once: {found.omnibus_reason}"
    )
    return _page(
        found,
        "do systems differ?",
        f"{found.family}, adjusted by {found.adjustment}; one observation is a {found.block}",
        figures,
        [
            TextTable("Tests", ("systems", "n", "p", "p adjusted"), rows, frozenset({1, 2, 3})),
            *([_gap_table(found.groups)] if groups else []),
        ],
        [omnibus, *found.warnings, *_group_remarks(found.groups)],
    )


def _gap_table(pairs: Sequence[PairByGroup]) -> TextTable:
    rows = tuple(
        (
            f"{pair.first} against {pair.second}",
            pair.win_rates.inequality.worst_group,
            format_number(pair.win_rates.gap),
            p_value(pair.win_rates.gap_test.p_value),
            p_value(pair.p_adjusted),
        )
        for pair in pairs
    )
    head = ("systems", "lowest in", "gap", "p", "p adjusted")
    return TextTable("Gaps between groups", head, rows, frozenset({2, 3, 4}))


def _group_remarks(pairs: Sequence[PairByGroup]) -> list[str]:
    return list(dict.fromkeys(text for pair in pairs for text in pair.win_rates.warnings))


def standard_page(found: StudyStandard) -> StatisticsPage:
    """Scores of the systems, and how they compare."""
    result = found.result
    scores, label = _scores(result)
    reference = 0.0 if isinstance(result, CmosResults) else None
    caption = f"Each dot is a score with its {found.level:.0%} interval."
    return _page(
        found,
        f"systems by {found.standard.upper()}",
        f"{found.n} answers",
        [_intervals("scores", "Scores", label, scores, reference, caption)],
        [_family_table(result.comparisons)] if result.comparisons else [],
        [*_remarks(result), *found.warnings],
    )


def _scores(result: StandardResult) -> tuple[dict[str, Estimate], str]:
    if isinstance(result, MushraResult):
        return {s.system: s.mean for s in result.systems}, "mean rating, 0 to 100"
    if isinstance(result, AcrResult):
        return {s.system: s.mos for s in result.systems}, "mean opinion score"
    label = f"comparison score against {result.reference}, positive is better"
    return {name: r.cmos for name, r in result.systems.items()}, label


def _remarks(result: StandardResult) -> list[str]:
    if isinstance(result, CmosResults):
        return [f"{name}: {text}" for name, r in result.systems.items() for text in r.warnings]
    if isinstance(result, AcrResult):
        return list(result.warnings)
    excluded = result.screening.excluded
    return [*(f"left out: {rater} ({why})" for rater, why in excluded.items()), *result.warnings]


def raters_page(found: StudyRaters) -> StatisticsPage:
    """What there is of each rater's discrimination, agreement and severity, the lowest first."""
    rows = found.report.raters
    flagged = tuple((r.rater, f"{r.n}", "; ".join(r.reasons)) for r in rows if r.flagged)
    look = TextTable("Raters to look at", ("rater", "answers", "why"), flagged, frozenset({1}))
    reason = found.discrimination_reason
    return _page(
        found,
        "the raters",
        f"{len(rows)} raters, {len(flagged)} to look at",
        _rater_figures(found),
        [*([look] if flagged else []), *([_group_table(found.groups)] if found.groups else [])],
        [
            *found.report.warnings,
            *([f"no discrimination of raters: {reason}"] if reason else []),
            *(found.discrimination.warnings if found.discrimination else ()),
            *found.warnings,
        ],
        dimension=found.report.dimension,
    )


def _rater_figures(found: StudyRaters) -> list[Figure]:
    rows = found.report.raters
    agreement = {r.rater: r.consensus.agreement for r in rows if r.consensus}
    severity = {r.rater: r.severity for r in rows if r.severity}
    figures = []
    if found.discrimination:
        words = "How steeply votes follow the worths of systems; near 0, by chance or other taste."
        steep = _lowest_first(found.discrimination.raters)
        label = "discrimination, geometric mean 1"
        figures.append(_intervals("discrimination", "Discrimination", label, steep, 1.0, words))
    if agreement:
        words, label = "Low agreement can be an unusual taste.", "share of stimuli"
        title, lowest = "Agreement with the others' majority", _lowest_first(agreement)
        figures.append(_intervals("agreement", title, label, lowest, None, words))
    if severity:
        words, label = "By how much a rater rates lower than the panel.", "below the panel"
        lowest = _lowest_first(severity)
        figures.append(_intervals("severity", "Severity", label, lowest, 0.0, words))
    return figures


def explanation_page(found: StudyExplanation) -> StatisticsPage:
    """The effects of attributes, of suspects, and of the levels of a design."""
    figures = []
    if found.factors:
        effects = {e.attribute: e.log_odds for e in found.factors.effects}
        words = "Log-odds of a clip that is one standard deviation higher, the others held equal."
        figures.append(_intervals("factors", "Attributes", "log-odds", effects, 0.0, words))
    if found.confounders:
        suspects = {e.name: e.adjusted for e in found.confounders.effects}
        words = found.confounders.verdict
        figures.append(_intervals("confounders", "Suspects", "log-odds", suspects, 0.0, words))
    if found.conjoint:
        levels = {f"{e.attribute}: {e.level}": e.effect for e in found.conjoint.levels if e.effect}
        words = "Average marginal effect of each level on the win rate, against its baseline."
        figures.append(
            _intervals("conjoint", "Levels", "change of the win rate", levels, 0.0, words)
        )
    c = found.consistency
    if c is not None:
        together = {"Pearson": c.pearson, "Spearman": c.spearman, "Kendall": c.kendall}
        words = "Correlation of mean ratings and log-worths of the same clips."
        figures.append(
            _intervals("consistency", "Ratings and votes", "correlation", together, 0.0, words)
        )
    missing = [f"no {look}: {reason}" for look, reason in found.missing.items()]
    looks = (found.factors, found.confounders, found.conjoint, found.consistency)
    looked = dict.fromkeys(text for look in looks if look is not None for text in look.warnings)
    if not figures:
        raise DataError(f"there is nothing to draw: {'; '.join(missing)}")
    return _page(
        found,
        "what explains the votes?",
        f"{found.n} votes",
        figures,
        [],
        [*missing, *looked, *found.warnings],
    )


def _page(
    found: Any,
    question: str,
    subtitle: str,
    figures: list[Figure],
    tables: list[TextTable],
    notes: Iterable[str],
    *,
    dimension: str | None = None,
) -> StatisticsPage:
    return StatisticsPage(
        title=f"{format_name(dimension or found.dimension)}: {question}",
        kicker=f"Preference statistics · {found.study}",
        subtitle=subtitle,
        simulated=found.simulated,
        figures=figures,
        tables=tables,
        notes=[sentence(text) for text in notes if text],
    )


def _intervals(
    name: str,
    title: str,
    label: str,
    values: Mapping[str, Estimate],
    reference: float | None,
    caption: str,
) -> Figure:
    shown = dict(islice(values.items(), MAX_DRAWN))
    rows = tuple(CaterpillarRow(row, value) for row, value in shown.items())
    plot = CaterpillarPlot(title, label, rows, reference)
    rest = f" The first {MAX_DRAWN} of {len(values)}." if len(values) > MAX_DRAWN else ""
    return Figure(name, title, caterpillar(plot), f"{caption}{rest}")


def _lowest_first(values: Mapping[str, Estimate]) -> dict[str, Estimate]:
    return dict(sorted(values.items(), key=lambda entry: entry[1].value))


def _family_table(family: FamilyOfTests) -> TextTable:
    rows = tuple(
        (
            t.name,
            format_number(t.test.effect.value) if t.test.effect else MISSING,
            format_interval(t.test.effect) if t.test.effect else MISSING,
            p_value(t.test.p_value),
            p_value(t.p_adjusted),
        )
        for t in family.tests
    )
    head = ("systems", "effect", "interval", "p", "p adjusted")
    return TextTable(
        f"{family.family[:1].upper()}{family.family[1:]}", head, rows, frozenset({1, 2, 3, 4})
    )


def _group_table(groups: RaterGroups) -> TextTable:
    fit = groups.fit
    head = ("log-worth of", *(f"group {k + 1} ({s:.0%})" for k, s in enumerate(fit.share)))
    rows = tuple(
        (item, *(format_number(float(w)) for w in values))
        for item, values in zip(fit.items, fit.log_worth.T, strict=True)
    )
    caption = f"Groups of raters; BIC speaks for {groups.preferred}"
    return TextTable(caption, head, rows, frozenset(range(1, len(head))))


_PAGES: Mapping[type, Callable[[Any], StatisticsPage]] = {
    StudyRanking: ranking_page,
    StudyAgreement: agreement_page,
    StudyTests: tests_page,
    StudyStandard: standard_page,
    StudyRaters: raters_page,
    StudyExplanation: explanation_page,
}
