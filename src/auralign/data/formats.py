"""The columns of each table, and the records that its rows are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from enum import StrEnum

import pyarrow as pa

from auralign.data.tables import Record, Row, TableFormat, to_enum
from auralign.errors import DataError
from auralign.types import (
    Candidate,
    Clip,
    Heard,
    Judgement,
    Outcome,
    PreferencePair,
    Prompt,
    Score,
    ScoreStatus,
    Source,
    Split,
    TrialProtocol,
)

_TEXT, _INT, _FLOAT = pa.string(), pa.int64(), pa.float64()


def _flat(
    record: type[Record],
    name: str,
    columns: Mapping[str, pa.DataType],
    optional: Sequence[str] = (),
    enums: Mapping[str, type[StrEnum]] | None = None,
    zero_if_null: Sequence[str] = (),
) -> TableFormat[Record]:
    """The format of a record whose fields are the columns.

    A field in `zero_if_null` is 0 in the record where the table has no value.
    """
    names = [field.name for field in fields(record)]  # type: ignore[arg-type]

    def to_row(item: Record) -> Row:
        row = {field: getattr(item, field) for field in names}
        return {**row, **{field: row[field] or None for field in zero_if_null}}

    def from_row(row: Row) -> Record:
        texts = {field: to_enum(kind, row[field], field) for field, kind in (enums or {}).items()}
        numbers = {field: row[field] or 0 for field in zero_if_null}
        return record(**{**row, **texts, **numbers})

    nullable = frozenset((*optional, *zero_if_null))
    return TableFormat(name, pa.schema(columns), nullable, to_row, from_row)


def _judgement_to_row(judgement: Judgement) -> Row:
    low, high = judgement.scale or (None, None)
    return {
        "trial": judgement.trial,
        "protocol": judgement.protocol,
        "dimension": judgement.dimension,
        "prompt_id": judgement.prompt_id,
        "candidates": [_candidate_to_row(candidate) for candidate in judgement.candidates],
        "rater": judgement.rater,
        "source": judgement.source,
        "outcome": judgement.outcome,
        "rating": judgement.rating,
        "scale_low": low,
        "scale_high": high,
        "ranking": judgement.ranking,
        "strength": judgement.strength,
        "reasons": judgement.reasons,
        "time_to_answer_s": judgement.time_to_answer_s,
        "heard": [{"plays": heard.plays, "seconds": heard.seconds} for heard in judgement.heard],
        "context": _context_to_json(judgement.context),
    }


def _judgement_from_row(row: Row) -> Judgement:
    return Judgement(
        trial=row["trial"],
        protocol=to_enum(TrialProtocol, row["protocol"], "protocol"),
        dimension=row["dimension"],
        prompt_id=row["prompt_id"],
        candidates=tuple(_candidate_from_row(candidate) for candidate in row["candidates"]),
        rater=row["rater"],
        source=to_enum(Source, row["source"], "source"),
        outcome=None if row["outcome"] is None else to_enum(Outcome, row["outcome"], "outcome"),
        rating=row["rating"],
        scale=_both(row["scale_low"], row["scale_high"], "scale"),
        ranking=None if row["ranking"] is None else tuple(row["ranking"]),
        strength=row["strength"],
        reasons=tuple(row["reasons"]),
        time_to_answer_s=row["time_to_answer_s"],
        heard=tuple(_heard_from_row(heard) for heard in row["heard"]),
        context=context_from_json(row["context"]),
    )


def _candidate_to_row(candidate: Candidate) -> Row:
    begin, end = candidate.segment or (None, None)
    return {"clip_id": candidate.clip_id, "begin_s": begin, "end_s": end}


def _candidate_from_row(row: Row | None) -> Candidate:
    if row is None or row["clip_id"] is None:
        raise DataError("candidates holds one without a clip_id: name the clip")
    return Candidate(row["clip_id"], _both(row["begin_s"], row["end_s"], "segment"))


def _heard_from_row(row: Row | None) -> Heard:
    if row is None or row["plays"] is None or row["seconds"] is None:
        raise DataError("heard holds an entry without plays or seconds: give both")
    return Heard(row["plays"], row["seconds"])


def _both(low: float | None, high: float | None, field: str) -> tuple[float, float] | None:
    if low is None and high is None:
        return None
    if low is None or high is None:
        raise DataError(f"{field} has only one of its two ends: give both or neither")
    return low, high


def _context_to_json(context: Mapping[str, str]) -> str:
    text = json.dumps(dict(context), ensure_ascii=False, sort_keys=True)
    context_from_json(text)
    return text


def context_from_json(text: str) -> dict[str, str]:
    """A judgement's context from its JSON text; DataError unless it maps text to text."""
    if text == "{}":
        return {}
    try:
        context = json.loads(text)
    except ValueError as error:
        raise DataError(f"context is not JSON ({error})") from None
    if not isinstance(context, dict) or not all(isinstance(v, str) for v in context.values()):
        raise DataError(f"context is not a JSON object of text to text: {text}")
    return context


