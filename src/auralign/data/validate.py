"""What is broken in a study folder: every record, not only the first."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from auralign.audio import clip_id, read_audio
from auralign.data.formats import CLIPS, JUDGEMENTS, PROMPTS, context_from_json
from auralign.data.study import StudyFolder, StudyHeader, path_within
from auralign.data.tables import Row, TableFormat, has_nan, read_rows, to_enum
from auralign.errors import AudioError, ConfigError, DataError, did_you_mean
from auralign.types import Outcome, Source, Split, TrialProtocol


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong; `row` counts from 0 and is None for a whole file."""

    file: str
    row: int | None
    field: str
    what: str
    advice: str

    def __str__(self) -> str:
        place = self.file if self.row is None else f"{self.file} row {self.row}"
        return f"{place}: {self.what}: {self.advice}"


Finding = tuple[str, str, str]
"""Field, what is wrong, what to do: a problem before it is known where."""


@dataclass(frozen=True, slots=True)
class _Study:
    """What records are checked against; None where that could not be read."""

    path: Path
    header: StudyHeader | None
    prompts: Mapping[str, Row] | None
    clips: Mapping[str, Row] | None


def validate_study(path: str | os.PathLike[str]) -> list[Problem]:
    """Every problem in the study at `path`, in the order of its files and rows.

    Decodes every clip and compares its samples with its id, unless `study.yaml` says that there is
    no audio. Raises DataError when there is no study at all.
    """
    path = Path(path)
    header, problems = _read_header(path)
    tables = {}
    for format_ in (PROMPTS, CLIPS, JUDGEMENTS):
        tables[format_.name], broken = _read_rows(format_, path)
        problems += broken
    study = _Study(path, header, _by_id(tables["prompts"]), _by_id(tables["clips"]))
    for format_, check in _CHECKS:
        problems += _check_table(format_, tables[format_.name] or [], check, study)
    return problems


def _read_header(path: Path) -> tuple[StudyHeader | None, list[Problem]]:
    try:
        return StudyFolder.open(path).header, []
    except ConfigError as error:
        return None, [Problem("study.yaml", None, "", str(error), "correct the file")]


def _read_rows(format_: TableFormat[Any], path: Path) -> tuple[list[Row] | None, list[Problem]]:
    file = f"{format_.name}.parquet"
    try:
        return read_rows(format_, path / file), []
    except DataError as error:
        return None, [Problem(file, None, "", str(error), "restore or write the table again")]


def _by_id(rows: Iterable[Row] | None) -> dict[str, Row] | None:
    return None if rows is None else {row["id"]: row for row in rows}


def _check_table(
    format_: TableFormat[Any],
    rows: list[Row],
    check: Callable[[Row, _Study], Iterator[Finding]],
    study: _Study,
) -> Iterator[Problem]:
    keys = _KEYS[format_.name]
    count = Counter(tuple(row[key] for key in keys) for row in rows)
    for i, row in enumerate(rows):
        key = tuple(row[key] for key in keys)
        findings = list(_check_complete(format_, row))
        # A row with holes is not looked into further: what the holes cause would be noise.
        if not findings:
            findings = list(check(row, study))
        if count[key] > 1:
            what = f"{' and '.join(keys)} {key} stands in {count[key]} rows"
            findings.append((keys[0], what, "keep one of them"))
        yield from (Problem(f"{format_.name}.parquet", i, *finding) for finding in findings)


_KEYS = {"prompts": ("id",), "clips": ("id",), "judgements": ("trial", "rater", "dimension")}


def _check_complete(format_: TableFormat[Any], row: Row) -> Iterator[Finding]:
    for field, value in row.items():
        if value is None and field not in format_.optional:
            yield field, f"{field} is missing", "fill it in or drop the row"
        elif has_nan(value):
            yield field, f"{field} is NaN", "leave it empty where there is no value"


def _check_enum(kind: type[StrEnum], row: Row, field: str) -> Iterator[Finding]:
    try:
        to_enum(kind, row[field], field)
    except DataError as error:
        yield field, str(error), "correct it or drop the row"


