"""Reading of weight files that the user has downloaded."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from auralign.errors import ConfigError
from auralign.signals.models.optional import optional


def read_checkpoint(path: str, option: str, published_at: str) -> Mapping[str, Any]:
    """What a file that torch saved holds; nothing in it is executed.

    Raises ConfigError, which says where the file is published, when there is none at `path`, which
    the user gave as `option`, or when it holds something else.
    """
    torch = optional("torch", "mos")
    if not Path(path).is_file():
        got = f"'{path}'" if path else "nothing"
        raise ConfigError(
            f"the option `{option}` has to name the file that is published at {published_at}, "
            f"got {got}: download it and say where it is"
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise ConfigError(f"'{path}' holds no weights: download it again") from error
    if not isinstance(content, Mapping):
        raise ConfigError(f"'{path}' holds no weights by name: download it again")
    return content


def below(prefix: str, weights: Mapping[str, Any]) -> dict[str, Any]:
    """The weights whose names begin with the prefix, without it."""
    return {name.removeprefix(prefix): w for name, w in weights.items() if name.startswith(prefix)}
