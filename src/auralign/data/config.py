"""Recipes and settings from YAML, read strictly: what a model does not know is an error.

Scalars follow the core schema of YAML 1.2: `1e-4` is a float, `no` and `2026-01-01` are text.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from auralign.errors import ConfigError, did_you_mean


class StrictModel(BaseModel):
    """Base of everything read from outside: frozen, no unknown keys, no conversion of types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


_WORDING = (
    ("Input should be greater", "expected a value greater"),
    ("Input should be less", "expected a value less"),
    ("Input should", "expected to"),
    ("expected to be", "expected"),
    ("an object", "a mapping"),
    ("a valid array", "a list"),
)

Model = TypeVar("Model", bound=BaseModel)


def read_yaml(model: type[Model], path: str | os.PathLike[str]) -> Model:
    """The file's mapping as a `model`.

    Raises ConfigError, naming file and key (or line), for a file that cannot be read, is not YAML,
    gives a key twice, or does not fit the model.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: expected text in UTF-8: save it with that encoding") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"{path}: expected a YAML file, got '{reason}': check the path") from None
    return parse(model, load_yaml(text, str(path)), str(path))


def load_yaml(text: str, where: str) -> Any:
    """Plain data from YAML text; ConfigError with the line for bad syntax or a repeated key."""
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = f" line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{where}{line}: not valid YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{where}: not valid YAML: {str(error).splitlines()[0]}") from None


def parse(model: type[Model], mapping: Any, where: str) -> Model:
    """Plain data as a `model`; ConfigError names `where`, the key, what was expected and came."""
    if not isinstance(mapping, Mapping):
        keys = ", ".join(model.model_fields)
        raise ConfigError(f"{where}: expected the keys {keys}; got {_describe(mapping)}")
    try:
        text = json.dumps(mapping, default=os.fspath)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where}: expected plain data (text, numbers, lists): {error}") from None
    try:
        # Through JSON, because strict pydantic then still reads lists as tuples and text as paths.
        return model.model_validate_json(text)
    except ValidationError as error:
        given = json.loads(text)
        problems = [_explain(model, given, details) for details in error.errors()]
        raise ConfigError(f"{where}: " + "; ".join(problems)) from None


def _explain(model: type[BaseModel], mapping: Mapping[str, Any], error: ErrorDetails) -> str:
    steps = _steps_in(mapping, error["loc"])
    place = ".".join(str(step) for step in steps)
    if error["type"] == "extra_forbidden":
        known = _known_keys(model, error["loc"][:-1])
        return f"{place}: unknown key{did_you_mean(str(steps[-1]), known)}"
    if error["type"] == "missing":
        return f"{place}: this key is required"
    if error["type"] == "union_tag_not_found":
        return f"{place}.{_quoted(error['ctx']['discriminator'])[0]}: this key is required"
    if error["type"] == "union_tag_invalid":
        return _explain_tag(place, error["ctx"])
    message = error["msg"].removeprefix("Value error, ")
    for theirs, ours in _WORDING:
        message = message.replace(theirs, ours)
    choices = _quoted(error.get("ctx", {}).get("expected"))
    hint = did_you_mean(str(error["input"]), choices)
    return f"{place}: {message}, got {_describe(error['input'])}{hint}".removeprefix(": ")


def _explain_tag(place: str, context: Mapping[str, Any]) -> str:
    key, tag = _quoted(context["discriminator"])[0], context["tag"]
    hint = did_you_mean(tag, _quoted(context["expected_tags"]))
    return f"{place}.{key}: expected one of {context['expected_tags']}, got the text '{tag}'{hint}"


def _quoted(choices: Any) -> list[str]:
    return re.findall(r"'([^']*)'", str(choices))


def _steps_in(mapping: Any, loc: tuple[int | str, ...]) -> list[int | str]:
    """The steps of `loc` that the user wrote: pydantic adds the tags of unions between them."""
    steps: list[int | str] = []
    for i, step in enumerate(loc):
        keys = range(len(mapping)) if isinstance(mapping, list) else mapping
        there = isinstance(keys, (Mapping, range)) and step in keys
        if there or i == len(loc) - 1:
            steps.append(step)
        mapping = mapping[step] if there else mapping
    return steps


def _known_keys(model: type[BaseModel], loc: tuple[int | str, ...]) -> set[str]:
    models = [model]
    for step in loc:
        fields = [m.model_fields[str(step)] for m in models if step in m.model_fields]
        if fields:
            models = [inner for field in fields for inner in _models_in(field.annotation)]
    return {key for m in models for key in m.model_fields}


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)


def _describe(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a mapping with keys " + ", ".join(map(str, value)) if value else "an empty mapping"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, str):
        return f"the text '{value}'"
    return f"{json.dumps(value)}"


class _Loader(yaml.SafeLoader):
    """SafeLoader with YAML 1.2 scalars that refuses a key given twice."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                problem = "expected text as a key, got a list or a mapping"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            if key.value in seen:
                problem = f"the key '{key.value}' is given twice: keep one"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _add_scalar(name: str, pattern: str, first: Sequence[str], convert: Any) -> None:
    tag = f"tag:yaml.org,2002:{name}"
    _Loader.add_implicit_resolver(tag, re.compile(f"^(?:{pattern})$"), list(first))
    _Loader.add_constructor(tag, lambda loader, node: convert(node.value))


def _to_float(text: str) -> float:
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))


_DIGITS = "[0-9]+(?:_[0-9]+)*"
_FLOAT = rf"[-+]?(?:\.{_DIGITS}|{_DIGITS}(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan"
_add_scalar("null", "|~|null|Null|NULL", ("", "~", "n", "N"), lambda text: None)
_add_scalar("bool", "true|True|TRUE|false|False|FALSE", "tTfF", lambda text: text.lower() == "true")
_add_scalar("int", rf"[-+]?{_DIGITS}", "-+0123456789", int)
_add_scalar("float", _FLOAT, "-+.0123456789", _to_float)
