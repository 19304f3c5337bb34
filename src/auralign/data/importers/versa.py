"""Scores written by VERSA (Shi et al., NAACL 2025, arXiv 2412.17667): JSON Lines, one clip a line.

github.com/wavlab-speech/versa. A line holds `key`, the name of the utterance, and a field for each
number; older files hold the same as Python prints a dictionary. What VERSA writes where a metric
failed (null, NaN, an infinity, or 0.0 for PESQ, which is below its scale) is a missing value here.
"""

from __future__ import annotations

import ast
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auralign.data.importers.source_rows import SourceRow, read_lines, source_files
from auralign.data.importers.versa_metrics import DESCRIPTIVE, METRICS, Metric
from auralign.data.study import StudyFolder
from auralign.errors import DataError
from auralign.types import (
    Candidate,
    Clip,
    Judgement,
    Outcome,
    Prompt,
    Source,
    TrialProtocol,
)

COUNTS = ("delete", "insert", "replace", "equal")
"""VERSA gives error rates as these counts of each utterance; their means mean nothing."""
NOT_SCORES = ("key", "status", "seed", "candidate_order")

_NOTES = """\
Scores written by VERSA (arXiv 2412.17667), read from {files}; the files' names are the systems.
The recordings are not here, nor are the texts of the prompts. Ratings are turned so that more is
better; the context of each has the value as VERSA wrote it. Error rates are made of VERSA's counts
of each utterance. {missing} of {total} values were missing or outside of the range of their metric,
and are skipped judgements.
Fields whose meaning is not known here only describe: {unknown}.
"""


@dataclass(frozen=True, slots=True)
class _Scored:
    """One line: a clip of a system, and what VERSA said of it by metric."""

    system: str
    key: str
    scores: dict[str, float | None]

    @property
    def id(self) -> str:
        return f"{self.system}/{self.key}"


def import_versa(
    path: str | os.PathLike[str], out: str | os.PathLike[str], *, force: bool = False
) -> StudyFolder:
    """A study at `out` of the scores in a file of VERSA, or in all JSON Lines files of a folder.

    Each file is a system with its name; clips with one key answer one prompt. Raises DataError that
    names the first broken line, StorageError when `out` is there already (`force` replaces a
    study).
    """
    files = source_files(path, "*.jsonl")
    scored = [each for file in files for each in _read(file)]
    judgements = [j for each in scored for j in _judgements(each)]
    names = dict.fromkeys(name for each in scored for name in each.scores)
    unknown = [name for name in names if name not in METRICS]
    return StudyFolder.create_without_audio(
        out,
        name=Path(path).stem,
        simulated=False,
        dimensions=tuple(dict.fromkeys(_dimension(name) for name in names)),
        descriptive_dimensions=tuple(_dimension(n) for n in names if _metric(n).descriptive),
        notes=_NOTES.format(
            files=", ".join(file.name for file in files),
            missing=sum(j.outcome is Outcome.SKIP for j in judgements),
            total=len(judgements),
            unknown=", ".join(unknown) or "none",
        ),
        prompts=[Prompt(key, "") for key in dict.fromkeys(each.key for each in scored)],
        clips=[Clip(e.id, e.id, 0, 0, 0, prompt_id=e.key, system=e.system) for e in scored],
        judgements=judgements,
        force=force,
    )


def _read(file: Path) -> Iterator[_Scored]:
    seen: set[str] = set()
    for line, text in read_lines(file):
        row = SourceRow(file, line, _object(SourceRow(file, line, {}), text))
        key = row.values.get("key")
        if not isinstance(key, str) or not key:
            raise row.error(f"expected the name of an utterance as key, got {key!r}")
        if key in seen:
            raise row.error(f"'{key}' is there twice: keep one line of each utterance")
        seen.add(key)
        yield _Scored(file.stem, key, _with_rates(_numbers(row.values)))
    if not seen:
        raise DataError(f"{file}: expected one utterance a line, got an empty file")


def _object(row: SourceRow, text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = _printed(row, text)
    if not isinstance(value, dict):
        raise row.error(f"expected an object with a key, got {text.strip()[:40]}")
    return value


def _printed(row: SourceRow, text: str) -> Any:
    """What Python printed: literals, `nan` and `inf`, and NumPy's numbers with their type."""
    try:
        return _literal(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError) as error:
        raise row.error(f"expected a JSON object or a printed dictionary, got {error}") from None


def _literal(node: ast.expr) -> Any:
    match node:
        case ast.Dict(keys=keys, values=values):
            return {_literal(k): _literal(v) for k, v in zip(keys, values, strict=True) if k}
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_literal(item) for item in items]
        case ast.Name(id="nan" | "inf") | ast.UnaryOp(operand=ast.Name(id="inf")):
            return math.nan
        case ast.Call(func=ast.Attribute(value=ast.Name(id="np")), args=[number]):
            return _literal(number)
    return ast.literal_eval(node)


def _numbers(values: Mapping[str, Any]) -> dict[str, float | None]:
    """The fields that are scores; None for one that is no finite number."""
    named = {k: v for k, v in values.items() if k not in NOT_SCORES and not k.startswith("_")}
    return {
        name: float(value) if value is not None and math.isfinite(value) else None
        for name, value in named.items()
        if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
    }


def _with_rates(scores: dict[str, float | None]) -> dict[str, float | None]:
    """Error rates of the utterance in the place of its counts; None without reference tokens."""
    rates = [
        name.removesuffix("_equal") for name in scores if name.endswith(("wer_equal", "cer_equal"))
    ]
    for rate in rates:
        counts = [scores.pop(f"{rate}_{count}", None) for count in COUNTS]
        scores[rate] = _rate(counts)
    return scores


def _rate(counts: Iterable[float | None]) -> float | None:
    known = [count for count in counts if count is not None]
    if len(known) < len(COUNTS):
        return None
    deleted, inserted, replaced, equal = known
    n_tokens = deleted + replaced + equal
    return (deleted + inserted + replaced) / n_tokens if n_tokens else None


def _metric(name: str) -> Metric:
    return METRICS.get(name, DESCRIPTIVE)


def _dimension(name: str) -> str:
    return _metric(name).dimension or name


def _judgements(scored: _Scored) -> Iterator[Judgement]:
    for name, value in scored.scores.items():
        metric = _metric(name)
        sound = value is not None and metric.low <= value <= metric.high
        yield Judgement(
            trial=f"versa:{scored.id}",
            protocol=TrialProtocol.RATING,
            dimension=_dimension(name),
            prompt_id=scored.key,
            candidates=(Candidate(scored.id),),
            rater=f"versa:{name}",
            source=Source.METRIC,
            outcome=None if sound else Outcome.SKIP,
            rating=metric.rating(value) if value is not None and sound else None,
            scale=metric.scale,
            context={"value": "missing" if value is None else repr(value)},
        )
