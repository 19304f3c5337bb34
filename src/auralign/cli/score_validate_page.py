"""The page of `auralign score validate`: signals beside baselines, drawn with their intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from auralign.cli.figures import format_interval, format_number, sentence, write_folder
from auralign.evaluation.validity.validity import SignalValidity, StudyValidity
from auralign.report.format import MISSING, format_name
from auralign.report.plots import (
    CaterpillarPlot,
    CaterpillarRow,
    Figure,
    StatisticsPage,
    TextTable,
    caterpillar,
)
from auralign.types import Estimate


def write_validity(found: StudyValidity, out: Path, *, force: bool) -> None:
    """`index.html`, the figures as SVG and `result.json` at `out` (`figures.write_folder`)."""
    write_folder(validity_page(found), found, out, force=force)


def validity_page(found: StudyValidity) -> StatisticsPage:
    """Pair accuracies of signals, baselines and listeners; correlations; and whom to trust."""
    everybody = [*found.signals, *found.baselines]
    accuracies = {_label(s): s.accuracy for s in everybody if s.accuracy}
    if found.listeners is not None:
        accuracies["listeners, each other"] = found.listeners
    systems = {_label(s): s.systems for s in everybody if s.systems}
    return StatisticsPage(
        title=f"{format_name(found.dimension)}: which signals to trust?",
        kicker=f"Validity of signals · {found.study}",
        subtitle=f"{found.n_answers} {found.protocol} judgements about {found.n_clips} clips by "
        f"{found.n_systems} systems on {found.n_prompts} prompts",
        simulated=found.simulated,
        figures=[
            _figure(
                "pairs",
                "Choosing between clips",
                "share of decided pairs that are decided alike",
                accuracies,
                0.5,
                f"Intervals: {found.intervals}. The line is chance.",
            ),
            *(
                [_figure("systems", "Ranking systems", "rank correlation", systems, 0.0, "")]
                if systems
                else []
            ),
        ],
        tables=[_table(found.signals, found.level)],
        notes=[
            *(f"No {name}: {reason}." for name, reason in found.missing.items()),
            *map(sentence, found.warnings),
        ],
    )


def _label(s: SignalValidity) -> str:
    return f"{s.signal} alone" if s.direction == "baseline" else s.signal


def _figure(
    name: str,
    title: str,
    label: str,
    values: Mapping[str, Estimate],
    reference: float,
    caption: str,
) -> Figure:
    rows = tuple(CaterpillarRow(row, value) for row, value in values.items())
    return Figure(name, title, caterpillar(CaterpillarPlot(title, label, rows, reference)), caption)


def _table(signals: Iterable[SignalValidity], level: float) -> TextTable:
    head = ("signal", "pairs", f"{level:.0%} interval", "acc_eq", "clear", "close", "why")
    rows = tuple(
        (
            s.signal,
            _number(s.accuracy),
            format_interval(s.accuracy) if s.accuracy else MISSING,
            _number(s.tie_calibrated),
            _number(s.clear),
            _number(s.close),
            f"{s.trust_in_pairs.word}: {s.trust_in_pairs.reason}",
        )
        for s in signals
    )
    return TextTable("Signals", head, rows, frozenset({1, 2, 3, 4, 5}))


def _number(estimate: Estimate | None) -> str:
    return format_number(estimate.value) if estimate else MISSING