def _check_prompt(row: Row, study: _Study) -> Iterator[Finding]:
    yield from _check_enum(Split, row, "split")
    reference = row["reference_clip"]
    if reference is not None and study.clips is not None and reference not in study.clips:
        what = f"reference_clip {reference} is not in clips.parquet"
        yield "reference_clip", what, "add the clip or clear the field"


def _check_clip(row: Row, study: _Study) -> Iterator[Finding]:
    yield from _check_prompt_id(row, study)
    yield from _check_file(row, "tokens_path", study.path)
    if study.header is not None and not study.header.has_audio:
        return
    findings = [*_check_audio_columns(row), *_check_file(row, "path", study.path)]
    yield from findings or _check_audio(row, study.path)


def _check_audio_columns(row: Row) -> Iterator[Finding]:
    for field in ("sample_rate", "channels", "n_samples"):
        if row[field] is None:
            yield field, f"{field} is missing", "fill it in or drop the row"


def _check_prompt_id(row: Row, study: _Study) -> Iterator[Finding]:
    if study.prompts is not None and row["prompt_id"] not in study.prompts:
        what = f"prompt_id '{row['prompt_id']}' is not in prompts.parquet"
        yield "prompt_id", what, "add the prompt or drop the row"


def _check_file(row: Row, field: str, study: Path) -> Iterator[Finding]:
    if row[field] is None:
        return
    try:
        if not path_within(study, row[field]).is_file():
            yield field, f"the file {row[field]} is missing", "restore it or drop the clip"
    except DataError as error:
        yield field, str(error), "move the file into the study and correct the path"


def _check_audio(row: Row, study: Path) -> Iterator[Finding]:
    try:
        audio = read_audio(study / row["path"])
    except AudioError as error:
        yield "path", f"the audio cannot be read ({error})", "restore it or drop the clip"
        return
    for field in ("sample_rate", "channels", "n_samples"):
        there = getattr(audio, field)
        if row[field] != there:
            what = f"{field} is {row[field]} in the table and {there} in the file"
            yield field, what, "correct the table or restore the file"
    if clip_id(audio) != row["id"]:
        what = f"the samples in {row['path']} are not those that id {row['id']} was made from"
        yield "id", what, "restore the file or make the clip again"


def _check_judgement(row: Row, study: _Study) -> Iterator[Finding]:
    yield from _check_prompt_id(row, study)
    for i, candidate in enumerate(row["candidates"]):
        yield from _check_candidate(i, candidate or {"clip_id": None}, study.clips)
    yield from _check_enum(TrialProtocol, row, "protocol")
    yield from _check_enum(Source, row, "source")
    if row["outcome"] is not None:
        yield from _check_enum(Outcome, row, "outcome")
    if row["protocol"] in _PROTOCOL_CHECKS:
        yield from _PROTOCOL_CHECKS[row["protocol"]](row)
    yield from _check_header(row, study.header)
    yield from _check_heard(row)
    try:
        context_from_json(row["context"])
    except DataError as error:
        yield "context", str(error), "write a JSON object of text to text"


def _check_candidate(i: int, candidate: Row, clips: Mapping[str, Row] | None) -> Iterator[Finding]:
    name = candidate["clip_id"]
    if name is None:
        yield "candidates", f"candidate {i} has no clip_id", "name the clip"
    elif clips is None:
        return
    elif name not in clips:
        what = f"candidate {i} is clip {name}, which is not in clips.parquet"
        yield "candidates", what, "add the clip or drop the judgement"
    else:
        yield from _check_segment(i, candidate["begin_s"], candidate["end_s"], clips[name])


def _check_segment(
    i: int, begin_s: float | None, end_s: float | None, clip: Row
) -> Iterator[Finding]:
    if begin_s is None and end_s is None:
        return
    known = clip["n_samples"] and clip["sample_rate"]
    duration_s = clip["n_samples"] / clip["sample_rate"] if known else math.inf
    if begin_s is None or end_s is None or not 0 <= begin_s < end_s <= duration_s:
        what = (
            f"candidate {i} has the segment from {begin_s} s to {end_s} s, which is not within "
            f"its clip of {f'{duration_s:g} s' if known else 'unknown length'}"
        )
        yield "candidates", what, "correct the segment or drop the judgement"


