"""Examples for a trainer as rows of plain data: what a line of JSON or a row of a table holds.

Codes lie as nested lists `[codebook][time]`, of one codebook also as one flat list; a prompt is its
text or an object; a field without a value is left out or null. The innermost lists may be arrays.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auralign.data.examples import CodeWeights, Example, TokenFeedback, TokenList, TokenPair
from auralign.data.tables import Row, to_enum
from auralign.errors import DataError, did_you_mean
from auralign.types import Prompt, Split, Tokens

KINDS: dict[type[Example], frozenset[str]] = {
    TokenPair: frozenset({"chosen", "rejected"}),
    TokenFeedback: frozenset({"clip", "desirable"}),
    TokenList: frozenset({"clips"}),
}
"""The records, and the keys that only one of them must have."""

_FIELDS = {kind: {f.name: f.default is MISSING for f in fields(kind)} for kind in KINDS}
_PROMPT_FIELDS = tuple(field.name for field in fields(Prompt))


def from_row(row: Mapping[str, Any]) -> Example:
    """The example that a row holds; DataError, naming the key, for one that is none."""
    given = {key: value for key, value in row.items() if value is not None}
    example: Example = _record(_kind(given), given)
    return example


def to_row(example: Example) -> Row:
    """The fields that have a value; codes as lists of arrays."""
    values = {key: getattr(example, key) for key in _FIELDS[type(example)]}
    return {key: _plain(value, key) for key, value in values.items() if value is not None}


def _kind(row: Mapping[str, Any]) -> type[Example]:
    found = [kind for kind, marks in KINDS.items() if not marks.isdisjoint(row)]
    if len(found) == 1:
        return found[0]
    choices = ", or ".join(" and ".join(sorted(marks)) for marks in KINDS.values())
    hints = (did_you_mean(key, chain.from_iterable(KINDS.values())) for key in row)
    advice = ": give the keys of one kind" if found else next(filter(None, hints), "")
    raise DataError(f"expected prompt, and {choices}, got {', '.join(row) or 'no key'}{advice}")


def _record(kind: type[Example], row: Mapping[str, Any]) -> Any:
    known = _FIELDS[kind]
    for key in row:
        if key not in known:
            raise DataError(
                f"unknown key '{key}'{did_you_mean(key, known)}: a {kind.__name__} has "
                f"{', '.join(known)}"
            )
    for key, required in known.items():
        if required and key not in row:
            raise DataError(f"{key} is missing: every {kind.__name__} needs it")
    return kind(**{key: _READ[key](value, key) for key, value in row.items()})


def _prompt(value: Any, key: str) -> Prompt:
    if isinstance(value, str):
        return Prompt(value, value)
    if not isinstance(value, Mapping):
        raise _unexpected(key, "a text, or an object with id and text", value)
    given = {name: item for name, item in value.items() if item is not None}
    for name, item in given.items():
        if name not in _PROMPT_FIELDS:
            raise DataError(f"{key}: unknown key '{name}'{did_you_mean(name, _PROMPT_FIELDS)}")
        _text(item, f"{key}.{name}")
    for name in ("id", "text"):
        if name not in given:
            raise DataError(f"{key}.{name} is missing: every prompt needs it")
    split = to_enum(Split, given.pop("split", Split.TRAIN), f"{key}.split")
    return Prompt(**given, split=split)


def _codes(value: Any, key: str) -> Tokens:
    rows = _rows(value, key)
    for row in rows:
        _require_items(row, key, "whole numbers as codes", {int})
    try:
        return np.array(rows, dtype=np.int64)
    except OverflowError:
        raise DataError(f"{key}: expected codes below 2^63, got a larger number") from None


def _code_weights(value: Any, key: str) -> CodeWeights:
    rows = _rows(value, key)
    for row in rows:
        _require_items(row, key, "numbers", {int, float})
    return np.array(rows, dtype=np.float32)


def _vector(value: Any, key: str) -> NDArray[np.float32]:
    return np.array(_numbers(value, key), dtype=np.float32)


def _rows(value: Any, key: str) -> list[Any]:
    """The codebooks of one clip, all of one length."""
    if not isinstance(value, (list, np.ndarray)):
        raise _unexpected(key, "nested lists [codebook][time]", value)
    nested = len(value) and isinstance(value[0], (list, np.ndarray))
    rows: list[Any] = list(value) if nested else [value]
    for row in rows:
        if not isinstance(row, (list, np.ndarray)):
            raise _unexpected(key, "a list for each codebook", row)
        if len(row) != len(rows[0]):
            raise DataError(
                f"{key}: expected codebooks of one length, got {len(rows[0])} and {len(row)} "
                "frames: cut or drop the clip"
            )
    return rows


def _require_items(row: Any, key: str, expected: str, types: set[type]) -> None:
    if isinstance(row, np.ndarray):
        if row.dtype.kind in ("iuf" if float in types else "iu"):
            return
        row = row.tolist()
    # Types of all items in C: a look at each item in Python would take most of the reading.
    if not set(map(type, row)) <= types:
        raise _unexpected(key, expected, next(item for item in row if type(item) not in types))


def _clips(value: Any, key: str) -> tuple[Tokens, ...]:
    if not isinstance(value, list):
        raise _unexpected(key, "a list of clips", value)
    return tuple(_codes(clip, f"{key}[{i}]") for i, clip in enumerate(value))


def _number(value: Any, key: str) -> float:
    return _numbers([value], key)[0]


def _numbers(value: Any, key: str) -> tuple[float, ...]:
    if not isinstance(value, (list, np.ndarray)):
        raise _unexpected(key, "a list of numbers", value)
    _require_items(value, key, "numbers", {int, float})
    return tuple(map(float, value))


def _truth(value: Any, key: str) -> bool:
    if not isinstance(value, bool):
        raise _unexpected(key, "true or false", value)
    return value


def _text(value: Any, key: str) -> str:
    if not isinstance(value, str):
        raise _unexpected(key, "a text", value)
    return value


def _lesser(value: Any, key: str) -> TokenPair:
    if not isinstance(value, Mapping):
        raise _unexpected(key, "an object with the keys of a pair", value)
    given = {name: item for name, item in value.items() if item is not None}
    try:
        pair: TokenPair = _record(TokenPair, given)
    except DataError as error:
        raise DataError(f"{key}: {error}") from None
    return pair


def _rationale(value: Any, key: str) -> tuple[Prompt, Tokens]:
    if not isinstance(value, Mapping) or value.keys() != {"prompt", "tokens"}:
        raise _unexpected(key, "an object with prompt and tokens", value)
    return _prompt(value["prompt"], f"{key}.prompt"), _codes(value["tokens"], f"{key}.tokens")


def _unexpected(key: str, expected: str, value: Any) -> DataError:
    return DataError(f"{key}: expected {expected}, got {reprlib.repr(value)}")


_READ: dict[str, Callable[[Any, str], Any]] = {
    "prompt": _prompt,
    "chosen": _codes,
    "rejected": _codes,
    "clip": _codes,
    "clips": _clips,
    "desirable": _truth,
    "weight": _number,
    "p_chosen": _number,
    "chosen_score": _number,
    "rejected_score": _number,
    "scores": _numbers,
    "chosen_weights": _code_weights,
    "rejected_weights": _code_weights,
    "gold": _codes,
    "mismatched": _prompt,
    "lesser": _lesser,
    "rationale": _rationale,
    "prompt_embedding": _vector,
    "dimension": _text,
}


def _plain(value: Any, key: str) -> Any:
    match value:
        case Prompt():
            return {f.name: getattr(value, f.name) for f in fields(value)}
        case TokenPair():
            return to_row(value)
        case np.ndarray():
            return list(value) if value.ndim == 2 else value
        case (Prompt() as prompt, tokens):
            return {"prompt": _plain(prompt, key), "tokens": list(tokens)}
        case tuple() if key == "clips":
            return [list(clip) for clip in value]
    return value
