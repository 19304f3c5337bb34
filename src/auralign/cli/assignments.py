"""`NAME=VALUE` on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click


def assignments(option: str, words: Sequence[str]) -> dict[str, Any]:
    """Values are YAML; UsageError, naming the option, for a word without an equals sign."""
    from auralign.data.config import load_yaml

    found = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise click.UsageError(f"{option} takes NAME=VALUE, got '{word}'")
        found[name.strip()] = load_yaml(value, f"{option} {name}")
    return found
