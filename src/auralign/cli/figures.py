"""From the results of `auralign stats` to plots, and to the folder that holds them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auralign.cli.tables import p_value
from auralign.errors import StorageError
from auralign.files import atomic_dir, is_empty_dir, write_json, write_text
from auralign.report.format import MISSING, format_fixed, format_name, format_value
from auralign.report.plots import (
    CaterpillarPlot,
    CaterpillarRow,
    Figure,
    LengthInterval,
    LengthPlot,
    MatrixCell,
    MatrixPlot,
    StatisticsPage,
    TextTable,
    TriadPlot,
    agreement_by_length,
    caterpillar,
    render_statistics,
    residual_matrix,
    standalone,
    triad,
    win_matrix,
)
from auralign.stats.studies import Contests, ModelCheck, StudyAgreement, StudyRanking
from auralign.types import Estimate

RESULT = "result.json"


def write_folder(page: StatisticsPage, result: Any, out: Path, *, force: bool) -> None:
    """`index.html`, the figures as SVG and `result.json`, written aside and renamed.

    Raises StorageError when something is at `out`; `force` replaces it if it is such a folder.
    """
    if force and out.exists() and not is_empty_dir(out) and not (out / RESULT).is_file():
        raise StorageError(f"{out} holds no earlier result, so it is not replaced; choose another")
    with atomic_dir(out, replace=force) as aside:
        write_json(aside / RESULT, result)
        write_text(aside / "index.html", render_statistics(page))
        for figure in page.figures:
            write_text(aside / f"{figure.name}.svg", standalone(figure.svg))


def ranking_page(ranking: StudyRanking) -> StatisticsPage:
    """Caterpillar, matrices and circles of a ranking, and its numbers."""
    r = ranking
    return StatisticsPage(
        title=f"{format_name(r.dimension)}: {r.item}s ranked",
        kicker=f"Preference statistics · {r.study}",
        subtitle=f"{r.model[:1].upper()}{r.model[1:]}, {r.unit}; {r.n} {r.protocol} judgements on "
        f"{r.n_prompts} prompts",
        simulated=r.simulated,
        figures=[_caterpillar(r), *(_contests(r.contests) if r.contests else [])],
        tables=[_item_table(r), *([_difference_table(r)] if r.differences else [])],
        notes=[f"Intervals: {r.intervals}.", *map(sentence, r.warnings)],
    )


def agreement_page(found: StudyAgreement) -> StatisticsPage:
    """Coefficients as a table, and agreement by length where clips have lengths."""
    rows = tuple(
        (c.name, format_number(c.estimate.value, 3), format_interval(c.estimate, 3), c.meaning)
        for c in found.coefficients
        if c.estimate
    )
    missing = [f"No {c.name}: {c.reason}." for c in found.coefficients if not c.estimate]
    lengths = [f"No agreement by length: {found.length_reason}."] if found.length_reason else []
    return StatisticsPage(
        title=f"{format_name(found.dimension)}: do raters agree?",
        kicker=f"Preference statistics · {found.study}",
        subtitle=f"{found.n} {found.protocol} judgements of {found.n_units} stimuli",
        simulated=found.simulated,
        figures=_lengths(found),
        tables=[
            TextTable(
                "Coefficients of agreement",
                ("coefficient", "value", f"{found.level:.0%} interval", "meaning"),
                rows,
                frozenset({1}),
            )
        ],
        notes=[*missing, *lengths, *map(sentence, found.warnings)],
    )


def format_number(value: float, decimals: int = 2) -> str:
    return format_value(value, decimals=decimals)


def format_interval(estimate: Estimate, decimals: int = 2) -> str:
    if not np.isfinite(estimate.low):
        return MISSING
    return f"{format_fixed(estimate.low, decimals)} to {format_fixed(estimate.high, decimals)}"


def sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _caterpillar(ranking: StudyRanking) -> Figure:
    on_a_scale = ranking.unit.startswith("on a scale")
    label = f"{ranking.model} {ranking.unit}" if on_a_scale else ranking.unit
    rows = tuple(CaterpillarRow(row.item, row.value, row.letters) for row in ranking.items)
    plot = CaterpillarPlot(
        f"{format_name(ranking.dimension)} of {ranking.study}",
        label,
        rows,
        reference=None if on_a_scale else 0.0,
    )
    letters = " Those that share a letter are not told apart." if ranking.differences else ""
    caption = f"Each dot is an estimate with its {ranking.level:.0%} interval.{letters}"
    return Figure("caterpillar", "Ranking", caterpillar(plot), caption)


def _contests(contests: Contests) -> list[Figure]:
    wins = MatrixPlot(
        "Who wins over whom", contests.items, _cells(contests.shares, contests.counts)
    )
    figures = [
        Figure(
            "win-matrix",
            "Who wins over whom",
            win_matrix(wins),
            f"Percent of {contests.unit} that the row wins over the column, ties half, and their "
            "number n. An empty cell: the two never met.",
        )
    ]
    if contests.model is not None:
        figures += [_residuals(contests, contests.model), *_triads(contests, contests.model)]
    return figures


def _residuals(contests: Contests, model: ModelCheck) -> Figure:
    plot = MatrixPlot("Beyond the model", contests.items, _cells(model.residuals, contests.counts))
    fit = model.fit
    quality = f"Pearson's X2 is {fit.pearson:.1f} on {fit.df} degrees of freedom"
    return Figure(
        "residuals",
        "Beyond the model",
        residual_matrix(plot),
        "How much better the row does against the column than its place in the ranking says, in "
        "standard errors of independent answers; many cells beyond 2 mean that one scale does not "
        f"describe these preferences. {quality}{_with_p(fit.pearson_p)}.",
    )


def _triads(contests: Contests, model: ModelCheck) -> list[Figure]:
    """The worst triads; the first caption says whether there are more cycles than noise makes."""
    figures = []
    for k, found in enumerate(model.triads, start=1):
        plot = TriadPlot(f"Triad {k}", found.items, found.shares, _counts(contests, found.items))
        caption = (
            f"Round the triangle the log-odds sum to {found.curl:.2f} (standard error "
            f"{found.standard_error:.2f}{_with_p(found.p_value)} for all triads), where a ranking "
            "has zero."
        )
        if k == 1 and model.cycles is not None:
            caption += (
                f" Cycles make up {100 * model.cycles.cyclic_share:.0f} % of all preferences"
                f"{_with_p(model.cycles.p_value)} against the noise of a ranking."
            )
        title = "Worst triad" if k == 1 else f"Triad {k}"
        figures.append(Figure(f"triad-{k}", title, triad(plot), caption))
    return figures


def _with_p(p: float) -> str:
    return "" if np.isnan(p) else f", p {p_value(p)}"


def _counts(contests: Contests, items: tuple[str, str, str]) -> tuple[float, float, float]:
    a, b, c = (contests.items.index(item) for item in items)
    n = contests.counts
    return float(n[a, b]), float(n[b, c]), float(n[c, a])


def _cells(
    values: NDArray[np.float64], counts: NDArray[np.float64]
) -> tuple[tuple[MatrixCell, ...], ...]:
    return tuple(
        tuple(
            MatrixCell(None if np.isnan(v) else float(v), float(n))
            for v, n in zip(*row, strict=True)
        )
        for row in zip(values, counts, strict=True)
    )


def _item_table(ranking: StudyRanking) -> TextTable:
    rows = tuple(
        (
            row.item,
            format_number(row.value.value),
            format_interval(row.value),
            MISSING if row.places is None else f"{row.places[0]} to {row.places[1]}",
            row.letters,
            f"{row.n}",
            f"{row.n_prompts}",
        )
        for row in ranking.items
    )
    head = ("estimate", f"{ranking.level:.0%} interval", "places", "letters", "answers", "prompts")
    return TextTable("In numbers", (ranking.item, *head), rows, frozenset({1, 2, 3, 5, 6}))


def _difference_table(ranking: StudyRanking) -> TextTable:
    rows = tuple(
        (
            f"{d.first} less {d.second}",
            format_number(d.value.value),
            format_interval(d.value),
            p_value(d.p),
            p_value(d.p_holm),
        )
        for d in ranking.differences
    )
    head = ("difference", "estimate", f"{ranking.level:.0%} interval", "p", "p, Holm")
    return TextTable("All differences", head, rows, frozenset({1, 2, 3, 4}))


def _lengths(found: StudyAgreement) -> Sequence[Figure]:
    if found.by_length is None:
        return ()
    bins = tuple(LengthInterval(b.low_s, b.high_s, b.agreement) for b in found.by_length.bins)
    of_pairs = found.protocol == "pair"
    plot = LengthPlot(
        "Agreement by length",
        "agreement of rater pairs",
        bins,
        chance=0.5 if of_pairs else None,
    )
    slope = found.by_length.slope_per_doubling
    caption = (
        f"Each dot is a bin of lengths with its {found.level:.0%} interval. With each doubling of "
        f"the length agreement changes by {format_number(100 * slope.value, 1)} points "
        f"({format_number(100 * slope.low, 1)} to {format_number(100 * slope.high, 1)})."
    )
    return (
        Figure("agreement-by-length", "Agreement by length", agreement_by_length(plot), caption),
    )
