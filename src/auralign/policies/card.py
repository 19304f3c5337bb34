"""Policy cards: small YAML files that say which policy to open, and with what parameters.

A card's keys are the parameters of its policy's `from_pretrained`, `kind` chooses the policy, and
its relative paths are relative to the card.
"""

from __future__ import annotations

import os
import re
import string
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import AfterValidator, ConfigDict, Discriminator, Field, NonNegativeInt, Tag

from auralign.data.config import StrictModel, read_yaml
from auralign.errors import ConfigError
from auralign.policies.audio_language_model import QUESTION

CARD_NAME = "policy.yaml"


def _require_fields(known: tuple[str, ...], pattern: str) -> str:
    """Raise ValueError when a field of the pattern is not known."""
    if any(field not in (None, *known) for _, field, _, _ in string.Formatter().parse(pattern)):
        raise ValueError("expected no fields but " + ", ".join(f"{{{name}}}" for name in known))
    return pattern


TextPattern = Annotated[str, AfterValidator(partial(_require_fields, ("text",)))]
PromptPattern = Annotated[str, AfterValidator(partial(_require_fields, ("text", "condition")))]


class CodesByOffset(StrictModel):
    """`TokenMap.from_offsets`."""

    first_ids: tuple[NonNegativeInt, ...] = Field(min_length=1)
    codebook_size: int = Field(ge=1)
    end_id: NonNegativeInt


class CodesByPattern(StrictModel):
    """`TokenMap.from_tokenizer`."""

    patterns: tuple[str, ...] = Field(min_length=1)
    codebook_size: int = Field(ge=1)
    end_token: str


def _form_of(codes: Any) -> str:
    """Which of the two forms is meant, so that only its own errors are told."""
    by_pattern = isinstance(codes, CodesByPattern) or (
        isinstance(codes, dict) and "patterns" in codes
    )
    return "by pattern" if by_pattern else "by offset"


Codes = Annotated[
    Annotated[CodesByOffset, Tag("by offset")] | Annotated[CodesByPattern, Tag("by pattern")],
    Discriminator(_form_of),
]


class WrittenPrompt(StrictModel):
    """`tokenizer_prompts`."""

    pattern: PromptPattern = "{text}"
    before: tuple[NonNegativeInt, ...] = ()
    after: tuple[NonNegativeInt, ...] = ()


class LoraSettings(StrictModel):
    """`with_lora`: a new adapter drawn from `seed`, or the trained one in the file `weights`."""

    rank: int = Field(ge=1)
    alpha: float = Field(gt=0)
    target_modules: str | tuple[str, ...]
    seed: NonNegativeInt = 0
    weights: Path | None = None


class Card(StrictModel):
    """What all cards have: `kind`, which chooses the rest of the keys."""

    kind: str


class BuiltInCard(Card):
    """A file that `CodecLanguageModel.save` wrote."""

    kind: Literal["built-in"]
    weights: Path
    lora: LoraSettings | None = None


class PythonCard(Card):
    """What the function `factory` of a Python file returns, with the weights of a file, if given.

    The function takes no arguments and returns a `ModelPolicy`.
    """

    kind: Literal["python"]
    file: Path
    factory: str
    weights: Path | None = None


class HubCard(Card):
    """What all models of transformers take; `model` is a folder or a name on the hub.

    A folder beside the card goes before a name on the hub.
    """

    model: str
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    revision: str | None = None
    local_files_only: bool = True
    lora: LoraSettings | None = None


class CausalLmCard(HubCard):
    """`CausalCodecPolicy`."""

    kind: Literal["causal-lm"]
    tokens: Codes
    prompt: WrittenPrompt = WrittenPrompt()
    max_frames: int = Field(ge=1)
    softmax_over: Literal["vocabulary", "codes"] = "vocabulary"


class MusicgenCard(HubCard):
    """`MusicgenPolicy`."""

    kind: Literal["musicgen"]
    n_frames: int = Field(ge=1)


class AudioLanguageCard(HubCard):
    """`AudioLanguagePolicy`; a prompt's `reference_clip` is the id of a clip of `study`."""

    kind: Literal["audio-language-model"]
    study: Path
    max_ids: int = Field(ge=1)
    pattern: TextPattern = QUESTION


PolicyCard = BuiltInCard | PythonCard | CausalLmCard | MusicgenCard | AudioLanguageCard

_CARDS: dict[str, type[PolicyCard]] = {
    "built-in": BuiltInCard,
    "python": PythonCard,
    "causal-lm": CausalLmCard,
    "musicgen": MusicgenCard,
    "audio-language-model": AudioLanguageCard,
}


class _AnyCard(Card):
    """The kind of a card whose other keys are not looked at yet."""

    model_config = ConfigDict(extra="ignore")

    kind: Literal["built-in", "python", "causal-lm", "musicgen", "audio-language-model"]


def read_card(where: str | os.PathLike[str]) -> PolicyCard:
    """The card of a policy, with absolute paths.

    `where` is a card, a folder with a `policy.yaml`, a `.safetensors` file that
    `CodecLanguageModel.save` wrote, or `file.py:factory`, a function that makes a policy. Raises
    ConfigError for anything else, and for a card with unknown or missing keys.
    """
    path = Path(where).absolute()
    if own := re.fullmatch(r"(.+\.py):(\w+)", str(path)):
        return PythonCard(kind="python", file=Path(own[1]), factory=own[2])
    if path.suffix == ".safetensors":
        return BuiltInCard(kind="built-in", weights=path)
    if path.is_dir():
        path = path / CARD_NAME
    if path.suffix != ".yaml" or not path.is_file():
        raise ConfigError(
            f"{where}: expected a card such as {CARD_NAME}, a folder with one, a file of "
            "CodecLanguageModel.save or FILE.py:FUNCTION, got none of these: check the path, or "
            "write a card for the model"
        )
    model = _CARDS[read_yaml(_AnyCard, path).kind]
    return _located(read_yaml(model, path), path.parent)


def card_text(card: PolicyCard) -> str:
    """The card in YAML; reading it back gives the same card, but for its relative paths."""
    return yaml.safe_dump(card.model_dump(mode="json", exclude_none=True), sort_keys=False)


AnyModel = TypeVar("AnyModel", bound=StrictModel)


def _located(card: AnyModel, folder: Path) -> AnyModel:
    """The card with its relative paths below `folder`."""
    found: dict[str, Any] = {}
    for name, value in card:
        if isinstance(value, Path):
            found[name] = folder / value
        elif isinstance(value, StrictModel):
            found[name] = _located(value, folder)
        elif isinstance(card, HubCard) and name == "model":
            found[name] = _model_at(value, folder)
    return card.model_copy(update=found)


def _model_at(name: str, folder: Path) -> str:
    """The folder `name` below `folder`, or a name on the hub."""
    here = folder / name
    if here.is_dir():
        return str(here)
    if name.startswith(".") or here == Path(name):
        raise ConfigError(
            f"{folder / CARD_NAME}: model: expected the folder of a model at {here}, got none "
            "there: correct the path, which is relative to the card"
        )
    return name