PROMPTS: TableFormat[Prompt] = _flat(
    Prompt,
    "prompts",
    {"id": _TEXT, "text": _TEXT, "condition": _TEXT, "reference_clip": _TEXT, "split": _TEXT},
    optional=("condition", "reference_clip"),
    enums={"split": Split},
)

CLIPS: TableFormat[Clip] = _flat(
    Clip,
    "clips",
    {
        "id": _TEXT,
        "path": _TEXT,
        "sample_rate": _INT,
        "channels": _INT,
        "n_samples": _INT,
        "prompt_id": _TEXT,
        "system": _TEXT,
        "seed": _INT,
        "sampler": _TEXT,
        "tokens_path": _TEXT,
    },
    optional=("seed", "sampler", "tokens_path"),
    # Not known of a recording that is not at hand; a `Clip` has no other word for that.
    zero_if_null=("sample_rate", "channels", "n_samples"),
)

PAIRS: TableFormat[PreferencePair] = _flat(
    PreferencePair,
    "pairs",
    {
        "prompt_id": _TEXT,
        "chosen": _TEXT,
        "rejected": _TEXT,
        "p_chosen": _FLOAT,
        "weight": _FLOAT,
        "dimension": _TEXT,
        "n_votes": _INT,
        "rule": _TEXT,
        "split": _TEXT,
    },
    enums={"split": Split},
)

SCORES: TableFormat[Score] = _flat(
    Score,
    "scores",
    {"clip_id": _TEXT, "signal": _TEXT, "value": _FLOAT, "status": _TEXT, "reason": _TEXT},
    optional=("value",),
    enums={"status": ScoreStatus},
)

JUDGEMENTS: TableFormat[Judgement] = TableFormat(
    "judgements",
    pa.schema(
        {
            "trial": _TEXT,
            "protocol": _TEXT,
            "dimension": _TEXT,
            "prompt_id": _TEXT,
            "candidates": pa.list_(
                pa.struct({"clip_id": _TEXT, "begin_s": _FLOAT, "end_s": _FLOAT})
            ),
            "rater": _TEXT,
            "source": _TEXT,
            "outcome": _TEXT,
            "rating": _FLOAT,
            "scale_low": _FLOAT,
            "scale_high": _FLOAT,
            "ranking": pa.list_(_INT),
            "strength": _INT,
            "reasons": pa.list_(_TEXT),
            "time_to_answer_s": _FLOAT,
            "heard": pa.list_(pa.struct({"plays": _INT, "seconds": _FLOAT})),
            "context": _TEXT,
        }
    ),
    frozenset(
        ["outcome", "rating", "scale_low", "scale_high", "ranking", "strength", "time_to_answer_s"]
    ),
    _judgement_to_row,
    _judgement_from_row,
)
