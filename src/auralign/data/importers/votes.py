"""Tables of A/B votes or of ratings, as arenas and listening tests export them."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from auralign.data.importers.columns import FIELDS, find_columns
from auralign.data.importers.source_rows import SourceRow, read_text_rows, source_files
from auralign.data.study import StudyFolder
from auralign.data.tables import to_enum
from auralign.errors import ConfigError, DataError
from auralign.types import Candidate, Clip, Judgement, Outcome, Prompt, Source, TrialProtocol

THE_ONE_PROMPT = "all"
"""The prompt of every vote where the source names none."""

_WINNERS = {
    Outcome.A: ("a", "first", "left", "1", "model_a", "system_a"),
    Outcome.B: ("b", "second", "right", "2", "model_b", "system_b"),
    Outcome.TIE: ("tie", "draw", "equal", "same", "=", "0", "0.5"),
    Outcome.TIE_GOOD: ("tie_good", "both good", "bothgood", "tie (both good)", "tie (bothgood)"),
    Outcome.TIE_BAD: ("tie_bad", "both bad", "bothbad", "tie (both bad)", "tie (bothbad)"),
    Outcome.SKIP: ("skip", "none", "no answer"),
}
_OUTCOMES = {word: outcome for outcome, words in _WINNERS.items() for word in words}


@dataclass(frozen=True, slots=True)
class _Settings:
    """What the caller says of the whole table."""

    columns: Mapping[str, str]
    dimension: str
    scale: tuple[float, float] | None
    source: Source

    def value(self, row: SourceRow, name: str) -> str:
        """The row's text in a field, "" where the table has no such column."""
        return str(row.values.get(self.columns[name], "")) if name in self.columns else ""

    def required(self, row: SourceRow, name: str) -> str:
        value = self.value(row, name)
        if not value:
            raise row.error(f"'{self.columns[name]}' is empty: every vote needs a {name}")
        return value


@dataclass(slots=True)
class _Content:
    """The study as it grows, row by row."""

    clips: dict[str, Clip] = field(default_factory=dict)
    prompts: dict[str, Prompt] = field(default_factory=dict)
    judgements: list[Judgement] = field(default_factory=list)


def import_votes(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    columns: Mapping[str, str] | None = None,
    dimension: str = "overall",
    scale: tuple[float, float] | None = None,
    source: Source = Source.HUMAN,
    force: bool = False,
) -> StudyFolder:
    """A study at `out` of the votes in a table (CSV, TSV or JSON Lines), or in a folder of them.

    A table with `first`, `second` and `winner` holds comparisons: the names of two systems, or of
    two recordings, as presented, and who won (the name of one of them, A or B, a tie, skip). A
    table with `rating` and `clip` or `system` holds ratings on `scale`, or on `scale_low` and
    `scale_high` of the row. `columns` maps these fields to columns, where they have other names
    than in `FIELDS`. Columns that are no field go into each judgement's context.

    Without a `rater` every row has a rater of its own; without a `prompt` all have one; without a
    `dimension` all are about `dimension`. A recording without a name is known by its prompt and
    system. Raises DataError that names file and line, ConfigError for wrong settings, StorageError
    when `out` is there already (`force` replaces a study).
    """
    _check_scale(scale)
    path, content, found = Path(path), _Content(), dict[str, str]()
    for file in source_files(path):
        rows = read_text_rows(file)
        if not rows:
            raise DataError(f"{file}: expected votes below the column names, found none")
        found = _columns_of(rows[0], columns or {})
        settings = _Settings(found, dimension, scale, source)
        for row in rows:
            _add(content, row, settings)
    return _write(out, path, content, found, source, force)


def _columns_of(first: SourceRow, named: Mapping[str, str]) -> dict[str, str]:
    try:
        columns = find_columns(list(first.values), named)
    except DataError as error:
        raise DataError(f"{first.file}: {error}") from None
    pair = {"first", "second", "winner"} <= set(columns)
    rating = "rating" in columns and not {"clip", "system"}.isdisjoint(columns)
    if pair == rating:
        what = "both" if pair else "neither"
        raise DataError(
            f"{first.file}: expected the columns first, second and winner of comparisons, or "
            f"rating and clip or system of ratings, found {what} among "
            f"{', '.join(first.values)}: say what they mean, such as first=COLUMN"
        )
    return columns


def _add(content: _Content, row: SourceRow, settings: _Settings) -> None:
    judgement = _common(row, settings)
    if "winner" in settings.columns:
        clips, answer = _pair(row, settings, judgement["prompt_id"])
    else:
        clips, answer = _rating(row, settings, judgement["prompt_id"])
    for clip in clips:
        known = content.clips.setdefault(clip.id, clip)
        if known != clip:
            raise row.error(
                f"clip '{clip.id}' is of system '{clip.system}' and prompt '{clip.prompt_id}' "
                f"here, and was of '{known.system}' and '{known.prompt_id}' before: rename one"
            )
    prompt = judgement["prompt_id"]
    content.prompts.setdefault(prompt, Prompt(prompt, "" if prompt == THE_ONE_PROMPT else prompt))
    candidates = tuple(Candidate(clip.id) for clip in clips)
    content.judgements.append(Judgement(**judgement, **answer, candidates=candidates))