def _check_pair(row: Row) -> Iterator[Finding]:
    if len(row["candidates"]) != 2:
        what = f"a pair has 2 candidates, this one has {len(row['candidates'])}"
        yield "candidates", what, "correct the protocol or drop the judgement"
    if row["outcome"] is None:
        yield "outcome", "a pair needs an outcome", "fill it in (SKIP if nobody answered)"


def _check_rating(row: Row) -> Iterator[Finding]:
    rating, low, high = row["rating"], row["scale_low"], row["scale_high"]
    if rating is None:
        if row["outcome"] != Outcome.SKIP:
            yield "rating", f"a {row['protocol']} needs a rating", "fill it in or set outcome SKIP"
    elif low is None or high is None or low >= high:
        what = f"the rating's scale goes from {low} to {high}"
        yield "scale_low", what, "give both ends, the low one first"
    elif not low <= rating <= high:
        what = f"rating {rating:g} is outside its scale from {low:g} to {high:g}"
        yield "rating", what, "correct the rating or the scale"


def _check_ranking(row: Row) -> Iterator[Finding]:
    n, ranking = len(row["candidates"]), row["ranking"]
    if ranking is None and row["outcome"] == Outcome.SKIP:
        return
    if ranking is None or None in ranking or sorted(ranking) != list(range(n)):
        what = f"ranking {ranking} is not an order of the {n} candidates 0 to {n - 1}"
        yield "ranking", what, "name each candidate once, best first"


def _check_best_worst(row: Row) -> Iterator[Finding]:
    n, ranking = len(row["candidates"]), row["ranking"]
    if ranking is None and row["outcome"] == Outcome.SKIP:
        return
    if ranking is None or len(set(ranking)) != 2 or len(ranking) != 2:
        what = f"ranking {ranking} does not name two different candidates"
        yield "ranking", what, "give the index of the best, then of the worst"
    elif not set(ranking) <= set(range(n)):
        what = f"ranking {ranking} names a candidate outside 0 to {n - 1}"
        yield "ranking", what, "give the index of the best, then of the worst"


_PROTOCOL_CHECKS: dict[str, Callable[[Row], Iterator[Finding]]] = {
    TrialProtocol.PAIR: _check_pair,
    TrialProtocol.RATING: _check_rating,
    TrialProtocol.THUMBS: _check_rating,
    TrialProtocol.RANKING: _check_ranking,
    TrialProtocol.BEST_WORST: _check_best_worst,
}


def _check_header(row: Row, header: StudyHeader | None) -> Iterator[Finding]:
    if header is None:
        return
    if row["dimension"] not in header.dimensions:
        hint = did_you_mean(row["dimension"], header.dimensions)
        what = f"dimension '{row['dimension']}' is not one of study.yaml's dimensions{hint}"
        yield "dimension", what, "correct it or add it to study.yaml"
    if not header.simulated and row["source"] == Source.SIMULATED:
        what = "source is simulated, but study.yaml says that its listeners are not"
        yield "source", what, "keep simulated listeners in a study of their own"
    if header.simulated and row["source"] == Source.HUMAN:
        what = "source is human, but study.yaml says that its listeners are simulated"
        yield "source", what, "keep people's judgements in a study of their own"


def _check_heard(row: Row) -> Iterator[Finding]:
    time_s, heard = row["time_to_answer_s"], row["heard"]
    if time_s is not None and time_s < 0:
        yield "time_to_answer_s", f"time_to_answer_s is {time_s:g}", "clear it if it is not known"
    if heard and len(heard) != len(row["candidates"]):
        what = f"heard has {len(heard)} entries for {len(row['candidates'])} candidates"
        yield "heard", what, "give one for each candidate, or none"
    for i, entry in enumerate(heard):
        if entry is None or None in entry.values() or min(entry.values()) < 0:
            yield "heard", f"heard {i} is {entry}", "give plays and seconds of 0 or more"


_CHECKS: tuple[tuple[TableFormat[Any], Callable[[Row, _Study], Iterator[Finding]]], ...] = (
    (PROMPTS, _check_prompt),
    (CLIPS, _check_clip),
    (JUDGEMENTS, _check_judgement),
)
