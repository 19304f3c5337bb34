"""What `auralign stats raters` prints: a line for each rater, and groups of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from auralign.cli.tables import interval, number, page, paragraphs, table

if TYPE_CHECKING:
    from auralign.stats.raters.quality import RaterQuality
    from auralign.stats.studies import RaterGroups, StudyRaters


def raters_text(found: StudyRaters) -> str:
    flagged = [row for row in found.report.raters if row.flagged]
    columns = [column for column in _RATER_COLUMNS if any(map(column[1], found.report.raters))]
    rows = [
        [row.rater, str(row.n), *(cell(row) or "-" for _, cell in columns), "*" * row.flagged]
        for row in found.report.raters
    ]
    head = ["<rater", ">n", *(f">{name}" for name, _ in columns), "look"]
    reasons = [f"{row.rater}: {reason}" for row in flagged for reason in row.reasons]
    return page(
        f"{found.report.dimension} in {found.study}: {len(rows)} raters, {len(flagged)} to look at",
        table(head, rows),
        paragraphs(reasons),
        *_discrimination(found),
        *(_groups(found.groups) if found.groups else []),
        notes=[*found.report.warnings, *found.warnings],
    )


def _discrimination(found: StudyRaters) -> list[str]:
    if found.discrimination is None:
        return [paragraphs([f"No discrimination of raters: {found.discrimination_reason}."])]
    of_raters, notes = found.discrimination.raters, found.discrimination.warnings
    worst_first = sorted(of_raters.items(), key=lambda entry: entry[1].value)
    rows = [[rater, number(e.value), interval(e)] for rater, e in worst_first]
    words = (
        "How steeply votes follow the worths of systems; 1 is the (geometric) mean rater, near 0 "
        "votes are at random or by another taste."
    )
    level = next(iter(of_raters.values())).level
    head = ["<rater", ">discrimination", f"{level:.0%} interval"]
    return [table(head, rows), paragraphs([words, *(f"note: {text}" for text in notes)])]


def _groups(groups: RaterGroups) -> list[str]:
    fit = groups.fit
    names = [f"group {k + 1}" for k in range(fit.n_groups)]
    worths = [
        [item, *(f"{number(w)} ({number(e)})" for w, e in zip(values, errors, strict=True))]
        for item, values, errors in zip(
            fit.items, fit.log_worth.T, fit.standard_errors.T, strict=True
        )
    ]
    shares = zip(fit.share, fit.share_errors, strict=True)
    head_row = ["share of raters", *(f"{number(s)} ({number(e)})" for s, e in shares)]
    members = [
        f"{name}: {', '.join(r for r, k in zip(fit.raters, fit.group, strict=True) if k == g)}"
        for g, name in enumerate(names)
    ]
    bic = ", ".join(f"{k} {number(b, 1)}" for k, b in enumerate(groups.bic, start=1))
    choice = (
        f"BIC by number of groups: {bic}; the lowest speaks for {groups.preferred}. Log-worths of "
        "systems in each group, with standard errors."
    )
    return [
        table(["<system", *(f">{name}" for name in names)], [head_row, *worths]),
        paragraphs([choice, *members, *(f"note: {text}" for text in fit.warnings)]),
    ]


def _checks(row: RaterQuality) -> str:
    passed = sum(round(rate.value * rate.n) for rate in row.checks.values())
    return f"{passed} of {sum(rate.n for rate in row.checks.values())}" if row.checks else ""


_RATER_COLUMNS: tuple[tuple[str, Callable[[RaterQuality], str]], ...] = (
    ("checks", _checks),
    ("median s", lambda row: number(row.times.median_s, 1) if row.times else ""),
    ("first side", lambda row: number(row.sides.share_first.value) if row.sides else ""),
    ("run", lambda row: str(row.sides.longest_run) if row.sides else ""),
    ("agrees", lambda row: number(row.consensus.agreement.value) if row.consensus else ""),
    ("guessing", lambda row: number(row.consensus.guessing_share) if row.consensus else ""),
    ("sd", lambda row: number(row.scale.standard_deviation) if row.scale else ""),
    ("severity", lambda row: number(row.severity.value) if row.severity else ""),
)
"""Head of a column and what it says of a rater, "" for nothing; empty columns are left out."""