def _common(row: SourceRow, settings: _Settings) -> dict[str, Any]:
    """The fields that comparisons and ratings share."""
    place = f"{row.file.stem}:{row.line}"
    source = settings.value(row, "source")
    meant = set(settings.columns.values())
    return {
        "trial": settings.value(row, "trial") or place,
        "dimension": settings.value(row, "dimension") or settings.dimension,
        "prompt_id": settings.value(row, "prompt") or THE_ONE_PROMPT,
        "rater": settings.value(row, "rater") or f"rater of {place}",
        "source": _source(row, source) if source else settings.source,
        "strength": _whole_number(row, settings),
        "time_to_answer_s": _number(row, settings, "time_to_answer_s"),
        "context": {k: str(v) for k, v in row.values.items() if k not in meant and v != ""},
    }


def _source(row: SourceRow, text: str) -> Source:
    try:
        return to_enum(Source, text, "source")
    except DataError as error:
        raise row.error(str(error)) from None


def _pair(
    row: SourceRow, settings: _Settings, prompt: str
) -> tuple[tuple[Clip, ...], dict[str, Any]]:
    names = [settings.required(row, side) for side in ("first", "second")]
    given = [settings.value(row, f"{side}_clip") for side in ("first", "second")]
    clips = tuple(
        _clip(clip or _name(prompt, name), name, prompt)
        for clip, name in zip(given, names, strict=True)
    )
    outcome = _outcome(row, settings.required(row, "winner"), names)
    return clips, {"protocol": TrialProtocol.PAIR, "outcome": outcome}


def _outcome(row: SourceRow, winner: str, names: list[str]) -> Outcome:
    if winner in names and names[0] != names[1]:
        return (Outcome.A, Outcome.B)[names.index(winner)]
    outcome = _OUTCOMES.get(winner.casefold())
    if outcome is None:
        raise row.error(
            f"winner '{winner}' is neither '{names[0]}' nor '{names[1]}' nor one of "
            f"{', '.join(words[0] for words in _WINNERS.values())}"
        )
    return outcome


def _rating(
    row: SourceRow, settings: _Settings, prompt: str
) -> tuple[tuple[Clip, ...], dict[str, Any]]:
    name = next(key for key in ("clip", "system") if key in settings.columns)
    system = settings.value(row, "system")
    clip = settings.value(row, "clip") or _name(prompt, system)
    if not clip:
        raise row.error(f"'{settings.columns[name]}' is empty: every rating needs a {name}")
    rating = _number(row, settings, "rating")
    if rating is None:
        raise row.error(f"'{settings.columns['rating']}' is empty: drop the row")
    low, high = _scale(row, settings)
    if not low <= rating <= high:
        raise row.error(f"rating {rating:g} is outside the scale from {low:g} to {high:g}")
    answer = {"protocol": TrialProtocol.RATING, "rating": rating, "scale": (low, high)}
    return (_clip(clip, system or clip, prompt),), answer


def _scale(row: SourceRow, settings: _Settings) -> tuple[float, float]:
    low, high = (_number(row, settings, name) for name in ("scale_low", "scale_high"))
    if low is not None and high is not None:
        return low, high
    if settings.scale is None:
        raise ConfigError(
            f"{row.file}: expected the lowest and highest rating that could be given, as `scale` "
            "or as columns scale_low and scale_high, got neither"
        )
    return settings.scale


def _name(prompt: str, system: str) -> str:
    return system if prompt == THE_ONE_PROMPT or not system else f"{prompt}/{system}"


def _clip(name: str, system: str, prompt: str) -> Clip:
    return Clip(
        id=name,
        path=name,
        sample_rate=0,
        channels=0,
        n_samples=0,
        prompt_id=prompt,
        system=system,
    )


def _number(row: SourceRow, settings: _Settings, name: str) -> float | None:
    text = settings.value(row, name)
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise row.error(f"expected {name} as a number, got '{text}'")
    return value


def _whole_number(row: SourceRow, settings: _Settings) -> int | None:
    value = _number(row, settings, "strength")
    if value is not None and value != int(value):
        raise row.error(f"expected strength as a whole number, got {value:g}")
    return None if value is None else int(value)


def _check_scale(scale: tuple[float, float] | None) -> None:
    if scale is not None and not (all(map(math.isfinite, scale)) and scale[0] < scale[1]):
        raise ConfigError(f"expected a scale as its low and its high end, got {scale}")


def _write(
    out: str | os.PathLike[str],
    path: Path,
    content: _Content,
    columns: Mapping[str, str],
    source: Source,
    force: bool,
) -> StudyFolder:
    return StudyFolder.create_without_audio(
        out,
        name=path.stem,
        simulated=source is Source.SIMULATED,
        dimensions=sorted({j.dimension for j in content.judgements}),
        notes=_notes(path, columns),
        prompts=content.prompts.values(),
        clips=content.clips.values(),
        judgements=_all_different(content.judgements),
        force=force,
    )


def _notes(path: Path, columns: Mapping[str, str]) -> str:
    used = ", ".join(f"{name} from '{columns[name]}'" for name in FIELDS if name in columns)
    lines = [f"Read from {path.name}: {used}."]
    if "rater" not in columns:
        lines.append("Who answered is not known: every answer has a rater of its own.")
    if "prompt" not in columns:
        lines.append("The source names no prompts: all answers are about one.")
    return "\n".join(lines) + "\n"


def _all_different(judgements: Iterable[Judgement]) -> list[Judgement]:
    seen: set[tuple[str, str, str]] = set()
    for j in judgements:
        key = (j.trial, j.rater, j.dimension)
        if key in seen:
            raise DataError(
                f"'{j.rater}' answers trial '{j.trial}' on '{j.dimension}' twice: a trial is one "
                "sitting in front of one set of candidates; leave the trial column out if it is not"
            )
        seen.add(key)
    return list(judgements)
