"""What `auralign score` prints: measures with their coverage, and why values are missing."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from auralign.cli.tables import WIDTH, number, page, paragraphs, table

if TYPE_CHECKING:
    from auralign.signals.summary import MeasureSummary

_SHOWN = 8
_BETTER = {"max": "more", "min": "less", "target": "target", "descriptive": "-"}


def list_text(signals: Iterable[Mapping[str, Any]]) -> str:
    """The signals below their sets, with what each needs beside the clip."""
    blocks: dict[str, list[str]] = {}
    for signal in signals:
        needs = "; ".join(signal["requires"])
        line = f"  {signal['name']}: {signal['summary']}" + (f" Needs {needs}." if needs else "")
        wrapped = textwrap.fill(line, WIDTH, subsequent_indent=" " * 6)
        for name in signal["sets"] or ["others"]:
            blocks.setdefault(name, [name]).append(wrapped)
    return "\n\n".join("\n".join(block) for block in blocks.values())


def score_text(document: Mapping[str, Any]) -> str:
    """The table of measures, the reasons for missing values, and what was written."""
    measures: Sequence[MeasureSummary] = document["measures"]
    known = [m for m in measures if m.n_ok]
    head = ["<measure", ">mean", ">sd", ">lowest", ">highest", "unit", ">clips", "better"]
    return page(
        table(head, _rows(known)) if known else "",
        paragraphs(_missing(measures)),
        "\n".join(_written(document)),
        notes=[*_upsampled(measures), *_left_out(document)],
    )


def _rows(measures: Iterable[MeasureSummary]) -> Iterator[list[str]]:
    """Measures below the name of their signal, the first few of them."""
    for signal, each in groupby(measures, key=lambda m: m.name.partition(".")[0]):
        members = list(each)
        if len(members) == 1:
            yield _row(members[0], members[0].name)
            continue
        yield [signal, *[""] * 7]
        for m in members[:_SHOWN]:
            yield _row(m, f"  {m.name.removeprefix(f'{signal}.')}")
        if len(members) > _SHOWN:
            yield [f"  and {len(members) - _SHOWN} more", *[""] * 7]


def _row(m: MeasureSummary, name: str) -> list[str]:
    values = [number(value, _decimals(m)) for value in (m.mean, m.sd, m.lowest, m.highest)]
    return [name, *values, m.unit, f"{m.n_ok}/{m.n_clips}", _BETTER.get(m.direction, "-")]


def _decimals(m: MeasureSummary) -> int:
    """Three for what stays below ten, one from a thousand on."""
    largest = max(abs(m.lowest or 0.0), abs(m.highest or 0.0))
    return 3 if largest < 10 else 2 if largest < 1_000 else 1


def _missing(measures: Iterable[MeasureSummary]) -> list[str]:
    """One sentence for each signal's reason, not for each of its measures."""
    found: dict[tuple[str, str, int], list[str]] = {}
    for m in measures:
        for status, n in m.missing.items():
            found.setdefault((m.name.partition(".")[0], status, n), []).append(m.name)
    return [
        f"{signal if len(names) > 1 else names[0]}: {n} {status.replace(':', ', ', 1)}"
        for (signal, status, n), names in found.items()
    ]


def _upsampled(measures: Iterable[MeasureSummary]) -> list[str]:
    signals: dict[int, dict[str, None]] = {}
    for m in measures:
        if m.n_upsampled:
            signals.setdefault(m.n_upsampled, {})[m.name.partition(".")[0]] = None
    return [
        f"{n} clips have a lower rate than {', '.join(names)} hear, so nothing is heard above it"
        for n, names in signals.items()
    ]


def _written(document: Mapping[str, Any]) -> list[str]:
    new, reused = document["answers_new"], document["answers_reused"]
    before = f", {reused} were there" if reused else ""
    lines = [f"Written to {document['out']}: {new} answers about {document['clips']} clips{before}"]
    if "table" in document:
        lines.append(f"Written to {document['table']['file']}: {document['table']['rows']} rows")
    if "study" in document:
        joined = document["study"]
        lines.append(
            f"Added {joined.n_judgements} judgements by {len(joined.raters)} measures to the study"
        )
    return lines


def _left_out(document: Mapping[str, Any]) -> list[str]:
    names = document["study"].descriptive if "study" in document else ()
    if not names:
        return []
    return [f"not added, because they describe and do not judge: {', '.join(names)}"]
