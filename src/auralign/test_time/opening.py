"""Codecs, rewards and prompts by what they are called on the command line."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from auralign.data import PROMPTS, StudyFolder, read_table
from auralign.data.importers.source_rows import SourceRow, read_text_rows
from auralign.data.tables import to_enum
from auralign.errors import AuralignError, ConfigError, DataError, did_you_mean
from auralign.policies.codec import KMeansCodec
from auralign.policies.layouts import ClipLimits
from auralign.policies.transformers_codec import TransformersCodec
from auralign.rewards import BradleyTerryReward
from auralign.test_time.audio_rewards import model_reward, signal_reward
from auralign.test_time.selection import Reward
from auralign.types import Codec, Prompt, Split

_COLUMNS = tuple(field.name for field in fields(Prompt))


def open_codec(where: str, limits: ClipLimits | None) -> Codec:
    """The codec that `where` names.

    where    a file of `KMeansCodec.save` (.npz), FILE.py:FUNCTION, where the function takes nothing
             and returns a `Codec`, or a codec of transformers: its folder or its name in the cache
    limits   of the policy, whose codebooks the codec must have

    Raises ConfigError or DataError for anything else.
    """
    codec: Any
    if own := own_function(where):
        codec = own()
        if not isinstance(codec, Codec):
            raise ConfigError(f"{where}: expected a Codec, got {type(codec).__name__}: return one")
    elif where.endswith(".npz"):
        codec = KMeansCodec.load(Path(where))
    else:
        n = limits.n_codebooks if limits else 1
        codec = TransformersCodec.from_pretrained(where, n, local_files_only=True)
    _require_fitting(where, codec, limits)
    return codec  # type: ignore[no-any-return]


def open_reward(where: str, codec: Codec | None, options: Mapping[str, Any]) -> Reward:
    """The reward that `where` names.

    where     a signal or one of its measures, the folder of a trained reward model, or
              FILE.py:FUNCTION, where the function is a `Reward` and sees the codes themselves
    options   of the signal

    Raises ConfigError for a reward that listens where there is no codec, and for options that
    nothing takes.
    """
    if own := own_function(where):
        _require_no_options(where, options)
        return own
    if codec is None:
        raise ConfigError(
            f"reward: expected a codec to listen to clips with for '{where}', got none: give one, "
            "or a reward of codes as FILE.py:FUNCTION"
        )
    if Path(where).is_dir():
        _require_no_options(where, options)
        model: Any = BradleyTerryReward.load(Path(where))
        return model_reward(model, codec)
    return signal_reward(where, codec, options)


def read_prompts(path: Path) -> list[Prompt]:
    """The prompts of a study folder, of a prompts.parquet, or of a CSV, TSV or JSON Lines file.

    Its columns are fields of a `Prompt`; `text` must be there, and is the id where there is none.
    Raises DataError, naming file and line, for anything else and for an id that is there twice.
    """
    if path.is_dir():
        prompts = StudyFolder.open(path).prompts()
    elif path.suffix == ".parquet":
        prompts = read_table(PROMPTS, path)
    else:
        prompts = [_prompt(row) for row in read_text_rows(path)]
    if not prompts:
        raise DataError(f"{path}: expected at least one prompt, got none: write one a line")
    seen = set[str]()
    for prompt in prompts:
        if prompt.id in seen:
            raise DataError(f"{path}: expected each id once, got '{prompt.id}' twice: rename one")
        seen.add(prompt.id)
    return prompts


def own_function(where: str) -> Callable[..., Any] | None:
    """The function that FILE.py:FUNCTION names, None for a name of another form.

    The file is run. Raises ConfigError for a file or a function that is not there, and for what the
    file itself raises.
    """
    named = re.fullmatch(r"(.+\.py):(\w+)", where)
    if named is None:
        return None
    file, name = Path(named[1]), named[2]
    if not file.is_file():
        raise ConfigError(f"{file}: expected a Python file, but there is none: check the path")
    spec = importlib.util.spec_from_file_location(f"auralign_own_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except AuralignError:
        raise
    except Exception as error:
        raise ConfigError(f"{file}: expected code that runs, got {error!r}: correct it") from error
    function = getattr(module, name, None)
    if not callable(function):
        hint = did_you_mean(name, vars(module))
        raise ConfigError(f"{file}: expected a function {name}, got none{hint}: correct its name")
    return function  # type: ignore[no-any-return]


def _require_fitting(where: str, codec: Codec, limits: ClipLimits | None) -> None:
    found = codec.n_codebooks, codec.codebook_size
    if limits and found != (limits.n_codebooks, limits.codebook_size):
        raise ConfigError(
            f"{where}: expected the codec of the policy, with {limits.n_codebooks} codebooks of "
            f"{limits.codebook_size}, got {found[0]} of {found[1]}: choose that which the policy "
            "was trained with"
        )


def _require_no_options(where: str, options: Mapping[str, Any]) -> None:
    if options:
        raise ConfigError(
            f"reward_options: expected none for '{where}', got {', '.join(options)}: only signals "
            "take options"
        )


def _prompt(row: SourceRow) -> Prompt:
    given = {name: text for name, text in row.values.items() if text}
    for name in row.values:
        if name not in _COLUMNS:
            raise row.error(f"'{name}' is no field of a prompt{did_you_mean(name, _COLUMNS)}")
    if "text" not in given:
        raise row.error("text is missing: every prompt needs it")
    split = to_enum(Split, given.pop("split", Split.TRAIN), "split")
    return Prompt(**{"id": given["text"], **given}, split=split)
