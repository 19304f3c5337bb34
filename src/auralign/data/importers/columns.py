"""Which column of a table of votes means what: as named by the caller, or by its usual name."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from auralign.errors import ConfigError, DataError, did_you_mean

FIELDS = {
    "first": ("model_a", "system_a", "clip_a", "left", "a"),
    "second": ("model_b", "system_b", "clip_b", "right", "b"),
    "first_clip": ("audio_a", "file_a"),
    "second_clip": ("audio_b", "file_b"),
    "winner": ("outcome", "vote", "choice", "preference", "preferred", "answer"),
    "clip": ("stimulus", "file", "filename", "wav", "audio"),
    "system": ("model", "method", "codec"),
    "rating": ("score", "mos"),
    "scale_low": (),
    "scale_high": (),
    "rater": ("listener", "user", "judge", "worker", "annotator", "participant", "subject"),
    "prompt": ("prompt_id", "text", "sentence", "utterance"),
    "dimension": ("question", "axis", "attribute", "criterion"),
    "trial": ("trial_id",),
    "source": (),
    "strength": (),
    "time_to_answer_s": (),
}
"""Field of a vote -> other names that its column may have, in any case."""


def find_columns(there: Collection[str], named: Mapping[str, str]) -> dict[str, str]:
    """Field -> column, for every field that the table has.

    `named` maps fields to columns; a field that it leaves out is found by its own name or by one of
    `FIELDS`. Raises ConfigError for an unknown field, DataError for a column that is not there and
    for two columns that could be one field.
    """
    for field, column in named.items():
        _check_named(field, column, there)
    free = [column for column in there if column not in named.values()]
    found = {field: _find(field, free) for field in FIELDS if field not in named}
    return {**named, **{field: column for field, column in found.items() if column}}


def _check_named(field: str, column: str, there: Collection[str]) -> None:
    if field not in FIELDS:
        known = ", ".join(FIELDS)
        raise ConfigError(
            f"'{field}' is not a field of a vote{did_you_mean(field, FIELDS)}; there are {known}"
        )
    if column not in there:
        raise DataError(
            f"there is no column '{column}' for the field '{field}'"
            f"{did_you_mean(column, there)}; the columns are {', '.join(there)}"
        )


def _find(field: str, there: Collection[str]) -> str | None:
    by_name = {name: [c for c in there if c.casefold() == name] for name in (field, *FIELDS[field])}
    if by_name[field]:
        return by_name[field][0]
    found = [column for columns in by_name.values() for column in columns]
    if len(found) > 1:
        raise DataError(
            f"{' and '.join(map(repr, found))} could both be the field '{field}': "
            f"say which one with {field}=COLUMN"
        )
    return found[0] if found else None
